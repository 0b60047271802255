package dev.flinch.sweep.spark;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.Capacity;
import dev.flinch.sweep.SweepEngine;
import dev.flinch.sweep.SweepProgress;
import dev.flinch.sweep.SweepWork;
import dev.flinch.sweep.Workers;
import dev.flinch.sweep.Workshop;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;

/**
 * Carries out a sweep on Apache Spark: this process is the driver, and every stack is a job of one
 * task. A worker is a task slot, with the card or the cores that Spark gives to a task. Other
 * engines may work on the same sweep.
 */
public final class SparkEngine implements SweepEngine, AutoCloseable {
  private static final String EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions";
  private static final Pattern ADDRESS = Pattern.compile("([^,/]+):(\\d{1,5})");
  private static final Duration LOOK = Duration.ofMillis(10);

  /** Executors come one after the other; so long after the last, no more are waited for. */
  private static final Duration SETTLING = Duration.ofSeconds(1);

  private final JavaSparkContext spark;
  private final String device;
  private final DeviceOpener opener;

  SparkEngine(JavaSparkContext spark, String device, DeviceOpener opener) {
    this.spark = spark;
    this.device = device;
    this.opener = opener;
  }

  /**
   * Becomes an application of Spark, in a process that {@code spark-submit} has started.
   *
   * @param device {@code auto}, for cards where Spark gives a task one, else the CPU; {@code cpu};
   *     {@code cuda}; or {@code emulator}
   * @throws RequestException for another device, and if Spark's master doesn't answer
   */
  public static SparkEngine start(String device) {
    return new SparkEngine(context(device), device, DeviceOpener::ofThisMachine);
  }

  static JavaSparkContext context(String device) {
    if (!SlotDevice.NAMES.contains(device)) {
      throw new RequestException(
          "--device %s: expected one of %s with --engine spark, where Spark says which card a task has"
              .formatted(device, String.join(", ", SlotDevice.NAMES)));
    }
    endWithParent();
    SparkConf conf = new SparkConf();
    requireMaster(conf.get("spark.master"));
    conf.setIfMissing("spark.app.name", "flinch sweep");
    conf.setIfMissing("spark.log.level", "WARN");
    // Spark's scripts number cards as nvidia-smi does, by their place in the machine.
    conf.setIfMissing("spark.executorEnv.CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    conf.set(
        EXECUTOR_OPTIONS,
        String.join(" ", SparkSubmission.JVM_FLAGS, conf.get(EXECUTOR_OPTIONS, "")).strip());
    // Tasks are made for Java's own serialization; they are few and small.
    conf.set("spark.serializer", "org.apache.spark.serializer.JavaSerializer");
    try {
      return new JavaSparkContext(conf);
    } catch (Exception e) {
      if (e instanceof SparkException || e instanceof IllegalStateException) {
        throw new RequestException("Spark doesn't start: " + e.getMessage(), e);
      }
      throw e;
    }
  }

  /** A driver without the command that it belongs to has nobody to work for. */
  private static void endWithParent() {
    Long parent = Long.getLong(SparkSubmission.PARENT);
    if (parent != null) {
      ProcessHandle.of(parent)
          .map(ProcessHandle::onExit)
          .ifPresent(end -> end.thenRun(() -> System.exit(1)));
    }
  }

  /** Spark itself tries for a minute, and then says little. */
  private static void requireMaster(String master) {
    if (!master.startsWith("spark://")) {
      return;
    }
    List<InetSocketAddress> masters =
        ADDRESS
            .matcher(master.substring("spark://".length()))
            .results()
            .map(found -> new InetSocketAddress(found.group(1), Integer.parseInt(found.group(2))))
            .toList();
    String reason = "expected spark://HOST:PORT";
    for (InetSocketAddress address : masters) {
      try (Socket socket = new Socket()) {
        socket.connect(address, 5000);
        return;
      } catch (IOException e) {
        reason = e.getMessage();
      }
    }
    throw new RequestException(
        "--master %s: Spark's master doesn't answer: %s; name one that runs"
            .formatted(master, reason));
  }

