package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.experiment.StiffnessMeasurement.SuperClasses;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.NotFiniteException;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.sensitivity.StiffnessSettings;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Evaluation;
import dev.flinch.training.StackTrainer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Stiffness of a stack's networks at fixed images, as they train: before training, every so many
 * steps, and when a network's training ends. Where outputs or gradients are not finite there is no
 * record, nor of the end of a network that diverged; the other networks don't notice.
 */
final class StiffnessAlongTraining {
  private static final StiffnessSettings CLASSES = StiffnessSettings.CLASSES;
  private static final StiffnessSettings WITH_DISTANCE =
      new StiffnessSettings(
          false,
          true,
          StiffnessSettings.ALL.binWidth(),
          StiffnessSettings.ALL.resamples(),
          StiffnessSettings.ALL.seed());

  private final Configuration.Stiffness asked;
  private final StudyExamples examples;
  private final int[][] labels;
  private final int[] fixedTrain;
  private final int[] groups;
  private final NetworkStack networks;
  private final StackTrainer trainer;
  private final List<List<StiffnessRecord>> records = new ArrayList<>();

  /** The steps at which each replica was looked at last; −1 for not yet. */
  private final long[] looked;

  /**
   * @param labels that each replica is taught, one a training image
   * @param begun the records that there are, of each replica; empty at the start
   */
  StiffnessAlongTraining(
      Configuration.Stiffness asked,
      StudyData data,
      StudyExamples examples,
      int[][] labels,
      NetworkStack networks,
      StackTrainer trainer,
      List<List<StiffnessRecord>> begun) {
    this.asked = asked;
    this.examples = examples;
    this.labels = labels;
    this.fixedTrain = data.fixedImages().train();
    this.groups = SuperClasses.groups(data.dataSet());
    this.networks = networks;
    this.trainer = trainer;
    this.looked = new long[labels.length];
    for (int r = 0; r < labels.length; r++) {
      List<StiffnessRecord> of = new ArrayList<>(begun.isEmpty() ? List.of() : begun.get(r));
      records.add(of);
      looked[r] = of.isEmpty() ? -1 : of.get(of.size() - 1).step();
    }
  }

  /** The records so far, of each replica. */
  List<List<StiffnessRecord>> records() {
    return records.stream().map(List::copyOf).toList();
  }

  /** Measures those networks whose turn it is after the trainer's last step, each once. */
  void measure(Progress progress) {
    int[] due = IntStream.range(0, labels.length).filter(this::isDue).toArray();
    if (due.length == 0) {
      return;
    }
    Evaluation[] onTrain = StackWork.onOwnLabels(networks, due, examples.train(), labels);
    Evaluation[] onTest =
        Evaluation.of(networks, due, examples.test().inputs(), examples.test().labels(), 0);
    for (int i = 0; i < due.length; i++) {
      int r = due[i];
      looked[r] = trainer.stepsTaken(r);
      if (Double.isFinite(onTrain[i].crossEntropy()) && Double.isFinite(onTest[i].crossEntropy())) {
        measure(r, onTrain[i], onTest[i], progress);
      }
    }
  }

  private boolean isDue(int replica) {
    long steps = trainer.stepsTaken(replica);
    return steps != looked[replica]
        && switch (trainer.outcome(replica)) {
          case RUNNING -> steps % every() == 0;
          case COMPLETED, ACCURATE -> true;
          case DIVERGED -> false;
        };
  }

  private long every() {
    return asked.every() == null ? trainer.stepsPerEpoch() : asked.every();
  }

  private void measure(int replica, Evaluation onTrain, Evaluation onTest, Progress progress) {
    try {
      List<StiffnessRecord.OfPairs> measured = new ArrayList<>();
      for (Pairs pairs : asked.pairs()) {
        measured.add(
            StiffnessRecord.OfPairs.of(pairs, stiffness(replica, pairs, progress), groups));
      }
      StiffnessRecord.add(
          records.get(replica),
          new StiffnessRecord(
              looked[replica],
              (double) looked[replica] / trainer.stepsPerEpoch(),
              onTrain,
              onTest,
              measured));
    } catch (NotFiniteException e) {
      // Outputs that are finite can have gradients that are not; there is no record of these.
    }
  }

  private Stiffness stiffness(int replica, Pairs pairs, Progress progress) {
    StiffnessSettings settings = asked.distance() ? WITH_DISTANCE : CLASSES;
    Stiffness.Examples rows = images(replica, pairs.rows());
    return pairs.rows() == pairs.columns()
        ? Stiffness.within(networks, replica, rows, settings, progress)
        : Stiffness.between(
            networks, replica, rows, images(replica, pairs.columns()), settings, progress);
  }

  /** Training images with the labels that the replica is taught, test images with the data's. */
  private Stiffness.Examples images(int replica, Split split) {
    if (split == Split.TRAIN) {
      return new Stiffness.Examples(
          examples.fixedTrain().inputs(),
          Arrays.stream(fixedTrain).map(i -> labels[replica][i]).toArray());
    }
    DeviceExamples test = examples.fixedTest();
    return new Stiffness.Examples(test.inputs(), test.images().labels());
  }
}
