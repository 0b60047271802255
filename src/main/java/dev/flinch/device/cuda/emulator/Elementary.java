package dev.flinch.device.cuda.emulator;

/**
 * Powers and logarithms to base two in double precision, rounded once: the same bits on every
 * machine, and quicker than the general functions.
 */
final class Elementary {
  /** log(2)ᵏ / k!, from k = 13 down. */
  private static final double[] SERIES = series();

  private static final double INVERSE_LOG_2 = 1 / 0.6931471805599453;

  private Elementary() {}

  private static double[] series() {
    double[] series = new double[14];
    double term = 1;
    for (int k = 0; k < series.length; k++) {
      series[series.length - 1 - k] = term;
      term *= 0.6931471805599453 / (k + 1);
    }
    return series;
  }

  /** 2ˣ. */
  static float exp2(float x) {
    if (!(x < 128)) {
      return x != x ? x : Float.POSITIVE_INFINITY;
    }
    if (x < -151) {
      return 0;
    }
    double whole = Math.rint(x);
    double rest = x - whole;
    double sum = 0;
    for (double coefficient : SERIES) {
      sum = sum * rest + coefficient;
    }
    return (float) (sum * Double.longBitsToDouble(1023L + (long) whole << 52));
  }

  /** log₂ x; −∞ for zeros, NaN below. */
  static float log2(float x) {
    return (float) (StrictMath.log(x) * INVERSE_LOG_2);
  }
}
