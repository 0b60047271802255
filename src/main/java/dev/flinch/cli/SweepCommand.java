package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.experiment.Devices;
import dev.flinch.experiment.Json;
import dev.flinch.store.Counts;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.DryRun;
import dev.flinch.sweep.LocalEngine;
import dev.flinch.sweep.Sweep;
import dev.flinch.sweep.SweepConfiguration;
import dev.flinch.sweep.SweepEngine;
import dev.flinch.sweep.SweepFolder;
import dev.flinch.sweep.SweepPlan;
import dev.flinch.sweep.spark.SparkEngine;
import dev.flinch.sweep.spark.SparkSubmission;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flinch sweep}: plans, trains and measures very many networks. */
@Command(
    name = "sweep",
    description = {
      "Trains and measures every network that a configuration's factors make, and keeps them in a",
      "database. The same command goes on with a sweep that was interrupted; given several times at",
      "once, in as many processes, they share the work. configs/README.md lists every key."
    },
    footer = {
      "",
      "Examples:",
      "  flinch sweep configs/figure-4-small.json --dry-run",
      "  flinch sweep configs/figure-4-small.json --out runs/pairs",
      "  flinch sweep configs/figure-4.json --store jdbc:postgresql://db/flinch --engine spark"
    })
final class SweepCommand extends Action<SweepCommand.Result> {
  /** A month. */
  private static final long MOST_SECONDS = Duration.ofDays(30).toSeconds();

  @Parameters(paramLabel = "CONFIG", description = "The configuration of the sweep, a JSON file.")
  private Path configuration;

