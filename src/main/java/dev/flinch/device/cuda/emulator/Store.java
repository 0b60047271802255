package dev.flinch.device.cuda.emulator;

/** {@code st}: one element or a vector of two or four. */
final class Store extends MemoryAccess {
  private final int elementBytes;
  private final boolean wide;
  private final int[] sources;

  /**
   * @param sources slots of the elements
   * @param wide whether they are 64-bit
   */
  Store(Space space, AddressSource source, int elementBytes, boolean wide, int[] sources) {
    super(space, source, elementBytes * sources.length, elementBytes * sources.length);
    this.elementBytes = elementBytes;
    this.wide = wide;
    this.sources = sources;
  }

  @Override
  String verb() {
    return "writes";
  }

  @Override
  boolean writes() {
    return true;
  }

  @Override
  void global(Warp w, Allocation array, int mask) {
    w.block.tally.globalStore(w, mask, bytes);
    store(w, array.data, mask);
    noteWritten(w, array, mask);
  }

  @Override
  void shared(Warp w, int mask) {
    SharedMemory shared = w.block.shared;
    for (int m = shared.writeAll(w, bytes) ? 0 : mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      String fault = shared.write(w.offset[lane], bytes, w.thread(lane), w.syncedFloor, false);
      if (fault != null) {
        requireShared(w, lane, fault);
      }
    }
    w.block.tally.shared(w, mask, bytes);
    store(w, shared.data, mask);
  }

  @Override
  void local(Warp w, int mask) {
    store(w, w.local, mask);
  }

  private void store(Warp w, byte[] data, int mask) {
    int[] offset = w.offset;
    for (int e = 0; e < sources.length; e++) {
      int step = e * elementBytes;
      if (wide) {
        long[] value = w.r64[sources[e]];
        for (int m = mask; m != 0; m &= m - 1) {
          int lane = Integer.numberOfTrailingZeros(m);
          int at = offset[lane] + step;
          if (elementBytes == 8) {
            Allocation.LONG.set(data, at, value[lane]);
          } else {
            narrow(data, at, (int) value[lane]);
          }
        }
      } else {
        int[] value = w.r32[sources[e]];
        if (mask == FULL && elementBytes == 4) {
          for (int i = 0; i < 32; i++) {
            Allocation.INT.set(data, offset[i] + step, value[i]);
          }
          continue;
        }
        for (int m = mask; m != 0; m &= m - 1) {
          int lane = Integer.numberOfTrailingZeros(m);
          narrow(data, offset[lane] + step, value[lane]);
        }
      }
    }
  }

  private void narrow(byte[] data, int at, int value) {
    switch (elementBytes) {
      case 4 -> Allocation.INT.set(data, at, value);
      case 2 -> Allocation.SHORT.set(data, at, (short) value);
      default -> data[at] = (byte) value;
    }
  }
}
