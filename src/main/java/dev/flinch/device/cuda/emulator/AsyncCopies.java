package dev.flinch.device.cuda.emulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a warp's {@code cp.async} instructions have still to put into shared memory. The bytes are
 * taken from global memory at once and put down where a thread waits for them.
 */
final class AsyncCopies {
  /**
   * A copy of some lanes.
   *
   * @param group which commit it belongs to
   */
  private record Copy(int lane, int offset, byte[] bytes, int group) {}

  private final List<Copy> pending = new ArrayList<>();

  /** Groups that each lane has committed; its open group has this number. */
  private final int[] committed = new int[32];

  private final byte[][] buffers = new byte[32][16];

  void clear() {
    pending.clear();
    Arrays.fill(committed, 0);
  }

  /** Where a lane's copy that is being started keeps its bytes. */
  byte[] buffer(int lane) {
    return buffers[lane];
  }

  /** Starts a copy of what is in the lane's buffer. */
  void add(int lane, int offset, int bytes) {
    pending.add(new Copy(lane, offset, Arrays.copyOf(buffers[lane], bytes), committed[lane]));
  }

  void commit(int mask) {
    for (int m = mask; m != 0; m &= m - 1) {
      committed[Integer.numberOfTrailingZeros(m)]++;
    }
  }

  /**
   * Finishes copies of the lanes in {@code mask}.
   *
   * @param newest how many of the newest committed groups may stay unfinished; negative for none,
   *     the open group included
   */
  void await(Warp w, int mask, int newest) {
    pending.removeIf(
        copy -> {
          boolean waits =
              (mask >>> copy.lane() & 1) != 0
                  && (newest < 0 || copy.group() < committed[copy.lane()] - newest);
          if (waits) {
            SharedMemory shared = w.block.shared;
            System.arraycopy(copy.bytes(), 0, shared.data, copy.offset(), copy.bytes().length);
            shared.finishCopy(copy.offset(), copy.bytes().length, w.thread(copy.lane()));
          }
          return waits;
        });
  }
}
