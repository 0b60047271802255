package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.Curve;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.FusedPasses.Points;
import dev.flinch.device.FusedPasses.TrajectoryCounts;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/** Launches {@code kernels/forward_trajectory.cu}. */
final class TrajectoryKernel {
  private static final String MODULE = "forward_trajectory";
  private static final int WIDEST = 1024;
  private static final int CHUNK = 8;
  private static final int WARP = 32;

  /** Points of a tile, the most first: a tile has one step less. */
  static final int[] ROWS = {64, 32, 16};

  private final Launcher launcher;
  private final boolean tensorCores;
  private final int mostRows;

  TrajectoryKernel(Launcher launcher) {
    this(launcher, launcher.card().splitTf32Pays(), ROWS[0]);
  }

  /**
   * @param tensorCores whether products are taken on tensor cores, which needs the PTX for sm_80
   * @param mostRows the most points of a tile
   */
  TrajectoryKernel(Launcher launcher, boolean tensorCores, int mostRows) {
    if (tensorCores && launcher.architecture() < 80) {
      throw new IllegalArgumentException(
          "expected PTX for sm_80 or newer, found sm_" + launcher.architecture());
    }
    this.launcher = launcher;
    this.tensorCores = tensorCores;
    this.mostRows = mostRows;
  }

  /** As {@link dev.flinch.device.FusedPasses#trajectoryTile}. */
  int tile(int widest) {
    OptionalInt rows = rows(widest);
    return rows.isPresent() ? rows.getAsInt() - 1 : 0;
  }

  /** As many points as shared memory and registers allow. */
  private OptionalInt rows(int widest) {
    if (widest > WIDEST) {
      return OptionalInt.empty();
    }
    return IntStream.of(ROWS)
        .filter(
            rows ->
                rows <= mostRows
                    && WARP * warps(rows, widest) <= mostThreads(rows)
                    && sharedBytes(rows, widest) <= launcher.card().sharedBytesPerBlock())
        .findFirst();
  }

  /** Units of a warp: each of its lanes holds 64 sums. */
  private static int columns(int rows) {
    return 64 * WARP / rows;
  }

  private static int warps(int rows, int widest) {
    return Math.max(1, ceilDiv(widest, columns(rows)));
  }

  /** What the kernel was compiled for. */
  private int mostThreads(int rows) {
    return launcher.architecture() < 80 || rows == 16 ? 256 : 512;
  }

  /** Four of a tile's activations at a time stand together. */
  private static int quads(int widest) {
    return ceilDiv(widest, CHUNK) * CHUNK / 4;
  }

  /** The kernel's own list of what is in shared memory. */
  private int sharedBytes(int rows, int widest) {
    int pitch = rows + (tensorCores ? 4 : 2);
    int stages = launcher.architecture() < 80 ? 1 : 2;
    int perWarp = (stages * CHUNK + 3) * columns(rows);
    int wide = 8 * rows + 16;
    int words = 4 * pitch * quads(widest) + warps(rows, widest) * perWarp + 3 * rows + 2;
    return wide + 4 * words;
  }

  private static int ceilDiv(int a, int b) {
    return (a + b - 1) / b;
  }

