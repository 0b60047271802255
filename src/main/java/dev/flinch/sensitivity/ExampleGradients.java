package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.BackwardBuffers;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.LayerMatrices;
import dev.flinch.network.NetworkStack;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * The gradients of softmax cross-entropy by all weights and biases of one network, at single
 * examples (Fort et al., arXiv:1901.09491), in factors: a dense layer's part is δ hᵀ, its error
 * times its input (with a 1 appended where there is a bias). So an example takes as many numbers as
 * the network has units, and no gradient of a dense layer is ever formed.
 *
 * <p>A convolutional layer's part is the sum of such products over its positions, of errors and
 * patches. Products of two examples' parts are those of all pairs of positions, or of the sums
 * themselves: whichever costs less.
 *
 * <p>All factors are kept at length one, and what their lengths were in float64. So gradients whose
 * squares no float32 holds, as those of networks that are sure of an example, keep their
 * directions.
 */
public final class ExampleGradients implements AutoCloseable {
  private final Device device;
  private final Architecture architecture;
  private final int[] classes;
  private final Scope scope;
  private final Part[] parts;
  private final double[][] layerNorms;
  private final double[] norms;

  /**
   * Gradients of one network's losses.
   *
   * @param replica which network of the stack
   * @param points normalised inputs, {@code n × d}
   * @param classes the class of each
   * @throws NotFiniteException where the network's outputs or a gradient are not finite
   * @throws RequestException where a class is none of the network's
   */
  public static ExampleGradients of(NetworkStack stack, int replica, Matrix points, int[] classes) {
    Architecture architecture = stack.architecture();
    if (classes.length != points.rows()) {
      throw new IllegalArgumentException(
          "expected %d classes, one a point, found %d".formatted(points.rows(), classes.length));
    }
    for (int i = 0; i < classes.length; i++) {
      if (classes[i] < 0 || classes[i] >= architecture.classes()) {
        throw new RequestException(
            "gradients at example %d: expected one of the network's %d classes, found class %d"
                .formatted(i, architecture.classes(), classes[i]));
      }
    }
    Scope scope = new Scope(stack.device());
    try {
      return new ExampleGradients(scope, stack, replica, points, classes);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  /** In what form a layer's part of gradients is kept. */
  private enum Form {
    /** Of a dense layer: its input and its error. */
    OUTER_PRODUCT,
    /** Of a convolutional layer: patches and errors at all positions. */
    POSITIONS,
    /** Of a convolutional layer: the sum of their products. */
    SUM;

    static Form of(Architecture architecture, int layer) {
      return !architecture.isConvolutional(layer)
          ? OUTER_PRODUCT
          : pairCost(architecture, layer, POSITIONS) < pairCost(architecture, layer, SUM)
              ? POSITIONS
              : SUM;
    }
  }

  /** Multiplications and additions that the product of two examples' parts takes. */
  private static long pairCost(Architecture architecture, int layer, Form form) {
    long rows = architecture.rows(layer);
    long columns = architecture.columns(layer) + appended(architecture);
    long positions = architecture.positions(layer);
    return form == Form.SUM ? 2 * rows * columns : 2 * positions * positions * (rows + columns);
  }

  private static int appended(Architecture architecture) {
    return architecture.biases() ? 1 : 0;
  }

  /**
   * One layer's part of all gradients: at each example the sum over positions of errors times
   * inputs, times its factor in {@code alone}, has length one.
   *
   * @param inputs n × positions · any
   * @param errors n × positions · any
   * @param positions 1, or how many places of each row are apart
   * @param alone 1 × n, or null for ones
   * @param shares 1 × n: the same, times the part's share of the whole gradient's length
   */
  private record Part(
      Form form, Matrix inputs, Matrix errors, int positions, Matrix alone, Matrix shares) {

    /** The inputs of some examples at a position. */
    Matrix inputs(int from, int count, int position) {
      return at(inputs.rows(from, count), position);
    }

    Matrix errors(int from, int count, int position) {
      return at(errors.rows(from, count), position);
    }

    private Matrix at(Matrix matrix, int position) {
      int columns = matrix.columns() / positions;
      return positions == 1 ? matrix : matrix.columns(position * columns, columns);
    }
  }

  private ExampleGradients(
      Scope scope, NetworkStack stack, int replica, Matrix points, int[] classes) {
    this.device = stack.device();
    this.architecture = stack.architecture();
    this.classes = classes.clone();
    this.scope = scope;
    int n = classes.length;
    int depth = architecture.depth();
    Matrix ones = ones(scope, n);
    this.parts = IntStream.range(0, depth).mapToObj(l -> part(l, n, ones)).toArray(Part[]::new);
    try (Scope temporary =
        new Scope(device, "gradients of single examples of " + architecture.title())) {
      Lengths lengths = factorise(temporary, stack, replica, points);
      this.norms = new double[n];
      this.layerNorms = new double[depth][n];
      float[][] shares = new float[depth][n];
      for (int i = 0; i < n; i++) {
        combine(lengths, i, shares);
      }
      for (int l = 0; l < depth; l++) {
        if (parts[l].alone != null) {
          float[] alone = new float[n];
          for (int i = 0; i < n; i++) {
            double sum = lengths.sums[l][i];
            alone[i] = sum == 0 ? 0 : (float) (1 / sum);
            shares[l][i] *= alone[i];
          }
          upload(alone, parts[l].alone);
        }
        upload(shares[l], parts[l].shares);
      }
    }
  }

  private Matrix ones(Scope scope, int n) {
    Matrix ones = scope.matrix(1, n);
    float[] values = new float[n];
    Arrays.fill(values, 1);
    upload(values, ones);
    return Matrix.of(ones.data(), 0, n, 1);
  }

  private void upload(float[] values, Matrix row) {
    device.upload(values, 0, row.data(), row.offset(), values.length);
  }

  private Part part(int layer, int n, Matrix ones) {
    int rows = architecture.rows(layer);
    int columns = architecture.columns(layer) + appended(architecture);
    int positions = architecture.positions(layer);
    Matrix shares = scope.matrix(1, n);
    Form form = Form.of(architecture, layer);
    return switch (form) {
      case OUTER_PRODUCT ->
          new Part(form, scope.matrix(n, columns), scope.matrix(n, rows), 1, null, shares);
      case SUM -> new Part(form, scope.matrix(n, rows * columns), ones, 1, null, shares);
      case POSITIONS ->
          new Part(
              form,
              dense(scope, n, positions * columns),
              dense(scope, n, positions * rows),
              positions,
              scope.matrix(1, n),
              shares);
    };
  }

  private static Matrix dense(Scope scope, int rows, int columns) {
    return Matrix.of(scope.floats((long) rows * columns), 0, rows, columns);
  }

  private static Matrix[] layers(int depth, IntFunction<Matrix> each) {
    return IntStream.range(0, depth).mapToObj(each).toArray(Matrix[]::new);
  }

  /**
   * What the factors' lengths were.
   *
   * @param inputs of each layer's inputs, with their 1, or of its sums
   * @param sums of a layer's sums over positions of factors of length one; null for others
   * @param errors of each layer's errors, beside those of the layer above: of the last layer's
   *     beside {@code scales}
   * @param scales of the errors of the logits
   */
  private record Lengths(double[][] inputs, double[][] sums, double[][] errors, double[] scales) {}

  private Lengths factorise(Scope temporary, NetworkStack stack, int replica, Matrix points) {
    int n = classes.length;
    int depth = architecture.depth();
    DeviceArray labels = temporary.ints(Math.max(1, n));
    device.upload(classes, 0, labels, 0, n);
    Matrix[] inputNorms = layers(depth, l -> Matrix.of(temporary.doubles(n), 0, n, 1));
    Matrix[] sumNorms =
        layers(
            depth, l -> parts[l].alone == null ? null : Matrix.of(temporary.doubles(n), 0, n, 1));
    Matrix[] errorNorms = layers(depth, l -> Matrix.of(temporary.doubles(n), 0, n, 1));
    Matrix scales = Matrix.of(temporary.doubles(n), 0, n, 1);
    int tile = tileRows(n);
    Buffers[] lanes =
        IntStream.range(0, device.lanes())
            .mapToObj(lane -> new Buffers(temporary, architecture, tile))
            .toArray(Buffers[]::new);
    device.run(
        (n + tile - 1) / tile,
        (lane, task) -> {
          int from = task * tile;
          int rows = Math.min(tile, n - from);
          Matrix x = points.rows(from, rows);
          Buffers buffers = lanes[lane.index()];
          ForwardBuffers forward = buffers.forward.first(rows);
          stack.forward(lane, replica, x, forward);
          Matrix found = buffers.seeds.rows(0, rows);
          lane.crossEntropySeeds(forward.logits(), labels, from, found, scales.rows(from, rows));
          for (int l = depth - 1; l >= 0; l--) {
            Matrix errors =
                parts[l].form == Form.SUM
                    ? LayerMatrices.written(buffers.errors, architecture, l, 1, rows)
                    : parts[l].errors.rows(from, rows);
            lane.unitRows(found, errors, errorNorms[l].rows(from, rows));
            Matrix below = l == 0 ? x : forward.h()[l - 1];
            Matrix inputs = parts[l].inputs.rows(from, rows);
            Matrix lengths = inputNorms[l].rows(from, rows);
            switch (parts[l].form) {
              case OUTER_PRODUCT -> lane.unitRows(below, inputs, lengths);
              case SUM -> {
                Matrix patches = patches(lane, l, below, buffers.patches);
                lane.unitRows(sums(lane, l, errors, patches, buffers.sums), inputs, lengths);
              }
              case POSITIONS -> {
                lane.unitRows(patches(lane, l, below, buffers.patches), inputs, lengths);
                Matrix sums = sums(lane, l, errors, inputs, buffers.sums);
                lane.groupNorms(sums, 1, null, sumNorms[l].rows(from, rows));
              }
            }
            if (l > 0) {
              found = forward.z()[l - 1];
              Matrix weights = stack.weights(l).replicas(replica, 1);
              buffers.backward.back(lane, l, weights, errors, found, 1, found);
            }
          }
        });
    return new Lengths(
        download(inputNorms),
        download(sumNorms),
        download(errorNorms),
        JacobianNorms.download(device, scales));
  }

  /** A convolutional layer's patches, each with a 1 where there is a bias, an example a row. */
  private Matrix patches(Lane lane, int layer, Matrix below, DeviceArray room) {
    int positions = architecture.positions(layer);
    int columns = architecture.columns(layer) + appended(architecture);
    Matrix patches = Matrix.of(room, 0, below.rows() * positions, columns);
    lane.patches(below, architecture.patches(layer), patches);
    return patches.join(positions);
  }

  /** The products of errors and patches, summed over positions, an example a row. */
  private Matrix sums(Lane lane, int layer, Matrix errors, Matrix patches, DeviceArray room) {
    int positions = architecture.positions(layer);
    int rows = architecture.rows(layer);
    int columns = patches.columns() / positions;
    Matrix sums = Matrix.of(room, 0, errors.rows(), rows * columns);
    lane.gemm(true, each(errors, positions), false, each(patches, positions), 0, each(sums, rows));
    return sums;
  }

  /** Rows as a matrix each, of {@code parts} rows. */
  private static Matrix each(Matrix matrix, int parts) {
    int columns = matrix.columns() / parts;
    return new Matrix(
        matrix.data(),
        matrix.offset(),
        parts,
        columns,
        columns,
        false,
        matrix.rows(),
        matrix.stride());
  }

  /** As many tiles for each lane, of a size that stays in its cache. */
  private int tileRows(int n) {
    long perRow = architecture.widest() + 2L * architecture.unitsOfPass();
    int most = ForwardBuffers.tileRows(device, architecture, perRow, n);
    int lanes = device.lanes();
    int tiles = (n + most * lanes - 1) / (most * lanes) * lanes;
    return Math.max(1, (n + tiles - 1) / Math.max(1, tiles));
  }

  private double[][] download(Matrix[] columns) {
    return Arrays.stream(columns)
        .map(column -> column == null ? null : JacobianNorms.download(device, column))
        .toArray(double[][]::new);
  }

  /** An example's norms from its factors' lengths, and the layers' shares of its gradient. */
  private void combine(Lengths lengths, int i, float[][] share) {
    int depth = architecture.depth();
    if (!Double.isFinite(lengths.scales[i])) {
      throw notFinite("outputs", i);
    }
    double[] own = new double[depth];
    double error = 1;
    double largest = 0;
    for (int l = depth - 1; l >= 0; l--) {
      error *= lengths.errors[l][i];
      own[l] = error * lengths.inputs[l][i] * (lengths.sums[l] == null ? 1 : lengths.sums[l][i]);
      if (!Double.isFinite(own[l])) {
        throw notFinite("gradients", i);
      }
      largest = Math.max(largest, own[l]);
    }
    double squares = 0;
    for (int l = 0; l < depth && largest > 0; l++) {
      squares += own[l] / largest * (own[l] / largest);
    }
    double length = largest * Math.sqrt(squares);
    norms[i] = lengths.scales[i] * length;
    for (int l = 0; l < depth; l++) {
      layerNorms[l][i] = lengths.scales[i] * own[l];
      share[l][i] = length == 0 ? 0 : (float) (own[l] / length);
    }
  }

  private NotFiniteException notFinite(String what, int example) {
    return new NotFiniteException(
        "gradients of %s: expected finite %s at every example, found infinite or undefined ones at example %d; its training has diverged: take weights from before that, or train with a smaller learning rate"
            .formatted(architecture.title(), what, example));
  }

  /** What a lane needs for a tile of examples. */
  private static final class Buffers {
    final ForwardBuffers forward;
    final BackwardBuffers backward;
    final Matrix seeds;

    /** Errors, patches and sums of one convolutional layer after the other. */
    final DeviceArray errors;

    final DeviceArray patches;
    final DeviceArray sums;

    Buffers(Scope scope, Architecture architecture, int rows) {
      forward = ForwardBuffers.keepingAll(scope, architecture, 1, rows);
      backward = new BackwardBuffers(scope, architecture, 1, rows, 0);
      seeds = scope.matrix(rows, architecture.classes());
      long widest = 0;
      long patched = 0;
      long weights = 0;
      for (int l = 0; architecture.isConvolutional(l); l++) {
        long columns = architecture.columns(l) + appended(architecture);
        widest = Math.max(widest, architecture.unitsOut(l));
        patched = Math.max(patched, architecture.positions(l) * columns);
        weights = Math.max(weights, architecture.rows(l) * columns);
      }
      errors = scope.floats(rows * widest);
      patches = scope.floats(rows * patched);
      sums = scope.floats(rows * weights);
    }
  }

  /** How many examples there are. */
  public int count() {
    return classes.length;
  }

  /** How many layers the network has, each with a part of every gradient. */
  public int layers() {
    return parts.length;
  }

  /** What the network is called. */
  String title() {
    return architecture.title();
  }

  /** How many classes the network tells apart. */
  public int classCount() {
    return architecture.classes();
  }

  /** The class of an example. */
  public int classOf(int example) {
    return classes[example];
  }

  /** ‖g‖ of each example's whole gradient; 0 where it is zero, or below what float64 holds. */
  public double[] norms() {
    return norms.clone();
  }

  /** ‖g‖ of the part of one layer, from 0 on. */
  public double[] norms(int layer) {
    return layerNorms[layer].clone();
  }

  Device device() {
    return device;
  }

  /**
   * Adds the cosines between examples of two sets, which may be one, as if gradients that are zero
   * were at right angles to all.
   *
   * @param from the first of these examples; as many as {@code cosines} has rows
   * @param othersFrom the first of the others
   * @param cosines written
   */
  void cosines(Lane lane, int from, ExampleGradients others, int othersFrom, Matrix cosines) {
    for (int l = 0; l < layers(); l++) {
      layerCosines(lane, l, from, others, othersFrom, true, l == 0 ? 0 : 1, cosines);
    }
  }

  /** The same between the parts of one layer alone. */
  void cosines(
      Lane lane, int layer, int from, ExampleGradients others, int othersFrom, Matrix cosines) {
    layerCosines(lane, layer, from, others, othersFrom, false, 0, cosines);
  }

  private void layerCosines(
      Lane lane,
      int layer,
      int from,
      ExampleGradients others,
      int othersFrom,
      boolean asShares,
      float beta,
      Matrix cosines) {
    Part part = parts[layer];
    Part other = others.parts[layer];
    int rows = cosines.rows();
    int columns = cosines.columns();
    Matrix factors = asShares ? part.shares : part.alone;
    Matrix otherFactors = asShares ? other.shares : other.alone;
    for (int p = 0; p < part.positions * part.positions; p++) {
      int position = p / part.positions;
      int otherPosition = p % part.positions;
      lane.gramProduct(
          part.inputs(from, rows, position),
          other.inputs(othersFrom, columns, otherPosition),
          part.errors(from, rows, position),
          other.errors(othersFrom, columns, otherPosition),
          factors == null ? null : factors.columns(from, rows),
          otherFactors == null ? null : otherFactors.columns(othersFrom, columns),
          p == 0 ? beta : 1,
          cosines);
    }
  }

  /**
   * The cosine between each of these gradients and each of others, {@code [these][others]}; 0 where
   * one of them is zero. The others may be these: every pair is computed once then.
   */
  public float[][] cosines(ExampleGradients others, Progress progress) {
    return cosines(
        (lane, row, column, block) -> cosines(lane, row, others, column, block), others, progress);
  }

  /** The same between their parts of one layer alone, from 0 on. */
  public float[][] cosines(int layer, ExampleGradients others, Progress progress) {
    return cosines(
        (lane, row, column, block) -> cosines(lane, layer, row, others, column, block),
        others,
        progress);
  }

  private float[][] cosines(
      ExamplePairs.Quantity quantity, ExampleGradients others, Progress progress) {
    boolean within = others == this;
    float[][] all = new float[count()][others.count()];
    new ExamplePairs(device, count(), others.count(), within)
        .each(
            "cosines of gradients of " + architecture.title(),
            List.of(quantity),
            progress,
            panel -> {
              for (int i = panel.row(); i < panel.row() + panel.rows(); i++) {
                int from = within ? i : 0;
                int at = panel.at(i) + from;
                System.arraycopy(panel.values()[0], at, all[i], from, all[i].length - from);
              }
            });
    if (within) {
      mirror(all);
    }
    return all;
  }

  /** The lower triangle from the upper, a tile of columns at a time, for the cache. */
  private static void mirror(float[][] all) {
    int tile = 64;
    IntStream.range(0, (all.length + tile - 1) / tile)
        .parallel()
        .forEach(
            t -> {
              int end = Math.min(all.length, (t + 1) * tile);
              for (int j = 0; j < end; j++) {
                for (int i = Math.max(j + 1, t * tile); i < end; i++) {
                  all[i][j] = all[j][i];
                }
              }
            });
  }

  /** Multiplications and additions that {@link #of} makes. */
  public static long flop(Architecture architecture, int examples) {
    long all = 0;
    for (int l = 0; l < architecture.depth(); l++) {
      int passes = 1 + (l > 0 ? 1 : 0) + (architecture.isConvolutional(l) ? 1 : 0);
      all += passes * architecture.flop(l);
    }
    return all * examples;
  }

  /** Multiplications and additions that a pair's cosine takes. */
  static long pairFlop(Architecture architecture) {
    return IntStream.range(0, architecture.depth())
        .mapToLong(l -> pairCost(architecture, l, Form.of(architecture, l)))
        .sum();
  }

  @Override
  public void close() {
    scope.close();
  }
}
