package dev.flinch.sensitivity;

/**
 * A fraction that was counted, with Wilson's 95% interval (Wilson, <em>Probable Inference, the Law
 * of Succession, and Statistical Inference</em>, 1927), which stays within 0 … 1 and is not empty
 * where nothing or everything was counted.
 *
 * @param value k/n
 */
public record Proportion(double value, double low, double high) {
  /** Of a standard normal variable, 95% is between minus this and this. */
  private static final double Z = 1.959963984540054;

  /**
   * The proportion of k in n.
   *
   * @param n from 1
   */
  public static Proportion of(long k, long n) {
    if (n < 1 || k < 0 || k > n) {
      throw new IllegalArgumentException("expected 0 to %d of 1 or more, found %d".formatted(n, k));
    }
    double value = (double) k / n;
    double shrink = 1 + Z * Z / n;
    double centre = (value + Z * Z / (2 * n)) / shrink;
    double half = Z * Math.sqrt(value * (1 - value) / n + Z * Z / (4.0 * n * n)) / shrink;
    // Exact ends: rounding would put them a hair beside 0 and 1.
    return new Proportion(value, k == 0 ? 0 : centre - half, k == n ? 1 : centre + half);
  }
}
