package dev.flinch.device.cpu;

import dev.flinch.device.Device;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;

/**
 * Threads that take the tasks of one job after another. The thread that asks works too, on lane 0.
 * Between jobs the others spin for a moment before they sleep, since a training step is several
 * jobs of a millisecond or less.
 */
final class LanePool implements AutoCloseable {
  private static final int SPINS = 20_000;

  private final CpuLane[] lanes;
  private final Thread[] workers;
  private volatile Job current;
  private volatile boolean closed;

  LanePool(int count, IntFunction<CpuLane> newLane) {
    lanes = new CpuLane[count];
    workers = new Thread[count - 1];
    for (int i = 0; i < count; i++) {
      lanes[i] = newLane.apply(i);
    }
    for (int i = 0; i < workers.length; i++) {
      CpuLane lane = lanes[i + 1];
      workers[i] = new Thread(() -> serve(lane), "flinch-lane-" + (i + 1));
      workers[i].setDaemon(true);
      workers[i].start();
    }
  }

  int lanes() {
    return lanes.length;
  }

  /** Runs all tasks; the first failure of any is thrown once every lane has stopped. */
  synchronized void run(int tasks, Device.Task body) {
    if (closed) {
      throw new IllegalStateException("this device was closed");
    }
    Job job = new Job(tasks, body);
    if (tasks > 1) {
      current = job;
      for (Thread worker : workers) {
        LockSupport.unpark(worker);
      }
    }
    job.work(lanes[0]);
    for (int spins = 0; job.unfinished.get() > 0; spins++) {
      pause(spins);
    }
    Throwable failure = job.failure.get();
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw (RuntimeException) failure;
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Thread worker : workers) {
      LockSupport.unpark(worker);
    }
    for (CpuLane lane : lanes) {
      lane.close();
    }
  }

  private void serve(CpuLane lane) {
    Job last = null;
    for (int spins = 0; !closed; spins++) {
      Job job = current;
      if (job != last && job != null) {
        job.work(lane);
        last = job;
        spins = 0;
      } else if (spins < SPINS) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
  }

  private static void pause(int spins) {
    if (spins < SPINS) {
      Thread.onSpinWait();
    } else {
      Thread.yield();
    }
  }

  private static final class Job {
    private final int tasks;
    private final Device.Task body;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger unfinished;
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Job(int tasks, Device.Task body) {
      this.tasks = tasks;
      this.body = body;
      this.unfinished = new AtomicInteger(tasks);
    }

    void work(CpuLane lane) {
      for (int task = next.getAndIncrement(); task < tasks; task = next.getAndIncrement()) {
        try {
          if (failure.get() == null) {
            body.run(lane, task);
          }
        } catch (RuntimeException | Error e) {
          failure.compareAndSet(null, e);
        } finally {
          unfinished.getAndDecrement();
        }
      }
    }
  }
}
