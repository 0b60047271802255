package dev.flinch.report;

import java.math.BigDecimal;
import java.math.RoundingMode;

/**
 * The two-sided sign test of pairs (Dixon and Mood, <em>The Statistical Sign Test</em>, 1946):
 * whether one side is larger more often than a fair coin would have it. Pairs that are equal tell
 * nothing and are left out of it.
 *
 * @param above pairs whose right value is larger
 * @param below pairs whose left value is larger
 * @param equal pairs whose values are equal
 */
public record SignTest(int above, int below, int equal) {
  /**
   * The test of some pairs.
   *
   * @throws IllegalArgumentException where there are not as many left as right values
   */
  public static SignTest of(double[] left, double[] right) {
    if (left.length != right.length) {
      throw new IllegalArgumentException(
          "expected as many right values as left ones, found %d and %d"
              .formatted(right.length, left.length));
    }
    int above = 0;
    int below = 0;
    for (int i = 0; i < left.length; i++) {
      if (right[i] > left[i]) {
        above++;
      } else if (right[i] < left[i]) {
        below++;
      }
    }
    return new SignTest(above, below, left.length - above - below);
  }

  /**
   * The logarithm of the probability that a fair coin is at least so uneven: twice the binomial
   * distribution's lower tail, exactly, and at most 1. Its base is 10; it has no underflow.
   */
  public double log10PValue() {
    int n = above + below;
    int less = Math.min(above, below);
    // The term of `less`, and the tail as multiples of it: term k − 1 is term k times k / (n−k+1).
    double log = (1 - n) * Math.log(2);
    for (int k = 1; k <= less; k++) {
      log += Math.log((n - k + 1.0) / k);
    }
    double ratio = 1;
    double tail = 1;
    for (int k = less; k > 0 && ratio > 0; k--) {
      ratio *= k / (n - k + 1.0);
      tail += ratio;
    }
    return Math.min(0, (log + Math.log(tail)) / Math.log(10));
  }

  /** The same, which is 0 where double precision has no number so small. */
  public double pValue() {
    return Math.pow(10, log10PValue());
  }

  /** Such as {@code p = 0.012} or {@code p = 3·10⁻⁵⁷}. */
  String text() {
    double log = log10PValue();
    if (log >= -3) {
      int decimals = Math.max(2, 1 - (int) Math.floor(log));
      return "p = "
          + new BigDecimal(Math.pow(10, log))
              .setScale(decimals, RoundingMode.HALF_UP)
              .stripTrailingZeros()
              .toPlainString();
    }
    int power = (int) Math.floor(log);
    long digit = Math.round(Math.pow(10, log - power));
    return "p = " + (digit == 10 ? LogScale.name(1, power + 1) : LogScale.name((int) digit, power));
  }
}
