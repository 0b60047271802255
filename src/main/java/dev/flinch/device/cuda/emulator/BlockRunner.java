package dev.flinch.device.cuda.emulator;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Hands the blocks of a launch to threads of the host, in order. Where several fail, the error is
 * that of the block that comes first, so that it is the same for any number of threads.
 */
final class BlockRunner implements AutoCloseable {
  private final int parallelism;
  private final ExecutorService workers;
  private final List<Map<Program, Block>> blocks = new ArrayList<>();

  BlockRunner(int parallelism) {
    if (parallelism < 1) {
      throw new IllegalArgumentException("expected a parallelism of at least 1");
    }
    this.parallelism = parallelism;
    this.workers =
        parallelism == 1
            ? null
            : Executors.newFixedThreadPool(
                parallelism - 1,
                work -> {
                  Thread thread = new Thread(work, "flinch-emulator");
                  thread.setDaemon(true);
                  return thread;
                });
    for (int i = 0; i < parallelism; i++) {
      blocks.add(new IdentityHashMap<>());
    }
  }

  /** Runs a launch to its end. */
  List<Tally> run(Launch launch) {
    Job job = new Job(launch);
    int helpers = (int) Math.min(parallelism, launch.geometry.blocks()) - 1;
    CountDownLatch finished = new CountDownLatch(helpers);
    for (int i = 1; i <= helpers; i++) {
      Block block = block(launch, i);
      workers.execute(
          () -> {
            job.work(block);
            finished.countDown();
          });
    }
    job.work(block(launch, 0));
    boolean interrupted = false;
    while (true) {
      try {
        finished.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    job.rethrow();
    return job.tallies;
  }

  /** The registers and shared memory of the last launch of the kernel, where they fit. */
  private Block block(Launch launch, int worker) {
    Map<Program, Block> known = blocks.get(worker);
    int threads = launch.geometry.threads();
    Block block = known.get(launch.program);
    if (block == null || !block.fits(threads, launch.sharedBytes())) {
      block = new Block(launch.program, threads, launch.sharedBytes());
      known.put(launch.program, block);
    }
    block.tally.clear();
    return block;
  }

  /** Drops what was kept for a kernel's next launch. */
  void forget(Program program) {
    blocks.forEach(known -> known.remove(program));
  }

  @Override
  public void close() {
    if (workers != null) {
      workers.shutdown();
    }
  }

  private static final class Job {
    private final Launch launch;
    private final long count;
    private final AtomicLong next = new AtomicLong();
    private final Map<Long, Throwable> failures = Collections.synchronizedMap(new HashMap<>());
    private final List<Tally> tallies = Collections.synchronizedList(new ArrayList<>());
    private final AtomicLong firstFailure = new AtomicLong(Long.MAX_VALUE);

    Job(Launch launch) {
      this.launch = launch;
      this.count = launch.geometry.blocks();
    }

    void work(Block block) {
      for (long i = next.getAndIncrement();
          i < count && i < firstFailure.get();
          i = next.getAndIncrement()) {
        try {
          block.run(launch, i);
        } catch (RuntimeException | Error e) {
          failures.put(i, e);
          firstFailure.accumulateAndGet(i, Math::min);
        }
      }
      tallies.add(block.tally);
    }

    void rethrow() {
      Throwable failure = failures.get(firstFailure.get());
      if (failure instanceof Error error) {
        throw error;
      }
      if (failure != null) {
        throw (RuntimeException) failure;
      }
    }
  }
}
