package dev.flinch.report;

/** How well one quantity orders another. Both take time n log n. */
public final class RankCorrelation {
  private RankCorrelation() {}

  /**
   * Kendall's τ_b, which allows for ties (Kendall, <em>The Treatment of Ties in Ranking
   * Problems</em>, 1945): concordant less discordant pairs, over the geometric mean of the pairs
   * that x and that y tell apart. NaN counts as the largest value.
   *
   * @return −1 … 1; NaN where x or y is constant or has fewer than two values
   */
  public static double kendallTauB(double[] x, double[] y) {
    return of(x, y).kendall();
  }

  /**
   * Spearman's ρ: Pearson's correlation of ranks, where equal values share the mean of their ranks.
   * NaN counts as the largest value.
   *
   * @return −1 … 1; NaN where x or y is constant or has fewer than two values
   */
  public static double spearmanRho(double[] x, double[] y) {
    return of(x, y).spearman();
  }

  private static RankedPairs of(double[] x, double[] y) {
    if (x.length != y.length) {
      throw new IllegalArgumentException(
          "expected as many x as y, found %d and %d".formatted(x.length, y.length));
    }
    RankedPairs pairs = new RankedPairs(x.length);
    int[] ranksX = RankedPairs.denseRanks(x);
    int[] ranksY = RankedPairs.denseRanks(y);
    for (int i = 0; i < x.length; i++) {
      pairs.add(ranksX[i], ranksY[i]);
    }
    pairs.correlate();
    return pairs;
  }
}
