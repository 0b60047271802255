package dev.flinch.device.cuda.emulator;

import java.util.Arrays;

/**
 * {@code cp.async}: from global to shared memory, finished by a wait. It is two accesses: the
 * source is read at once, and the destination belongs to the copy until it is waited for.
 */
final class AsyncCopy extends Operation {
  /** One for each number of bytes that the source may give. */
  private final Read[] reads;

  private final Write write;
  private final int bytes;
  private final int sourceBytes;

  /**
   * @param sourceBytes slot of how many bytes are taken from the source, the rest becoming zero;
   *     negative for all
   */
  AsyncCopy(
      MemoryAccess.AddressSource destination,
      MemoryAccess.AddressSource source,
      int bytes,
      int sourceBytes) {
    this.reads = new Read[bytes + 1];
    for (int wanted = 1; wanted <= bytes; wanted++) {
      reads[wanted] = new Read(source, wanted, bytes);
    }
    this.write = new Write(destination, bytes);
    this.bytes = bytes;
    this.sourceBytes = sourceBytes;
  }

  @Override
  Operation at(int line, String text, InstructionClass kind) {
    for (int wanted = 1; wanted <= bytes; wanted++) {
      reads[wanted].at(line, text, kind);
    }
    write.at(line, text, kind);
    return super.at(line, text, kind);
  }

  @Override
  void run(Warp w, int mask) {
    int rest = mask;
    while (rest != 0) {
      int wanted = wanted(w, Integer.numberOfTrailingZeros(rest));
      int same = 0;
      for (int m = rest; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        if (wanted(w, lane) == wanted) {
          same |= 1 << lane;
          Arrays.fill(w.copies.buffer(lane), (byte) 0);
        }
      }
      if (wanted != 0) {
        reads[wanted].run(w, same);
      }
      rest &= ~same;
    }
    write.run(w, mask);
  }

  private int wanted(Warp w, int lane) {
    int wanted = sourceBytes < 0 ? bytes : w.r32[sourceBytes][lane];
    if (wanted < 0 || wanted > bytes) {
      throw w.fault(this, lane, "takes %d bytes for a copy of %d".formatted(wanted, bytes));
    }
    return wanted;
  }

  /** The half that reads. */
  private static final class Read extends MemoryAccess {
    Read(AddressSource source, int bytes, int alignment) {
      super(Space.GLOBAL, source, bytes, alignment);
    }

    @Override
    String verb() {
      return "copies";
    }

    @Override
    boolean writes() {
      return false;
    }

    @Override
    void global(Warp w, Allocation array, int mask) {
      requireWritten(w, array, mask);
      w.block.tally.globalLoad(w, mask, bytes);
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        System.arraycopy(array.data, w.offset[lane], w.copies.buffer(lane), 0, bytes);
      }
    }

    @Override
    void shared(Warp w, int mask) {
      throw new AssertionError();
    }

    @Override
    void local(Warp w, int mask) {
      throw new AssertionError();
    }
  }

  /** The half that writes. */
  private static final class Write extends MemoryAccess {
    Write(AddressSource destination, int bytes) {
      super(Space.SHARED, destination, bytes, bytes);
    }

    @Override
    String verb() {
      return "copies";
    }

    @Override
    boolean writes() {
      return true;
    }

    @Override
    void shared(Warp w, int mask) {
      SharedMemory shared = w.block.shared;
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        int at = w.offset[lane];
        requireShared(w, lane, shared.startCopy(at, bytes, w.thread(lane), w.syncedFloor));
        w.copies.add(lane, at, bytes);
      }
      w.block.tally.shared(w, mask, bytes);
    }

    @Override
    void global(Warp w, Allocation array, int mask) {
      throw new AssertionError();
    }

    @Override
    void local(Warp w, int mask) {
      throw new AssertionError();
    }
  }
}
