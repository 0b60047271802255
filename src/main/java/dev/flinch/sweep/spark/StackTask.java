package dev.flinch.sweep.spark;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.store.Claim;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.ClaimedStack;
import dev.flinch.sweep.StackRequest;
import dev.flinch.sweep.StackWorker;
import dev.flinch.sweep.SweepFolder;
import dev.flinch.sweep.Workers;
import java.io.Serializable;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;

/**
 * A stack as a task of Spark: all that an executor needs to carry it out. It travels in the data of
 * the task's partition, which Spark sends to the executor and keeps nowhere else, as the store's
 * credentials are in it.
 *
 * <p>Spark may run a task again, or twice at once. The stack's lease sees to it that one attempt
 * alone writes rows.
 *
 * @param stack its number in the store
 * @param networks a study each, as JSON
 */
record StackTask(long stack, List<String> networks, Terms terms) implements Serializable {
  private static final long WAIT_MILLIS = 1000;

  /**
   * What all tasks of a sweep have in common.
   *
   * @param sweep what workers are made for
   * @param device which one is asked for, as {@link SlotDevice} has it
   * @param application of Spark, as workers' names say
   */
  record Terms(
      Place sweep,
      StoreLocation store,
      Duration lease,
      String device,
      DeviceOpener opener,
      String application)
      implements Serializable {}

  /** A sweep's files, by their names on every machine. */
  record Place(
      String folder, boolean keepsWeights, String dataDirectory, Map<String, String> checksums)
      implements Serializable {}

  /** Tasks that ask for the same have each other's workers. */
  private record Purpose(Place sweep, SlotDevice device) {}

  /** The end of the name of every worker that an executor has. */
  static String executor(String application, String id) {
    return " of " + application + "/" + id;
  }

  /**
   * Carries the stack out, in a task of Spark.
   *
   * @throws RuntimeException that Spark is to try again after, elsewhere if it can
   */
  TaskReport run() {
    TaskContext task = TaskContext.get();
    try {
      ExecutorJvm.require();
      SlotDevice device = SlotDevice.of(terms.device, task);
      Slots.Slot slot = Slots.take(new Purpose(terms.sweep, device), () -> slot(device));
      try {
        TaskReport report = run(task, slot);
        slot.leave();
        return report;
      } catch (RuntimeException | Error e) {
        slot.drop(e);
        throw e;
      }
    } catch (RequestException e) {
      return TaskReport.refused("%s: %s".formatted(ExecutorJvm.host(), e.getMessage()));
    } catch (LinkageError e) {
      return TaskReport.refused(ExecutorJvm.doesNotLoad(e));
    }
  }

  private Slots.Slot slot(SlotDevice device) {
    var opened = terms.opener.open(device.name(), device.cores());
    StackWorker worker =
        new StackWorker(
            new SweepFolder(Path.of(terms.sweep.folder)),
            terms.sweep.keepsWeights,
            Path.of(terms.sweep.dataDirectory),
            terms.sweep.checksums,
            opened);
    return new Slots.Slot(new Purpose(terms.sweep, device), opened, worker);
  }

  private TaskReport run(TaskContext task, Slots.Slot slot) {
    ResultStore store = Slots.store(terms.store);
    double before = slot.worker().seconds();
    String name =
        Workers.name(
            slot.device().name() + executor(terms.application, SparkEnv.get().executorId()));
    // The copy of a task that may still be at work: were it to end at once, Spark would take the
    // stack for done, and stop the task that works on it.
    boolean another = task.attemptNumber() > 0 || task.stageAttemptNumber() > 0;
    while (!task.isInterrupted()) {
      Optional<Claim> claim = store.claim(stack, name, terms.lease);
      if (claim.isPresent()) {
        ClaimedStack.Ending ending = complete(claim.get(), task, slot.worker(), store);
        if (ending != ClaimedStack.Ending.LOST) {
          return TaskReport.done(slot.worker().seconds() - before);
        }
      } else if (store.isDone(stack)) {
        return TaskReport.done(slot.worker().seconds() - before);
      }
      if (!another) {
        break;
      }
      store.abandon(Workers::isDead);
      if (!pause()) {
        break;
      }
    }
    return TaskReport.elsewhere(slot.worker().seconds() - before);
  }

  private ClaimedStack.Ending complete(
      Claim claim, TaskContext task, StackWorker worker, ResultStore store) {
    StackRequest request = StackRequest.ofJson(networks).only(claim.identities());
    return new ClaimedStack(worker, store, claim, request, terms.lease, task::isInterrupted)
        .complete(Progress.NONE);
  }

  /** False if the task is to end. */
  private static boolean pause() {
    try {
      Thread.sleep(WAIT_MILLIS);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Nothing of what it carries. */
  @Override
  public String toString() {
    return "stack " + stack;
  }
}
