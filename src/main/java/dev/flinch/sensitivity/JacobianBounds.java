package dev.flinch.sensitivity;

/**
 * How large the Jacobian of the probabilities is at a point of cross-entropy l (Novak et al.,
 * §A.3), if the gradients of all logits have equal norms and are orthogonal. With p = 1 − e^(−l),
 * the probability of all other classes, and a = e^(−l) p:
 *
 * <ul>
 *   <li>the row of the point's class is between √(n/(n−1)) M a, where all other classes are equally
 *       probable, and √2 M a, where one of them has all of p;
 *   <li>the whole Jacobian is at least as large as that row;
 *   <li>and where the other classes are equally probable, the maximum of their entropy, its norm is
 *       about M √(2a² + p²/(n−1) · [(1−q)² + (1−p)² + (n−2) q²]), q = p/(n−1): a curve to plot, not
 *       a bound.
 * </ul>
 *
 * <p>With two classes and orthogonal gradients of equal norms the bounds of the row are one number,
 * which it has, and the norm is that of the curve.
 *
 * @param classes n, from 2
 * @param logitGradientNorm M, the mean over classes of ‖∂fᵢ/∂x‖₂
 */
public record JacobianBounds(int classes, double logitGradientNorm) {
  public JacobianBounds {
    if (classes < 2) {
      throw new IllegalArgumentException("expected 2 classes or more, found " + classes);
    }
  }

  /** Lower bound of the norm of the class's row, and so of the whole Jacobian. */
  public double lower(double crossEntropy) {
    return Math.sqrt(classes / (classes - 1.0)) * logitGradientNorm * slope(crossEntropy);
  }

  /** Upper bound of the norm of the class's row. */
  public double rowUpper(double crossEntropy) {
    return Math.sqrt(2) * logitGradientNorm * slope(crossEntropy);
  }

  /** The norm of the whole Jacobian where the other classes are equally probable. */
  public double maximumEntropy(double crossEntropy) {
    double own = Math.exp(-crossEntropy);
    double p = others(crossEntropy);
    double q = p / (classes - 1);
    double withoutOne = (classes - 2 + own) / (classes - 1); // 1 − q, with its digits
    double rows = withoutOne * withoutOne + own * own + (classes - 2) * q * q;
    // p is factored out: its square would vanish where the class is all but certain.
    return logitGradientNorm * p * Math.sqrt(2 * own * own + rows / (classes - 1));
  }

  /** a = e^(−l) (1 − e^(−l)). */
  private static double slope(double crossEntropy) {
    return Math.exp(-crossEntropy) * others(crossEntropy);
  }

  /** p = 1 − e^(−l), with all its digits for small l. */
  private static double others(double crossEntropy) {
    return -Math.expm1(-crossEntropy);
  }
}
