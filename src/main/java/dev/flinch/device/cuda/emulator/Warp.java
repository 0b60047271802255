package dev.flinch.device.cuda.emulator;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * 32 threads of a block in lock-step: their registers, which of them are active, and where those
 * that took another branch wait. A divergent branch runs one side, then the other, up to where all
 * paths meet again (the immediate post-dominator, found when the kernel is loaded).
 */
final class Warp {
  enum State {
    RUNNING,
    WAITING,
    DONE
  }

  /** Generic addresses from here on are shared memory, then local memory. */
  static final long SHARED_WINDOW = 0x0100_0000_0000L;

  static final long LOCAL_WINDOW = 0x0200_0000_0000L;
  static final long WINDOW_BYTES = 0x0100_0000_0000L;

  final Block block;
  final int index;
  final int[][] r32;
  final long[][] r64;
  final int[] predicates;
  final int[] scratch32 = new int[32];
  final long[] scratch64 = new long[32];
  final long[] address = new long[32];
  final int[] offset = new int[32];

  /** Whether all of {@link #offset} are the same. */
  boolean uniform;

  /** Whether all lanes are active and their accesses lie side by side, in order. */
  boolean consecutive;

  final byte[] local;
  final AsyncCopies copies = new AsyncCopies();

  /** The carry flag of each lane. */
  int carry;

  /** Lanes that execute. */
  int active;

  /** Lanes that have not exited. */
  int alive;

  State state;

  /** The barrier that the warp waits at. */
  Barrier waitingAt;

  /** Accesses to shared memory stamped below are ordered before what the warp does now. */
  long syncedFloor;

  private final int[] specials;
  private int pc;
  private int reconvergence;
  private int depth;
  private int[] stackPc = new int[16];
  private int[] stackMask = new int[16];
  private int[] stackReconvergence = new int[16];

  Warp(Block block, int index) {
    this.block = block;
    this.index = index;
    Program program = block.program;
    r32 = new int[program.registers32().size()][32];
    r64 = new long[program.registers64().size()][32];
    predicates = new int[program.predicates().size()];
    local = new byte[32 * program.localBytes()];
    specials =
        IntStream.range(0, r32.length)
            .filter(i -> program.registers32().get(i) instanceof Program.Slot.Special)
            .toArray();
    for (int i = 0; i < r32.length; i++) {
      if (program.registers32().get(i) instanceof Program.Slot.Constant constant) {
        Arrays.fill(r32[i], (int) constant.bits());
      }
    }
    for (int i = 0; i < r64.length; i++) {
      if (program.registers64().get(i) instanceof Program.Slot.Constant constant) {
        Arrays.fill(r64[i], constant.bits());
      }
    }
  }

  /**
   * Back to the kernel's first instruction, as part of another block. What registers hold stays: a
   * kernel that reads one it never set gets anything, as on a card.
   */
  void start(boolean newLaunch) {
    Program program = block.program;
    for (int slot : specials) {
      SpecialRegister register =
          ((Program.Slot.Special) program.registers32().get(slot)).register();
      if (newLaunch || !register.isOfLaunch()) {
        register.fill(r32[slot], this);
      }
    }
    for (int i = 0; i < predicates.length; i++) {
      predicates[i] = program.predicates().get(i);
    }
    int threads = Math.min(32, block.launch.geometry.threads() - 32 * index);
    alive = threads == 32 ? -1 : (1 << threads) - 1;
    active = alive;
    carry = 0;
    pc = 0;
    depth = 0;
    reconvergence = program.code().length;
    state = State.RUNNING;
    waitingAt = null;
    syncedFloor = 0;
    copies.clear();
  }

  /** Runs up to the next barrier or to the end. */
  void run() {
    Operation[] code = block.program.code();
    long[] warps = block.tally.warpInstructions;
    long[] threads = block.tally.threadInstructions;
    while (state == State.RUNNING) {
      Operation op = code[pc];
      int mask = active;
      if (op.guard >= 0) {
        int guard = predicates[op.guard];
        mask &= op.guardNegated ? ~guard : guard;
      }
      warps[pc]++;
      threads[pc] += mask == -1 ? 32 : Integer.bitCount(mask);
      if (op.isControl()) {
        pc = op.jump(this, mask, pc);
      } else {
        if (mask != 0) {
          op.run(this, mask);
        }
        pc++;
      }
      while (pc == reconvergence && state != State.DONE) {
        pop();
      }
    }
  }

  private void pop() {
    do {
      if (depth == 0) {
        if (alive != 0) {
          throw new AssertionError("a warp at the end with live lanes");
        }
        state = State.DONE;
        return;
      }
      depth--;
      pc = stackPc[depth];
      active = stackMask[depth] & alive;
      reconvergence = stackReconvergence[depth];
    } while (active == 0);
  }

  private void push(int at, int mask, int meeting) {
    if (depth == stackPc.length) {
      stackPc = Arrays.copyOf(stackPc, 2 * depth);
      stackMask = Arrays.copyOf(stackMask, 2 * depth);
      stackReconvergence = Arrays.copyOf(stackReconvergence, 2 * depth);
    }
    stackPc[depth] = at;
    stackMask[depth] = mask;
    stackReconvergence[depth] = meeting;
    depth++;
  }

  /**
   * Some lanes go one way, the others another.
   *
   * @param taken lanes that go to {@code target}; the rest goes to {@code other}
   * @param meeting where both come together
   * @return where the warp goes on
   */
  int diverge(int taken, int target, int other, int meeting) {
    block.tally.divergentBranches++;
    int rest = active & ~taken;
    if (reconvergence != meeting) {
      push(meeting, active, reconvergence);
    }
    reconvergence = meeting;
    if (target == meeting) {
      active = rest;
      return other;
    }
    if (other != meeting) {
      push(other, rest, meeting);
    }
    active = taken;
    return target;
  }

  /**
   * Lanes end.
   *
   * @return where the warp goes on
   */
  int exit(int lanes, int next) {
    alive &= ~lanes;
    active &= ~lanes;
    if (active != 0) {
      return next;
    }
    pop();
    return pc;
  }

  /** The index of a lane's thread in its block. */
  int thread(int lane) {
    return 32 * index + lane;
  }

  /** What a lane did wrong, with all that is known of where. */
  EmulatorFault fault(Operation op, int lane, String what) {
    return block.fault(op, thread(lane), what);
  }
}