  /** As {@link dev.flinch.device.FusedPasses#trajectory}. */
  void run(
      Activation activation,
      Points points,
      long from,
      int steps,
      int stepsPerReference,
      Matrix[] weights,
      Matrix[] knots,
      Matrix referenceLogits,
      TrajectoryCounts counts) {
    int hidden = knots.length;
    boolean hasLogits = counts.logits() != null;
    require(hidden > 0, "1 hidden layer or more", "none");
    require(
        weights.length == hidden,
        "the weights of %d layers after the first".formatted(hidden),
        weights.length);
    int[] units = units(weights, knots);
    int widest = Arrays.stream(units).max().orElseThrow();
    int rows =
        rows(widest)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "trajectory: expected layers that fit a tile, found one of %d units"
                            .formatted(widest)));
    int tile = rows - 1;
    require(
        stepsPerReference > 0 && stepsPerReference % tile == 0,
        "a reference for a multiple of %d steps".formatted(tile),
        stepsPerReference);
    int references = ceilDiv(steps, stepsPerReference);
    requireShapes(points, steps, references, units, knots, referenceLogits, counts);
    if (steps == 0) {
      return;
    }
    Curve curve = points.curve();
    boolean ellipse = curve.shape() == Curve.Shape.ELLIPSE;
    DeviceArray perBin = counts.perBin();
    Matrix logits = counts.logits();
    announce(units, steps, hasLogits);
    launcher.launch(
        MODULE,
        "forward_trajectory_" + (tensorCores ? "tensor_" : "") + rows,
        Geometry.of(
                ceilDiv(Math.min(steps, stepsPerReference), tile),
                references,
                1,
                WARP * warps(rows, widest))
            .withShared(sharedBytes(rows, widest)),
        Launcher.address(points.images(), ElementType.FLOAT64),
        points.images().stride(),
        ellipse ? 0 : curve.vectors(),
        Math.cos(curve.start()),
        Math.sin(curve.start()),
        points.points(),
        from,
        steps,
        stepsPerReference,
        launcher.copy(table(units, weights, knots, hasLogits)),
        hidden,
        activation.isPiecewiseLinear() ? 0 : 1,
        quads(widest),
        hasLogits ? Launcher.address(referenceLogits) : 0L,
        hasLogits ? referenceLogits.stride() : 0,
        Launcher.addressOrNull(logits),
        hasLogits ? logits.stride() : 0,
        Launcher.address(counts.perLayer(), ElementType.INT64, 0, hidden),
        perBin == null ? 0L : Launcher.address(perBin, ElementType.INT64, 0, perBin.length()),
        perBin == null ? 0 : Math.toIntExact(perBin.length()),
        addressOrNull(counts.perStep(), ElementType.INT32, steps),
        addressOrNull(counts.hashes(), ElementType.INT64, steps));
  }

  /** As the kernel's header counts, without a tile's last point, which is the next one's first. */
  private void announce(int[] units, int steps, boolean hasLogits) {
    double flop = 4.0 * units[0];
    double weights = 0;
    for (int l = 1; l < units.length - (hasLogits ? 0 : 1); l++) {
      flop += 2.0 * units[l] * units[l - 1];
      weights += (double) units[l] * units[l - 1];
    }
    launcher.announce(flop * steps, Float.BYTES * weights);
  }

  private static long addressOrNull(DeviceArray array, ElementType type, int count) {
    return array == null ? 0 : Launcher.address(array, type, 0, count);
  }

  /** Units of the hidden layers, and classes. */
  private static int[] units(Matrix[] weights, Matrix[] knots) {
    int hidden = knots.length;
    int[] units = new int[hidden + 1];
    for (int l = 0; l < hidden; l++) {
      units[l] = knots[l].columns();
    }
    units[hidden] = weights[hidden - 1].rows();
    for (int l = 1; l <= hidden; l++) {
      Matrix w = weights[l - 1];
      require(
          w.rows() == units[l] && w.columns() == units[l - 1] && w.replicas() == 1,
          "weights of %d × %d".formatted(units[l], units[l - 1]),
          shape(w));
    }
    return units;
  }

  private static void requireShapes(
      Points points,
      int steps,
      int references,
      int[] units,
      Matrix[] knots,
      Matrix referenceLogits,
      TrajectoryCounts counts) {
    Matrix images = points.images();
    require(
        images.rows() == points.curve().vectors()
            && images.columns() == units[0]
            && images.replicas() == 1,
        "images of %d × %d".formatted(points.curve().vectors(), units[0]),
        shape(images));
    require(points.points() > 0, "1 point or more", points.points());
    for (Matrix knot : knots) {
      require(
          knot.rows() == 3 * references && knot.replicas() == 1,
          "knots of %d references, %d rows".formatted(references, 3 * references),
          shape(knot));
    }
    if (counts.logits() != null) {
      int classes = units[units.length - 1];
      require(
          referenceLogits != null
              && referenceLogits.rows() == references
              && referenceLogits.columns() == classes
              && referenceLogits.replicas() == 1,
          "logits of references of %d × %d".formatted(references, classes),
          referenceLogits == null ? "none" : shape(referenceLogits));
      Matrix logits = counts.logits();
      require(
          logits.rows() == steps && logits.columns() == classes && logits.replicas() == 1,
          "logits of %d × %d".formatted(steps, classes),
          shape(logits));
    }
  }

  /** What the kernel knows of each layer: six numbers. */
  private static long[] table(int[] units, Matrix[] weights, Matrix[] knots, boolean hasLogits) {
    int hidden = knots.length;
    long[] table = new long[6 * (hidden + 1)];
    long firstUnit = 0;
    for (int l = 0; l <= hidden; l++) {
      boolean used = l > 0 && (l < hidden || hasLogits);
      table[6 * l] = used ? Launcher.address(weights[l - 1]) : 0;
      table[6 * l + 1] = used ? weights[l - 1].stride() : 0;
      table[6 * l + 2] = units[l];
      table[6 * l + 3] = firstUnit;
      table[6 * l + 4] = l < hidden ? Launcher.address(knots[l]) : 0;
      table[6 * l + 5] = l < hidden ? knots[l].stride() : 0;
      firstUnit += units[l];
    }
    return table;
  }

  private static String shape(Matrix matrix) {
    return "%d × %d (%d replicas)".formatted(matrix.rows(), matrix.columns(), matrix.replicas());
  }

  private static void require(boolean holds, String expected, Object found) {
    if (!holds) {
      throw new IllegalArgumentException(
          "trajectory: expected %s, found %s".formatted(expected, found));
    }
  }
}
