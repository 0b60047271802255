package dev.flinch.device.cuda.emulator;

/** {@code exit}, and {@code ret} of a kernel. */
final class Exit extends Operation {
  @Override
  boolean isControl() {
    return true;
  }

  @Override
  int jump(Warp w, int mask, int pc) {
    return mask == 0 ? pc + 1 : w.exit(mask, pc + 1);
  }

  @Override
  void run(Warp warp, int mask) {
    throw new AssertionError();
  }
}
