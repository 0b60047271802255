package dev.flinch.device.cuda.emulator;

import java.util.Arrays;

/**
 * A block's shared memory and who touched it when.
 *
 * <p>Two accesses by different threads to the same granule, one of which writes, are a race unless
 * something orders them: a barrier of the block, or, between threads of one warp, a {@code
 * bar.warp.sync} of all its live threads. That a warp's lanes run in lock-step orders nothing, and
 * nor do shuffles and votes: PTX promises memory order for neither. Atomics don't race with each
 * other. A barrier of some of the block's warps (with a thread count) is taken to order all of the
 * block: what it leaves open goes unnoticed.
 *
 * <p>The granule is as wide as the kernel's narrowest access to shared memory, at most four bytes.
 *
 * <p>Each granule has its last write and its last read as a stamp: a clock that barriers advance,
 * then two flags, then the thread. The clock never goes back, so a new block begins with nothing
 * written and nothing needs to be cleared.
 */
final class SharedMemory {
  private static final int STAMP_SHIFT = 12;
  private static final int THREAD = 0x3ff;

  /** Of a write: an atomic one. */
  private static final int ATOMIC = 0x400;

  /**
   * Of a write: an asynchronous copy that nobody waited for yet. It comes after any barrier, which
   * is what its stamp says too.
   */
  private static final int IN_FLIGHT = 0x800;

  private static final long AFTER_ALL = 1L << 62;

  /** Of a read: several threads of the warp read. */
  private static final int WARP_READ = 0x400;

  /** Of a read: threads of several warps read. */
  private static final int BLOCK_READ = 0x800;

  final byte[] data;
  private final int shift;
  private final long[] writes;
  private final long[] reads;
  private long clock = 1;
  private boolean copies;
  private long blockFloor;
  private long barrierFloor;

  /**
   * @param granule 1, 2 or 4 bytes
   */
  SharedMemory(int bytes, int granule) {
    data = new byte[bytes];
    shift = Integer.numberOfTrailingZeros(granule);
    writes = new long[(bytes + granule - 1) / granule];
    reads = new long[writes.length];
  }

  /** Nothing is written any more. */
  void startBlock() {
    clock++;
    if (copies) {
      // Copies that nobody waited for end with their block.
      Arrays.fill(writes, 0);
      copies = false;
    }
    blockFloor = clock << STAMP_SHIFT;
    barrierFloor = blockFloor;
  }

  /** What came before is ordered before what comes. */
  void barrier() {
    clock++;
    barrierFloor = clock << STAMP_SHIFT;
  }

  /**
   * A warp's threads waited for each other.
   *
   * @return the stamp that earlier accesses of the warp lie below
   */
  long warpBarrier() {
    clock++;
    return clock << STAMP_SHIFT;
  }

  /**
   * Reads of a warp's lanes at {@code w.offset}.
   *
   * @return the first lane that mustn't, or −1
   */
  int read(Warp w, int mask, int bytes) {
    int[] offset = w.offset;
    int firstThread = 32 * w.index;
    long warpFloor = w.syncedFloor;
    if (w.consecutive && bytes == 1 << shift && mayAllRead(offset[0] >> shift)) {
      noteReads(offset[0] >> shift, firstThread, warpFloor);
      return -1;
    }
    for (int m = mask; m != 0; ) {
      int lane = Integer.numberOfTrailingZeros(m);
      int at = offset[lane];
      m &= m - 1;
      // Lanes in a row that read the same place are looked at once, unless something is the matter.
      boolean several = false;
      if (w.uniform) {
        several = m != 0;
        m = 0;
      }
      while (m != 0 && offset[Integer.numberOfTrailingZeros(m)] == at) {
        several = true;
        m &= m - 1;
      }
      int last = at + bytes - 1 >> shift;
      int thread = firstThread + lane;
      for (int g = at >> shift; g <= last; g++) {
        long write = writes[g];
        if (write < blockFloor || write >= barrierFloor) {
          int culprit = firstFault(offset, mask, at, write, firstThread, warpFloor);
          if (culprit >= 0) {
            return culprit;
          }
        }
        long read = reads[g];
        if (read < barrierFloor || (read & BLOCK_READ) == 0) {
          reads[g] = readTag(read, thread, several, warpFloor);
        }
      }
    }
    return -1;
  }

  /** Whether 32 granules were all written before the last barrier. */
  private boolean mayAllRead(int first) {
    long bad = 0;
    for (int g = first; g < first + 32; g++) {
      long write = writes[g];
      bad |= write - blockFloor | barrierFloor - 1 - write;
    }
    return bad >= 0;
  }

  private void noteReads(int first, int firstThread, long warpFloor) {
    for (int i = 0; i < 32; i++) {
      long read = reads[first + i];
      if (read < barrierFloor || (read & BLOCK_READ) == 0) {
        reads[first + i] = readTag(read, firstThread + i, false, warpFloor);
      }
    }
  }

