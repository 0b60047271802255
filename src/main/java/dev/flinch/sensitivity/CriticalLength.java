package dev.flinch.sensitivity;

import java.util.Arrays;

/**
 * The dynamical critical length of Fort et al.: the distance at which a straight line that is
 * fitted to mean stiffness against distance crosses zero. The line is fitted by least squares to
 * the means of bins, each with the weight of its pairs.
 *
 * @param value null where there is none: where there are fewer than two bins, or the line does not
 *     fall, or is below zero at distance 0 already
 * @param low where the interval that holds 95% of resamples begins, resamples whose line starts
 *     below zero counting as 0; null without a value
 * @param high where it ends; null where lines of too many resamples do not fall, and without a
 *     value
 * @param slope of the line; null for fewer than two bins
 * @param intercept of the line, the stiffness at distance 0; null for fewer than two bins
 */
public record CriticalLength(
    Double value, Double low, Double high, Double slope, Double intercept) {
  private static final double TAIL = 0.025;

  /** A straight line. */
  public record Line(double slope, double intercept) {
    /** By weighted least squares; null where fewer than two places have a weight. */
    public static Line fit(double[] x, double[] y, double[] weights) {
      int places = 0;
      double total = 0;
      double meanX = 0;
      double meanY = 0;
      for (int i = 0; i < x.length; i++) {
        if (weights[i] > 0) {
          places++;
          total += weights[i];
          meanX += weights[i] * x[i];
          meanY += weights[i] * y[i];
        }
      }
      if (places < 2) {
        return null;
      }
      meanX /= total;
      meanY /= total;
      double xx = 0;
      double xy = 0;
      for (int i = 0; i < x.length; i++) {
        if (weights[i] > 0) {
          xx += weights[i] * (x[i] - meanX) * (x[i] - meanX);
          xy += weights[i] * (x[i] - meanX) * (y[i] - meanY);
        }
      }
      return new Line(xy / xx, meanY - xy / xx * meanX);
    }

    /** Where it crosses zero on its way down: 0 if it starts below, infinite if it never does. */
    private double crossing() {
      return intercept <= 0 ? 0 : slope < 0 ? -intercept / slope : Double.POSITIVE_INFINITY;
    }
  }

  /**
   * A line's length, with the interval of those of resamples.
   *
   * @param resampled a line each, null where there is none
   */
  static CriticalLength of(Line line, Line[] resampled) {
    if (line == null) {
      return new CriticalLength(null, null, null, null, null);
    }
    if (!(line.slope < 0) || !(line.intercept > 0)) {
      return new CriticalLength(null, null, null, line.slope, line.intercept);
    }
    double[] crossings =
        Arrays.stream(resampled)
            .filter(found -> found != null)
            .mapToDouble(Line::crossing)
            .sorted()
            .toArray();
    return new CriticalLength(
        line.crossing(),
        quantile(crossings, TAIL),
        quantile(crossings, 1 - TAIL),
        line.slope,
        line.intercept);
  }

  /** Why there is none, of the line that is fitted; null where there is a value. */
  public String undefined() {
    if (value != null) {
      return null;
    }
    return slope == null
        ? "needs pairs of two distances"
        : slope < 0 ? "is below zero from the start" : "does not fall";
  }

  /** Null for an infinite one, or none. */
  private static Double quantile(double[] sorted, double share) {
    if (sorted.length == 0) {
      return null;
    }
    double place = share * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    // Without a difference of infinities.
    double value =
        place == below
            ? sorted[below]
            : (above - place) * sorted[below] + (place - below) * sorted[above];
    return Double.isInfinite(value) ? null : (Double) value;
  }
}
