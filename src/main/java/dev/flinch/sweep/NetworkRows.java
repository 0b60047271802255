package dev.flinch.sweep;

import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.FlinchVersion;
import dev.flinch.experiment.Json;
import dev.flinch.experiment.NetworkResult;
import dev.flinch.experiment.NetworkResult.MeanNorm;
import dev.flinch.experiment.StiffnessRecord;
import dev.flinch.experiment.StudyData;
import dev.flinch.experiment.TrajectoryResult;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.NetworkRow.Builder;
import dev.flinch.training.Evaluation;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Networks as rows of results. */
final class NetworkRows {
  private NetworkRows() {}

  /** What was chosen of the one network of a configuration, before anything is known of it. */
  static Builder planned(Configuration one) {
    Configuration.Shape shape = one.networks().shapes().get(0);
    Configuration.Training training = one.training();
    return NetworkRow.builder()
        .set(Column.IDENTITY, NetworkIdentity.of(one))
        .set(Column.SETTING, NetworkIdentity.ofSetting(one))
        .set(Column.CONFIGURATION, Json.tree(one.toJson()).toString())
        .set(Column.DATASET, one.data().dataset())
        .set(Column.TRAIN_IMAGES, one.data().train())
        .set(Column.CROP, one.data().crop())
        .set(Column.DEPTH, shape.depth())
        .set(Column.WIDTH, shape.width())
        .set(Column.ACTIVATION, one.networks().activations().get(0).label())
        .set(Column.BIASES, one.networks().biases() ? 1 : 0)
        .set(Column.INIT_SCALE, one.networks().initScales().get(0))
        .set(Column.OPTIMIZER, training.optimizer().label())
        .set(
            Column.LEARNING_RATE,
            training.learningRates().isEmpty() ? null : training.learningRates().get(0))
        .set(Column.BATCH_SIZE, training.batchSize())
        .set(Column.LABELS, training.labels().get(0).toString())
        .set(Column.AUGMENTATION, training.augmentations().get(0).toString())
        .set(Column.SEED, one.networks().seeds().get(0));
  }

  /** A network that was trained and measured, or that diverged, by whomever. */
  static NetworkRow of(Configuration network, NetworkResult result) {
    return measured(planned(network), result).build();
  }

  /** A network that a device has trained and measured now, or that diverged. */
  static NetworkRow of(
      Configuration network, NetworkResult result, StudyData data, double seconds, Device device) {
    return measured(planned(network), result)
        .set(Column.TRAIN_IMAGES, data.splits().train().count())
        .set(Column.SECONDS, seconds)
        .set(Column.DEVICE, "%s: %s".formatted(device.name(), device.description()))
        .set(Column.VERSION, FlinchVersion.current())
        .build();
  }

  /** A network that could not be trained or measured. */
  static NetworkRow failed(Configuration network, String error) {
    return planned(network)
        .set(Column.STATUS, "failed")
        .set(Column.ERROR, error)
        .set(Column.VERSION, FlinchVersion.current())
        .build();
  }

  private static Builder measured(Builder row, NetworkResult result) {
    Evaluation train = result.train();
    Evaluation test = result.test();
    boolean trained = train != null;
    MeanNorm norm = result.jacobianNorm();
    MeanNorm logitNorm = result.logitJacobianNorm();
    List<TrajectoryResult> along = result.trajectories();
    stiffness(row, result);
    return row.set(Column.STATUS, trained ? "done" : "diverged")
        .set(Column.PARAMETERS, result.parameters())
        .set(Column.STEPS, result.steps())
        .set(Column.OUTCOME, result.outcome())
        .set(Column.TRAIN_ACCURACY, trained ? train.accuracy() : null)
        .set(Column.TEST_ACCURACY, trained ? test.accuracy() : null)
        .set(Column.TRAIN_LOSS, trained ? train.crossEntropy() : null)
        .set(Column.TEST_LOSS, trained ? test.crossEntropy() : null)
        .set(Column.GAP, result.generalizationGap())
        .set(Column.JACOBIAN_NORM, norm == null ? null : norm.mean())
        .set(Column.JACOBIAN_NORM_ERROR, norm == null ? null : norm.standardError())
        .set(Column.LOGIT_JACOBIAN_NORM, logitNorm == null ? null : logitNorm.mean())
        .set(
            Column.TRANSITIONS,
            along.stream().mapToLong(t -> t.transitions().total()).average().orElse(Double.NaN))
        .set(Column.TRANSITIONS_PER_LAYER, along.isEmpty() ? null : perLayer(along));
  }

  private static void stiffness(Builder row, NetworkResult result) {
    if (result.stiffness() != null) {
      row.set(Column.STIFFNESS, StiffnessSeries.json(result.stiffness()));
    }
    if (result.lastStiffness() != null) {
      StiffnessRecord.OfPairs last = result.lastStiffness().stiffness().get(0);
      row.set(Column.STIFFNESS_WITHIN, last.cosine().within())
          .set(Column.STIFFNESS_BETWEEN, last.cosine().between())
          .set(Column.STIFFNESS_SIGN_WITHIN, last.sign().within())
          .set(Column.STIFFNESS_SIGN_BETWEEN, last.sign().between())
          .set(
              Column.CRITICAL_LENGTH,
              last.criticalLength() == null ? null : last.criticalLength().value());
    }
  }

  /** Means over trajectories, as a JSON array. */
  private static String perLayer(List<TrajectoryResult> along) {
    int layers = along.get(0).transitions().perLayer().length;
    return Arrays.toString(
        IntStream.range(0, layers)
            .mapToDouble(
                l ->
                    along.stream()
                        .mapToLong(t -> t.transitions().perLayer()[l])
                        .average()
                        .orElseThrow())
            .toArray());
  }
}
