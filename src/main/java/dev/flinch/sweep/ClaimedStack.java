package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.store.Claim;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.PlannedStack;
import dev.flinch.store.ResultStore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A stack that a worker has claimed, until what came of it is in the store. The lease is renewed
 * while the work goes on, so that another process takes the stack over only if this one dies; whose
 * lease is lost all the same writes nothing.
 */
public final class ClaimedStack {
  private static final Logger LOG = LoggerFactory.getLogger(ClaimedStack.class);

  /** How it ended. */
  public enum Ending {
    /** Its rows are in the store. */
    DONE,
    /** The device had no room for it; its parts are in the store, for anyone to claim. */
    SPLIT,
    /** It could not be carried out, and its networks' rows say why. */
    FAILED,
    /** It is another worker's now. */
    LOST,
    /** It was interrupted, and is free for others. */
    STOPPED
  }

  /** Ends work on a stack that is no longer ours. */
  private static final class LeaseLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Ends work in the middle of a stack. */
  private static final class StoppedException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private final StackWorker worker;
  private final ResultStore store;
  private final Claim claim;
  private final StackRequest request;
  private final Duration lease;
  private final BooleanSupplier stopped;

  /**
   * @param worker carries it out
   * @param store where it was claimed
   * @param request the claim's networks
   * @param lease how long it stays claimed without being renewed
   * @param stopped whether the work is to end, with the stack free for others
   */
  public ClaimedStack(
      StackWorker worker,
      ResultStore store,
      Claim claim,
      StackRequest request,
      Duration lease,
      BooleanSupplier stopped) {
    this.worker = worker;
    this.store = store;
    this.claim = claim;
    this.request = request;
    this.lease = lease;
    this.stopped = stopped;
  }

  /**
   * Carries it out.
   *
   * @throws DeviceLostException if the device no longer answers; the stack is free for others then
   * @throws RequestException if the store or a checkpoint cannot be written; likewise
   */
  public Ending complete(Progress progress) {
    AtomicBoolean lost = new AtomicBoolean();
    Heartbeat heartbeat = new Heartbeat(lost);
    try {
      List<NetworkRow> rows;
      try {
        rows = worker.work(request, watched(progress, lost));
      } finally {
        heartbeat.close();
      }
      return finish(rows, Ending.DONE);
    } catch (LeaseLostException e) {
      return lost();
    } catch (StoppedException e) {
      store.release(claim);
      return Ending.STOPPED;
    } catch (OutOfDeviceMemoryException e) {
      return split(e.getMessage());
    } catch (OutOfMemoryError e) {
      return split("the JVM is out of memory: " + e.getMessage());
    } catch (DeviceLostException | RequestException e) {
      throw releasing(e);
    } catch (RuntimeException e) {
      LOG.debug("stack {} failed", claim.stack(), e);
      return fail(e.toString());
    }
  }

  /** Frees the stack; where even that fails, its lease expires. */
  private RuntimeException releasing(RuntimeException failure) {
    try {
      store.release(claim);
    } catch (RequestException e) {
      failure.addSuppressed(e);
    }
    return failure;
  }

  private Progress watched(Progress progress, AtomicBoolean lost) {
    return (task, done, total) -> {
      if (lost.get()) {
        throw new LeaseLostException();
      }
      if (stopped.getAsBoolean()) {
        throw new StoppedException();
      }
      progress.report(task, done, total);
    };
  }

  private Ending finish(List<NetworkRow> rows, Ending ending) {
    if (!store.finish(claim, rows)) {
      return lost();
    }
    worker.forget(claim.identities());
    return ending;
  }

  private Ending lost() {
    LOG.info(
        "stack {} went to another worker: this one didn't renew its lease of {} s in time",
        claim.stack(),
        lease.toSeconds());
    return Ending.LOST;
  }

  private Ending split(String reason) {
    List<String> identities = claim.identities();
    int size = identities.size();
    if (size == 1) {
      return fail("doesn't fit into the device's memory by itself: " + reason);
    }
    LOG.info("{}: {} networks at once don't fit, going on with {}", reason, size, size / 2);
    double each = store.cost(claim) / size;
    List<PlannedStack> parts =
        Stream.of(identities.subList(0, size / 2), identities.subList(size / 2, size))
            .map(part -> new PlannedStack(each * part.size(), part))
            .toList();
    return store.split(claim, parts) ? Ending.SPLIT : lost();
  }

  private Ending fail(String error) {
    return finish(request.failed(error), Ending.FAILED);
  }

  /** Renews the lease from a thread of its own, every third of its length. */
  private final class Heartbeat {
    private final Thread thread;

    Heartbeat(AtomicBoolean lost) {
      thread = new Thread(() -> beat(lost), "lease of stack " + claim.stack());
      thread.setDaemon(true);
      thread.start();
    }

    private void beat(AtomicBoolean lost) {
      try {
        while (!lost.get()) {
          Thread.sleep(lease.toMillis() / 3);
          try {
            lost.set(!store.renew(claim, lease));
          } catch (RequestException e) {
            // The lease may live on until the store answers again.
            LOG.warn("{}", e.getMessage());
          }
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    void close() {
      thread.interrupt();
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
