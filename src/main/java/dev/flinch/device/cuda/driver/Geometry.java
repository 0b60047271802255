package dev.flinch.device.cuda.driver;

/**
 * How many threads a kernel is launched with.
 *
 * @param gridX blocks in x; y and z follow
 * @param blockX threads of a block in x; y and z follow
 * @param sharedBytes dynamic shared memory of a block
 */
public record Geometry(
    int gridX, int gridY, int gridZ, int blockX, int blockY, int blockZ, int sharedBytes) {

  public Geometry {
    if (gridX < 1 || gridY < 1 || gridZ < 1 || blockX < 1 || blockY < 1 || blockZ < 1) {
      throw new IllegalArgumentException(
          "a launch of (%d, %d, %d) blocks of (%d, %d, %d) threads"
              .formatted(gridX, gridY, gridZ, blockX, blockY, blockZ));
    }
  }

  /** A row of blocks, each a row of threads. */
  public static Geometry of(int blocks, int threads) {
    return new Geometry(blocks, 1, 1, threads, 1, 1, 0);
  }

  /** A grid of blocks, each a row of threads. */
  public static Geometry of(int gridX, int gridY, int gridZ, int threads) {
    return new Geometry(gridX, gridY, gridZ, threads, 1, 1, 0);
  }

  /** The same with dynamic shared memory. */
  public Geometry withShared(int bytes) {
    return new Geometry(gridX, gridY, gridZ, blockX, blockY, blockZ, bytes);
  }

  /** Threads of a block. */
  public int threads() {
    return blockX * blockY * blockZ;
  }

  /** Blocks of the grid. */
  public long blocks() {
    return (long) gridX * gridY * gridZ;
  }
}
