package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.bench.GemmRate;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.ConfigurationChanges;
import dev.flinch.experiment.FlinchVersion;
import dev.flinch.experiment.Json;
import dev.flinch.experiment.Study;
import dev.flinch.experiment.StudyData;
import dev.flinch.store.Counts;
import dev.flinch.store.PlannedStack;
import dev.flinch.store.ResultStore;
import dev.flinch.store.SweepHeader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A sweep from its configuration to its results. It can be killed at any moment and goes on where
 * it was; several processes may carry it out together.
 */
public final class Sweep {
  /**
   * A stack should not take longer: what others wait for at the end. A card is busy with many
   * networks at once only.
   */
  private static final Duration LONGEST_STACK = Duration.ofMinutes(10);

  private static final Duration LONGEST_STACK_ON_CARD = Duration.ofHours(1);

  /** Before an operation begins on a card, about; not measured. */
  private static final double LAUNCH_SECONDS = 5e-6;

  private Sweep() {}

  /**
   * What may differ from one process of a sweep to the next.
   *
   * @param lease how long a stack stays with a process that no longer says that it works on it
   * @param retryFailed whether networks that failed are tried once more
   * @param keepWeights whether trained networks are written to files
   */
  public record Options(Duration lease, boolean retryFailed, boolean keepWeights) {}

  /**
   * What a sweep came to.
   *
   * @param counts of all its networks
   * @param seconds that this process worked on it
   * @param stackSeconds of those, spent on training and measuring, by all workers
   */
  public record Outcome(
      SweepFolder folder, Counts counts, int workers, double seconds, double stackSeconds) {
    /** The part of the workers' time that went into training and measuring. */
    public double busy() {
      return stackSeconds / (seconds * workers);
    }
  }

  /** Where a sweep of devices like this one is planned for. */
  public static Workshop workshop(Device device, int workers) {
    boolean card = device.takesWholeStacks();
    return new Workshop(
        Study.mostStackBytes(device),
        Rate.ofProducts(GemmRate.roughly(device).gflops() * 1e9, card ? LAUNCH_SECONDS : 0),
        workers,
        card ? LONGEST_STACK_ON_CARD : LONGEST_STACK);
  }

  /**
   * Carries out a sweep, from the start or from where it was.
   *
   * @param folder where its results are, or are to be
   * @param devices a worker each; not closed here
   * @throws RequestException if the configuration or the data are not those that the sweep began
   *     with, if the data do not allow what is asked, or if the folder cannot be written
   */
  public static Outcome run(
      SweepPlan plan,
      SweepFolder folder,
      Path dataDirectory,
      List<Device> devices,
      Options options,
      Progress progress) {
    SweepConfiguration configuration = plan.sweep();
    Map<String, String> checksums = new TreeMap<>();
    requireData(plan, dataDirectory, checksums);
    makeFolder(folder);
    try (ResultStore store = ResultStore.open(folder.results())) {
      SweepHeader now =
          new SweepHeader(
              configuration.title(),
              configuration.toJson(),
              checksums,
              FlinchVersion.current(),
              Instant.now().truncatedTo(ChronoUnit.SECONDS));
      if (store.header().isEmpty()) {
        store.begin(now, plan.stacks(), plan.pairs());
      }
      requireSame(folder, store.header().orElseThrow(), now);
      store.abandon(Workers::isDead);
      if (options.retryFailed()) {
        store.retryFailed();
      }
    }
    long started = System.nanoTime();
    LocalEngine engine =
        new LocalEngine(
            folder,
            device -> new StackWorker(plan, options.keepWeights(), folder, dataDirectory, device),
            options.lease());
    double stackSeconds = engine.run(configuration.title(), devices, progress);
    double seconds = (System.nanoTime() - started) / 1e9;
    try (ResultStore store = ResultStore.openExisting(folder.results())) {
      return new Outcome(folder, store.counts(), devices.size(), seconds, stackSeconds);
    }
  }

  /** Refuses data that are not there, or don't have what is asked, before anything is begun. */
  private static void requireData(
      SweepPlan plan, Path dataDirectory, Map<String, String> checksums) {
    Set<List<Object>> looked = new HashSet<>();
    for (PlannedStack stack : plan.stacks()) {
      Configuration first = plan.request(stack.identities().subList(0, 1)).configuration();
      if (looked.add(
          List.of(first.data(), first.seed(), first.training().augmentations().get(0)))) {
        StudyData data = StudyData.load(first, dataDirectory);
        data.dataSet()
            .checksums()
            .forEach((file, sum) -> checksums.put(data.dataSet().name() + "/" + file, sum));
      }
    }
  }

  private static void makeFolder(SweepFolder folder) {
    try {
      Files.createDirectories(folder.path());
    } catch (IOException e) {
      throw RequestException.cannotWrite(folder.path(), "choose another --out", e);
    }
  }

  private static void requireSame(SweepFolder folder, SweepHeader before, SweepHeader now) {
    List<String> changed =
        ConfigurationChanges.between(
            Json.tree(before.configuration()), Json.tree(now.configuration()));
    if (!changed.isEmpty()) {
      throw new RequestException(
          "%s: began with another configuration:\n  %s\nAsk for what it began with, or choose another --out."
              .formatted(folder.path(), String.join("\n  ", changed)));
    }
    if (!before.dataChecksums().equals(now.dataChecksums())) {
      throw new RequestException(
          "%s: began with other data files: expected SHA-256 %s, found %s; point --data-dir to those, or choose another --out"
              .formatted(folder.path(), before.dataChecksums(), now.dataChecksums()));
    }
  }
}
