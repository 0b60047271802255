package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.device.Activation;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.network.Convolution;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Evaluation;
import java.util.List;

/**
 * One network of a study and what was measured of it. Measures that were not asked for, that are
 * not finite, or whose network diverged, are null and absent from JSON.
 *
 * @param convolutions the first layers; absent from JSON where there are none
 * @param hidden units of the fully connected hidden layers
 * @param learningRate null with L-BFGS
 * @param outcome how training ended: completed, accurate or diverged
 * @param steps steps taken
 * @param train on the labels that the network was taught, of images as they are
 * @param generalizationGap train accuracy − test accuracy
 * @param trajectories in the order of the configuration; empty where the network diverged
 * @param regions on the planes of the configuration that this network is mapped on, in their order;
 *     null where there are none
 * @param stiffness along training, the earliest first; of a network that diverged, from before that
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record NetworkResult(
    String id,
    @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Convolution> convolutions,
    List<Integer> hidden,
    Activation activation,
    boolean biases,
    double initScale,
    Double learningRate,
    Labels labels,
    Augmentation augmentation,
    long seed,
    long parameters,
    String outcome,
    long steps,
    Evaluation train,
    Evaluation test,
    Evaluation validation,
    Double generalizationGap,
    MeanNorm jacobianNorm,
    MeanNorm logitJacobianNorm,
    List<TrajectoryResult> trajectories,
    List<RegionResult> regions,
    List<StiffnessRecord> stiffness) {
  public NetworkResult {
    convolutions = convolutions == null ? List.of() : List.copyOf(convolutions);
  }

  /** A mean Jacobian norm and the standard error of the mean. */
  public record MeanNorm(double mean, double standardError) {
    static MeanNorm of(JacobianNorms norms) {
      return norms != null && Double.isFinite(norms.mean())
          ? new MeanNorm(norms.mean(), norms.standardError())
          : null;
    }
  }

  /** With its regions mapped. */
  NetworkResult withRegions(List<RegionResult> mapped) {
    return with(List.copyOf(mapped), stiffness);
  }

  /**
   * With other records of stiffness.
   *
   * @param measured null for none
   */
  NetworkResult withStiffness(List<StiffnessRecord> measured) {
    return with(regions, measured);
  }

  /** The record of the network as it is now; null where there is none. */
  public StiffnessRecord lastStiffness() {
    StiffnessRecord last =
        stiffness == null || stiffness.isEmpty() ? null : stiffness.get(stiffness.size() - 1);
    return last != null && isTrained() && last.step() == steps ? last : null;
  }

  private NetworkResult with(List<RegionResult> mapped, List<StiffnessRecord> measured) {
    return new NetworkResult(
        id,
        convolutions,
        hidden,
        activation,
        biases,
        initScale,
        learningRate,
        labels,
        augmentation,
        seed,
        parameters,
        outcome,
        steps,
        train,
        test,
        validation,
        generalizationGap,
        jacobianNorm,
        logitJacobianNorm,
        trajectories,
        mapped,
        measured);
  }

  /** Whether training ended with weights that can be measured. */
  boolean isTrained() {
    return train != null;
  }
}
