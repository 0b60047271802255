package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.Arrays;

/** L with L Lᵀ = W Wᵀ, so that ‖δ L‖ = ‖δ W‖ for every δ. */
final class CholeskyFactor {
  private CholeskyFactor() {}

  /**
   * The factor of one matrix W (n × d) as an n × n float32 matrix, found in double precision. W Wᵀ
   * may be singular: a pivot that rounding can't tell from zero leaves its column empty.
   */
  static Matrix ofRows(Device device, Scope owner, Matrix weights) {
    double[] factor = factor(device, weights);
    float[] values = new float[factor.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) factor[i];
    }
    Matrix result = Matrix.of(owner.floats(values.length), 0, weights.rows(), weights.rows());
    device.upload(values, 0, result.data(), 0, values.length);
    return result;
  }

  /** The same in float64, written to an n × n matrix. */
  static void ofRows(Device device, Matrix weights, Matrix result) {
    double[] factor = factor(device, weights);
    device.upload(factor, 0, result.data(), result.start(0), factor.length);
  }

  private static double[] factor(Device device, Matrix weights) {
    int n = weights.rows();
    double[] gram = new double[Math.multiplyExact(n, n)];
    try (Scope scope = new Scope(device)) {
      Matrix wide = Matrix.of(scope.doubles((long) n * weights.columns()), 0, n, weights.columns());
      Matrix product = Matrix.of(scope.doubles(gram.length), 0, n, n);
      device.run(
          1,
          (lane, task) -> {
            lane.widen(weights, wide);
            lane.gemm(false, wide, true, wide, 0, product);
          });
      device.download(product.data(), 0, gram, 0, gram.length);
    }
    factor(gram, n);
    for (int i = 0; i < n; i++) {
      Arrays.fill(gram, i * n + i + 1, (i + 1) * n, 0);
    }
    return gram;
  }

  /** Replaces the lower triangle of a symmetric positive semidefinite matrix by its factor. */
  static void factor(double[] a, int n) {
    double largest = 0;
    for (int i = 0; i < n; i++) {
      largest = Math.max(largest, a[i * n + i]);
    }
    double negligible = largest * n * Math.ulp(1.0);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = a[i * n + j];
        for (int k = 0; k < j; k++) {
          sum -= a[i * n + k] * a[j * n + k];
        }
        if (j < i) {
          a[i * n + j] = a[j * n + j] > 0 ? sum / a[j * n + j] : 0;
        } else {
          a[i * n + i] = sum > negligible ? Math.sqrt(sum) : 0;
        }
      }
    }
  }
}
