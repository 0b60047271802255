package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Matrix products by {@code kernels/gemm.cu}. Which of its versions multiplies is chosen in two
 * steps. What decides the last bits (tensor cores or not, the pieces of a long sum) follows from
 * the card and from m, n and k alone, so that a network has the same results alone and in a stack.
 * How large the tiles are leaves the bits as they are, and follows from how many of them the card
 * has to be filled with.
 */
final class KernelProducts implements ProductProvider {
  private static final String MODULE = "gemm";

  /**
   * A version of the kernel.
   *
   * <p>Rates are estimates, from how many values a multiply-add needs from shared memory.
   */
  enum Version {
    TILED_32("tiled", 32, 64, 0.4),
    TILED_64("tiled", 64, 256, 0.5),
    TILED_128("tiled", 128, 256, 1),
    TENSOR_64("tensor", 64, 128, 0.75),
    TENSOR_128("tensor", 128, 256, 1),
    WIDE_32("wide", 32, 256, 0.5),
    WIDE_64("wide", 64, 256, 1);

    private final String kernel;
    private final int tile;
    private final int threads;
    private final double rate;

    /**
     * @param tile rows and columns of C that a block computes
     * @param rate of a multiprocessor full of its blocks, relative to the family's best
     */
    Version(String kernel, int tile, int threads, double rate) {
      this.kernel = kernel;
      this.tile = tile;
      this.threads = threads;
      this.rate = rate;
    }

    /** Rows and columns of C that a block computes. */
    int tile() {
      return tile;
    }

    long tiles(int m, int n) {
      return parts(m, tile) * parts(n, tile);
    }

    /** What one multiprocessor has to do when they share the work, in outputs at the full rate. */
    double cost(int m, int n, long products, int multiprocessors) {
      long rounds = parts(tiles(m, n) * products, multiprocessors);
      return rounds * ((double) tile * tile) / rate;
    }

    String entry(boolean transposeA, boolean transposeB) {
      return kernel + "_" + (transposeA ? 't' : 'n') + (transposeB ? 't' : 'n') + "_" + tile;
    }
  }

  /** Rows or columns of C up to which a tensor core's tiles would be mostly empty. */
  private static final int NARROW = 32;

  /** Summed indices of a tensor core's tile. */
  private static final int DEPTH = 16;

  /**
   * Sums longer than two pieces are cut where C is small: there would be too few blocks for the
   * card otherwise. A piece costs 8 bytes an output, little beside its 4096 FLOP.
   */
  private static final int PIECE = 2048;

  private static final long SMALL = 1 << 20;

  /** Bytes of pieces that are wanted at a time. */
  private static final long PIECE_BYTES = 32 << 20;

  private static final int SUM_THREADS = 256;

  private final Launcher launcher;
  private final boolean tensorCores;

  KernelProducts(Launcher launcher) {
    this.launcher = launcher;
    this.tensorCores = launcher.card().splitTf32Pays();
  }

  @Override
  public String description() {
    return tensorCores
        ? "Flinch's own kernels (tensor cores, three TF32 products for one of float32)"
        : "Flinch's own kernels (float32)";
  }

  @Override
  public void gemm(
      boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    gemm(choice(transposeA, a, transposeB, b, c), transposeA, a, transposeB, b, beta, c);
  }

  /** Which version multiplies. */
  Version choice(boolean transposeA, Matrix a, boolean transposeB, Matrix b, Matrix c) {
    int k = transposeA ? a.rows() : a.columns();
    List<Version> candidates;
    if (c.data().type() == ElementType.FLOAT64) {
      candidates = List.of(Version.WIDE_32, Version.WIDE_64);
    } else if (transposeA && transposeB) {
      candidates = List.of(Version.TILED_64);
    } else {
      boolean onTensorCores = tensorCores && Math.min(c.rows(), c.columns()) > NARROW && k >= DEPTH;
      boolean aligned = isAligned(a) && isAligned(b);
      candidates =
          Arrays.stream(Version.values())
              .filter(v -> v.kernel.equals(onTensorCores ? "tensor" : "tiled"))
              .filter(v -> aligned || v.tile < 128)
              .toList();
    }
    long products = (long) c.replicas() * pieces(c, k);
    return candidates.stream()
        .min(
            Comparator.comparingDouble(
                v -> v.cost(c.rows(), c.columns(), products, launcher.card().multiprocessors())))
        .orElseThrow();
  }

