package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import dev.flinch.device.DeviceLostException;
import dev.flinch.experiment.Configuration;
import dev.flinch.network.Architecture;
import dev.flinch.store.Claim;
import dev.flinch.store.ResultStore;
import dev.flinch.store.UnfinishedStack;
import dev.flinch.sweep.DryRun;
import dev.flinch.sweep.StackRequest;
import dev.flinch.sweep.SweepWork;
import dev.flinch.sweep.Workers;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * The stacks of a sweep as jobs of Spark, costliest first, each with a name that Spark shows. A
 * bounded number is with Spark at any time: enough that no slot waits for the driver, and that
 * Spark sees what a larger cluster would be good for. For one thread.
 */
final class StackJobs implements AutoCloseable {
  private static final int FEWEST_AT_ONCE = 64;
  private static final int AT_ONCE_A_SLOT = 4;

  /** How often the store is asked what others have done, or left. */
  private static final long LOOK = Duration.ofSeconds(1).toNanos();

  /** Stacks that others keep are asked for less and less often, up to this. */
  private static final long LONGEST_REST = Duration.ofSeconds(30).toNanos();

  /** How long tasks that were cancelled have to give their stacks back. */
  private static final Duration GIVING_BACK = Duration.ofSeconds(5);

  private final JavaSparkContext spark;
  private final SweepWork work;
  private final StackTask.Terms terms;
  private final int mostAtOnce;
  private final ResultStore store;
  private final String driver;

  private final Deque<UnfinishedStack> waiting = new ArrayDeque<>();
  private final Map<Long, JavaFutureAction<List<TaskReport>>> running = new HashMap<>();

  /** Why jobs failed whose networks have no rows yet. */
  private final Map<Long, String> failed = new HashMap<>();

  private final Map<Long, Rest> resting = new HashMap<>();
  private final Queue<String> goneExecutors = new ConcurrentLinkedQueue<>();
  private double seconds;
  private long looked = System.nanoTime() - LOOK;

  /** Until when a stack that another worker has isn't asked for. */
  private record Rest(long nanos, long until) {}

  /**
   * @param slots tasks that run at once
   * @param driver the name of this process as a worker
   */
  StackJobs(
      JavaSparkContext spark, SweepWork work, StackTask.Terms terms, int slots, String driver) {
    this.spark = spark;
    this.work = work;
    this.terms = terms;
    this.mostAtOnce = Math.max(FEWEST_AT_ONCE, AT_ONCE_A_SLOT * slots);
    this.driver = driver;
    this.store = ResultStore.openExisting(work.store());
  }

  /** Hears that an executor is no more, from any thread. */
  void executorIsGone(String id) {
    goneExecutors.add(id);
  }

  /** Jobs that Spark has. */
  int running() {
    return running.size();
  }

  /** What workers have spent on training and measuring. */
  double seconds() {
    return seconds;
  }

  /**
   * Takes what has ended, gives Spark what is left, and returns at once.
   *
   * @return whether every stack is done
   * @throws RequestException if a task says that nothing of the sweep can be done
   * @throws DeviceLostException if a device no longer answers, on several attempts
   */
  boolean advance() {
    takeEnded();
    long now = System.nanoTime();
    boolean nothingLeft =
        running.isEmpty() && waiting.isEmpty() && resting.isEmpty() && failed.isEmpty();
    if (nothingLeft || now - looked >= LOOK) {
      looked = now;
      giveBackLeases();
      writeFailed();
      if (waiting.isEmpty()) {
        List<UnfinishedStack> left = store.unfinished();
        if (left.isEmpty()) {
          return true;
        }
        left.stream().filter(stack -> isFree(stack.id(), now)).forEach(waiting::add);
      }
    }
    while (running.size() < mostAtOnce && !waiting.isEmpty()) {
      submit(waiting.poll());
    }
    return false;
  }

  private boolean isFree(long stack, long now) {
    Rest rest = resting.get(stack);
    return !running.containsKey(stack)
        && !failed.containsKey(stack)
        && (rest == null || now - rest.until >= 0);
  }

