package dev.flinch.report;

import java.util.stream.DoubleStream;

/**
 * A mean over networks.
 *
 * @param mean NaN where there is no finite value
 * @param standardError the standard error of the mean, 0 for a single value
 * @param skipped values that are not finite and not part of the mean
 */
public record Estimate(double mean, double standardError, int skipped) {
  /** The mean of those values that are finite. */
  public static Estimate of(DoubleStream values) {
    return of(values.toArray());
  }

  /** The same. Deviations are from the first value, so that the mean of equal values is theirs. */
  static Estimate of(double[] values) {
    double first = Double.NaN;
    double sum = 0;
    int n = 0;
    for (double value : values) {
      if (Double.isFinite(value)) {
        first = n == 0 ? value : first;
        sum += value - first;
        n++;
      }
    }
    double mean = first + sum / n;
    double squares = 0;
    for (double value : values) {
      if (Double.isFinite(value)) {
        squares += (value - mean) * (value - mean);
      }
    }
    double error = n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0;
    return new Estimate(mean, error, values.length - n);
  }

  double low() {
    return mean - standardError;
  }

  double high() {
    return mean + standardError;
  }
}
