package dev.flinch.bench;

import dev.flinch.device.Activation;
import dev.flinch.device.PatternHash;
import dev.flinch.network.Network;
import java.util.Arrays;

/**
 * A bias-free network in double precision by plain loops, straight from the definitions: what
 * benchmarks check their answers against. It shares no arithmetic with the device.
 */
final class PlainNetwork {
  private final Activation activation;
  private final int inputs;
  private final double[][] weights;
  private final double[][] velocities;

  PlainNetwork(Network network) {
    activation = network.architecture().activation();
    inputs = network.architecture().inputs();
    weights = new double[network.weights().length][];
    velocities = new double[weights.length][];
    for (int l = 0; l < weights.length; l++) {
      weights[l] = new double[network.weights()[l].length];
      velocities[l] = new double[weights[l].length];
      for (int i = 0; i < weights[l].length; i++) {
        weights[l][i] = network.weights()[l][i];
      }
    }
  }

  double[] weights(int layer) {
    return weights[layer];
  }

  /** z₁ … z_L. */
  private double[][] preActivations(double[] x) {
    double[][] z = new double[weights.length][];
    double[] h = x;
    for (int l = 0; l < weights.length; l++) {
      z[l] = new double[weights[l].length / h.length];
      for (int i = 0; i < z[l].length; i++) {
        for (int j = 0; j < h.length; j++) {
          z[l][i] += weights[l][i * h.length + j] * h[j];
        }
      }
      h = activations(z[l]);
    }
    return z;
  }

  private double[] activations(double[] z) {
    double[] h = new double[z.length];
    for (int i = 0; i < z.length; i++) {
      h[i] = activation.value(z[i]);
    }
    return h;
  }

  /** The codes of all hidden units, layer by layer. */
  int[] pattern(double[] x) {
    double[][] z = preActivations(x);
    return Arrays.stream(z, 0, z.length - 1)
        .flatMapToDouble(Arrays::stream)
        .mapToInt(activation::code)
        .toArray();
  }

  /** A pattern's {@link PatternHash}. */
  static long hash(int[] pattern) {
    long hash = 0;
    for (int unit = 0; unit < pattern.length; unit++) {
      hash += pattern[unit] * PatternHash.key(unit);
    }
    return hash;
  }

  /** ‖a − b‖₁ of two patterns. */
  static long transitions(int[] a, int[] b) {
    long sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] - b[i]);
    }
    return sum;
  }

  /** ‖c(x) − c(y)‖₁. */
  long transitions(double[] x, double[] y) {
    return transitions(pattern(x), pattern(y));
  }

  private static double[] softmax(double[] logits) {
    double largest = Double.NEGATIVE_INFINITY;
    for (double z : logits) {
      largest = Math.max(largest, z);
    }
    double[] sigma = new double[logits.length];
    double sum = 0;
    for (int c = 0; c < sigma.length; c++) {
      sigma[c] = Math.exp(logits[c] - largest);
      sum += sigma[c];
    }
    for (int c = 0; c < sigma.length; c++) {
      sigma[c] /= sum;
    }
    return sigma;
  }

  /** ‖(diag σ − σσᵀ) A‖_F, a row at a time. */
  double jacobianNorm(double[] x) {
    double[][] z = preActivations(x);
    double[] sigma = softmax(z[z.length - 1]);
    double squares = 0;
    for (int c = 0; c < sigma.length; c++) {
      double[] delta = new double[sigma.length];
      for (int k = 0; k < sigma.length; k++) {
        delta[k] = sigma[c] * ((k == c ? 1 : 0) - sigma[k]);
      }
      for (int l = weights.length - 1; l >= 0; l--) {
        delta = back(l, delta, l == 0 ? null : z[l - 1]);
      }
      for (double d : delta) {
        squares += d * d;
      }
    }
    return Math.sqrt(squares);
  }

  /** δ W, times φ′(z) where there is a layer below. */
  private double[] back(int layer, double[] delta, double[] z) {
    int columns = z == null ? inputs : z.length;
    double[] below = new double[columns];
    for (int i = 0; i < delta.length; i++) {
      for (int j = 0; j < columns; j++) {
        below[j] += delta[i] * weights[layer][i * columns + j];
      }
    }
    for (int j = 0; z != null && j < columns; j++) {
      below[j] *= activation.derivative(z[j]);
    }
    return below;
  }

  /**
   * The gradient of the cross-entropy at one example by all weights, layer by layer, divided by its
   * length.
   */
  double[] unitGradient(double[] x, int label) {
    double[][] z = preActivations(x);
    double[] delta = softmax(z[z.length - 1]);
    delta[label] -= 1;
    double[][] layers = new double[weights.length][];
    for (int l = weights.length - 1; l >= 0; l--) {
      double[] h = l == 0 ? x : activations(z[l - 1]);
      layers[l] = new double[weights[l].length];
      for (int i = 0; i < delta.length; i++) {
        for (int j = 0; j < h.length; j++) {
          layers[l][i * h.length + j] = delta[i] * h[j];
        }
      }
      if (l > 0) {
        delta = back(l, delta, z[l - 1]);
      }
    }
    double[] gradient = Arrays.stream(layers).flatMapToDouble(Arrays::stream).toArray();
    double length = Math.sqrt(Arrays.stream(gradient).map(g -> g * g).sum());
    return Arrays.stream(gradient).map(g -> g / length).toArray();
  }

  /** A step v ← 0.9 v + g, w ← w − rate · v by the mean gradient g of a batch. */
  void momentumStep(double[][] batch, int[] labels, double rate) {
    double[][] gradient = new double[weights.length][];
    for (int l = 0; l < weights.length; l++) {
      gradient[l] = new double[weights[l].length];
    }
    for (int n = 0; n < batch.length; n++) {
      double[][] z = preActivations(batch[n]);
      double[] delta = softmax(z[z.length - 1]);
      delta[labels[n]] -= 1;
      for (int l = weights.length - 1; l >= 0; l--) {
        double[] h = l == 0 ? batch[n] : activations(z[l - 1]);
        for (int i = 0; i < delta.length; i++) {
          for (int j = 0; j < h.length; j++) {
            gradient[l][i * h.length + j] += delta[i] * h[j] / batch.length;
          }
        }
        if (l > 0) {
          delta = back(l, delta, z[l - 1]);
        }
      }
    }
    for (int l = 0; l < weights.length; l++) {
      for (int i = 0; i < weights[l].length; i++) {
        velocities[l][i] = 0.9 * velocities[l][i] + gradient[l][i];
        weights[l][i] -= rate * velocities[l][i];
      }
    }
  }
}
