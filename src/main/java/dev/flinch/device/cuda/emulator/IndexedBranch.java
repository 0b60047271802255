package dev.flinch.device.cuda.emulator;

import java.util.List;

/** {@code brx.idx}: each lane goes where its index says. */
final class IndexedBranch extends Operation {
  final List<Branch.Target> targets;
  private final int index;

  /** Where all ways meet again. */
  int meeting;

  IndexedBranch(int index, List<Branch.Target> targets) {
    this.index = index;
    this.targets = targets;
  }

  @Override
  boolean isControl() {
    return true;
  }

  /** Splits off one target's lanes; the others come back here and split again. */
  @Override
  int jump(Warp w, int mask, int pc) {
    if (mask == 0) {
      return pc + 1;
    }
    if (mask != w.active) {
      return w.diverge(w.active & ~mask, pc + 1, pc, meeting);
    }
    int first = w.r32[index][Integer.numberOfTrailingZeros(mask)];
    int same = 0;
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int wanted = w.r32[index][lane];
      if (wanted < 0 || wanted >= targets.size()) {
        throw w.fault(
            this, lane, "branches to target %d of a list of %d".formatted(wanted, targets.size()));
      }
      same |= wanted == first ? 1 << lane : 0;
    }
    int target = targets.get(first).pc;
    return same == mask ? target : w.diverge(same, target, pc, meeting);
  }

  @Override
  void run(Warp warp, int mask) {
    throw new AssertionError();
  }
}
