package dev.flinch.device.cuda;

import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Geometry;

/**
 * How element-wise kernels are launched: blocks of x by y threads, x over packs of columns, y over
 * rows, and the grid's z over replicas. Kernels stride, so a grid need not be larger than what
 * keeps the card busy.
 */
final class ElementGrid {
  private static final int THREADS = 256;
  private static final int WARP = 32;

  /** Eight blocks fill a multiprocessor's 2048 threads; twice that evens out who ends last. */
  private static final int BLOCKS_PER_MULTIPROCESSOR = 16;

  private ElementGrid() {}

  /**
   * How many elements a thread may move at once: 4 where every row of every operand starts at a
   * multiple of 16 bytes, else 1.
   *
   * @param operands float32; null for those that there aren't
   */
  static int packWidth(Matrix... operands) {
    for (Matrix m : operands) {
      if (m != null
          && (m.offset() % 4 != 0
              || m.rows() > 1 && m.stride() % 4 != 0
              || m.replicas() > 1 && m.replicaStride() % 4 != 0)) {
        return 1;
      }
    }
    return 4;
  }

  /**
   * A launch over {@code replicas} matrices of {@code rows} × {@code columns}, none of them 0.
   *
   * @param width columns that a thread takes at once
   */
  static Geometry over(Card card, int rows, long columns, int width, int replicas) {
    long packs = (columns - 1) / width + 1;
    int x =
        packs < WARP
            ? powerOfTwo((int) packs)
            : (int) Math.min(THREADS, (packs + WARP - 1) / WARP * WARP);
    int y = Math.min(THREADS / x, powerOfTwo(Math.min(rows, THREADS)));
    int z = layers(card, replicas);
    int most = Math.max(1, BLOCKS_PER_MULTIPROCESSOR * card.multiprocessors() / z);
    int gridX = (int) Math.min((packs - 1) / x + 1, most);
    int gridY = Math.min((rows - 1) / y + 1, Math.max(1, most / gridX));
    return new Geometry(gridX, gridY, z, x, y, 1, 0);
  }

  /** Blocks that keep a card busy, when each strides over its share of {@code items}. */
  static int blocks(Card card, long items, int itemsPerBlock) {
    long needed = (items - 1) / itemsPerBlock + 1;
    return (int) Math.min(needed, (long) BLOCKS_PER_MULTIPROCESSOR * card.multiprocessors());
  }

  /** The grid's z for replicas; kernels stride over what is beyond it. */
  static int layers(Card card, int replicas) {
    return blocks(card, replicas, 1);
  }

  /** The least power of two that is at least {@code n} ≥ 1. */
  static int powerOfTwo(int n) {
    return n == 1 ? 1 : Integer.highestOneBit(n - 1) << 1;
  }
}
