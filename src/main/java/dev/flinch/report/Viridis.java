package dev.flinch.report;

/** Viridis (Smith and van der Walt, 2015): lightness rises evenly, for colour-blind readers too. */
final class Viridis {
  private static final int[] STEPS = {
    0x440154, 0x482878, 0x3E4989, 0x31688E, 0x26828E, 0x1F9E89, 0x35B779, 0x6DCD59, 0xB4DE2C,
    0xFDE725
  };

  private Viridis() {}

  /** The colour of a value from 0, dark, to 1, light; values beyond have the nearer end's. */
  static int rgb(double value) {
    return between(STEPS, value);
  }

  /** The same of other steps, at equal distances from 0 to 1. */
  static int between(int[] steps, double value) {
    double place = Math.min(Math.max(value, 0), 1) * (steps.length - 1);
    int below = Math.min((int) place, steps.length - 2);
    double part = place - below;
    int rgb = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
      int low = steps[below] >> shift & 0xFF;
      int high = steps[below + 1] >> shift & 0xFF;
      rgb |= (int) Math.round(low + part * (high - low)) << shift;
    }
    return rgb;
  }
}
