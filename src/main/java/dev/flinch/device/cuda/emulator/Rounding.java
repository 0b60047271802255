package dev.flinch.device.cuda.emulator;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/**
 * The four roundings of PTX. Java rounds to nearest only, so the others take the nearest value and
 * step to its neighbour where the exact result, known from its remainder, asks for it.
 */
enum Rounding {
  NEAREST,
  ZERO,
  DOWN,
  UP;

  /** By its PTX name without the integer forms' i: rn, rz, rm, rp; null if it's none. */
  static Rounding of(String modifier) {
    return switch (modifier) {
      case "rn", "rni" -> NEAREST;
      case "rz", "rzi" -> ZERO;
      case "rm", "rmi" -> DOWN;
      case "rp", "rpi" -> UP;
      default -> null;
    };
  }

  /**
   * Rounds an exact sum.
   *
   * @param sum its nearest double
   * @param rest what the sum is more than that; only its sign counts
   */
  float narrow(double sum, double rest) {
    float nearest = (float) sum;
    if (this == NEAREST) {
      // A tie that the rest breaks: half-way between two floats as a double, but not exactly.
      if (rest != 0 && !Float.isInfinite(nearest)) {
        float other = sum > nearest ? Math.nextUp(nearest) : Math.nextDown(nearest);
        if (sum != nearest && Math.abs(sum - nearest) == Math.abs(other - sum)) {
          return rest > 0 == other > nearest ? other : nearest;
        }
      }
      return nearest;
    }
    if (Double.isNaN(sum) || Double.isInfinite(sum)) {
      return nearest;
    }
    boolean tooHigh = nearest > sum || nearest == sum && rest < 0;
    boolean tooLow = nearest < sum || nearest == sum && rest > 0;
    return switch (this) {
      case DOWN -> tooHigh ? Math.nextDown(nearest) : nearest;
      case UP -> tooLow ? Math.nextUp(nearest) : nearest;
      default -> {
        boolean positive = sum > 0 || sum == 0 && rest > 0;
        yield positive && tooHigh
            ? Math.nextDown(nearest)
            : !positive && tooLow ? Math.nextUp(nearest) : nearest;
      }
    };
  }

  float fma32(float a, float b, float c) {
    // 24 + 24 bits: the product is exact.
    double product = (double) a * b;
    double sum = product + c;
    if (sum == 0) {
      return cancelled(product, c) ? zero() : (float) sum;
    }
    double part = sum - product;
    double rest = (product - (sum - part)) + (c - part);
    return narrow(sum, Double.isNaN(rest) ? 0 : rest);
  }

  float multiply32(float a, float b) {
    return narrow((double) a * b, 0);
  }

  float divide32(float a, float b) {
    double quotient = (double) a / b;
    double rest = Math.fma(-quotient, b, a);
    return narrow(quotient, Double.isNaN(rest) ? 0 : b < 0 ? -rest : rest);
  }

  float sqrt32(float a) {
    double root = Math.sqrt(a);
    double rest = Math.fma(-root, root, a);
    return narrow(root, Double.isNaN(rest) ? 0 : rest);
  }

  double fma64(double a, double b, double c) {
    double nearest = Math.fma(a, b, c);
    if (!finite(a) || !finite(b) || !finite(c) || this == NEAREST) {
      return nearest;
    }
    BigDecimal exact = new BigDecimal(a).multiply(new BigDecimal(b)).add(new BigDecimal(c));
    if (exact.signum() == 0) {
      return cancelled(a * b, c) ? zero() : nearest;
    }
    return step(nearest, exact);
  }

  double multiply64(double a, double b) {
    double nearest = a * b;
    return !finite(a) || !finite(b) || a == 0 || b == 0
        ? nearest
        : step(nearest, new BigDecimal(a).multiply(new BigDecimal(b)));
  }

  double divide64(double a, double b) {
    double nearest = a / b;
    return !finite(a) || !finite(b) || a == 0 || b == 0
        ? nearest
        : step(nearest, new BigDecimal(a).divide(new BigDecimal(b), longerThanAnyDouble()));
  }

  double sqrt64(double a) {
    double nearest = Math.sqrt(a);
    return !finite(a) || a <= 0
        ? nearest
        : step(nearest, new BigDecimal(a).sqrt(longerThanAnyDouble()));
  }

  /** 800 digits tell any quotient or root of doubles from the doubles around it. */
  private static MathContext longerThanAnyDouble() {
    return new MathContext(800, RoundingMode.DOWN);
  }

  /** The whole number that a rounding to integer gives; infinities and NaN stay. */
  double whole(double x) {
    return switch (this) {
      case NEAREST -> Math.rint(x);
      case ZERO -> x < 0 ? Math.ceil(x) : Math.floor(x);
      case DOWN -> Math.floor(x);
      case UP -> Math.ceil(x);
    };
  }

  private double step(double nearest, BigDecimal exact) {
    int order =
        Double.isInfinite(nearest)
            ? (nearest > 0 ? 1 : -1)
            : new BigDecimal(nearest).compareTo(exact);
    return switch (this) {
      case NEAREST -> nearest;
      case DOWN -> order > 0 ? Math.nextDown(nearest) : nearest;
      case UP -> order < 0 ? Math.nextUp(nearest) : nearest;
      case ZERO ->
          exact.signum() > 0 && order > 0
              ? Math.nextDown(nearest)
              : exact.signum() < 0 && order < 0 ? Math.nextUp(nearest) : nearest;
    };
  }

  /** Whether a sum of zero comes from opposite terms, whose zero takes its sign from the mode. */
  private static boolean cancelled(double a, double b) {
    return a != 0 || Double.doubleToRawLongBits(a) != Double.doubleToRawLongBits(b);
  }

  private float zero() {
    return this == DOWN ? -0f : 0f;
  }

  private static boolean finite(double x) {
    return Math.abs(x) <= Double.MAX_VALUE;
  }
}
