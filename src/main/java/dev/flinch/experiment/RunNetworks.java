package dev.flinch.experiment;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.network.NetworkFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** Networks of a finished run, chosen by what the run measured of them. */
public final class RunNetworks {
  private RunNetworks() {}

  /**
   * Picks networks at random among those that fit their training images, as Figure 6 of Novak et
   * al. does. Networks that were taught random labels are not among them.
   *
   * @param weights the {@code weights.safetensors} of a run folder
   * @param trainAccuracy the least train accuracy, above 0 and up to 1
   * @param count how many
   * @param seed keys the draw: equal seeds pick equal networks
   * @return their ids in natural order, all different
   * @throws RequestException if the file is not of a finished run, or too few networks are as
   *     accurate
   */
  public static List<String> pick(Path weights, double trainAccuracy, int count, long seed) {
    if (!(trainAccuracy > 0 && trainAccuracy <= 1)) {
      throw new RequestException(
          "train accuracy: expected above 0 and up to 1, found " + trainAccuracy);
    }
    if (count < 1) {
      throw new RequestException("networks to pick: expected 1 or more, found " + count);
    }
    List<NetworkResult> all =
        RunFolder.metricsOf(weights)
            .orElseThrow(
                () ->
                    new RequestException(
                        "%s: expected the %s of a finished run's folder, beside its %s, which says how accurate networks are; name networks with --network instead"
                            .formatted(weights, RunFolder.WEIGHTS, RunFolder.METRICS)))
            .networks();
    List<String> accurate =
        all.stream()
            .filter(n -> n.isTrained() && n.labels() == Labels.TRUE)
            .filter(n -> n.train().accuracy() >= trainAccuracy)
            .map(NetworkResult::id)
            .sorted(NetworkFile.NATURAL_ORDER)
            .toList();
    if (accurate.size() < count) {
      throw new RequestException(
          "%s: expected %d networks or more of true labels and train accuracy %s or higher, found %d of %d; ask for a lower accuracy or fewer networks"
              .formatted(weights, count, trainAccuracy, accurate.size(), all.size()));
    }
    int[] order =
        RandomStreams.permutation(RandomStreams.stream(seed, Purpose.PICK, 0, 0), accurate.size());
    return Arrays.stream(order, 0, count).sorted().mapToObj(accurate::get).toList();
  }
}
