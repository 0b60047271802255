package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.Figure;
import dev.flinch.report.TrajectoryFigure;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What was measured of one network along a trajectory; its JSON is the result's. */
public final class TrajectoryMeasurement {
  private final TrajectoryResult result;
  private final String network;
  private final Course course;

  private TrajectoryMeasurement(TrajectoryResult result, String network, Course course) {
    this.result = result;
    this.network = network;
    this.course = course;
  }

  /**
   * A measurement that is asked for.
   *
   * @param anchors of kind through: three indices in the training split; else null
   * @param image of kind translation: an index in the test split; else null
   * @param seed keys a random ellipse
   * @param jacobian whether Jacobian norms are measured too
   * @param dataset may be null for a random ellipse
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Request(
      Kind kind,
      List<Integer> anchors,
      Integer image,
      long seed,
      long points,
      int bins,
      boolean jacobian,
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
    require("points", request.points(), Configurations.MOST_POINTS);
    require("bins", request.bins(), request.points());
    Course course = course(network, request);
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      long started = System.nanoTime();
      TrajectoryResult result =
          course.measure(stack, request.points(), request.bins(), request.jacobian(), progress)[0];
      if (request.jacobian() && result.jacobianNorm() == null) {
        throw new RequestException(
            "the network's Jacobian norm along the trajectory is not finite; its weights are too large for float32");
      }
      return new TrajectoryMeasurement(
          result.inShort((System.nanoTime() - started) / 1e9),
          network.architecture().title(),
          course);
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

  /** Both measures along the trajectory. */
  public Figure figure(String heading) {
    return TrajectoryFigure.of(
        heading,
        course.parameter(),
        course.marks(),
        List.of(StudyReport.series(network, List.of(result))));
  }
}
