package dev.flinch.reference;

/**
 * Single steps of the optimizers, with the defaults of TensorFlow 1 that Novak et al. used. Each
 * changes the parameters {@code w}, and the slots that it keeps from step to step, in place.
 */
public final class ReferenceOptimizer {
  private ReferenceOptimizer() {}

  public static void sgd(double[] w, double[] g, double rate) {
    for (int i = 0; i < w.length; i++) {
      w[i] -= rate * g[i];
    }
  }

  /**
   * Momentum 0.9.
   *
   * @param velocity starts at 0
   */
  public static void momentum(double[] w, double[] g, double[] velocity, double rate) {
    for (int i = 0; i < w.length; i++) {
      velocity[i] = 0.9 * velocity[i] + g[i];
      w[i] -= rate * velocity[i];
    }
  }

  /**
   * Adam with β₁ 0.9, β₂ 0.999 and ε 1e−8 beside the root.
   *
   * @param m first moment, starts at 0
   * @param v second moment, starts at 0
   * @param t this step's number, from 1
   */
  public static void adam(double[] w, double[] g, double[] m, double[] v, int t, double rate) {
    double corrected = rate * Math.sqrt(1 - Math.pow(0.999, t)) / (1 - Math.pow(0.9, t));
    for (int i = 0; i < w.length; i++) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      w[i] -= corrected * m[i] / (Math.sqrt(v[i]) + 1e-8);
    }
  }

  /**
   * RMSProp with decay 0.9 and ε 1e−10 inside the root.
   *
   * @param meanSquare starts at 1
   */
  public static void rmsProp(double[] w, double[] g, double[] meanSquare, double rate) {
    for (int i = 0; i < w.length; i++) {
      meanSquare[i] = 0.9 * meanSquare[i] + 0.1 * g[i] * g[i];
      w[i] -= rate * g[i] / Math.sqrt(meanSquare[i] + 1e-10);
    }
  }
}
