package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.TrajectoryMeasurement;
import dev.flinch.experiment.TrajectoryResult;
import dev.flinch.network.Network;
import dev.flinch.report.Table;
import dev.flinch.sensitivity.TrajectoryNorms;
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
  private static final long DENSE = 1 << 20;

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
      names = "--exact",
      description = {
        "Walk from one linear region to the next and find every crossing: the default, but for"
            + " Tanh and with --points."
      })
  private boolean exact;

  @Option(
      names = "--points",
      paramLabel = "K",
      description = {
        "Sample K points on the curve, such as 2^20. With --exact: find Jacobian norms there (2^20)."
      })
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
      names = "--compare",
      description = {
        "Also sample at 2^10 to 2^20 points: how many crossings they miss, and how many float32"
            + " invents."
      })
  private boolean compare;

  @Option(
      names = "--crossings",
      paramLabel = "FILE",
      description = "Also list all crossings in a file, as CSV.")
  private Path crossings;

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

  @Option(
      names = "--compare-figure",
      paramLabel = "FILE",
      description = "With --compare: draw it: F.svg or F.png.")
  private Path compareFigure;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  TrajectoryMeasurement work(Progress progress) throws IOException {
    OutputFile drawing = figure == null ? null : OutputFile.drawing("--figure", figure);
    OutputFile compared =
        compareFigure == null ? null : OutputFile.drawing("--compare-figure", compareFigure);
    OutputFile list = crossings == null ? null : new OutputFile("--crossings", crossings);
    Method method = exact ? Method.EXACT : points == null ? Method.AUTO : Method.SAMPLED;
    if (compareFigure != null && !compare) {
      throw new RequestException("--compare-figure: expected only with --compare");
    }
    if (crossings != null && method == Method.SAMPLED) {
      throw new RequestException(
          "--crossings: sampled points have none to list; leave out --points, or add --exact");
    }
    Network read = network.read(Measurement.imagesOf(dataset, data.path(), crop));
    TrajectoryMeasurement.Request request =
        new TrajectoryMeasurement.Request(
            kind,
            anchors,
            image,
            seed,
            method,
            points == null ? DENSE : points.count(),
            bins,
            !noJacobian,
            compare,
            dataset,
            data.path(),
            crop);
    TrajectoryMeasurement result;
    try (Device opened = device.open(err())) {
      result = TrajectoryMeasurement.of(read, request, opened, progress);
    }
    if (list != null) {
      list.write(result::writeCrossings);
    }
    if (drawing != null) {
      drawing.write(result.figure(network.title())::write);
    }
    if (compared != null) {
      compared.write(result.comparisonFigure(network.title())::write);
    }
    return result;
  }

  @Override
  void print(TrajectoryMeasurement measurement, PrintWriter out) {
    TrajectoryResult t = measurement.result();
    boolean walked = t.crossings() != null;
    out.printf(
        "%s, %s, %.1f s%n",
        t.kind(), walked ? "exact" : "%,d points".formatted(t.points()), t.seconds());
    out.printf(
        "transitions   %,d (by layer: %s)%n",
        t.transitions().total(),
        Arrays.stream(t.transitions().perLayer())
            .mapToObj("%,d"::formatted)
            .collect(Collectors.joining(" ")));
    out.printf(
        "regions       %,d%s%n",
        t.regions(),
        walked
            ? ", the shortest %.2g, the longest %.2g"
                .formatted(t.shortestRegion().length(), t.longestRegion().length())
            : "");
    if (t.jacobianNorm() != null) {
      TrajectoryNorms norms = t.jacobianNorm();
      out.printf(
          "Jacobian norm %.4g, from %.4g at %.4g to %.4g at %.4g%s%n",
          norms.mean(),
          norms.minimum().norm(),
          norms.minimum().parameter(),
          norms.maximum().norm(),
          norms.maximum().parameter(),
          walked ? ", at %,d points".formatted(t.points()) : "");
    }
    if (t.comparison() != null) {
      out.println();
      out.print(
          Table.format(
              List.of("points", "missed", "float32 adds", "Flinch's sampling adds"),
              t.comparison().rows().stream()
                  .map(
                      row ->
                          List.of(
                              "%,d".formatted(row.points()),
                              "%,d".formatted(row.missed()),
                              "%,d".formatted(row.invented()),
                              "%,d".formatted(row.sampled())))
                  .toList()));
    }
    for (Path file : new Path[] {crossings, figure, compareFigure}) {
      if (file != null) {
        out.printf("written       %s%n", file);
      }
    }
  }
}
