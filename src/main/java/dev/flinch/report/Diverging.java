package dev.flinch.report;

/**
 * Blue for below zero, red for above, by how far (Brewer's RdBu, turned around): colours that
 * colour-blind readers tell apart too.
 */
final class Diverging {
  private static final int[] STEPS = {
    0x053061, 0x2166AC, 0x4393C3, 0x92C5DE, 0xD1E5F0, 0xF7F7F7, 0xFDDBC7, 0xF4A582, 0xD6604D,
    0xB2182B, 0x67001F
  };

  private Diverging() {}

  /** The colour of a value from −1 to 1; values beyond have the nearer end's. */
  static int rgb(double value) {
    return Viridis.between(STEPS, (value + 1) / 2);
  }
}
