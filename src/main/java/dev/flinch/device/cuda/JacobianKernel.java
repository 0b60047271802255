package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Launches {@code kernels/jacobian.cu}: chooses the version, and packs what it needs packed. */
final class JacobianKernel {
  private static final String MODULE = "jacobian";
  private static final int LONGS_PER_LAYER = 5;
  private static final int LONGS_PER_PACKING = 5;
  private static final int PACKING_THREADS = 256;
  private static final int STRIP_DEPTH = 8;

  /** Results of a product that each warp has. */
  private static final int WARP_RESULTS = 2048;

  /** Bytes of a multiprocessor's shared memory that each block costs beside its own. */
  private static final int SHARED_PER_BLOCK = 1024;

  /** What multiplies. */
  enum Arithmetic {
    /** float32 multiply-adds. */
    MULTIPLY_ADD,
    /** Tensor cores, with operands split into two TF32 numbers; from compute capability 8.0 on. */
    TENSOR
  }

  /**
   * A version of the kernel.
   *
   * @param rows that a block carries back together, and the most points that it takes forward: 64,
   *     32 or 16
   * @param points that a block takes forward, or 0 for as many as suit the number there is
   */
  record Version(Arithmetic arithmetic, int rows, int points) {
    private String entry() {
      return "jacobian_%s_%d".formatted(arithmetic.name().toLowerCase(Locale.ROOT), rows);
    }

    /** Units of a layer that each warp makes. */
    private int warpUnits() {
      return WARP_RESULTS / rows;
    }

    /** The most threads of a block, and what registers leave room for on a multiprocessor. */
    private int mostThreads() {
      return rows == 16 ? 256 : 384;
    }

    private int threads(int widest) {
      return (widest + warpUnits() - 1) / warpUnits() * 32;
    }

    /**
     * Shared memory of a block, as {@code Shared} in the kernel lays it out.
     *
     * @param widest units of the widest layer, the last included
     * @param slopes hidden units whose slopes are kept as bits
     */
    private long sharedBytes(int widest, int slopes, int classes, int rowsOfPoint) {
      int padding = arithmetic == Arithmetic.TENSOR ? 8 : 0;
      long warps = threads(widest) / 32;
      long seeded = (rows + rowsOfPoint - 2) / rowsOfPoint + 1;
      long floats =
          (long) roundUp(widest, STRIP_DEPTH) * (rows + padding)
              + warps * 2 * STRIP_DEPTH * (warpUnits() + padding)
              + (long) classes * rows
              + 2L * rows;
      long doubles = 2L * rows + warps * rows + classes + 4 * seeded * classes;
      return 4 * floats + 8 * doubles + (long) roundUp(slopes, 4) * rows / 8;
    }
  }

  private final Launcher launcher;
  private final Version only;

  JacobianKernel(Launcher launcher) {
    this(launcher, null);
  }

  /**
   * @param only the version to use, or null for the one that suits the card
   */
  JacobianKernel(Launcher launcher, Version only) {
    this.launcher = launcher;
    this.only = only;
  }

  /** As {@link dev.flinch.device.FusedPasses#takesJacobians}. */
  boolean takes(Activation activation, int depth, int widest, int classes) {
    if (depth < 2 || classes < 2) {
      return false;
    }
    int slopes = activation.isPiecewiseLinear() ? (depth - 1) * roundUp(widest, 2) : 0;
    int most = Math.max(widest, classes);
    // A point has one row more or less, by what the norms are of; the fewer take more room.
    return version(most, slopes, classes, classes - 1).isPresent();
  }

  private Optional<Version> version(int widest, int slopes, int classes, int rowsOfPoint) {
    int most = launcher.card().sharedBytesPerBlock();
    return versions()
        .filter(v -> v.threads(widest) <= v.mostThreads())
        .filter(v -> v.sharedBytes(widest, slopes, classes, rowsOfPoint) <= most)
        .findFirst();
  }

  /** Versions for this card, the best first. */
  private Stream<Version> versions() {
    if (only != null) {
      return Stream.of(only);
    }
    Arithmetic arithmetic =
        launcher.card().splitTf32Pays() ? Arithmetic.TENSOR : Arithmetic.MULTIPLY_ADD;
    return IntStream.of(64, 32, 16).mapToObj(r -> new Version(arithmetic, r, 0));
  }