  /**
   * @throws RequestException if executors can't reach a store
   */
  public void requireReachable(StoreLocation store) {
    if (!spark.sc().isLocal() && !store.isShared()) {
      throw new RequestException(
          "--engine spark: expected a store that all nodes reach, found the file %s; name one with --store jdbc:postgresql://HOST/DATABASE"
              .formatted(store));
    }
  }

  @Override
  public Workshop workshop() {
    SlotProbe.Found found = probe();
    int slots = settledSlots();
    int executors = Math.max(1, executorHosts().size());
    int hosts = Math.max(1, (int) executorHosts().stream().distinct().count());
    boolean card = found.capacity().card();
    int sharers = card ? tasksOfACard() : ceil(slots, hosts);
    long bytes =
        Math.min(found.deviceBytes() / sharers, found.heapBytes() / ceil(slots, executors));
    double rate = found.capacity().productsPerSecond() / (card ? sharers : 1);
    return new Capacity(Math.max(1, bytes), rate, card).workshop(slots);
  }

  private SlotProbe.Found probe() {
    spark.setJobDescription("what a worker can take on");
    try {
      SlotProbe.Found found =
          spark
              .parallelize(List.of(new SlotProbe(device, opener)), 1)
              .map(SlotProbe::run)
              .collectAsync()
              .get()
              .get(0);
      if (found.refusal() != null) {
        throw new RequestException(found.refusal());
      }
      return found;
    } catch (ExecutionException e) {
      JobFailure failure = new JobFailure(e, spark.sc().isStopped());
      failure.throwOthers();
      throw new RequestException("Spark: " + failure.reason(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static int ceil(int dividend, int divisor) {
    return (dividend + divisor - 1) / divisor;
  }

  /** Where executors are, each as often as there are executors. */
  private List<String> executorHosts() {
    String driver = SparkEnv.get().blockManager().blockManagerId().hostPort();
    return Stream.of(spark.sc().statusTracker().getExecutorInfos())
        .filter(executor -> !driver.equals(executor.host() + ":" + executor.port()))
        .map(executor -> executor.host())
        .toList();
  }

  private int tasksOfACard() {
    double amount = spark.getConf().getDouble("spark.task.resource.gpu.amount", 1);
    return amount >= 1 ? 1 : (int) (1 / amount);
  }

  private int settledSlots() {
    int slots = slots();
    long since = System.nanoTime();
    while (System.nanoTime() - since < SETTLING.toNanos()) {
      pause(100);
      int now = slots();
      if (now != slots) {
        slots = now;
        since = System.nanoTime();
      }
    }
    return slots;
  }

  /** Tasks that the application's executors can run at once. */
  private int slots() {
    var context = spark.sc();
    return Math.max(
        1,
        context.maxNumConcurrentTasks(context.resourceProfileManager().defaultResourceProfile()));
  }

  @Override
  public double run(SweepWork work, Progress progress) {
    requireReachable(work.store());
    StackTask.Terms terms =
        new StackTask.Terms(
            new StackTask.Place(
                work.folder().path().toAbsolutePath().toString(),
                work.options().keepWeights(),
                work.dataDirectory().toAbsolutePath().toString(),
                work.checksums()),
            work.store(),
            work.options().lease(),
            device,
            opener,
            spark.sc().applicationId());
    String driver = Workers.name("driver of " + spark.sc().applicationId());
    try (StackJobs jobs = new StackJobs(spark, work, terms, slots(), driver);
        SweepProgress shown =
            new SweepProgress(
                work, () -> "%d stacks with Spark".formatted(jobs.running()), progress)) {
      SparkListener listener =
          new SparkListener() {
            @Override
            public void onExecutorRemoved(SparkListenerExecutorRemoved removed) {
              jobs.executorIsGone(removed.executorId());
            }
          };
      spark.sc().addSparkListener(listener);
      try {
        while (!jobs.advance()) {
          shown.report("", 0, 0);
          pause(LOOK.toMillis());
        }
      } finally {
        spark.sc().removeSparkListener(listener);
      }
      return jobs.seconds();
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Ends the application. */
  @Override
  public void close() {
    spark.close();
  }
}
