package dev.flinch.report;

import java.util.Arrays;
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
    double[] all = values.toArray();
    double[] finite = Arrays.stream(all).filter(Double::isFinite).toArray();
    int n = finite.length;
    double mean = Arrays.stream(finite).average().orElse(Double.NaN);
    double squares = Arrays.stream(finite).map(v -> (v - mean) * (v - mean)).sum();
    double error = n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0;
    return new Estimate(mean, error, all.length - n);
  }

  double low() {
    return mean - standardError;
  }

  double high() {
    return mean + standardError;
  }
}
