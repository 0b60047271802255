package dev.flinch.reference;

import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * A fully connected network in double precision, as its definition reads.
 *
 * @param activation φ of the hidden layers
 * @param weights {@code [layer][out][in]}
 * @param biases {@code [layer][out]}, zeros where the network has none
 */
public record Reference(Activation activation, double[][][] weights, double[][] biases) {
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
    return new Reference(a.activation(), weights, biases);
  }

  public static double[] doubles(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  /** z₁ … z_L for one input: {@code [layer][unit]}, the last of them the logits. */
  public double[][] preActivations(double[] x) {
    double[][] z = new double[weights.length][];
    double[] h = x;
    for (int l = 0; l < weights.length; l++) {
      z[l] = new double[weights[l].length];
      for (int i = 0; i < z[l].length; i++) {
        z[l][i] = dot(weights[l][i], h) + biases[l][i];
      }
      h = Arrays.stream(z[l]).map(activation::value).toArray();
    }
    return z;
  }

  public double[] logits(double[] x) {
    return preActivations(x)[weights.length - 1];
  }

  /** The code of every hidden unit: {@code [hidden layer][unit]}. */
  public int[][] pattern(double[] x) {
    return Arrays.stream(preActivations(x), 0, weights.length - 1)
        .map(z -> Arrays.stream(z).mapToInt(activation::code).toArray())
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
    double[][] jacobian = weights[0];
    for (int l = 1; l < weights.length; l++) {
      double[][] below = jacobian;
      jacobian = new double[weights[l].length][x.length];
      for (int i = 0; i < jacobian.length; i++) {
        for (int k = 0; k < below.length; k++) {
          double slope = weights[l][i][k] * activation.derivative(z[l - 1][k]);
          for (int j = 0; j < x.length; j++) {
            jacobian[i][j] += slope * below[k][j];
          }
        }
      }
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
        double[] h =
            l == 0 ? batch.get(n) : Arrays.stream(z[l - 1]).map(activation::value).toArray();
        double[] below = new double[h.length];
        for (int i = 0; i < delta.length; i++) {
          byBiases[l][i] += delta[i] / labels.length;
          for (int j = 0; j < h.length; j++) {
            byWeights[l][i][j] += delta[i] * h[j] / labels.length;
            below[j] += delta[i] * weights[l][i][j];
          }
        }
        for (int j = 0; l > 0 && j < h.length; j++) {
          below[j] *= activation.derivative(z[l - 1][j]);
        }
        delta = below;
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
