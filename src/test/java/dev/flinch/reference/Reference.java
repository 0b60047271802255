package dev.flinch.reference;

import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A network in double precision, as its definition reads.
 *
 * @param architecture its shape
 * @param weights {@code [layer][out][in]}; of a convolution {@code [channel][kernel row, kernel
 *     column, channel below]}
 * @param biases {@code [layer][out]}, zeros where the network has none
 */
public record Reference(Architecture architecture, double[][][] weights, double[][] biases) {
  /** Transitions along a closed trajectory, and the number of regions that its samples tell. */
  public record Transitions(long total, long[] perLayer, long[] perBin, long regions) {}

  /** Derivatives of a loss by weights {@code [layer][out][in]} and biases {@code [layer][out]}. */
  public record Gradient(double loss, double[][][] weights, double[][] biases) {}

  public static Reference of(Network network) {
    Architecture a = network.architecture();
    double[][][] weights = new double[a.depth()][][];
    double[][] biases = new double[a.depth()][];
    for (int l = 0; l < a.depth(); l++) {
      weights[l] = new double[a.rows(l)][];
      for (int row = 0; row < a.rows(l); row++) {
        weights[l][row] = RandomNetworks.row(network.weights()[l], row, a.columns(l));
      }
      biases[l] = a.biases() ? doubles(network.biases()[l]) : new double[a.rows(l)];
    }
    return new Reference(a, weights, biases);
  }