  /** Whether every row of every replica starts at a multiple of 16 bytes. */
  private static boolean isAligned(Matrix matrix) {
    return matrix.rows() == 0
        || (Launcher.address(matrix) % 16 == 0
            && matrix.stride() % 4 == 0
            && (matrix.replicas() == 1 || matrix.replicaStride() % 4 == 0));
  }

  private static int pieces(Matrix c, int k) {
    boolean cut =
        c.data().type() == ElementType.FLOAT32
            && k > 2 * PIECE
            && (long) c.rows() * c.columns() <= SMALL;
    return cut ? (int) parts(k, PIECE) : 1;
  }

  /** The same by a given version, of which those with tiles of 128 need aligned rows. */
  void gemm(
      Version version,
      boolean transposeA,
      Matrix a,
      boolean transposeB,
      Matrix b,
      float beta,
      Matrix c) {
    ElementType type = c.data().type();
    int m = c.rows();
    int n = c.columns();
    int k = transposeA ? a.rows() : a.columns();
    int pieces = pieces(c, k);
    if (pieces == 1) {
      launch(
          version,
          transposeA,
          a,
          transposeB,
          b,
          c,
          beta,
          Launcher.address(c, type),
          c.stride(),
          c.replicaStride(),
          0);
      return;
    }
    long size = (long) m * n;
    int group = (int) Math.max(1, Math.min(c.replicas(), PIECE_BYTES / (4 * pieces * size)));
    for (int first = 0; first < c.replicas(); first += group) {
      int count = Math.min(group, c.replicas() - first);
      Matrix some = c.replicas(first, count);
      long parts = launcher.scratch(4 * pieces * count * size);
      launch(
          version,
          transposeA,
          a.replicas(first, count),
          transposeB,
          b.replicas(first, count),
          some,
          0,
          parts,
          n,
          size,
          count * size);
      launcher.launch(
          MODULE,
          "sum_pieces",
          Geometry.of(Math.toIntExact(parts(count * size, SUM_THREADS)), SUM_THREADS),
          parts,
          pieces,
          count * size,
          Launcher.address(some),
          c.stride(),
          c.replicaStride(),
          m,
          n,
          count,
          beta);
    }
  }

  /**
   * Computes all pieces of the products.
   *
   * @param c for its shape
   * @param to where the first piece goes
   * @param pieceOfC elements from one piece to the next
   */
  private void launch(
      Version version,
      boolean transposeA,
      Matrix a,
      boolean transposeB,
      Matrix b,
      Matrix c,
      float beta,
      long to,
      int toStride,
      long toReplica,
      long pieceOfC) {
    ElementType type = c.data().type();
    int k = transposeA ? a.rows() : a.columns();
    int pieces = pieces(c, k);
    Products.announce(launcher.driver(), k, c);
    launcher.launch(
        MODULE,
        version.entry(transposeA, transposeB),
        Geometry.of(
            Math.toIntExact(version.tiles(c.rows(), c.columns()) * c.replicas()),
            pieces,
            1,
            version.threads),
        Launcher.address(a, type),
        a.stride(),
        a.replicaStride(),
        Launcher.address(b, type),
        b.stride(),
        b.replicaStride(),
        to,
        toStride,
        toReplica,
        c.rows(),
        c.columns(),
        k,
        beta,
        pieces == 1 ? k : PIECE,
        pieceOfC);
  }

  private static long parts(long size, int part) {
    return (size + part - 1) / part;
  }
}