  /** As {@link dev.flinch.device.FusedPasses#jacobians}. */
  void run(
      Activation activation,
      Matrix[] weights,
      Matrix[] biases,
      Matrix first,
      Matrix z,
      boolean ofProbabilities,
      Matrix norms,
      Matrix rows) {
    int depth = weights.length + 1;
    int[] units = new int[depth];
    units[0] = z.columns();
    for (int l = 1; l < depth; l++) {
      units[l] = weights[l - 1].rows();
    }
    int classes = units[depth - 1];
    int rowsOfPoint = ofProbabilities ? classes - 1 : classes;
    requireShapes(weights, biases, first, z, units, rowsOfPoint, norms, rows);
    int n = z.rows();
    if (n == 0) {
      return;
    }
    int[] slopes = new int[depth];
    for (int l = 1; l < depth; l++) {
      slopes[l] = slopes[l - 1] + roundUp(units[l - 1], 2);
    }
    int hidden = slopes[depth - 1];
    int widest = Arrays.stream(units).max().orElseThrow();
    int bits = activation.isPiecewiseLinear() ? hidden : 0;
    Version version =
        version(widest, bits, classes, rowsOfPoint)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "expected layers that the kernel takes, found %s units and %d classes on %s"
                            .formatted(Arrays.toString(units), classes, launcher.card().name())));
    int shared = (int) version.sharedBytes(widest, bits, classes, rowsOfPoint);
    int threads = version.threads(widest);
    int resident = residentBlocks(version, threads, shared);
    double products =
        Arrays.stream(weights).mapToDouble(w -> (double) w.rows() * w.columns()).sum();
    double last = (double) first.rows() * first.columns();
    int points =
        version.points() > 0
            ? version.points()
            : points(n, resident, version.rows(), rowsOfPoint, products, products + last);
    int blocks = Math.min((n + points - 1) / points, resident);

    Packer packer = new Packer(weights, first);
    long slopeBytes = activation.isPiecewiseLinear() ? 0 : 4L * blocks * hidden * version.rows();
    long scratch = launcher.scratch(packer.bytes() + slopeBytes);
    packer.pack(scratch);
    long[] layers = new long[depth * LONGS_PER_LAYER];
    for (int l = 0; l < depth; l++) {
      int at = l * LONGS_PER_LAYER;
      layers[at] = packer.forward[l];
      layers[at + 1] = packer.backward[l];
      layers[at + 2] = biases == null ? 0 : Launcher.address(biases[l]);
      layers[at + 3] = pair(packer.backwardStride[l], units[l]);
      layers[at + 4] = pair(l == 0 ? first.columns() : units[l - 1], slopes[l]);
    }
    launcher.announce(
        2.0 * n * (products + rowsOfPoint * (products + last)),
        Float.BYTES * (2 * products + last + (double) n * units[0])
            + (norms == null ? 0.0 : (double) Double.BYTES * n)
            + (rows == null ? 0.0 : (double) Float.BYTES * n * rowsOfPoint * first.columns()));
    launcher.launch(
        MODULE,
        version.entry(),
        Geometry.of(blocks, threads).withShared(shared),
        launcher.copy(layers),
        depth,
        Launcher.address(z),
        (long) z.stride(),
        n,
        points,
        activation.isPiecewiseLinear() ? 0 : 1,
        (float) activation.low(),
        (float) activation.high(),
        (float) activation.shift(),
        scratch + packer.bytes(),
        hidden,
        roundUp(widest, STRIP_DEPTH),
        ofProbabilities ? 1 : 0,
        norms == null ? 0L : Launcher.address(norms, ElementType.FLOAT64),
        norms == null ? 0L : norms.stride(),
        Launcher.addressOrNull(rows),
        rows == null ? 0L : rows.stride());
  }

  private static void requireShapes(
      Matrix[] weights,
      Matrix[] biases,
      Matrix first,
      Matrix z,
      int[] units,
      int rowsOfPoint,
      Matrix norms,
      Matrix rows) {
    require("weights", "one matrix or more", weights.length > 0, weights.length + " matrices");
    require("classes", "2 or more", units[units.length - 1] > 1, "" + units[units.length - 1]);
    for (int l = 0; l < weights.length; l++) {
      require("weights " + (l + 2), weights[l], weights[l].rows(), units[l]);
    }
    require("first", first, units[0], first.columns());
    require("first", "a column or more", first.columns() > 0, "none");
    if (biases != null) {
      require(
          "biases",
          "%d matrices".formatted(units.length),
          biases.length == units.length,
          biases.length + " matrices");
      for (int l = 0; l < units.length; l++) {
        require("bias " + (l + 1), biases[l], 1, units[l]);
      }
    }
    if (norms != null) {
      require("norms", norms, z.rows(), 1);
    }
    if (rows != null) {
      require("rows", rows, z.rows() * rowsOfPoint, first.columns());
    }
    require("z", z, z.rows(), units[0]);
  }

  private static void require(String what, Matrix matrix, int rows, int columns) {
    require(
        what,
        "%d × %d of one replica".formatted(rows, columns),
        matrix.rows() == rows && matrix.columns() == columns && matrix.replicas() == 1,
        "%d × %d of %d".formatted(matrix.rows(), matrix.columns(), matrix.replicas()));
  }

  private static void require(String what, String expected, boolean holds, String found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "jacobians: %s: expected %s, found %s".formatted(what, expected, found));
    }
  }

  private int residentBlocks(Version version, int threads, int shared) {
    Card card = launcher.card();
    int byShared = (card.sharedBytesPerBlock() + SHARED_PER_BLOCK) / (shared + SHARED_PER_BLOCK);
    int byThreads = version.mostThreads() / threads;
    return card.multiprocessors() * Math.max(1, Math.min(byShared, byThreads));
  }

  /**
   * How many points a block takes at a time: many share a forward pass and fill the last of their
   * backward passes, few leave no multiprocessor without work. Results don't depend on it.
   *
   * @param forward what a forward pass costs, however few its points
   * @param backward what a pass of {@code rows} rows costs
   */
  private static int points(
      int n, int resident, int rows, int rowsOfPoint, double forward, double backward) {
    int best = 1;
    double least = Double.POSITIVE_INFINITY;
    for (int points = 1; points <= Math.min(n, rows); points++) {
      long tiles = (n + points - 1L) / points;
      long waves = (tiles + resident - 1) / resident;
      long passes = (points * rowsOfPoint + rows - 1) / rows;
      double cost = waves * (forward + passes * backward);
      if (cost <= least) {
        least = cost;
        best = points;
      }
    }
    return best;
  }

  private static int roundUp(int value, int multiple) {
    return (value + multiple - 1) / multiple * multiple;
  }

  /** Two 32-bit integers as they stand behind each other in memory. */
  private static long pair(int low, int high) {
    return (long) high << 32 | low & 0xffffffffL;
  }

  /**
   * The matrices as the kernel reads them, in rows of whole 16 bytes: all weights but the first
   * layer's transposed for the way forward; for the way back as they are where that fits, else
   * copied.
   */
  private final class Packer {
    private final Matrix[] matrices;
    private final long[] forward;
    private final long[] backward;
    private final int[] backwardStride;
    private long bytes;

    Packer(Matrix[] weights, Matrix first) {
      int depth = weights.length + 1;
      matrices = new Matrix[depth];
      matrices[0] = first;
      System.arraycopy(weights, 0, matrices, 1, depth - 1);
      forward = new long[depth];
      backward = new long[depth];
      backwardStride = new int[depth];
      for (int l = 0; l < depth; l++) {
        Matrix m = matrices[l];
        if (l > 0) {
          forward[l] = reserve(m.columns(), m.rows());
        }
        if (!isPacked(m)) {
          backward[l] = reserve(m.rows(), m.columns());
        }
      }
    }

    private long reserve(int rows, int columns) {
      long at = bytes;
      bytes += 4L * Math.multiplyExact(rows, roundUp(columns, 4));
      return at;
    }

    private static boolean isPacked(Matrix m) {
      return m.columns() % 4 == 0
          && m.stride() % 4 == 0
          && Launcher.address(m) % 16 == 0
          && (long) m.rows() * m.stride() <= Integer.MAX_VALUE;
    }

    /** How much memory all this takes. */
    long bytes() {
      return bytes;
    }

    /** Packs what has to be into {@code scratch}; now the addresses are true. */
    void pack(long scratch) {
      long[] table = new long[2 * matrices.length * LONGS_PER_PACKING];
      int count = 0;
      int tiles = 1;
      for (int l = 0; l < matrices.length; l++) {
        Matrix m = matrices[l];
        if (l > 0) {
          forward[l] += scratch;
          put(table, count++, m, forward[l], roundUp(m.rows(), 4), true);
        }
        if (isPacked(m)) {
          backward[l] = Launcher.address(m);
          backwardStride[l] = m.stride();
        } else {
          backward[l] += scratch;
          backwardStride[l] = roundUp(m.columns(), 4);
          put(table, count++, m, backward[l], roundUp(m.columns(), 4), false);
        }
        tiles = Math.max(tiles, (m.rows() + 31) / 32 * ((m.columns() + 31) / 32));
      }
      launcher.launch(
          MODULE,
          "jacobian_pack",
          Geometry.of(tiles, count, 1, PACKING_THREADS),
          launcher.copy(Arrays.copyOf(table, count * LONGS_PER_PACKING)));
    }

    private static void put(
        long[] table, int index, Matrix m, long target, int targetStride, boolean transposed) {
      int at = index * LONGS_PER_PACKING;
      table[at] = Launcher.address(m);
      table[at + 1] = target;
      table[at + 2] = m.stride();
      table[at + 3] = pair(m.rows(), m.columns());
      table[at + 4] = pair(targetStride, transposed ? 1 : 0);
    }
  }
}
