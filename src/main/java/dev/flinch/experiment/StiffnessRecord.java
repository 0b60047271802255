package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.experiment.StiffnessMeasurement.Length;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.sensitivity.ClassStiffness;
import dev.flinch.sensitivity.DistanceStiffness;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.training.Evaluation;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Stiffness of one network at a moment of its training (Fort et al., arXiv:1901.09491), beside its
 * losses. What is not defined is null, in JSON too; what was not asked for, or not kept, is null
 * and absent from JSON.
 *
 * @param step steps taken before
 * @param epoch the same in epochs
 * @param train on all training images and the labels that the network is taught
 * @param test on all test images
 * @param stiffness in the order of the configuration's pairs
 */
public record StiffnessRecord(
    long step, double epoch, Evaluation train, Evaluation test, List<OfPairs> stiffness) {
  public StiffnessRecord {
    stiffness = List.copyOf(stiffness);
  }

  /**
   * Of pairs of images of two splits.
   *
   * @param examples how many images the rows of pairs are of, and how many the columns
   * @param zeroGradients how many of those have a gradient that is zero, and so are in no pair
   * @param distance of pairs within classes, against 1 − the cosine between their inputs
   * @param criticalLength by the cosine
   * @param signCriticalLength by the sign
   */
  public record OfPairs(
      Pairs pairs,
      int[] examples,
      int[] zeroGradients,
      Reading cosine,
      Reading sign,
      @JsonInclude(JsonInclude.Include.NON_NULL) List<DistanceStiffness.Bin> distance,
      @JsonInclude(JsonInclude.Include.NON_NULL) Length criticalLength,
      @JsonInclude(JsonInclude.Include.NON_NULL) Length signCriticalLength) {

    /**
     * @param groups the super-class of each class; null where there are none
     */
    static OfPairs of(Pairs pairs, Stiffness measured, int[] groups) {
      DistanceStiffness distance = measured.distance();
      return new OfPairs(
          pairs,
          measured.examples(),
          measured.zeroGradients(),
          Reading.of(measured.cosine(), groups),
          Reading.of(measured.sign(), groups),
          distance == null ? null : distance.bins(),
          distance == null ? null : Length.of(distance.cosine()),
          distance == null ? null : Length.of(distance.sign()));
    }

    private OfPairs withoutDetail() {
      return new OfPairs(
          pairs,
          examples,
          zeroGradients,
          cosine.withoutMatrix(),
          sign.withoutMatrix(),
          null,
          criticalLength,
          signCriticalLength);
    }
  }

  /**
   * Means of the cosine or the sign, as {@link ClassStiffness} has them.
   *
   * @param betweenWithinSuperClasses between different classes of one super-class; null where the
   *     data set has none, too
   */
  public record Reading(
      Double within,
      Double between,
      Double betweenWithinSuperClasses,
      @JsonInclude(JsonInclude.Include.NON_NULL) Double[][] classMatrix) {
    private static Reading of(ClassStiffness measured, int[] groups) {
      return new Reading(
          measured.within(),
          measured.between(),
          groups == null ? null : measured.betweenWithinGroups(groups),
          measured.classMatrix());
    }

    private Reading withoutMatrix() {
      return new Reading(within, between, betweenWithinSuperClasses, null);
    }
  }

  /**
   * Adds the next record of a network. Class matrices, and bins of distance, are kept at the {@link
   * #moments} alone, of the records so far.
   */
  static void add(List<StiffnessRecord> records, StiffnessRecord next) {
    records.add(next);
    List<Integer> kept = moments(records);
    for (int i = 0; i < records.size(); i++) {
      if (!kept.contains(i)) {
        records.set(i, records.get(i).withoutDetail());
      }
    }
  }

  /**
   * The records that are looked at closely, by their indices: the first, the one with the lowest
   * test loss, just before the network overfits, and the last. Fewer where two of them are one.
   */
  static List<Integer> moments(List<StiffnessRecord> records) {
    if (records.isEmpty()) {
      return List.of();
    }
    return IntStream.of(0, lowestTestLoss(records), records.size() - 1).distinct().boxed().toList();
  }

  /** The index of the first record with the lowest test loss. */
  static int lowestTestLoss(List<StiffnessRecord> records) {
    int best = 0;
    for (int i = 1; i < records.size(); i++) {
      best = records.get(i).test.crossEntropy() < records.get(best).test.crossEntropy() ? i : best;
    }
    return best;
  }

  private StiffnessRecord withoutDetail() {
    return stiffness.get(0).cosine.classMatrix == null
        ? this
        : new StiffnessRecord(
            step, epoch, train, test, stiffness.stream().map(OfPairs::withoutDetail).toList());
  }
}
