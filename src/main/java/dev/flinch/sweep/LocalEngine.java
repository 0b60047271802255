package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.store.Claim;
import dev.flinch.store.ResultStore;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Carries out a sweep in this process: a worker for each device, each with the stack that is
 * costliest among those that nobody works on. Other processes may do the same at the same time.
 */
public final class LocalEngine implements SweepEngine {
  /** How often a worker without work looks whether another one has died. */
  private static final Duration LOOK = Duration.ofSeconds(1);

  private final List<Device> devices;
  private final AtomicBoolean stopped = new AtomicBoolean();

  /**
   * @param devices one worker each; not closed here
   */
  public LocalEngine(List<Device> devices) {
    this.devices = List.copyOf(devices);
  }

  @Override
  public Workshop workshop() {
    return Capacity.of(devices.get(0)).workshop(devices.size());
  }

  /**
   * {@inheritDoc}
   *
   * @throws dev.flinch.device.DeviceLostException if a device no longer answers
   */
  @Override
  public double run(SweepWork work, Progress progress) {
    ExecutorService threads = Executors.newFixedThreadPool(devices.size());
    try (SweepProgress shown = new SweepProgress(work, this::memory, progress)) {
      CompletionService<Double> running = new ExecutorCompletionService<>(threads);
      for (Device device : devices) {
        running.submit(() -> carryOut(work, device, shown));
      }
      return awaitAll(running, devices.size());
    } finally {
      threads.shutdown();
    }
  }

  /** Waits for all workers; the first failure stops the others at their next step. */
  private double awaitAll(CompletionService<Double> running, int count) {
    double seconds = 0;
    RuntimeException failure = null;
    for (int i = 0; i < count; i++) {
      try {
        seconds += running.take().get();
      } catch (ExecutionException e) {
        stopped.set(true);
        RuntimeException cause =
            e.getCause() instanceof RuntimeException r
                ? r
                : new IllegalStateException(e.getCause());
        if (failure == null) {
          failure = cause;
        } else {
          failure.addSuppressed(cause);
        }
      } catch (InterruptedException e) {
        stopped.set(true);
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
    if (failure != null) {
      throw failure;
    }
    return seconds;
  }

  /** What a person is told of the devices. */
  private String memory() {
    long bytes = devices.stream().mapToLong(Device::liveBytes).sum();
    String names = devices.size() == 1 ? devices.get(0).name() : devices.size() + " devices";
    return "%d MB on %s".formatted(bytes >> 20, names);
  }

  /** The work of one device. */
  private double carryOut(SweepWork work, Device device, SweepProgress shown) {
    String name = Workers.name(device);
    Duration lease = work.options().lease();
    try (ResultStore store = ResultStore.openExisting(work.store());
        StackWorker worker = work.worker(device)) {
      while (!stopped.get()) {
        Optional<Claim> claim = store.claim(name, lease);
        if (claim.isPresent()) {
          StackRequest request = work.plan().request(claim.get().identities());
          new ClaimedStack(worker, store, claim.get(), request, lease, stopped::get)
              .complete(shown);
        } else if (store.counts().isComplete()) {
          break;
        } else {
          // What is left is with other workers, of whom one may die.
          if (store.abandon(Workers::isDead) == 0) {
            pause();
          }
        }
      }
      return worker.seconds();
    }
  }

  private void pause() {
    try {
      Thread.sleep(LOOK.toMillis());
    } catch (InterruptedException e) {
      stopped.set(true);
      Thread.currentThread().interrupt();
    }
  }
}
