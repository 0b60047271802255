package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.data.LabelledImages;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.TrajectoryFigure.Anchor;
import dev.flinch.report.TrajectoryFigure.Parameter;
import dev.flinch.sensitivity.TrajectoryMeasures;
import dev.flinch.sensitivity.TrajectoryNorms;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A trajectory among a data set's images.
 *
 * @param anchors indices in the training split of the images it goes through, or null
 * @param image index in the test split of the image it translates, or null
 * @param parameter the axis of its figure
 * @param marks the anchors in its figure
 */
record Course(
    Trajectory curve,
    List<Integer> anchors,
    Integer image,
    Parameter parameter,
    List<Anchor> marks) {

  static Course random(int dimension, long seed) {
    return new Course(Ellipse.random(dimension, seed), null, null, Parameter.angle(), List.of());
  }

  /** Refuses indices that are not of the split, and images that are the same. */
  static Course through(LabelledImages train, List<Integer> images) {
    images.forEach(train::requireIndex);
    float[][] points = images.stream().map(train::normalised).toArray(float[][]::new);
    List<Anchor> marks =
        IntStream.range(0, points.length)
            .mapToObj(
                i -> new Anchor((2 * i + 1) * Math.PI / 3, "class " + train.label(images.get(i))))
            .toList();
    return new Course(
        Ellipse.through(points[0], points[1], points[2]), images, null, Parameter.angle(), marks);
  }

  /** Refuses an index that is not of the split. */
  static Course translation(LabelledImages test, int image) {
    test.requireIndex(image);
    return new Course(
        new TranslationLoop(test.shape(), test.normalised(image)),
        null,
        image,
        Parameter.shift(test.shape().width()),
        List.of());
  }

  /** Transitions, and Jacobian norms where asked for, of every replica of a stack. */
  TrajectoryResult[] measure(
      NetworkStack stack, long points, int bins, boolean jacobian, Progress progress) {
    return jacobian
        ? Arrays.stream(TrajectoryMeasures.along(stack, curve, points, bins, progress))
            .map(m -> result(points, bins, m.transitions(), m.norms()))
            .toArray(TrajectoryResult[]::new)
        : Arrays.stream(Transitions.along(stack, curve, points, bins, progress))
            .map(t -> result(points, bins, t, null))
            .toArray(TrajectoryResult[]::new);
  }

  private TrajectoryResult result(
      long points, int bins, Transitions transitions, TrajectoryNorms norms) {
    return new TrajectoryResult(
        curve.kind(),
        anchors,
        image,
        points,
        bins,
        TrajectoryResult.Counts.of(transitions),
        transitions.regions(),
        norms != null && Double.isFinite(norms.mean()) ? norms : null,
        null);
  }
}