  /** The first of the lanes that read at {@code at} and mustn't, or −1. */
  private int firstFault(
      int[] offset, int mask, int at, long write, int firstThread, long warpFloor) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      if (offset[lane] == at && readFault(write, firstThread + lane, warpFloor) != null) {
        return lane;
      }
    }
    return -1;
  }

  /** What is wrong with a read; asked when something is. */
  String explainRead(int offset, int bytes, int thread, long warpFloor) {
    int last = offset + bytes - 1 >> shift;
    for (int g = offset >> shift; g <= last; g++) {
      String fault = readFault(writes[g], thread, warpFloor);
      if (fault != null) {
        return fault;
      }
    }
    return null;
  }

  /** What is wrong with an atomic on memory that nobody wrote, or null. */
  String unwritten(int offset, int bytes) {
    int last = offset + bytes - 1 >> shift;
    for (int g = offset >> shift; g <= last; g++) {
      if (writes[g] < blockFloor) {
        return "changes what nobody wrote";
      }
    }
    return null;
  }

  private String readFault(long write, int thread, long warpFloor) {
    if (write < blockFloor) {
      return "reads what nobody wrote";
    }
    if ((write & IN_FLIGHT) != 0) {
      return "reads what a cp.async of thread %d is still copying: nobody waited for it"
          .formatted(write & THREAD);
    }
    return write >= barrierFloor && unordered(write, thread, warpFloor)
        ? "reads what thread %d wrote, with no barrier between".formatted(write & THREAD)
        : null;
  }

  private long readTag(long read, int thread, boolean several, long warpFloor) {
    long tag = clock << STAMP_SHIFT | thread;
    if (several) {
      tag |= WARP_READ;
    }
    if (read >= barrierFloor) {
      int reader = (int) read & THREAD;
      if (reader >> 5 != thread >> 5) {
        tag |= BLOCK_READ;
      } else if (read >= warpFloor && (reader != thread || (read & WARP_READ) != 0)) {
        tag |= WARP_READ;
      }
    }
    return tag;
  }

  /**
   * Stores of all 32 lanes of a warp side by side, one granule each.
   *
   * @return whether they could be noted; else they have to be looked at one by one
   */
  boolean writeAll(Warp w, int bytes) {
    if (!w.consecutive || bytes != 1 << shift) {
      return false;
    }
    int first = w.offset[0] >> shift;
    long bad = 0;
    for (int g = first; g < first + 32; g++) {
      bad |= barrierFloor - 1 - writes[g] | barrierFloor - 1 - reads[g];
    }
    if (bad < 0) {
      return false;
    }
    long tag = clock << STAMP_SHIFT | 32 * w.index;
    for (int i = 0; i < 32; i++) {
      writes[first + i] = tag + i;
    }
    return true;
  }

  /** What is wrong with a store or atomic, or null. */
  String write(int offset, int bytes, int thread, long warpFloor, boolean atomic) {
    return write(offset, bytes, thread, warpFloor, atomic ? ATOMIC : 0);
  }

  /** A store that an asynchronous copy will do. */
  String startCopy(int offset, int bytes, int thread, long warpFloor) {
    copies = true;
    return write(offset, bytes, thread, warpFloor, IN_FLIGHT);
  }

  /** The copy is done: now the thread that asked has written. */
  void finishCopy(int offset, int bytes, int thread) {
    Arrays.fill(
        writes, offset >> shift, (offset + bytes - 1 >> shift) + 1, clock << STAMP_SHIFT | thread);
  }

  private String write(int offset, int bytes, int thread, long warpFloor, int flag) {
    int last = offset + bytes - 1 >> shift;
    long tag = clock << STAMP_SHIFT | flag | thread | (flag == IN_FLIGHT ? AFTER_ALL : 0);
    for (int g = offset >> shift; g <= last; g++) {
      long write = writes[g];
      long read = reads[g];
      if (write >= barrierFloor || read >= barrierFloor) {
        String fault = writeFault(write, read, thread, warpFloor, flag);
        if (fault != null) {
          return fault;
        }
      }
      writes[g] = tag;
    }
    return null;
  }

  private String writeFault(long write, long read, int thread, long warpFloor, int flag) {
    if ((write & IN_FLIGHT) != 0) {
      return "writes what a cp.async of thread %d is still copying".formatted(write & THREAD);
    }
    boolean bothAtomic = flag == ATOMIC && (write & ATOMIC) != 0;
    if (write >= barrierFloor && !bothAtomic && unordered(write, thread, warpFloor)) {
      return "writes what thread %d wrote, with no barrier between".formatted(write & THREAD);
    }
    if (read >= barrierFloor) {
      boolean several = (read & BLOCK_READ) != 0 || (read & WARP_READ) != 0 && read >= warpFloor;
      if (several || unordered(read, thread, warpFloor)) {
        return "writes what thread %d%s read, with no barrier between"
            .formatted(read & THREAD, several ? " (and others)" : "");
      }
    }
    return null;
  }

  /** Whether an earlier access since the last barrier may as well come later. */
  private static boolean unordered(long access, int thread, long warpFloor) {
    int other = (int) access & THREAD;
    return other != thread && (other >> 5 != thread >> 5 || access >= warpFloor);
  }
}
