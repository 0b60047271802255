package dev.flinch.report;

import java.util.stream.IntStream;

/** Which points of many are drawn: every so manieth, so that a drawing stays small. */
final class Thinning {
  private Thinning() {}

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

  /** What a reader is told of it. */
  static String words(int step) {
    return step == 1 ? "every point" : "one point in " + step;
  }
}
