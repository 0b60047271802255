package dev.flinch.device.cuda.emulator;

/** {@code bra}. */
final class Branch extends Operation {
  /** An instruction's index, known once the body is. */
  static final class Target {
    int pc;
  }

  final Target target;

  /** Where the two ways meet again. */
  int meeting;

  Branch(Target target) {
    this.target = target;
  }

  @Override
  boolean isControl() {
    return true;
  }

  @Override
  int jump(Warp w, int mask, int pc) {
    if (mask == w.active) {
      return target.pc;
    }
    if (mask == 0) {
      return pc + 1;
    }
    return w.diverge(mask, target.pc, pc + 1, meeting);
  }

  @Override
  void run(Warp warp, int mask) {
    throw new AssertionError();
  }
}
