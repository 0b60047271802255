package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.LabelledImages;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.TrajectoryFigure.Anchor;
import dev.flinch.report.TrajectoryFigure.Parameter;
import dev.flinch.sensitivity.Crossings;
import dev.flinch.sensitivity.ExactTrajectory;
import dev.flinch.sensitivity.ExactTrajectory.Points;
import dev.flinch.sensitivity.TrajectoryMeasures;
import dev.flinch.sensitivity.TrajectoryNorms;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A trajectory among a data set's images.
 *
 * @param anchors indices in the training split of the images it goes through, or null
 * @param image index in the test split of the image it translates, or null
 * @param parameter the axis of its figure
 * @param marks the anchors in its figure
 * @param label what it is called beside others
 */
record Course(
    Trajectory curve,
    List<Integer> anchors,
    Integer image,
    Parameter parameter,
    List<Anchor> marks,
    String label) {

  static Course random(int dimension, long seed) {
    return new Course(
        Ellipse.random(dimension, seed),
        null,
        null,
        Parameter.angle(),
        List.of(),
        "random ellipse");
  }

  /** Refuses indices that are not of the split, and images that are the same. */
  static Course through(LabelledImages train, List<Integer> images) {
    images.forEach(train::requireIndex);
    float[][] points = images.stream().map(train::normalised).toArray(float[][]::new);
    List<Integer> classes = images.stream().map(train::label).toList();
    List<Anchor> marks =
        IntStream.range(0, points.length)
            .mapToObj(i -> new Anchor(anchorAngle(i), "class " + classes.get(i)))
            .toList();
    return new Course(
        Ellipse.through(points[0], points[1], points[2]),
        images,
        null,
        Parameter.angle(),
        marks,
        classes.stream().distinct().count() == 1
            ? "through three of class " + classes.get(0)
            : "through classes "
                + classes.stream().map(String::valueOf).collect(Collectors.joining(", ")));
  }

  private static double anchorAngle(int i) {
    return (2 * i + 1) * Math.PI / 3;
  }

  /** Where every ellipse through three points meets them, whichever they are. */
  static List<Anchor> anchorMarks() {
    return IntStream.range(0, 3).mapToObj(i -> new Anchor(anchorAngle(i), "anchor")).toList();
  }

  /** Refuses an index that is not of the split. */
  static Course translation(LabelledImages test, int image) {
    test.requireIndex(image);
    return new Course(
        new TranslationLoop(test.shape(), test.normalised(image)),
        null,
        image,
        Parameter.shift(test.shape().width()),
        List.of(),
        "translation of image " + image);
  }

  /** What was measured of one replica; all its crossings where they were walked, else null. */
  record Outcome(TrajectoryResult result, Crossings crossings) {}

  /**
   * Transitions, and Jacobian norms where asked for, of every replica of a stack along courses that
   * are measured alike; exact walks go as one batch.
   *
   * @return {@code [course][replica]}
   * @throws RequestException if an exact walk is asked of a network that has no linear regions
   */
  static Outcome[][] measure(
      NetworkStack stack,
      List<Course> courses,
      Method method,
      long points,
      int bins,
      boolean jacobian,
      Progress progress) {
    boolean possible = ExactTrajectory.isPossible(stack.architecture());
    if (method == Method.EXACT && !possible) {
      throw new RequestException(
          "%s: expected a fully connected network of a piecewise-linear activation and a hidden layer for exact transitions; sample them"
              .formatted(stack.architecture().title()));
    }
    if (possible && method != Method.SAMPLED) {
      ExactTrajectory[][] exact =
          ExactTrajectory.along(
              stack,
              courses.stream().map(Course::curve).toList(),
              curve -> jacobian ? Points.equidistant(curve, points) : Points.NONE,
              bins,
              progress);
      return IntStream.range(0, courses.size())
          .mapToObj(c -> courses.get(c).outcomes(exact[c], points, bins))
          .toArray(Outcome[][]::new);
    }
    return courses.stream()
        .map(course -> course.sampled(stack, points, bins, jacobian, progress))
        .toArray(Outcome[][]::new);
  }

  private Outcome[] outcomes(ExactTrajectory[] exact, long points, int bins) {
    return Arrays.stream(exact)
        .map(e -> new Outcome(TrajectoryResult.of(this, points, bins, e), e.crossings()))
        .toArray(Outcome[]::new);
  }

  private Outcome[] sampled(
      NetworkStack stack, long points, int bins, boolean jacobian, Progress progress) {
    return jacobian
        ? Arrays.stream(TrajectoryMeasures.along(stack, curve, points, bins, progress))
            .map(m -> sampled(points, m.transitions(), m.norms()))
            .toArray(Outcome[]::new)
        : Arrays.stream(Transitions.along(stack, curve, points, bins, progress))
            .map(t -> sampled(points, t, null))
            .toArray(Outcome[]::new);
  }

  private Outcome sampled(long points, Transitions transitions, TrajectoryNorms norms) {
    return new Outcome(TrajectoryResult.of(this, points, transitions, norms), null);
  }
}
