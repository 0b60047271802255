package dev.flinch.device.cuda.emulator;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * One block after another of a launch, on one thread of the host. Its warps run in turn, each from
 * barrier to barrier.
 */
final class Block {
  private static final int BARRIERS = 16;

  final Program program;
  final Tally tally;
  final SharedMemory shared;
  private final Warp[] warps;
  private final int[] arrived = new int[BARRIERS];
  Launch launch;
  int x;
  int y;
  int z;
  long linear;

  /**
   * @param sharedBytes static and dynamic
   */
  Block(Program program, int threads, int sharedBytes) {
    this.program = program;
    this.tally = new Tally(program.code().length);
    this.shared = new SharedMemory(sharedBytes, program.granule());
    this.warps = new Warp[(threads + 31) / 32];
    for (int i = 0; i < warps.length; i++) {
      warps[i] = new Warp(this, i);
    }
  }

  /** Whether a launch can use this block's memory. */
  boolean fits(int threads, int sharedBytes) {
    return warps.length == (threads + 31) / 32 && shared.data.length == sharedBytes;
  }

  /** Runs a block from start to end. */
  void run(Launch of, long index) {
    boolean newLaunch = launch != of;
    launch = of;
    linear = index;
    int gridX = of.geometry.gridX();
    int gridY = of.geometry.gridY();
    x = (int) (index % gridX);
    y = (int) (index / gridX % gridY);
    z = (int) (index / gridX / gridY);
    shared.startBlock();
    Arrays.fill(arrived, 0);
    for (Warp warp : warps) {
      warp.start(newLaunch);
    }
    while (true) {
      for (Warp warp : warps) {
        if (warp.state == Warp.State.RUNNING) {
          warp.run();
        }
      }
      if (!release()) {
        return;
      }
    }
  }

  /** Notes that a warp passed a barrier without waiting. */
  void arrive(int barrier) {
    arrived[barrier] += 32;
  }

  /** Lets warps go on whose barrier is complete; false when all are done. */
  private boolean release() {
    int alive = 0;
    boolean waiting = false;
    for (Warp warp : warps) {
      if (warp.state != Warp.State.DONE) {
        alive += Integer.bitCount(warp.alive);
        waiting = true;
      }
    }
    if (!waiting) {
      return false;
    }
    boolean released = false;
    for (int barrier = 0; barrier < BARRIERS; barrier++) {
      released |= release(barrier, alive);
    }
    if (!released) {
      throw stuck();
    }
    return true;
  }

  private boolean release(int barrier, int alive) {
    Warp first = null;
    int threads = 0;
    int rounded = arrived[barrier];
    int holding = 0;
    int expected = 0;
    for (Warp warp : warps) {
      if (warp.state == Warp.State.WAITING && warp.waitingAt.number(warp) == barrier) {
        if (first == null) {
          first = warp;
          expected = warp.waitingAt.expected(warp);
        } else if (expected == 0 && warp.waitingAt != first.waitingAt) {
          throw stuck();
        }
        threads += Integer.bitCount(warp.alive);
        rounded += 32;
        holding += Integer.bitCount(warp.waitingAt.contribution(warp));
      }
    }
    if (first == null || (expected == 0 ? threads != alive : rounded < expected)) {
      return false;
    }
    arrived[barrier] = 0;
    shared.barrier();
    for (Warp warp : warps) {
      if (warp.state == Warp.State.WAITING && warp.waitingAt.number(warp) == barrier) {
        warp.waitingAt.deliver(warp, holding, threads);
        warp.waitingAt = null;
        warp.state = Warp.State.RUNNING;
      }
    }
    return true;
  }

  private EmulatorFault stuck() {
    Warp waiting = null;
    for (Warp warp : warps) {
      if (warp.state == Warp.State.WAITING && waiting == null) {
        waiting = warp;
      }
    }
    String places =
        Stream.of(warps)
            .map(
                w ->
                    "warp %d %s"
                        .formatted(
                            w.index,
                            w.state == Warp.State.DONE
                                ? "has ended"
                                : "waits at line %d".formatted(w.waitingAt.line())))
            .collect(Collectors.joining(", "));
    return waiting.fault(
        waiting.waitingAt,
        Integer.numberOfTrailingZeros(waiting.alive),
        "waits at a barrier that not all threads of the block reach: " + places);
  }

  /** What a thread did wrong. */
  EmulatorFault fault(Operation op, int thread, String what) {
    int blockX = launch.geometry.blockX();
    int blockY = launch.geometry.blockY();
    return new EmulatorFault(
        program.name(),
        op.line(),
        "kernel %s, block (%d, %d, %d), thread (%d, %d, %d), PTX line %d \"%s\": %s"
            .formatted(
                program.name(),
                x,
                y,
                z,
                thread % blockX,
                thread / blockX % blockY,
                thread / blockX / blockY,
                op.line(),
                op.text(),
                what));
  }
}