  @Option(
      names = "--dry-run",
      description = "Say what would be trained, in which stacks, and how long it may take.")
  private boolean dryRun;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Put a value in the place of the configuration's; may be repeated.")
  private List<String> overrides = List.of();

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "The sweep's folder (runs/NAME, after the configuration).")
  private Path out;

  @Option(
      names = "--store",
      paramLabel = "URL",
      description = {
        "Where results go (DIR/results.sqlite): jdbc:postgresql://HOST/DATABASE, which machines can",
        "share. The password comes from PGPASSWORD or the password file."
      })
  private String store;

  @Option(
      names = "--engine",
      paramLabel = "ENGINE",
      defaultValue = "local",
      description = {
        "What does the work (${DEFAULT-VALUE}): local, this machine; spark, an Apache Spark cluster."
      })
  private Engine engine;

  @Option(
      names = "--master",
      paramLabel = "URL",
      description = "Spark's master, such as spark://HOST:7077, yarn or local[4].")
  private String master;

  @Option(
      names = "--conf",
      paramLabel = "KEY=VALUE",
      description =
          "A setting of Spark, such as spark.task.resource.gpu.amount=1; may be repeated.")
  private Map<String, String> sparkSettings = Map.of();

  @Option(
      names = "--patience",
      paramLabel = "SECONDS",
      defaultValue = "120",
      description = {
        "How long to wait for a PostgreSQL server that has stopped answering (${DEFAULT-VALUE})."
      })
  private long patience;

  @Option(
      names = "--retry-failed",
      description =
          "Try networks once more that failed before. Those that diverged stay as they are.")
  private boolean retryFailed;

  @Option(
      names = "--keep-weights",
      description = "Also write each trained network to DIR/weights/IDENTITY.safetensors.")
  private boolean keepWeights;

  @Option(
      names = "--lease",
      paramLabel = "SECONDS",
      defaultValue = "60",
      description = {
        "After so many seconds (${DEFAULT-VALUE}) without a sign of life from a process, others",
        "take over what it was working on."
      })
  private long lease;

  @Option(
      names = "--device",
      paramLabel = "DEVICE,…",
      defaultValue = "auto",
      description = {
        "What to compute on (${DEFAULT-VALUE}): cuda, all NVIDIA cards; cuda:0,cuda:2, these; cpu;",
        "emulator; auto, all cards where there are any, else the CPU."
      })
  private String device;

  @Mixin private DataDirectory data;

  /** What carries out sweeps. */
  enum Engine {
    LOCAL,
    SPARK
  }

  /** What is printed, and what is written as JSON. */
  record Result(String text, Object json) {}

  @Override
  Result work(Progress progress) {
    requireSeconds("--lease", lease);
    requireSeconds("--patience", patience);
    if (out != null && out.toString().isBlank()) {
      throw new RequestException("--out: expected a folder, found nothing");
    }
    if (engine == Engine.LOCAL && (master != null || !sparkSettings.isEmpty())) {
      throw new RequestException("--master and --conf go with --engine spark");
    }
    SweepConfiguration sweep = SweepConfiguration.load(configuration, overrides);
    return engine == Engine.SPARK ? onSpark(sweep, progress) : onThisMachine(sweep, progress);
  }

  private static void requireSeconds(String option, long seconds) {
    if (seconds < 1 || seconds > MOST_SECONDS) {
      throw new RequestException(
          "%s: expected 1 to %d seconds, found %d".formatted(option, MOST_SECONDS, seconds));
    }
  }

  private Result onThisMachine(SweepConfiguration sweep, Progress progress) {
    List<Device> devices = new ArrayList<>();
    try {
      for (Devices.Choice choice : Devices.chooseAll(device)) {
        devices.add(choice.device());
        err().println("Device: " + choice.description());
        err().flush();
      }
      return carryOut(sweep, new LocalEngine(devices), progress);
    } finally {
      devices.forEach(Device::close);
    }
  }

  private Result onSpark(SweepConfiguration sweep, Progress progress) {
    if (SparkSubmission.isNeeded()) {
      return submit();
    }
    try (SparkEngine spark = SparkEngine.start(device)) {
      if (!dryRun) {
        spark.requireReachable(store());
      }
      return carryOut(sweep, spark, progress);
    }
  }

  /** Has Spark start this command once more, which then does the work and prints the result. */
  private Result submit() {
    if (!dryRun) {
      store();
    }
    SparkSubmission submission =
        new SparkSubmission(master, sparkSettings, "flinch sweep " + configuration.getFileName());
    throw new ExitException(submission.run(arguments()));
  }

  private Result carryOut(SweepConfiguration sweep, SweepEngine engine, Progress progress) {
    SweepPlan plan = SweepPlan.of(sweep, engine.workshop());
    if (dryRun) {
      DryRun run = DryRun.of(plan);
      return new Result(run.text(), run);
    }
    Sweep.Outcome outcome =
        Sweep.run(
            plan,
            folder(),
            store(),
            data.path(),
            engine,
            new Sweep.Options(Duration.ofSeconds(lease), retryFailed, keepWeights),
            progress);
    return new Result(text(outcome), outcome);
  }

  /** Unlike a run's, the same for the same command, which goes on with it. */
  private SweepFolder folder() {
    String name = configuration.getFileName().toString().replaceFirst("(?i)\\.json$", "");
    return new SweepFolder(out == null ? Path.of("runs", name) : out);
  }

  private StoreLocation store() {
    StoreLocation location = store == null ? folder().store() : StoreLocation.of(store);
    return location.withPatience(Duration.ofSeconds(patience));
  }

  private static String text(Sweep.Outcome outcome) {
    Counts counts = outcome.counts();
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%,d networks: %,d done, %,d diverged, %,d failed; this process worked for %.1f s, %.1f%% of it not on networks%n",
            counts.networks(),
            counts.done(),
            counts.diverged(),
            counts.failed(),
            outcome.seconds(),
            100 * (1 - outcome.busy())));
    if (counts.failed() > 0) {
      text.append(
          "flinch results %s --where \"status == 'failed'\" says why; --retry-failed tries them again%n"
              .formatted(outcome.folder().path()));
    }
    return text.append(
            "The sweep is in %s; flinch report %1$s draws it%n".formatted(outcome.folder().path()))
        .toString();
  }

  @Override
  String json(Result result) {
    return Json.text(result.json());
  }

  @Override
  void print(Result result, PrintWriter out) {
    out.print(result.text());
  }
}