  private void submit(UnfinishedStack stack) {
    List<String> identities = store.planned(stack.id());
    if (identities.isEmpty()) {
      return;
    }
    StackRequest request = work.plan().request(identities);
    StackTask task = new StackTask(stack.id(), request.toJson(), terms);
    spark.setJobDescription(description(stack, request));
    running.put(stack.id(), spark.parallelize(List.of(task), 1).map(StackTask::run).collectAsync());
  }

  /** Such as {@code stack 17: 64 networks, mnist, 5×200 ReLU, about 3 min}. */
  private static String description(UnfinishedStack stack, StackRequest request) {
    Configuration networks = request.configuration();
    Configuration.Networks shared = networks.networks();
    int count = request.stack().replicas().size();
    return "stack %d: %d %s, %s, %s, about %s"
        .formatted(
            stack.id(),
            count,
            count == 1 ? "network" : "networks",
            networks.data().dataset(),
            Architecture.title(
                shared.shapes().get(0).convolutions(),
                shared.shapes().get(0).hidden(),
                shared.activations().get(0),
                shared.biases()),
            DryRun.duration(stack.cost()));
  }

  private void takeEnded() {
    Iterator<Map.Entry<Long, JavaFutureAction<List<TaskReport>>>> jobs =
        running.entrySet().iterator();
    while (jobs.hasNext()) {
      Map.Entry<Long, JavaFutureAction<List<TaskReport>>> job = jobs.next();
      if (job.getValue().isDone()) {
        jobs.remove();
        take(job.getKey(), job.getValue());
      }
    }
  }

  private void take(long stack, JavaFutureAction<List<TaskReport>> job) {
    TaskReport report;
    try {
      report = job.get().get(0);
    } catch (ExecutionException | CancellationException e) {
      JobFailure failure = new JobFailure(e, spark.sc().isStopped());
      failure.throwOthers();
      failed.put(stack, failure.reason());
      return;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    seconds += report.seconds();
    switch (report.end()) {
      case REFUSED -> throw new RequestException(report.refusal());
      case ELSEWHERE -> {
        Rest before = resting.get(stack);
        long rest = before == null ? LOOK : Math.min(2 * before.nanos, LONGEST_REST);
        resting.put(stack, new Rest(rest, System.nanoTime() + rest));
      }
      case DONE -> resting.remove(stack);
    }
  }

  /** Writes why networks failed whose job did, once their worker's lease is over. */
  private void writeFailed() {
    failed
        .entrySet()
        .removeIf(
            failure -> {
              long stack = failure.getKey();
              Optional<Claim> claim = store.claim(stack, driver, work.options().lease());
              claim.ifPresent(
                  held ->
                      store.finish(
                          held, work.plan().request(held.identities()).failed(failure.getValue())));
              return claim.isPresent() || store.isDone(stack);
            });
  }

  private void giveBackLeases() {
    int opened = resting.isEmpty() ? 0 : store.abandon(Workers::isDead);
    for (String id = goneExecutors.poll(); id != null; id = goneExecutors.poll()) {
      String executor = StackTask.executor(terms.application(), id);
      opened += store.abandon(worker -> worker.endsWith(executor));
    }
    if (opened > 0) {
      resting.clear();
    }
  }

  /** Stops what still runs; its stacks are free for others. */
  @Override
  public void close() {
    try {
      cancel();
    } finally {
      store.close();
    }
  }

  private void cancel() {
    if (running.isEmpty() || spark.sc().isStopped()) {
      return;
    }
    // What Spark says of tasks that are stopped is no news to anybody.
    spark.setLogLevel("ERROR");
    running.values().forEach(job -> job.cancel(true));
    long end = System.nanoTime() + GIVING_BACK.toNanos();
    try {
      while (System.nanoTime() < end && runningTasks() > 0) {
        Thread.sleep(50);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private int runningTasks() {
    int tasks = 0;
    for (var executor : spark.sc().statusTracker().getExecutorInfos()) {
      tasks += executor.numRunningTasks();
    }
    return tasks;
  }
}
