package dev.flinch.device.cuda.emulator;

/**
 * The member mask of a {@code .sync} instruction: all live lanes that it names have to execute the
 * instruction together, and each that executes it has to be named.
 */
final class Members {
  private Members() {}

  static void require(Operation op, Warp w, int mask, int slot) {
    int[] named = w.r32[slot];
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int members = named[lane];
      if ((members >>> lane & 1) == 0) {
        throw w.fault(
            op, lane, "the member mask 0x%08x doesn't name the lane itself".formatted(members));
      }
      int missing = members & w.alive & ~mask;
      if (missing != 0) {
        throw w.fault(
            op,
            lane,
            "the member mask 0x%08x names lane %d, which took another way"
                .formatted(members, Integer.numberOfTrailingZeros(missing)));
      }
    }
  }
}
