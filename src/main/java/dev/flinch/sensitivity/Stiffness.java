package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How a gradient step on one example moves the loss of another (Fort et al., arXiv:1901.09491): the
 * sign and the cosine of the angle between their gradients, by all weights and biases, of softmax
 * cross-entropy; means over pairs of different examples. Two examples with equal images are a pair
 * like any other. An example whose gradient is zero has no angle and is in no pair.
 *
 * @param cosine means of the cosine by class
 * @param sign means of the sign by class
 * @param pairs how many pairs of each two classes there are, {@code [class of one][of the other]}
 * @param perLayer the same of each layer's part of the gradients; empty where not asked for
 * @param distance within classes against distance; null where not asked for
 * @param examples how many examples the rows of pairs are of, and how many the columns
 * @param zeroGradients how many of those have a gradient that is zero
 */
public record Stiffness(
    ClassStiffness cosine,
    ClassStiffness sign,
    long[][] pairs,
    List<Layer> perLayer,
    DistanceStiffness distance,
    int[] examples,
    int[] zeroGradients) {

  /**
   * Of one layer's weights and biases alone.
   *
   * @param zeroGradients how many examples of the rows and of the columns have no gradient here
   */
  public record Layer(ClassStiffness cosine, ClassStiffness sign, int[] zeroGradients) {}

  /**
   * Examples in a device's memory.
   *
   * @param inputs normalised, {@code n × d}
   * @param classes the class of each
   */
  public record Examples(Matrix inputs, int[] classes) {}

  /**
   * Stiffness within one set of examples, such as of a training split.
   *
   * @param replica which network of the stack
   * @throws dev.flinch.base.RequestException as {@link ExampleGradients#of}
   */
  public static Stiffness within(
      NetworkStack stack,
      int replica,
      Examples examples,
      StiffnessSettings settings,
      Progress progress) {
    try (ExampleGradients gradients =
        ExampleGradients.of(stack, replica, examples.inputs, examples.classes)) {
      return of(gradients, examples.inputs, gradients, examples.inputs, settings, progress);
    }
  }

  /**
   * Stiffness between two sets of examples that have none in common, such as a training and a
   * validation split: class matrices have a row for each class of the first.
   *
   * @param replica which network of the stack
   * @throws dev.flinch.base.RequestException as {@link ExampleGradients#of}
   */
  public static Stiffness between(
      NetworkStack stack,
      int replica,
      Examples rows,
      Examples columns,
      StiffnessSettings settings,
      Progress progress) {
    try (ExampleGradients gradients =
            ExampleGradients.of(stack, replica, rows.inputs, rows.classes);
        ExampleGradients others =
            ExampleGradients.of(stack, replica, columns.inputs, columns.classes)) {
      return of(gradients, rows.inputs, others, columns.inputs, settings, progress);
    }
  }

  private static Stiffness of(
      ExampleGradients rows,
      Matrix rowInputs,
      ExampleGradients columns,
      Matrix columnInputs,
      StiffnessSettings settings,
      Progress progress) {
    Device device = rows.device();
    boolean within = rows == columns;
    int classes = rows.classCount();
    int layers = settings.perLayer() ? rows.layers() : 0;
    List<ExamplePairs.Quantity> quantities = new ArrayList<>();
    List<ClassSums> sums = new ArrayList<>();
    quantities.add((lane, i, j, block) -> rows.cosines(lane, i, columns, j, block));
    int[] rowClasses = classes(rows, rows.norms());
    int[] columnClasses = within ? rowClasses : classes(columns, columns.norms());
    sums.add(new ClassSums(classes, rowClasses, columnClasses, within));
    int[][][] layerClasses = new int[layers][2][];
    for (int l = 0; l < layers; l++) {
      int layer = l;
      quantities.add((lane, i, j, block) -> rows.cosines(lane, layer, i, columns, j, block));
      layerClasses[l][0] = classes(rows, rows.norms(l));
      layerClasses[l][1] = within ? layerClasses[l][0] : classes(columns, columns.norms(l));
      sums.add(new ClassSums(classes, layerClasses[l][0], layerClasses[l][1], within));
    }
    try (Directions rowDirections =
            settings.byDistance() ? new Directions(device, rowInputs) : null;
        Directions columnDirections =
            settings.byDistance() && !within ? new Directions(device, columnInputs) : null) {
      Directions others = within ? rowDirections : columnDirections;
      DistancePairs pairs = null;
      if (settings.byDistance()) {
        quantities.add((lane, i, j, block) -> rowDirections.cosines(lane, i, others, j, block));
        pairs =
            new DistancePairs(
                classes,
                rowDirections.without(rowClasses, classes),
                others.without(columnClasses, classes),
                within,
                settings.binWidth());
      }
      DistancePairs ofDistances = pairs;
      new ExamplePairs(device, rows.count(), columns.count(), within)
          .each(
              "stiffness of " + rows.title(),
              quantities,
              progress,
              panel -> {
                for (int q = 0; q < sums.size(); q++) {
                  sums.get(q).add(panel, panel.values()[q]);
                }
                if (ofDistances != null) {
                  ofDistances.add(panel, panel.values()[0], panel.values()[quantities.size() - 1]);
                }
              });
      DistanceStiffness distance =
          pairs == null ? null : pairs.stiffness(settings.resamples(), settings.seed());
      return new Stiffness(
          sums.get(0).cosine(),
          sums.get(0).sign(),
          sums.get(0).pairs(),
          IntStream.range(0, layers)
              .mapToObj(
                  l ->
                      new Layer(
                          sums.get(l + 1).cosine(),
                          sums.get(l + 1).sign(),
                          new int[] {
                            leftOut(layerClasses[l][0], classes),
                            leftOut(layerClasses[l][1], classes)
                          }))
              .toList(),
          distance,
          new int[] {rows.count(), columns.count()},
          new int[] {leftOut(rowClasses, classes), leftOut(columnClasses, classes)});
    }
  }

  /** The class of each example, one more than the last class for those without a gradient. */
  private static int[] classes(ExampleGradients gradients, double[] norms) {
    return IntStream.range(0, norms.length)
        .map(i -> norms[i] == 0 ? gradients.classCount() : gradients.classOf(i))
        .toArray();
  }

  private static int leftOut(int[] classOf, int classes) {
    return (int) Arrays.stream(classOf).filter(c -> c == classes).count();
  }

  /** Inputs at length one. */
  private static final class Directions implements AutoCloseable {
    private final Scope scope;
    private final Matrix unit;
    private final double[] norms;

    Directions(Device device, Matrix inputs) {
      scope = new Scope(device);
      try (Scope temporary = new Scope(device)) {
        unit = scope.matrix(inputs.rows(), inputs.columns());
        Matrix lengths = Matrix.of(temporary.doubles(inputs.rows()), 0, inputs.rows(), 1);
        int rows = Math.max(1, (inputs.rows() + device.lanes() - 1) / device.lanes());
        device.run(
            (inputs.rows() + rows - 1) / rows,
            (lane, task) -> {
              int from = task * rows;
              int count = Math.min(rows, inputs.rows() - from);
              lane.unitRows(
                  inputs.rows(from, count), unit.rows(from, count), lengths.rows(from, count));
            });
        norms = JacobianNorms.download(device, lengths);
      }
    }

    void cosines(Lane lane, int from, Directions others, int othersFrom, Matrix block) {
      lane.gemm(
          false,
          unit.rows(from, block.rows()),
          true,
          others.unit.rows(othersFrom, block.columns()),
          0,
          block);
    }

    /** Leaves out images of one value: they are zeros, which have no direction. */
    int[] without(int[] classOf, int classes) {
      return IntStream.range(0, norms.length)
          .map(i -> norms[i] == 0 ? classes : classOf[i])
          .toArray();
    }

    @Override
    public void close() {
      scope.close();
    }
  }

  /** What of it a reader should know that numbers don't say, in sentences. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    if (Arrays.stream(zeroGradients).sum() > 0) {
      boolean equal = examples[0] == examples[1] && zeroGradients[0] == zeroGradients[1];
      notes.add(
          "examples whose gradient is zero have no angle and are left out: "
              + (equal
                  ? zeroGradients[0] + " of " + examples[0]
                  : "%d of %d and %d of %d"
                      .formatted(zeroGradients[0], examples[0], zeroGradients[1], examples[1])));
    }
    Double[][] matrix = cosine.classMatrix();
    String without =
        IntStream.range(0, matrix.length)
            .filter(c -> matrix[c][c] == null)
            .mapToObj(String::valueOf)
            .collect(Collectors.joining(", "));
    if (!without.isEmpty()) {
      notes.add(
          "classes without a pair of examples, whose stiffness within is not defined: " + without);
    }
    if (distance != null && distance.cosine().value() == null) {
      notes.add(
          "no critical length: the line through mean cosine against distance "
              + distance.cosine().undefined());
    }
    return notes;
  }

  /**
   * Multiplications and additions in matrix products that the class matrix takes.
   *
   * @param within whether both are one set
   */
  public static long flop(Architecture architecture, int rows, int columns, boolean within) {
    long pairs = within ? (long) rows * (rows + 1) / 2 : (long) rows * columns;
    return ExampleGradients.pairFlop(architecture) * pairs
        + ExampleGradients.flop(architecture, within ? rows : rows + columns);
  }
}