  public static double[] doubles(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  /** A fully connected network, with biases. */
  public Reference(Activation activation, double[][][] weights, double[][] biases) {
    this(
        new Architecture(
            Stream.concat(
                    Stream.of(weights[0][0].length), Arrays.stream(weights).map(w -> w.length))
                .toList(),
            activation,
            true),
        weights,
        biases);
  }

  /** φ of the hidden layers. */
  public Activation activation() {
    return architecture.activation();
  }

  /** One product of a layer: its output unit, the row of weights and the column, its input unit. */
  @FunctionalInterface
  private interface Term {
    void of(int out, int row, int column, int in);
  }

  /** Every term of a layer's sums: all of them, or those that a kernel at each pixel meets. */
  private void terms(int layer, Term term) {
    if (!architecture.isConvolutional(layer)) {
      for (int i = 0; i < weights[layer].length; i++) {
        for (int j = 0; j < weights[layer][i].length; j++) {
          term.of(i, i, j, j);
        }
      }
      return;
    }
    ImageShape map = architecture.map(layer);
    int side = architecture.convolutions().get(layer).kernel();
    int channels = weights[layer].length;
    for (int y = 0; y < map.height(); y++) {
      for (int x = 0; x < map.width(); x++) {
        for (int ky = 0; ky < side; ky++) {
          for (int kx = 0; kx < side; kx++) {
            int row = y + ky - side / 2;
            int column = x + kx - side / 2;
            if (row < 0 || row >= map.height() || column < 0 || column >= map.width()) {
              continue;
            }
            for (int c = 0; c < map.channels(); c++) {
              int in =
                  layer == 0
                      ? (c * map.height() + row) * map.width() + column
                      : (row * map.width() + column) * map.channels() + c;
              for (int o = 0; o < channels; o++) {
                int out = (y * map.width() + x) * channels + o;
                term.of(out, o, (ky * side + kx) * map.channels() + c, in);
              }
            }
          }
        }
      }
    }
  }

  /** The unit of layer {@code layer} that each unit above it shows: itself, or a pool's largest. */
  private int[] shown(int layer, double[] z) {
    if (layer < 0 || !architecture.isPooled(layer)) {
      return IntStream.range(0, z.length).toArray();
    }
    ImageShape map = architecture.pool(layer).map();
    int side = architecture.convolutions().get(layer).pool();
    int height = map.height() / side;
    int width = map.width() / side;
    int[] shown = new int[height * width * map.channels()];
    for (int unit = 0; unit < shown.length; unit++) {
      int c = unit % map.channels();
      int x = unit / map.channels() % width;
      int y = unit / map.channels() / width;
      int best = -1;
      for (int i = 0; i < side * side; i++) {
        int pixel =
            ((y * side + i / side) * map.width() + x * side + i % side) * map.channels() + c;
        if (best < 0 || activation().value(z[pixel]) > activation().value(z[best])) {
          best = pixel;
        }
      }
      shown[unit] = best;
    }
    return shown;
  }

  /** What layer {@code layer} reads: the input, or activations below, pooled. */
  private double[] read(int layer, double[] x, double[][] z) {
    if (layer == 0) {
      return x;
    }
    double[] h = Arrays.stream(z[layer - 1]).map(activation()::value).toArray();
    return architecture.isPooled(layer - 1)
        ? Arrays.stream(shown(layer - 1, z[layer - 1])).mapToDouble(unit -> h[unit]).toArray()
        : h;
  }

  /** Derivatives by what layer {@code layer} writes, to those by what the one below writes. */
  private double[] back(int layer, double[] x, double[][] z, double[] delta) {
    double[] read = new double[architecture.unitsIn(layer)];
    terms(layer, (out, row, column, in) -> read[in] += delta[out] * weights[layer][row][column]);
    if (layer == 0) {
      return read;
    }
    double[] below = new double[z[layer - 1].length];
    int[] shown = shown(layer - 1, z[layer - 1]);
    for (int unit = 0; unit < shown.length; unit++) {
      below[shown[unit]] += read[unit] * activation().derivative(z[layer - 1][shown[unit]]);
    }
    return below;
  }

  /** z₁ … z_L for one input: {@code [layer][unit]}, the last of them the logits. */
  public double[][] preActivations(double[] x) {
    double[][] z = new double[weights.length][];
    for (int l = 0; l < weights.length; l++) {
      int layer = l;
      double[] sums = new double[architecture.unitsOut(l)];
      for (int i = 0; i < sums.length; i++) {
        sums[i] = biases[l][i % biases[l].length];
      }
      double[] h = read(l, x, z);
      if (architecture.isConvolutional(l)) {
        terms(l, (out, row, column, in) -> sums[out] += weights[layer][row][column] * h[in]);
      } else {
        Arrays.setAll(sums, i -> sums[i] + dot(weights[layer][i], h));
      }
      z[l] = sums;
    }
    return z;
  }

  public double[] logits(double[] x) {
    return preActivations(x)[weights.length - 1];
  }

  /** The code of every hidden unit: {@code [hidden layer][unit]}. */
  public int[][] pattern(double[] x) {
    return Arrays.stream(preActivations(x), 0, weights.length - 1)
        .map(z -> Arrays.stream(z).mapToInt(activation()::code).toArray())
        .toArray(int[][]::new);
  }

  /** Softmax that neither overflows nor divides by zero. */
  public static double[] softmax(double[] logits) {
    double largest = Arrays.stream(logits).max().orElseThrow();
    double sum = Arrays.stream(logits).map(z -> Math.exp(z - largest)).sum();
    return Arrays.stream(logits).map(z -> Math.exp(z - largest) / sum).toArray();
  }

  /** −log σ_y = log(1 + Σ_{c≠y} exp(z_c − z_y)), exact for saturated probabilities as well. */
  public static double crossEntropy(double[] logits, int label) {
    double[] others = others(logits, label).map(z -> z - logits[label]).toArray();
    double largest = Arrays.stream(others).max().orElse(Double.NEGATIVE_INFINITY);
    return largest <= 0
        ? Math.log1p(Arrays.stream(others).map(Math::exp).sum())
        : largest
            + Math.log(
                Math.exp(-largest) + Arrays.stream(others).map(z -> Math.exp(z - largest)).sum());
  }

  /** A = ∂f/∂xᵀ: {@code [class][component]}. */
  public double[][] logitJacobian(double[] x) {
    double[][] z = preActivations(x);
    int classes = architecture.classes();
    double[][] jacobian = new double[classes][];
    for (int c = 0; c < classes; c++) {
      double[] delta = new double[classes];
      delta[c] = 1;
      for (int l = weights.length - 1; l >= 0; l--) {
        delta = back(l, x, z, delta);
      }
      jacobian[c] = delta;
    }
    return jacobian;
  }

  /**
   * J = (diag σ − σσᵀ) A: {@code [class][component]}. The diagonal σ_i (1 − σ_i) takes 1 − σ_i as
   * the sum of the other probabilities, which keeps its digits when σ_i is all but 1.
   */
  public double[][] probabilityJacobian(double[] x) {
    double[][] a = logitJacobian(x);
    double[] sigma = softmax(logits(x));
    double[][] jacobian = new double[sigma.length][x.length];
    for (int i = 0; i < sigma.length; i++) {
      for (int c = 0; c < sigma.length; c++) {
        double s = c == i ? sigma[i] * others(sigma, i).sum() : -sigma[i] * sigma[c];
        for (int j = 0; j < x.length; j++) {
          jacobian[i][j] += s * a[c][j];
        }
      }
    }
    return jacobian;
  }

  public static double frobenius(double[][] matrix) {
    return Math.sqrt(Arrays.stream(matrix).flatMapToDouble(Arrays::stream).map(v -> v * v).sum());
  }

  /** Transitions along points 0 … k − 1 and back to point 0; bin of i → i + 1: ⌊i · bins / k⌋. */
  public Transitions transitions(IntFunction<double[]> points, int k, int bins) {
    long[] perLayer = new long[weights.length - 1];
    long[] perBin = new long[bins];
    long changes = 0;
    int[][] pattern = pattern(points.apply(0));
    for (int i = 0; i < k; i++) {
      int[][] next = pattern(points.apply((i + 1) % k));
      changes += Arrays.deepEquals(pattern, next) ? 0 : 1;
      for (int l = 0; l < perLayer.length; l++) {
        for (int unit = 0; unit < pattern[l].length; unit++) {
          int distance = Math.abs(pattern[l][unit] - next[l][unit]);
          perLayer[l] += distance;
          perBin[(int) ((long) i * bins / k)] += distance;
        }
      }
      pattern = next;
    }
    return new Transitions(Arrays.stream(perLayer).sum(), perLayer, perBin, Math.max(1, changes));
  }

  public Transitions transitions(List<double[]> points, int bins) {
    return transitions(points::get, points.size(), bins);
  }

  /** The mean cross-entropy of a batch, and its derivatives by every weight and bias. */
  public Gradient gradient(List<double[]> batch, int[] labels) {
    double loss = 0;
    double[][][] byWeights = new double[weights.length][][];
    double[][] byBiases = new double[weights.length][];
    for (int l = 0; l < weights.length; l++) {
      byWeights[l] = new double[weights[l].length][weights[l][0].length];
      byBiases[l] = new double[weights[l].length];
    }
    for (int n = 0; n < labels.length; n++) {
      double[][] z = preActivations(batch.get(n));
      double[] logits = z[weights.length - 1];
      loss += crossEntropy(logits, labels[n]) / labels.length;
      double[] sigma = softmax(logits);
      double[] delta = sigma.clone();
      delta[labels[n]] = -others(sigma, labels[n]).sum();
      for (int l = weights.length - 1; l >= 0; l--) {
        double[] errors = delta;
        double[] h = read(l, batch.get(n), z);
        double[][] gradient = byWeights[l];
        terms(
            l,
            (out, row, column, in) -> gradient[row][column] += errors[out] * h[in] / labels.length);
        for (int i = 0; i < errors.length; i++) {
          byBiases[l][i % byBiases[l].length] += errors[i] / labels.length;
        }
        delta = back(l, batch.get(n), z, errors);
      }
    }
    return new Gradient(loss, byWeights, byBiases);
  }

  private static DoubleStream others(double[] values, int without) {
    return IntStream.range(0, values.length).filter(c -> c != without).mapToDouble(c -> values[c]);
  }

  private static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
  }
}
