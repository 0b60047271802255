package dev.flinch.device.cpu;

/**
 * Frobenius norms of the probabilities' Jacobian (diag σ − σσᵀ) A within one linear region after
 * another, each known by its Gram matrix G = A Aᵀ.
 *
 * <p>The rows of A are taken relative to that of the most probable class y, bᵢ = aᵢ − a_y, so that
 * nothing cancels where σ_y is almost 1: row i of J is σᵢ (bᵢ − m) with m = Σⱼ σⱼ bⱼ, and b_y = 0.
 */
final class RegionNorm {
  private final int classes;
  private final double[] gram;

  /** Products of the relative rows, for the class that they were last taken relative to. */
  private final double[] relative;

  private int relativeTo = -1;

  RegionNorm(int classes) {
    this.classes = classes;
    this.gram = new double[classes * classes];
    this.relative = new double[classes * classes];
  }

  /** Where the next region's Gram matrix is to be written, after {@link #enter}. */
  double[] gram() {
    return gram;
  }

  /** Says that another region's Gram matrix follows. */
  void enter() {
    relativeTo = -1;
  }

  /**
   * The norm at a point of the region.
   *
   * @param exponentials exp(logit − the largest logit) of each class; replaced by probabilities
   * @param y the class of the largest logit
   */
  double norm(double[] exponentials, int y) {
    double sum = 0;
    for (int i = 0; i < classes; i++) {
      sum += exponentials[i];
    }
    for (int i = 0; i < classes; i++) {
      exponentials[i] /= sum;
    }
    if (y != relativeTo) {
      makeRelativeTo(y);
    }
    double[] sigma = exponentials;
    double squaredMean = 0;
    double total = 0;
    double weight = 0;
    for (int i = 0; i < classes; i++) {
      double alongMean = 0;
      for (int j = 0; j < classes; j++) {
        alongMean += sigma[j] * relative[i * classes + j];
      }
      double square = sigma[i] * sigma[i];
      squaredMean += sigma[i] * alongMean;
      total += square * (relative[i * classes + i] - 2 * alongMean);
      weight += square;
    }
    // Rounding may leave a tiny negative number where A is constant over the classes.
    return Math.sqrt(Math.max(0, total + weight * squaredMean));
  }

  private void makeRelativeTo(int y) {
    for (int i = 0; i < classes; i++) {
      for (int j = 0; j < classes; j++) {
        relative[i * classes + j] =
            gram[i * classes + j]
                - gram[i * classes + y]
                - gram[j * classes + y]
                + gram[y * classes + y];
      }
    }
    for (int i = 0; i < classes; i++) {
      relative[i * classes + y] = 0;
      relative[y * classes + i] = 0;
    }
    relativeTo = y;
  }
}
