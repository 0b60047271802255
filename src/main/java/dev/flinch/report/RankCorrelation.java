package dev.flinch.report;

/** How well one quantity orders another. */
public final class RankCorrelation {
  private RankCorrelation() {}

  /**
   * Kendall's τ_b, which allows for ties (Kendall, <em>The Treatment of Ties in Ranking
   * Problems</em>, 1945): concordant less discordant pairs, over the geometric mean of the pairs
   * that x and that y tell apart. Time grows with the square of the number of pairs.
   *
   * @return −1 … 1; NaN where x or y is constant or has fewer than two values
   */
  public static double kendallTauB(double[] x, double[] y) {
    long balance = 0;
    long apartInX = 0;
    long apartInY = 0;
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < i; j++) {
        int signX = Double.compare(x[i], x[j]);
        int signY = Double.compare(y[i], y[j]);
        balance += (long) signX * signY;
        apartInX += Math.abs(signX);
        apartInY += Math.abs(signY);
      }
    }
    return balance / Math.sqrt((double) apartInX * apartInY);
  }
}
