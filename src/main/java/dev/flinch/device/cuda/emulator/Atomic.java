package dev.flinch.device.cuda.emulator;

import java.util.function.LongBinaryOperator;

/** {@code atom} and {@code red}: read, change and write back in one step, lane after lane. */
final class Atomic extends MemoryAccess {
  private final boolean wide;
  private final LongBinaryOperator change;
  private final boolean swapIfEqual;
  private final int destination;
  private final int operand;
  private final int replacement;

  /**
   * @param wide whether on 64 bits
   * @param change from what is there and the operand to what will be there; null to put {@code
   *     replacement} where the operand is found
   * @param destination slot that gets what was there, negative for none
   */
  Atomic(
      Space space,
      AddressSource source,
      boolean wide,
      LongBinaryOperator change,
      int destination,
      int operand,
      int replacement) {
    super(space, source, wide ? 8 : 4, wide ? 8 : 4);
    this.wide = wide;
    this.change = change;
    this.swapIfEqual = change == null;
    this.destination = destination;
    this.operand = operand;
    this.replacement = replacement;
  }

  @Override
  String verb() {
    return "changes";
  }

  @Override
  boolean writes() {
    return true;
  }

  @Override
  void global(Warp w, Allocation array, int mask) {
    requireWritten(w, array, mask);
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int at = w.offset[lane];
      long old;
      if (wide) {
        do {
          old = (long) Allocation.LONG.getVolatile(array.data, at);
        } while (!Allocation.LONG.compareAndSet(array.data, at, old, changed(w, lane, old)));
      } else {
        int old32;
        do {
          old32 = (int) Allocation.INT.getVolatile(array.data, at);
          old = old32 & 0xffffffffL;
        } while (!Allocation.INT.compareAndSet(array.data, at, old32, (int) changed(w, lane, old)));
      }
      deliver(w, lane, old);
    }
  }

  @Override
  void shared(Warp w, int mask) {
    SharedMemory shared = w.block.shared;
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int at = w.offset[lane];
      int thread = w.thread(lane);
      String fault = shared.unwritten(at, bytes);
      if (fault == null) {
        fault = shared.write(at, bytes, thread, w.syncedFloor, true);
      }
      requireShared(w, lane, fault);
      if (wide) {
        long old = (long) Allocation.LONG.get(shared.data, at);
        Allocation.LONG.set(shared.data, at, changed(w, lane, old));
        deliver(w, lane, old);
      } else {
        long old = (int) Allocation.INT.get(shared.data, at) & 0xffffffffL;
        Allocation.INT.set(shared.data, at, (int) changed(w, lane, old));
        deliver(w, lane, old);
      }
    }
  }

  @Override
  void local(Warp w, int mask) {
    int lane = Integer.numberOfTrailingZeros(mask);
    throw w.fault(this, lane, "atomics don't work on local memory");
  }

  private long value(Warp w, int slot, int lane) {
    return wide ? w.r64[slot][lane] : w.r32[slot][lane] & 0xffffffffL;
  }

  private long changed(Warp w, int lane, long old) {
    long value = value(w, operand, lane);
    if (swapIfEqual) {
      return old == value ? value(w, replacement, lane) : old;
    }
    return change.applyAsLong(old, value);
  }

  private void deliver(Warp w, int lane, long old) {
    if (destination < 0) {
      return;
    }
    if (wide) {
      w.r64[destination][lane] = old;
    } else {
      w.r32[destination][lane] = (int) old;
    }
  }
}
