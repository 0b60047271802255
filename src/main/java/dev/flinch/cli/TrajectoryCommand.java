package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.TrajectoryMeasurement;
import dev.flinch.experiment.TrajectoryResult;
import dev.flinch.network.Network;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch trajectory}: measures one network along a closed curve. */
@Command(
    name = "trajectory",
    description = {
      "Counts the transitions of linear regions along a closed curve through a network's inputs,"
          + " and measures the Jacobian norm on the way."
    },
    footer = {
      "",
      "Example:",
      "  flinch trajectory net.safetensors --activation ReLU --dataset mnist \\",
      "      --kind through --anchors 1,3,5 --points 2^16 --figure curve.svg"
    })
final class TrajectoryCommand extends Action<TrajectoryMeasurement> {
  @Mixin private NetworkOptions network;

  @Option(
      names = "--kind",
      required = true,
      paramLabel = "random|through|translation",
      description = {
        "A random ellipse, the ellipse through three training images, or a test image pushed once"
            + " around."
      })
  private Kind kind;

  @Option(
      names = "--anchors",
      split = ",",
      paramLabel = "I",
      description = "Of kind through: the indices of three training images.")
  private List<Integer> anchors;

  @Option(
      names = "--image",
      paramLabel = "I",
      description = "Of kind translation: the index of a test image.")
  private Integer image;

  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = "1",
      description = "Of kind random: which ellipse (${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--points",
      paramLabel = "K",
      defaultValue = "2^20",
      description = "Points on the curve (${DEFAULT-VALUE}).")
  private Points points;

  @Option(
      names = "--bins",
      paramLabel = "N",
      defaultValue = "60",
      description = "Equal parts of the curve to report on (${DEFAULT-VALUE}).")
  private int bins;

  @Option(
      names = "--no-jacobian",
      description = "Count transitions only, which is many times faster.")
  private boolean noJacobian;

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      description = "Where images come from; a random ellipse needs none.")
  private String dataset;

  @Option(
      names = "--crop",
      paramLabel = "N",
      description = "The central N × N of each image (all of it).")
  private Integer crop;

  @Option(
      names = "--figure",
      paramLabel = "FILE",
      description = "Also draw both measures along the curve: F.svg or F.png.")
  private Path figure;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  TrajectoryMeasurement work(Progress progress) throws IOException {
    OutputFile drawing = figure == null ? null : OutputFile.drawing("--figure", figure);
    Network read = network.read();
    TrajectoryMeasurement.Request request =
        new TrajectoryMeasurement.Request(
            kind,
            anchors,
            image,
            seed,
            points.count(),
            bins,
            !noJacobian,
            dataset,
            data.path(),
            crop);
    TrajectoryMeasurement result;
    try (Device opened = device.open(err())) {
      result = TrajectoryMeasurement.of(read, request, opened, progress);
    }
    if (drawing != null) {
      drawing.write(result.figure(network.title())::write);
    }
    return result;
  }

  @Override
  void print(TrajectoryMeasurement measurement, PrintWriter out) {
    TrajectoryResult t = measurement.result();
    out.printf("%s, %,d points, %.1f s%n", t.kind(), t.points(), t.seconds());
    out.printf(
        "transitions   %,d (by layer: %s)%n",
        t.transitions().total(),
        Arrays.stream(t.transitions().perLayer())
            .mapToObj("%,d"::formatted)
            .collect(Collectors.joining(" ")));
    out.printf("regions       %,d%n", t.regions());
    if (t.jacobianNorm() != null) {
      out.printf("Jacobian norm %.4g%n", t.jacobianNorm().mean());
    }
    if (figure != null) {
      out.printf("figure        %s%n", figure);
    }
  }
}
