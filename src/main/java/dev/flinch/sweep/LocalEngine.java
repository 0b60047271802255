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
import java.util.function.Function;

/**
 * Carries out a sweep in this process: a worker for each device, each with the stack that is
 * costliest among those that nobody works on. Other processes may do the same at the same time.
 */
final class LocalEngine {
  /** How often a worker without work looks whether another one has died. */
  private static final Duration LOOK = Duration.ofSeconds(1);

  private final SweepFolder folder;
  private final Function<Device, StackWorker> workers;
  private final Duration lease;
  private final AtomicBoolean stopped = new AtomicBoolean();

  /**
   * @param folder holds the sweep's store
   * @param workers makes the worker of a device
   * @param lease how long a stack stays with a worker that doesn't renew its claim
   */
  LocalEngine(SweepFolder folder, Function<Device, StackWorker> workers, Duration lease) {
    this.folder = folder;
    this.workers = workers;
    this.lease = lease;
  }

  /**
   * Works until every network of the sweep has its row, by this process or by others.
   *
   * @param title what people are told that this work is
   * @param devices one worker each; not closed here
   * @return seconds that all workers spent on training and measuring
   * @throws dev.flinch.base.RequestException if the store, or a checkpoint, cannot be written
   * @throws dev.flinch.device.DeviceLostException if a device no longer answers
   */
  double run(String title, List<Device> devices, Progress progress) {
    ExecutorService threads = Executors.newFixedThreadPool(devices.size());
    try (SweepProgress shown = new SweepProgress(title, folder, devices, progress)) {
      CompletionService<Double> running = new ExecutorCompletionService<>(threads);
      for (Device device : devices) {
        running.submit(() -> work(device, shown));
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

  /** The work of one device. */
  private double work(Device device, SweepProgress shown) {
    String name = Workers.name(device);
    try (ResultStore store = ResultStore.openExisting(folder.results());
        StackWorker worker = workers.apply(device)) {
      while (!stopped.get()) {
        Optional<Claim> claim = store.claim(name, lease);
        if (claim.isPresent()) {
          new ClaimedStack(worker, store, claim.get(), lease, stopped::get).complete(shown);
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
