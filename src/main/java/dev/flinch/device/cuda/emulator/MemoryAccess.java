package dev.flinch.device.cuda.emulator;

/**
 * An instruction that touches memory: finds out for all active lanes which array their addresses
 * lie in, refuses what lies outside or misaligned, and leaves the rest to the kind of access.
 */
abstract class MemoryAccess extends Operation {
  /** PTX state spaces that addresses are of. */
  enum Space {
    GENERIC,
    GLOBAL,
    SHARED,
    LOCAL
  }

  /**
   * Where an instruction's addresses come from.
   *
   * @param wide whether {@code slot} is a 64-bit one
   * @param slot of the base
   */
  record AddressSource(boolean wide, int slot, long displacement) {
    void fill(Warp w) {
      long[] address = w.address;
      if (wide) {
        long[] base = w.r64[slot];
        for (int i = 0; i < 32; i++) {
          address[i] = base[i] + displacement;
        }
      } else {
        int[] base = w.r32[slot];
        for (int i = 0; i < 32; i++) {
          address[i] = (base[i] & 0xffffffffL) + displacement;
        }
      }
    }
  }

  private final Space space;
  private final AddressSource source;

  /** Bytes that one lane accesses. */
  final int bytes;

  /** The array of the last access: the next one usually stays in it. */
  private Allocation last;

  private final int alignment;

  MemoryAccess(Space space, AddressSource source, int bytes, int alignment) {
    this.space = space;
    this.source = source;
    this.bytes = bytes;
    this.alignment = alignment;
  }

  /** Reads, writes, adds to: for messages. */
  abstract String verb();

  abstract boolean writes();

  /** Accesses one array; {@code w.offset} says where for each lane. */
  abstract void global(Warp w, Allocation array, int mask);

  /** Accesses shared memory at {@code w.offset}. */
  abstract void shared(Warp w, int mask);

  /** Accesses the warp's local memory; {@code w.offset} counts from its start. */
  abstract void local(Warp w, int mask);

  @Override
  final void run(Warp w, int mask) {
    source.fill(w);
    switch (space) {
      case GLOBAL -> inGlobal(w, mask);
      case SHARED -> inShared(w, mask, 0);
      case LOCAL -> inLocal(w, mask, 0);
      case GENERIC -> generic(w, mask);
    }
  }

