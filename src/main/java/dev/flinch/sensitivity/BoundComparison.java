package dev.flinch.sensitivity;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * How {@link JacobianBounds} compare with what was measured, each point with its own loss and its
 * own mean norm of logit gradients. A bound holds where it is missed by no more than {@link
 * #TOLERANCE}, since the gradients come from float32 products.
 *
 * @param lowerHolds fraction of points whose ‖J‖_F is not below the lower bound
 * @param rowLowerHolds fraction of points whose ‖J_y‖₂ is not below the same bound
 * @param rowUpperHolds fraction of points whose ‖J_y‖₂ is not above its upper bound
 * @param belowMaximumEntropy fraction of points whose ‖J‖_F is not above the maximum-entropy curve
 * @param lower the lower bound at each point
 * @param rowUpper the row's upper bound at each point
 * @param maximumEntropy the maximum-entropy curve at each point
 */
public record BoundComparison(
    double lowerHolds,
    double rowLowerHolds,
    double rowUpperHolds,
    double belowMaximumEntropy,
    double[] lower,
    double[] rowUpper,
    double[] maximumEntropy) {
  /** By which fraction of itself a bound may be missed. */
  public static final double TOLERANCE = 1e-5;

  /**
   * Compares.
   *
   * @param classes of the network
   */
  public static BoundComparison of(PointMeasures points, int classes) {
    int n = points.count();
    double[] lower = new double[n];
    double[] rowUpper = new double[n];
    double[] maximumEntropy = new double[n];
    for (int i = 0; i < n; i++) {
      JacobianBounds bounds = new JacobianBounds(classes, points.logitGradientNorm()[i]);
      double loss = points.crossEntropy()[i];
      lower[i] = bounds.lower(loss);
      rowUpper[i] = bounds.rowUpper(loss);
      maximumEntropy[i] = bounds.maximumEntropy(loss);
    }
    double[] norms = points.jacobianNorm();
    double[] rows = points.rowNorm();
    return new BoundComparison(
        fraction(n, i -> norms[i] >= lower[i] * (1 - TOLERANCE)),
        fraction(n, i -> rows[i] >= lower[i] * (1 - TOLERANCE)),
        fraction(n, i -> rows[i] <= rowUpper[i] * (1 + TOLERANCE)),
        fraction(n, i -> norms[i] <= maximumEntropy[i] * (1 + TOLERANCE)),
        lower,
        rowUpper,
        maximumEntropy);
  }

  private static double fraction(int n, IntPredicate holds) {
    return IntStream.range(0, n).filter(holds).count() / (double) n;
  }
}
