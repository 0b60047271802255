package dev.flinch.device.cuda.emulator;

/**
 * {@code bar.sync}, {@code bar.arrive} and {@code bar.red}: a block's warps wait for each other.
 */
final class Barrier extends Operation {
  /** What is made of the predicates of all threads that meet. */
  enum Reduction {
    NONE,
    AND,
    OR,
    POPC
  }

  private final int id;
  private final int count;
  private final boolean arriveOnly;
  private final Reduction reduction;
  private final int source;
  private final boolean sourceNegated;
  private final int destination;

  /**
   * @param id slot of the barrier's number
   * @param count slot of the number of threads that meet, negative for all of the block
   * @param source the predicate of a reduction
   * @param destination slot or predicate of its result
   */
  Barrier(
      int id,
      int count,
      boolean arriveOnly,
      Reduction reduction,
      int destination,
      int source,
      boolean sourceNegated) {
    this.id = id;
    this.count = count;
    this.arriveOnly = arriveOnly;
    this.reduction = reduction;
    this.destination = destination;
    this.source = source;
    this.sourceNegated = sourceNegated;
  }

  @Override
  boolean isControl() {
    return true;
  }

  @Override
  int jump(Warp w, int mask, int pc) {
    if (mask == 0) {
      return pc + 1;
    }
    if (mask != w.alive) {
      int missing = Integer.numberOfTrailingZeros(w.alive & ~mask);
      throw w.fault(
          this,
          missing,
          "thread %d of the same warp waits at this barrier, but this thread took another way"
              .formatted(w.thread(Integer.numberOfTrailingZeros(mask))));
    }
    if (arriveOnly) {
      w.block.arrive(number(w));
    } else {
      w.waitingAt = this;
      w.state = Warp.State.WAITING;
    }
    return pc + 1;
  }

  @Override
  void run(Warp warp, int mask) {
    throw new AssertionError();
  }

  /** Which barrier a warp waits at. */
  int number(Warp w) {
    return w.r32[id][Integer.numberOfTrailingZeros(w.alive)];
  }

  /** How many threads meet, 0 for all of the block that live. */
  int expected(Warp w) {
    return count < 0 ? 0 : w.r32[count][Integer.numberOfTrailingZeros(w.alive)];
  }

  /** Lanes of a waiting warp whose predicate holds. */
  int contribution(Warp w) {
    return reduction == Reduction.NONE
        ? 0
        : (sourceNegated ? ~w.predicates[source] : w.predicates[source]) & w.alive;
  }

  /**
   * Gives a waiting warp the result.
   *
   * @param holding threads whose predicate holds, of {@code all} that met
   */
  void deliver(Warp w, int holding, int all) {
    switch (reduction) {
      case NONE -> {}
      case POPC -> {
        for (int lane = 0; lane < 32; lane++) {
          w.r32[destination][lane] = holding;
        }
      }
      case AND -> w.predicates[destination] = holding == all ? -1 : 0;
      case OR -> w.predicates[destination] = holding > 0 ? -1 : 0;
    }
  }
}
