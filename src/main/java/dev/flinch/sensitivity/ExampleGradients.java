package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * The gradients of softmax cross-entropy by all weights and biases of one network, at single
 * examples (Fort et al., arXiv:1901.09491), in factors: a dense layer's part is δ hᵀ, its error
 * times its input (with a 1 appended where there is a bias). So an example takes as many numbers as
 * the network has units, and no gradient is ever formed.
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
  private final Matrix[] inputs;
  private final Matrix[] errors;
  private final Matrix[] shares;
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

  private ExampleGradients(
      Scope scope, NetworkStack stack, int replica, Matrix points, int[] classes) {
    this.device = stack.device();
    this.architecture = stack.architecture();
    this.classes = classes.clone();
    this.scope = scope;
    int n = classes.length;
    int depth = architecture.depth();
    int appended = architecture.biases() ? 1 : 0;
    this.inputs = layers(depth, l -> scope.matrix(n, architecture.columns(l) + appended));
    this.errors = layers(depth, l -> scope.matrix(n, architecture.rows(l)));
    this.shares = layers(depth, l -> scope.matrix(1, n));
    try (Scope temporary =
        new Scope(device, "gradients of single examples of " + architecture.title())) {
      Lengths lengths = factorise(temporary, stack, replica, points);
      this.norms = new double[n];
      this.layerNorms = new double[depth][n];
      float[][] share = new float[depth][n];
      for (int i = 0; i < n; i++) {
        combine(lengths, i, share);
      }
      for (int l = 0; l < depth; l++) {
        device.upload(share[l], 0, shares[l].data(), shares[l].offset(), n);
      }
    }
  }

  private static Matrix[] layers(int depth, IntFunction<Matrix> each) {
    return IntStream.range(0, depth).mapToObj(each).toArray(Matrix[]::new);
  }

  /**
   * What the factors' lengths were.
   *
   * @param inputs of each layer's inputs, with their 1
   * @param errors of each layer's errors, beside those of the layer above: of the last layer's
   *     beside {@code scales}
   * @param scales of the errors of the logits
   */
  private record Lengths(double[][] inputs, double[][] errors, double[] scales) {}

  private Lengths factorise(Scope temporary, NetworkStack stack, int replica, Matrix points) {
    int n = classes.length;
    int depth = architecture.depth();
    DeviceArray labels = temporary.ints(Math.max(1, n));
    device.upload(classes, 0, labels, 0, n);
    Matrix[] inputNorms = layers(depth, l -> Matrix.of(temporary.doubles(n), 0, n, 1));
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
          Buffers buffers = lanes[lane.index()].first(rows);
          stack.forward(lane, replica, x, buffers.z, buffers.h);
          for (int l = 0; l < depth; l++) {
            lane.unitRows(
                l == 0 ? x : buffers.h[l - 1],
                inputs[l].rows(from, rows),
                inputNorms[l].rows(from, rows));
          }
          Matrix seeds = buffers.errors(rows, architecture.classes());
          lane.crossEntropySeeds(
              buffers.z[depth - 1], labels, from, seeds, scales.rows(from, rows));
          unitErrors(lane, depth - 1, seeds, from, errorNorms);
          for (int l = depth - 1; l > 0; l--) {
            Matrix back = buffers.errors(rows, architecture.columns(l));
            Matrix weights = stack.weights(l).replicas(replica, 1);
            lane.gemm(false, errors[l].rows(from, rows), false, weights, 0, back);
            lane.scale(back, buffers.z[l - 1], 1, back);
            unitErrors(lane, l - 1, back, from, errorNorms);
          }
        });
    return new Lengths(
        download(inputNorms), download(errorNorms), JacobianNorms.download(device, scales));
  }

  private void unitErrors(Lane lane, int layer, Matrix found, int from, Matrix[] norms) {
    int rows = found.rows();
    lane.unitRows(found, errors[layer].rows(from, rows), norms[layer].rows(from, rows));
  }

  /** As many tiles for each lane, of a size that stays in its cache. */
  private int tileRows(int n) {
    long perRow = architecture.widest();
    for (int l = 0; l < architecture.depth(); l++) {
      perRow += 2L * architecture.rows(l);
    }
    int most = ForwardBuffers.tileRows(device, perRow, n);
    int lanes = device.lanes();
    int tiles = (n + most * lanes - 1) / (most * lanes) * lanes;
    return Math.max(1, (n + tiles - 1) / Math.max(1, tiles));
  }

  private double[][] download(Matrix[] columns) {
    return Arrays.stream(columns)
        .map(column -> JacobianNorms.download(device, column))
        .toArray(double[][]::new);
  }

  /** An example's norms from its factors' lengths, and the layers' shares of its gradient. */
  private void combine(Lengths lengths, int i, float[][] share) {
    int depth = architecture.depth();
    if (!Double.isFinite(lengths.scales[i])) {
      throw notFinite("outputs", i);
    }
    double[] parts = new double[depth];
    double error = 1;
    double largest = 0;
    for (int l = depth - 1; l >= 0; l--) {
      error *= lengths.errors[l][i];
      parts[l] = error * lengths.inputs[l][i];
      if (!Double.isFinite(parts[l])) {
        throw notFinite("gradients", i);
      }
      largest = Math.max(largest, parts[l]);
    }
    double squares = 0;
    for (int l = 0; l < depth && largest > 0; l++) {
      squares += parts[l] / largest * (parts[l] / largest);
    }
    double length = largest * Math.sqrt(squares);
    norms[i] = lengths.scales[i] * length;
    for (int l = 0; l < depth; l++) {
      layerNorms[l][i] = lengths.scales[i] * parts[l];
      share[l][i] = length == 0 ? 0 : (float) (parts[l] / length);
    }
  }

  private NotFiniteException notFinite(String what, int example) {
    return new NotFiniteException(
        "gradients of %s: expected finite %s at every example, found infinite or undefined ones at example %d; its training has diverged: take weights from before that, or train with a smaller learning rate"
            .formatted(architecture.title(), what, example));
  }

  /** What a lane needs for a tile of examples. */
  private static final class Buffers {
    final Matrix[] z;
    final Matrix[] h;
    final Matrix back;

    Buffers(Scope scope, Architecture architecture, int rows) {
      this(
          layers(architecture.depth(), l -> scope.matrix(rows, architecture.rows(l))),
          layers(architecture.depth() - 1, l -> scope.matrix(rows, architecture.rows(l))),
          scope.matrix(rows, architecture.widest()));
    }

    private Buffers(Matrix[] z, Matrix[] h, Matrix back) {
      this.z = z;
      this.h = h;
      this.back = back;
    }

    Buffers first(int rows) {
      return new Buffers(first(z, rows), first(h, rows), back);
    }

    private static Matrix[] first(Matrix[] matrices, int rows) {
      return layers(matrices.length, l -> matrices[l].rows(0, rows));
    }

    Matrix errors(int rows, int columns) {
      return Matrix.padded(back.data(), rows, columns);
    }
  }

  /** How many examples there are. */
  public int count() {
    return classes.length;
  }

  /** How many layers the network has, each with a part of every gradient. */
  public int layers() {
    return inputs.length;
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
    int rows = cosines.rows();
    int columns = cosines.columns();
    lane.gramProduct(
        inputs[layer].rows(from, rows),
        others.inputs[layer].rows(othersFrom, columns),
        errors[layer].rows(from, rows),
        others.errors[layer].rows(othersFrom, columns),
        asShares ? shares[layer].columns(from, rows) : null,
        asShares ? others.shares[layer].columns(othersFrom, columns) : null,
        beta,
        cosines);
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
    long forward = 0;
    long backward = 0;
    for (int l = 0; l < architecture.depth(); l++) {
      long weights = (long) architecture.rows(l) * architecture.columns(l);
      forward += weights;
      backward += l > 0 ? weights : 0;
    }
    return 2 * (forward + backward) * examples;
  }

  @Override
  public void close() {
    scope.close();
  }
}
