package dev.flinch.sweep;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.ConfigurationChanges;
import dev.flinch.experiment.FlinchVersion;
import dev.flinch.experiment.Json;
import dev.flinch.experiment.StudyData;
import dev.flinch.store.Counts;
import dev.flinch.store.PlannedStack;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import dev.flinch.store.SweepHeader;
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
  private Sweep() {}

  /**
   * What may differ from one process of a sweep to the next.
   *
   * @param lease how long a stack stays with a worker that no longer says that it works on it
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

  /**
   * Carries out a sweep, from the start or from where it was.
   *
   * @param plan made for the engine's workshop
   * @param folder where checkpoints, weights and the report are, or are to be
   * @param store where the results are, or are to be
   * @throws RequestException if the configuration or the data are not those that the sweep began
   *     with, if the data do not allow what is asked, or if the folder or the store cannot be
   *     written
   */
  public static Outcome run(
      SweepPlan plan,
      SweepFolder folder,
      StoreLocation store,
      Path dataDirectory,
      SweepEngine engine,
      Options options,
      Progress progress) {
    Map<String, String> checksums = requireData(plan, dataDirectory);
    folder.make(store);
    begin(plan, store, checksums, options);
    long started = System.nanoTime();
    double stackSeconds =
        engine.run(new SweepWork(plan, folder, store, dataDirectory, checksums, options), progress);
    double seconds = (System.nanoTime() - started) / 1e9;
    try (ResultStore results = ResultStore.openExisting(store)) {
      return new Outcome(
          folder, results.counts(), plan.workshop().workers(), seconds, stackSeconds);
    }
  }

  private static void begin(
      SweepPlan plan, StoreLocation location, Map<String, String> checksums, Options options) {
    SweepConfiguration configuration = plan.sweep();
    try (ResultStore store = ResultStore.open(location)) {
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
      requireSame(location, store.header().orElseThrow(), now);
      store.abandon(Workers::isDead);
      if (options.retryFailed()) {
        store.retryFailed();
      }
    }
  }

  /** Refuses data that are not there, or don't have what is asked, before anything is begun. */
  private static Map<String, String> requireData(SweepPlan plan, Path dataDirectory) {
    Map<String, String> checksums = new TreeMap<>();
    Set<List<Object>> looked = new HashSet<>();
    for (PlannedStack stack : plan.stacks()) {
      Configuration first = plan.request(stack.identities().subList(0, 1)).configuration();
      if (looked.add(
          List.of(first.data(), first.seed(), first.training().augmentations().get(0)))) {
        checksums.putAll(SweepWork.checksums(StudyData.load(first, dataDirectory).dataSet()));
      }
    }
    return checksums;
  }

  private static void requireSame(StoreLocation store, SweepHeader before, SweepHeader now) {
    List<String> changed =
        ConfigurationChanges.between(
            Json.tree(before.configuration()), Json.tree(now.configuration()));
    if (!changed.isEmpty()) {
      throw new RequestException(
          "%s: began with another configuration:\n  %s\nAsk for what it began with, or choose another --out or --store."
              .formatted(store, String.join("\n  ", changed)));
    }
    if (!before.dataChecksums().equals(now.dataChecksums())) {
      throw new RequestException(
          "%s: began with other data files: expected SHA-256 %s, found %s; point --data-dir to those, or choose another --out or --store"
              .formatted(store, before.dataChecksums(), now.dataChecksums()));
    }
  }
}
