package dev.flinch.report;

import java.util.stream.IntStream;

/**
 * Many points in one drawing: every so manieth of them, so that it stays small, and pale, so that
 * it shows where they are dense.
 */
final class PointCloud {
  private static final double DOT = 3.2;
  private static final double PALEST = 0.28;

  /** So many points and fewer are drawn boldly. */
  private static final int FEW = 100;

  private PointCloud() {}

  /** From one drawn point to the next. */
  static int step(int points, int most) {
    return Math.max(1, (points + most - 1) / most);
  }

  /** Every so manieth value, from the first on. */
  static double[] every(double[] values, int step) {
    return IntStream.iterate(0, i -> i < values.length, i -> i + step)
        .mapToDouble(i -> values[i])
        .toArray();
  }

  /** The opacity of each of so many drawn points. */
  static double opacity(int drawn) {
    return drawn <= FEW ? 1 : Math.max(PALEST, Math.sqrt((double) FEW / drawn));
  }

  /** The diameter of each of so many drawn points. */
  static double diameter(int drawn) {
    return drawn <= FEW ? 2 * DOT : DOT;
  }

  /** What a reader is told of it. */
  static String words(int step) {
    return step == 1 ? "every point" : "one point in " + step;
  }
}