  private void generic(Warp w, int mask) {
    int shared = 0;
    int local = 0;
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      long address = w.address[lane];
      if (address - Warp.SHARED_WINDOW >= 0 && address - Warp.LOCAL_WINDOW < 0) {
        shared |= 1 << lane;
      } else if (address - Warp.LOCAL_WINDOW >= 0
          && address - Warp.LOCAL_WINDOW < Warp.WINDOW_BYTES) {
        local |= 1 << lane;
      }
    }
    int global = mask & ~shared & ~local;
    if (shared != 0) {
      inShared(w, shared, Warp.SHARED_WINDOW);
    }
    if (local != 0) {
      inLocal(w, local, Warp.LOCAL_WINDOW);
    }
    if (global != 0) {
      inGlobal(w, global);
    }
  }

  private void inGlobal(Warp w, int mask) {
    Allocation array = last;
    if (array != null && !array.isFreed() && offsets(w, mask, array.base, array.size)) {
      requireWritable(w, array, mask);
      requireAligned(w, mask, array.base);
      global(w, array, mask);
      return;
    }
    GlobalMemory memory = w.block.launch.memory;
    int rest = mask;
    while (rest != 0) {
      int first = Integer.numberOfTrailingZeros(rest);
      array = memory.find(w.address[first]);
      if (array == null) {
        throw outside(w, first);
      }
      int group = 0;
      for (int m = rest; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        long offset = w.address[lane] - array.base;
        if (offset >= 0 && offset < array.size) {
          if (offset + bytes > array.size) {
            throw outside(w, lane);
          }
          group |= 1 << lane;
        }
      }
      offsets(w, group, array.base, array.size);
      requireWritable(w, array, group);
      requireAligned(w, group, array.base);
      last = array;
      global(w, array, group);
      rest &= ~group;
    }
  }

  private EmulatorFault outside(Warp w, int lane) {
    long address = w.address[lane];
    return w.fault(
        this,
        lane,
        "%s %d bytes at %s%s"
            .formatted(
                verb(),
                bytes,
                w.block.launch.memory.describe(address, bytes),
                w.block.launch.argumentNear(address)));
  }

  private void requireWritable(Warp w, Allocation array, int mask) {
    if (array.readOnly && writes()) {
      int lane = Integer.numberOfTrailingZeros(mask);
      throw w.fault(this, lane, "%s constant memory: %s".formatted(verb(), array.name()));
    }
  }

  /**
   * Offsets from {@code base} for all lanes; an idle lane gets an active one's, so that loops over
   * all 32 stay in bounds.
   *
   * @return whether all active lanes lie inside
   */
  private boolean offsets(Warp w, int mask, long base, long size) {
    long[] address = w.address;
    int[] offset = w.offset;
    long limit = size - bytes;
    long bad = 0;
    long first = address[Integer.numberOfTrailingZeros(mask)] - base;
    long differs = 0;
    if (mask == FULL) {
      long apart = 0;
      for (int i = 0; i < 32; i++) {
        long o = address[i] - base;
        bad |= o | limit - o;
        differs |= o ^ first;
        apart |= o - (long) bytes * i ^ first;
        offset[i] = (int) o;
      }
      w.consecutive = apart == 0;
    } else {
      for (int i = 0; i < 32; i++) {
        long o = (mask >>> i & 1) != 0 ? address[i] - base : first;
        bad |= o | limit - o;
        differs |= o ^ first;
        offset[i] = (int) o;
      }
      w.consecutive = false;
    }
    w.uniform = differs == 0;
    return bad >= 0;
  }

  private void requireAligned(Warp w, int mask, long base) {
    int[] offset = w.offset;
    int any = offset[0];
    if (!w.uniform && !w.consecutive) {
      for (int i = 1; i < 32; i++) {
        any |= offset[i];
      }
    }
    if ((any & alignment - 1) != 0) {
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        if ((offset[lane] & alignment - 1) != 0) {
          throw w.fault(
              this,
              lane,
              "%s %d bytes at 0x%x, which is not a multiple of %d"
                  .formatted(verb(), bytes, base + offset[lane], alignment));
        }
      }
    }
  }

  private void inShared(Warp w, int mask, long window) {
    int size = w.block.shared.data.length;
    if (!offsets(w, mask, window, size)) {
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        long offset = w.address[lane] - window;
        if (offset < 0 || offset + bytes > size) {
          throw w.fault(
              this,
              lane,
              "%s %d bytes at %s; the block has %,d bytes"
                  .formatted(
                      verb(), bytes, w.block.program.describeShared(offset, bytes, size), size));
        }
      }
    }
    requireAligned(w, mask, 0);
    shared(w, mask);
  }

  private void inLocal(Warp w, int mask, long window) {
    int size = w.block.program.localBytes();
    if (!offsets(w, mask, window, size)) {
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        long offset = w.address[lane] - window;
        if (offset < 0 || offset + bytes > size) {
          throw w.fault(
              this,
              lane,
              "%s %d bytes at offset %,d of the thread's %,d bytes of local memory"
                  .formatted(verb(), bytes, offset, size));
        }
      }
    }
    requireAligned(w, mask, 0);
    for (int i = 0; i < 32; i++) {
      w.offset[i] += i * size;
    }
    w.uniform = false;
    w.consecutive = false;
    local(w, mask);
  }

  /** Refuses shared offsets that a check objects to. */
  final void requireShared(Warp w, int lane, String fault) {
    if (fault != null) {
      int size = w.block.shared.data.length;
      throw w.fault(
          this,
          lane,
          "%s (%s)".formatted(fault, w.block.program.describeShared(w.offset[lane], bytes, size)));
    }
  }

  /** Refuses reads of shared memory that nobody wrote or that a barrier should have preceded. */
  final void requireReadable(Warp w, int mask) {
    SharedMemory shared = w.block.shared;
    int lane = shared.read(w, mask, bytes);
    if (lane >= 0) {
      requireShared(
          w, lane, shared.explainRead(w.offset[lane], bytes, w.thread(lane), w.syncedFloor));
    }
  }

  /** Refuses to read global memory that nobody wrote. */
  final void requireWritten(Warp w, Allocation array, int mask) {
    if (array.isComplete()
        || w.consecutive && bytes >= 4 && array.isWritten(w.offset[0], 32 * bytes)) {
      return;
    }
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      int at = w.offset[lane];
      if (!array.isWritten(at, bytes)) {
        int first = array.firstUnwritten(at, at + bytes);
        throw w.fault(
            this,
            lane,
            "%s what nobody wrote: %d bytes at offset %,d of %s of %,d bytes%s"
                .formatted(
                    verb(),
                    at + bytes - first,
                    first,
                    array.name(),
                    array.size,
                    w.block.launch.argumentNear(array.base)));
      }
    }
  }

  /** Notes what lanes have stored. */
  final void noteWritten(Warp w, Allocation array, int mask) {
    if (array.isComplete()) {
      return;
    }
    if (w.consecutive && bytes >= 4) {
      array.noteWritten(w.offset[0], 32 * bytes);
      return;
    }
    for (int m = mask; m != 0; m &= m - 1) {
      array.noteWritten(w.offset[Integer.numberOfTrailingZeros(m)], bytes);
    }
  }
}
