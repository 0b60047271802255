package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.StiffnessMeasurement;
import dev.flinch.experiment.StiffnessMeasurement.Length;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.network.Network;
import dev.flinch.report.Table;
import dev.flinch.sensitivity.ClassStiffness;
import dev.flinch.sensitivity.Stiffness;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch stiffness}: how a step on one example moves the loss of another. */
@Command(
    name = "stiffness",
    description = {
      "Measures how a gradient step on one example moves the loss of another: the cosine and the"
          + " sign of the angle between their gradients, by class, by layer and against distance."
    },
    footer = {
      "",
      "Example:",
      "  flinch stiffness net.safetensors --activation ReLU --dataset mnist --per-class 50 \\",
      "      --figure stiffness.png"
    })
final class StiffnessCommand extends Action<StiffnessMeasurement> {
  /** As many as a line of a terminal has room for. */
  private static final int MOST_PRINTED = 10;

  private static final String NONE = "–";

  /** The greatest distance, of inputs that point away from each other. */
  private static final double FARTHEST = 2;

  @Mixin private NetworkOptions network;

  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "NAME",
      description = "A name that flinch data list shows.")
  private String dataset;

  @Option(
      names = "--pairs",
      paramLabel = "train-train|train-test|test-test",
      defaultValue = "train-train",
      description = "Which splits the two examples of a pair are of (${DEFAULT-VALUE}).")
  private Pairs pairs;

  @Option(names = "--count", paramLabel = "N", description = "The first N images of each split.")
  private Integer count;

  @Option(
      names = "--per-class",
      paramLabel = "N",
      description =
          "The first N images of each class, in the split's order ("
              + StiffnessMeasurement.PER_CLASS
              + ").")
  private Integer perClass;

  @Option(
      names = "--crop",
      paramLabel = "N",
      description = "The central N × N of each image (all of it).")
  private Integer crop;

  @Option(
      names = "--figure",
      paramLabel = "FILE",
      description = {
        "Also draw the class matrix, and the cosine against distance: F.svg or F.png."
      })
  private Path figure;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  StiffnessMeasurement work(Progress progress) throws IOException {
    OutputFile drawing = figure == null ? null : OutputFile.drawing("--figure", figure);
    Network read = network.read(Measurement.imagesOf(dataset, data.path(), crop));
    StiffnessMeasurement.Request request =
        new StiffnessMeasurement.Request(dataset, data.path(), pairs, count, perClass, crop);
    StiffnessMeasurement result;
    try (Device opened = device.open(err())) {
      result = StiffnessMeasurement.of(read, request, opened, progress);
    }
    if (drawing != null) {
      String title = "Stiffness of %s, %s".formatted(network.title(), read.architecture().title());
      drawing.write(result.figure(title)::write);
    }
    return result;
  }

  @Override
  void print(StiffnessMeasurement m, PrintWriter out) {
    line(
        out,
        "network",
        "%s, %,d parameters".formatted(m.network().architecture(), m.network().parameters()));
    line(out, "data", m.images());
    line(out, "critical length", length("cosine", m.criticalLength()));
    line(out, "", length("sign", m.signCriticalLength()));
    if (m.betweenWithinSuperClasses() != null) {
      line(
          out,
          "super-classes",
          "cosine %s, sign %s between classes of one"
              .formatted(
                  number(m.betweenWithinSuperClasses().cosine()),
                  number(m.betweenWithinSuperClasses().sign())));
    }
    out.println();
    List<List<String>> rows = new ArrayList<>();
    rows.add(row("all layers", m.cosine(), m.sign()));
    for (int l = 0; l < m.perLayer().size(); l++) {
      Stiffness.Layer layer = m.perLayer().get(l);
      rows.add(row("layer " + (l + 1), layer.cosine(), layer.sign()));
    }
    out.print(
        Table.format(
            List.of("", "cosine within", "cosine between", "sign within", "sign between"), rows));
    Double[][] matrix = m.cosine().classMatrix();
    if (matrix.length <= MOST_PRINTED) {
      out.println();
      out.print(
          Table.format(
              Stream.concat(
                      Stream.of("cosine"),
                      IntStream.range(0, matrix.length).mapToObj(String::valueOf))
                  .toList(),
              IntStream.range(0, matrix.length)
                  .mapToObj(
                      c ->
                          Stream.concat(
                                  Stream.of("class " + c),
                                  Arrays.stream(matrix[c]).map(StiffnessCommand::number))
                              .toList())
                  .toList()));
    }
    if (!m.notes().isEmpty()) {
      out.println();
      m.notes().forEach(out::println);
    }
    if (figure != null) {
      out.println();
      line(out, "written", figure.toString());
    }
  }

  private static String length(String what, Length length) {
    if (length.value() == null) {
      return "none by the %s: its line %s".formatted(what, length.undefined());
    }
    Double low = length.interval()[0];
    Double high = length.interval()[1];
    return "%.4g by the %s".formatted(length.value(), what)
        + (length.value() > FARTHEST ? ", farther than inputs can be" : "")
        + (low == null
            ? ""
            : high == null
                ? ", 95%% of resamples from %.4g on".formatted(low)
                : ", 95%% of resamples from %.4g to %.4g".formatted(low, high));
  }

  private static List<String> row(String what, ClassStiffness cosine, ClassStiffness sign) {
    return List.of(
        what,
        number(cosine.within()),
        number(cosine.between()),
        number(sign.within()),
        number(sign.between()));
  }

  private static String number(Double value) {
    // Plus zero, which makes zero of a negative zero.
    return value == null ? NONE : "%.3f".formatted(Math.rint(1000 * value) / 1000 + 0.0);
  }

  private static void line(PrintWriter out, String name, String value) {
    out.printf("%-16s %s%n", name, value);
  }
}
