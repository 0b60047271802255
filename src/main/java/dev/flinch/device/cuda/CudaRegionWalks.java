package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;

/**
 * Launches {@code kernels/walk.cu}: a block a walker. What a walker keeps beside its trace is in
 * the lane's scratch memory, so as many walk at once as there is room for.
 */
final class CudaRegionWalks implements RegionWalks {
  /**
   * What {@link #walk} takes of the card's memory at most: a share of it, and no more than that.
   */
  private static final long MOST_SCRATCH = 1L << 30;

  private static final int SHARE_OF_MEMORY = 8;

  private static final String MODULE = "walk";
  private static final int LONGS_PER_LAYER = 6;
  private static final int WARP = 32;
  private static final int MOST_THREADS = 256;

  /** Vectors of the widest layer that a walker's block has room for, and with Gram matrices. */
  private static final int VECTORS = 6;

  private static final int VECTORS_WITH_GRAMS = 9;

  /** Shared memory that the kernel has without asking, rounded up. */
  private static final int STATIC_SHARED = 512;

  private final Launcher launcher;
  private final Networks networks;
  private final int[] units;
  private final int hiddenUnits;
  private final int classes;

  CudaRegionWalks(Launcher launcher, Networks networks) {
    OperandShapes.walks(networks);
    this.launcher = launcher;
    this.networks = networks;
    int hidden = networks.weights().length;
    this.units = Arrays.copyOf(networks.hidden(), hidden + 1);
    this.classes = networks.classes();
    units[hidden] = classes;
    this.hiddenUnits = networks.hiddenUnits();
  }

  @Override
  public void walk(Lane lane, Walkers walkers, Trace trace) {
    OperandShapes.walk(networks, walkers, trace);
    int count = walkers.count();
    if (count == 0) {
      return;
    }
    Activation activation = networks.activation();
    Matrix factors = trace.grams() == null ? null : networks.factors();
    int columns = factors == null ? 0 : factors.columns();
    int widest = Math.max(columns, Arrays.stream(units).max().orElseThrow());
    int threads = Math.min(MOST_THREADS, (widest + WARP - 1) / WARP * WARP);
    long roomBytes = roomBytes(widest, threads, factors != null);
    boolean shared = roomBytes + STATIC_SHARED <= launcher.card().sharedBytesPerBlock();
    // Each coefficient of all units starts at a multiple of 32 bytes.
    long doubles = 3L * ((hiddenUnits + classes + 3) / 4 * 4) + (long) classes * columns;
    long ofWalker = 8 * doubles + (shared ? 0 : roomBytes);
    long most = Math.min(MOST_SCRATCH, launcher.card().memoryBytes() / SHARE_OF_MEMORY);
    int atOnce = (int) Math.max(1, Math.min(count, most / ofWalker));
    long scratch = launcher.scratch(atOnce * ofWalker);
    long layers = launcher.copy(layers());
    long replicas = launcher.copy(walkers.replicas());
    long from = launcher.copy(walkers.from());
    long to = launcher.copy(walkers.to());
    long resumed = launcher.copy(flags(walkers.resumed()));
    for (int first = 0; first < count; first += atOnce) {
      launcher.launch(
          MODULE,
          shared ? "walk" : "walk_wide",
          Geometry.of(Math.min(atOnce, count - first), threads)
              .withShared(shared ? (int) roomBytes : 0),
          layers,
          networks.weights().length,
          widest,
          activation.low(),
          activation.high(),
          activation.shift(),
          activation.knots(),
          walkers.arcs() ? 1 : 0,
          factors == null ? 0L : Launcher.address(factors, ElementType.FLOAT64),
          factors == null ? 0 : factors.stride(),
          factors == null ? 0L : factors.replicaStride(),
          columns,
          Launcher.address(walkers.first(), ElementType.FLOAT64),
          walkers.first().stride(),
          replicas,
          from,
          to,
          resumed,
          first,
          scratch,
          ofWalker / 8,
          trace.capacity(),
          all(trace.counts(), ElementType.INT32),
          all(trace.reached(), ElementType.FLOAT64),
          all(trace.parameters(), ElementType.FLOAT64),
          all(trace.crossings(), ElementType.INT32),
          all(trace.codes(), ElementType.INT32),
          all(trace.hashes(), ElementType.INT64),
          all(trace.drift(), ElementType.FLOAT64),
          factors == null ? 0L : all(trace.logits(), ElementType.FLOAT64),
          factors == null ? 0L : all(trace.grams(), ElementType.FLOAT64));
    }
  }

  @Override
  public void norms(
      Lane lane,
      Walkers walkers,
      Trace trace,
      int[] pointsFrom,
      DeviceArray points,
      DeviceArray norms) {
    OperandShapes.regionNorms(networks, walkers, trace, pointsFrom, points, norms);
    int count = walkers.count();
    int pointCount = pointsFrom[count] - pointsFrom[0];
    if (pointCount == 0) {
      return;
    }
    int blocks = ElementGrid.blocks(launcher.card(), pointCount, MOST_THREADS);
    launcher.launch(
        MODULE,
        "region_norms",
        Geometry.of(blocks, MOST_THREADS),
        count,
        trace.capacity(),
        classes,
        walkers.arcs() ? 1 : 0,
        launcher.copy(pointsFrom),
        all(trace.counts(), ElementType.INT32),
        all(trace.parameters(), ElementType.FLOAT64),
        all(trace.logits(), ElementType.FLOAT64),
        all(trace.grams(), ElementType.FLOAT64),
        all(points, ElementType.FLOAT64),
        all(norms, ElementType.FLOAT64),
        launcher.scratch(8L * blocks * MOST_THREADS * classes));
  }

  /** Bytes of {@code Walk}'s vectors, and of what it knows of each layer. */
  private long roomBytes(int widest, int threads, boolean withGrams) {
    long hidden = networks.weights().length;
    long warps = threads / WARP;
    long vectors = (withGrams ? VECTORS_WITH_GRAMS : VECTORS) * (long) widest;
    long bytes = 8 * (vectors + hidden * warps + hidden + 1) + 4 * hidden * (warps + 1);
    return (bytes + 7) / 8 * 8;
  }

  /** The kernel's {@code Layer}s. */
  private long[] layers() {
    long[] table = new long[units.length * LONGS_PER_LAYER];
    int before = 0;
    for (int l = 0; l < units.length; l++) {
      int at = l * LONGS_PER_LAYER;
      int stride = 0;
      if (l > 0) {
        Matrix weights = networks.weights()[l - 1];
        table[at] = Launcher.address(weights);
        table[at + 1] = weights.replicaStride();
        stride = weights.stride();
      }
      if (networks.biases() != null) {
        Matrix bias = networks.biases()[l];
        table[at + 2] = Launcher.address(bias);
        table[at + 3] = bias.replicaStride();
      }
      table[at + 4] = pair(stride, units[l]);
      table[at + 5] = pair(before, 0);
      before += units[l];
    }
    return table;
  }

  private static int[] flags(boolean[] values) {
    int[] flags = new int[values.length];
    for (int i = 0; i < flags.length; i++) {
      flags[i] = values[i] ? 1 : 0;
    }
    return flags;
  }

  private static long all(DeviceArray array, ElementType type) {
    return Launcher.address(array, type, 0, array.length());
  }

  /** Two 32-bit integers as they stand behind each other in memory. */
  private static long pair(int low, int high) {
    return (long) high << 32 | low & 0xffffffffL;
  }

  @Override
  public void close() {
    // Networks' matrices are read where they are, and what a walk keeps is the lane's.
  }
}
