package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.Figure;
import dev.flinch.report.SamplingFigure;
import dev.flinch.report.TrajectoryFigure;
import dev.flinch.sensitivity.Crossings;
import dev.flinch.sensitivity.Crossings.Crossing;
import dev.flinch.sensitivity.ExactTrajectory;
import dev.flinch.sensitivity.SamplingComparison;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What was measured of one network along a trajectory; its JSON is the result's. */
public final class TrajectoryMeasurement {
  /** Sampling is compared at 2¹⁰ to 2²⁰ points. */
  private static final int LOWEST_POWER = 10;

  private static final int HIGHEST_POWER = 20;

  private final TrajectoryResult result;
  private final String network;
  private final Course course;
  private final Crossings crossings;

  private TrajectoryMeasurement(
      TrajectoryResult result, String network, Course course, Crossings crossings) {
    this.result = result;
    this.network = network;
    this.course = course;
    this.crossings = crossings;
  }

  /**
   * A measurement that is asked for.
   *
   * @param anchors of kind through: three indices in the training split; else null
   * @param image of kind translation: an index in the test split; else null
   * @param seed keys a random ellipse
   * @param points sampled, or where Jacobian norms are found
   * @param jacobian whether Jacobian norms are measured too
   * @param compare whether the exact crossings are compared with sampling
   * @param dataset may be null for a random ellipse
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Request(
      Kind kind,
      List<Integer> anchors,
      Integer image,
      long seed,
      Method method,
      long points,
      int bins,
      boolean jacobian,
      boolean compare,
      String dataset,
      Path dataDirectory,
      Integer crop) {}

  /**
   * Measures a network.
   *
   * @throws RequestException if points, bins, anchors or the image are impossible, or if the data
   *     set is not there or doesn't fit the network
   */
  public static TrajectoryMeasurement of(
      Network network, Request request, Device device, Progress progress) {
    if (request.compare() && request.method() == Method.SAMPLED) {
      throw new RequestException(
          "comparing sampling with exact crossings needs both: leave out --points, or add --exact");
    }
    if (request.compare() && network.architecture().isConvolutional()) {
      throw new RequestException(
          "exact crossings, which sampling is compared with, are found of fully connected networks only, and this one is %s; leave out --compare"
              .formatted(network.architecture().title()));
    }
    if (request.compare() && !ExactTrajectory.isPossible(network.architecture())) {
      throw new RequestException(
          "%s has no linear regions, and so no exact crossings to compare sampling with"
              .formatted(network.architecture().title()));
    }
    require("points", request.points(), Configurations.MOST_POINTS);
    require("bins", request.bins(), request.points());
    Course course = course(network, request);
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      long started = System.nanoTime();
      Course.Outcome outcome =
          Course.measure(
              stack,
              List.of(course),
              request.method(),
              request.points(),
              request.bins(),
              request.jacobian(),
              progress)[0][0];
      TrajectoryResult result = outcome.result();
      if (request.jacobian() && result.jacobianNorm() == null) {
        throw new RequestException(
            "the network's Jacobian norm along the trajectory is not finite; its weights are too large for float32");
      }
      double seconds = (System.nanoTime() - started) / 1e9;
      SamplingComparison comparison =
          request.compare() && outcome.crossings() != null
              ? SamplingComparison.of(
                  stack, course.curve(), outcome.crossings(), LOWEST_POWER, HIGHEST_POWER, progress)
              : null;
      return new TrajectoryMeasurement(
          result.inShort(comparison, seconds),
          network.architecture().title(),
          course,
          outcome.crossings());
    }
  }

  private static void require(String what, long found, long most) {
    if (found < 1 || found > most) {
      throw new RequestException("%s: expected 1 to %d, found %d".formatted(what, most, found));
    }
  }

  private static Course course(Network network, Request request) {
    if (request.kind() == Kind.RANDOM) {
      return Course.random(network.architecture().inputs(), request.seed());
    }
    String kind = request.kind().name().toLowerCase(Locale.ROOT);
    if (request.dataset() == null) {
      throw new RequestException(
          "a trajectory of kind %s needs images: name their data set with --dataset"
              .formatted(kind));
    }
    boolean through = request.kind() == Kind.THROUGH;
    if (through && (request.anchors() == null || request.anchors().size() != 3)) {
      throw new RequestException(
          "a trajectory of kind %s needs --anchors i,j,k, three images of the training split: found %s"
              .formatted(kind, request.anchors() == null ? "none" : request.anchors()));
    }
    if (!through && request.image() == null) {
      throw new RequestException(
          "a trajectory of kind %s needs --image i, an image of the test split".formatted(kind));
    }
    DataSet data =
        Measurement.dataSet(network, request.dataset(), request.dataDirectory(), request.crop());
    return through
        ? Course.through(data.train(), request.anchors())
        : Course.translation(data.test(), request.image());
  }

  @JsonValue
  public TrajectoryResult result() {
    return result;
  }

  /**
   * All crossings as CSV: parameter, layer from 1, unit from 0, change of its code, code behind it.
   *
   * @throws RequestException where transitions were sampled
   */
  public void writeCrossings(Path file) throws IOException {
    if (crossings == null) {
      throw new RequestException(
          "sampled transitions have no crossings to list: leave out --points, or add --exact");
    }
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(file))) {
      out.println("parameter,layer,unit,change,code");
      for (int i = 0; i < crossings.count(); i++) {
        Crossing c = crossings.get(i);
        out.printf(
            Locale.ROOT,
            "%.17g,%d,%d,%d,%d%n",
            c.parameter(),
            c.layer(),
            c.unit(),
            c.change(),
            c.code());
      }
      if (out.checkError()) {
        throw new IOException("%s can't be written".formatted(file));
      }
    }
  }

  /** What sampling misses and float32 invents, by the number of points; if compared. */
  public Figure comparisonFigure(String heading) {
    return SamplingFigure.of(
        heading,
        result.comparison().exact(),
        result.comparison().rows().stream()
            .map(
                row ->
                    new SamplingFigure.Point(
                        row.points(), row.missed(), row.sampled(), row.invented()))
            .toList());
  }

  /** Both measures along the trajectory. */
  public Figure figure(String heading) {
    return TrajectoryFigure.of(
        heading,
        course.parameter(),
        course.marks(),
        List.of(StudyReport.series(network, List.of(result))));
  }
}
