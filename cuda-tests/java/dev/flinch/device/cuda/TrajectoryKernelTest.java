package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.Curve;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.FusedPasses.Points;
import dev.flinch.device.FusedPasses.TrajectoryCounts;
import dev.flinch.device.Matrix;
import dev.flinch.device.PatternHash;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Trajectories through whole networks against double precision. The networks' inputs are the
 * coefficients of a curve's vectors, so the first layer's weights are the vectors' images.
 */
@Tag("cuda")
@TestInstance(Lifecycle.PER_CLASS)
class TrajectoryKernelTest {
  /** What one rounding to float32 changes, relatively. */
  private static final double ROUNDING = 0x1p-24;

  /**
   * How far float32 may be from double precision, in units of what independent roundings add up to
   * (the root of the sum of their squares). Of a normal distribution, six are not reached in 10⁵
   * numbers; tensor cores cut off where FMA rounds, which doubles them.
   */
  private static final double MARGIN = 12;

  private static final int CLASSES = 5;

  private KernelStand stand;

  /** The card to test on, for the caller to close. */
  Driver driver() {
    return TestedDevice.driver();
  }

  @BeforeAll
  void open() {
    stand = new KernelStand(driver());
  }

  @AfterEach
  void clear() {
    stand.clear();
  }

  @AfterAll
  void close() {
    stand.close();
  }

  /** A version of the kernel: tensor cores or not, and the most points of a tile. */
  record Version(boolean tensorCores, int rows) {}

  Stream<Version> versions() {
    return IntStream.of(TrajectoryKernel.ROWS)
        .boxed()
        .flatMap(
            rows ->
                Stream.of(false, true)
                    .filter(tensorCores -> !tensorCores || stand.launcher().architecture() >= 80)
                    .map(tensorCores -> new Version(tensorCores, rows)));
  }

  private TrajectoryKernel kernel(Version version) {
    return new TrajectoryKernel(stand.launcher(), version.tensorCores, version.rows);
  }

  /** How matrices lie in memory. */
  private enum Layout {
    /** Rows of a multiple of 16 elements, with rubbish behind their columns. */
    PADDED,
    /** Rows without gaps. */
    DENSE,
    /** Rows without gaps, from an address that is no multiple of 8 bytes on. */
    ODD
  }

  /** A network and a part of a trajectory. */
  private record Path(
      Reference network, Curve curve, long points, long from, int steps, Layout layout) {

    static Path of(
        long seed,
        Activation activation,
        boolean biases,
        Curve curve,
        long points,
        long from,
        int steps,
        int... hidden) {
      Integer[] units = new Integer[hidden.length + 2];
      units[0] = curve.vectors();
      units[hidden.length + 1] = CLASSES;
      for (int l = 0; l < hidden.length; l++) {
        units[l + 1] = hidden[l];
      }
      Reference network = Reference.of(RandomNetworks.network(seed, activation, biases, units));
      return new Path(network, curve, points, from, steps, Layout.values()[(int) (seed % 3)]);
    }

    int hidden() {
      return network.weights().length - 1;
    }

    int widest() {
      return Arrays.stream(network.weights()).mapToInt(w -> w.length).max().orElseThrow();
    }

    /** The coefficients of a point. */
    double[] point(long i) {
      int[] indices = new int[curve.terms()];
      double[] coefficients = new double[curve.terms()];
      curve.coordinates(curve.period() * (i % points) / points, indices, coefficients, 0);
      double[] x = new double[curve.vectors()];
      for (int k = 0; k < indices.length; k++) {
        x[indices[k]] += coefficients[k];
      }
      return x;
    }

    /** One tile, or a few. */
    int stepsPerReference(TrajectoryKernel kernel) {
      return kernel.tile(widest()) * (1 + steps % 3);
    }

    /** The reference point of a step. */
    long reference(int step, int stepsPerReference) {
      return from + step / stepsPerReference * stepsPerReference + stepsPerReference / 2;
    }
  }

  /** What a launch left. */
  private record Found(
      long[] perLayer, long[] perBin, int[] perStep, long[] hashes, double[] logits) {}

  private DeviceArray zeros(ElementType type, int length) {
    CudaArray array = new CudaArray(stand.driver(), type, length, new AtomicLong());
    stand.launcher().zero(array.address(0, length), array.bytes());
    return array;
  }

  private ByteBuffer download(DeviceArray array) {
    Driver driver = stand.driver();
    int bytes = (int) array.length() * array.type().bytes();
    ByteBuffer pinned = driver.pin(bytes);
    driver.download(
        stand.launcher().stream(),
        ((CudaArray) array).address(0, array.length()),
        pinned,
        0,
        bytes);
    new Waiting(driver, Duration.ofMinutes(1)).forAll(stand.launcher().stream());
    ByteBuffer copy = ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder());
    copy.put(pinned.duplicate().limit(bytes)).flip();
    driver.unpin(pinned);
    return copy;
  }

  private long[] longs(DeviceArray array) {
    long[] values = new long[(int) array.length()];
    download(array).asLongBuffer().get(values);
    return values;
  }

  private int[] ints(DeviceArray array) {
    int[] values = new int[(int) array.length()];
    download(array).asIntBuffer().get(values);
    return values;
  }

  private Matrix matrix(double[][] values, Layout layout) {
    int columns = values[0].length;
    int stride = layout == Layout.PADDED ? Matrix.paddedColumns(columns) : columns;
    int offset = layout == Layout.ODD ? 1 : 0;
    float[] flat = new float[offset + values.length * stride];
    Arrays.fill(flat, Float.NaN);
    for (int i = 0; i < values.length; i++) {
      for (int j = 0; j < columns; j++) {
        flat[offset + i * stride + j] = (float) values[i][j];
      }
    }
    boolean padded = layout == Layout.PADDED;
    return new Matrix(stand.floats(flat), offset, values.length, columns, stride, padded, 1, 0);
  }

  private Found run(TrajectoryKernel kernel, Path path, int bins, boolean all) {
    Reference network = path.network();
    int hidden = path.hidden();
    int shared = path.stepsPerReference(kernel);
    int references = (path.steps() + shared - 1) / shared;
    Activation activation = network.activation();
    double[][][] knots = new double[hidden][3 * references][];
    double[][] logits = new double[references][];
    for (int t = 0; t < references; t++) {
      double[][] z = network.preActivations(path.point(path.reference(t * shared, shared)));
      for (int l = 0; l < hidden; l++) {
        double[] low = Arrays.stream(z[l]).map(v -> (float) (activation.low() - v)).toArray();
        double[] high = Arrays.stream(z[l]).map(v -> (float) (activation.high() - v)).toArray();
        double[] base = new double[low.length];
        for (int j = 0; j < base.length; j++) {
          base[j] =
              activation == Activation.TANH
                  ? Math.tanh(z[l][j])
                  : Math.min(Math.max(0, low[j]), high[j]);
        }
        knots[l][3 * t] = low;
        knots[l][3 * t + 1] = high;
        knots[l][3 * t + 2] = base;
      }
      logits[t] = z[hidden];
    }
    double[][] first = network.weights()[0];
    double[] images = new double[path.curve().vectors() * first.length];
    for (int v = 0; v < path.curve().vectors(); v++) {
      for (int j = 0; j < first.length; j++) {
        images[v * first.length + j] = first[j][v];
      }
    }
    Points points =
        new Points(
            path.curve(),
            Matrix.of(stand.doubles(images), 0, path.curve().vectors(), first.length),
            path.points());
    Matrix[] weights = new Matrix[hidden];
    Matrix[] deviceKnots = new Matrix[hidden];
    for (int l = 0; l < hidden; l++) {
      weights[l] = matrix(network.weights()[l + 1], path.layout());
      deviceKnots[l] = matrix(knots[l], path.layout());
    }
    DeviceArray perLayer = zeros(ElementType.INT64, hidden);
    DeviceArray perBin = zeros(ElementType.INT64, bins);
    DeviceArray perStep = zeros(ElementType.INT32, path.steps());
    DeviceArray hashes = zeros(ElementType.INT64, path.steps());
    DeviceArray out = zeros(ElementType.FLOAT32, path.steps() * CLASSES);
    try (perLayer;
        perBin;
        perStep;
        hashes;
        out) {
      kernel.run(
          activation,
          points,
          path.from(),
          path.steps(),
          shared,
          weights,
          deviceKnots,
          all ? matrix(logits, path.layout()) : null,
          new TrajectoryCounts(
              perLayer,
              all ? perBin : null,
              all ? perStep : null,
              all ? hashes : null,
              all ? Matrix.of(out, 0, path.steps(), CLASSES) : null));
      return new Found(
          longs(perLayer), longs(perBin), ints(perStep), longs(hashes), stand.values(out));
    }
  }

  /** A point in double precision, and how far float32 may be from it. */
  private record Expected(double[][] z, double[][] errors) {

    /** Roundings from layer to layer, each relative to the difference from the reference. */
    static Expected of(Path path, long point, long reference) {
      Reference network = path.network();
      Activation activation = network.activation();
      double[][] z = network.preActivations(path.point(point));
      double[][] origin = network.preActivations(path.point(reference));
      double[][] errors = new double[z.length][];
      double[] from = null;
      for (int l = 0; l < z.length; l++) {
        errors[l] = new double[z[l].length];
        double[] h = new double[z[l].length];
        for (int j = 0; j < z[l].length; j++) {
          double squares = 0;
          if (l == 0) {
            // Directions and coefficients, rounded: of the tangent and of what is across it.
            double extent = 0;
            double[] a = path.point(point);
            double[] b = path.point(reference);
            for (int v = 0; v < a.length; v++) {
              extent += Math.abs((a[v] - b[v]) * network.weights()[0][j][v]);
            }
            squares = 9 * Math.pow(ROUNDING * extent, 2);
          } else {
            // Products rounded once each, and the sum as often as it has terms.
            double sum = 0;
            for (int k = 0; k < from.length; k++) {
              double w = network.weights()[l][j][k];
              double d = activation.value(z[l - 1][k]) - activation.value(origin[l - 1][k]);
              sum += w * d;
              squares +=
                  Math.pow(w * from[k], 2) + Math.pow(ROUNDING, 2) * (w * w * d * d + sum * sum);
            }
          }
          errors[l][j] = Math.sqrt(squares);
          // Rounded clamps and bases; the slope is at most 1. For tanh a few operations more.
          double d = z[l][j] - origin[l][j];
          h[j] = Math.hypot(errors[l][j], (activation == Activation.TANH ? 6 : 2) * ROUNDING * d);
        }
        from = h;
      }
      return new Expected(z, errors);
    }

    /** Whether rounding might put a unit on the other side of a knot. */
    static boolean isUncertain(
        Activation activation, double z, double origin, double error, double knot) {
      return activation.knots() > (knot == activation.low() ? 0 : 1)
          && Math.abs(z - knot) <= MARGIN * error + 2 * ROUNDING * Math.abs(knot - origin);
    }
  }

  /** Compares a launch with double precision. */
  private void assertAgrees(Version version, Path path) {
    TrajectoryKernel kernel = kernel(version);
    int shared = path.stepsPerReference(kernel);
    int bins = 7;
    Found found = run(kernel, path, bins, true);
    Activation activation = path.network().activation();
    int hidden = path.hidden();
    long[] perLayer = new long[hidden];
    long[] uncertainPerLayer = new long[hidden];
    long[] perBin = new long[bins];
    long certainPoints = 0;
    double[] knots =
        activation.knots() == 1
            ? new double[] {activation.low()}
            : new double[] {activation.low(), activation.high()};
    for (int s = 0; s < path.steps(); s++) {
      long reference = path.reference(s, shared);
      double[][] origin = path.network().preActivations(path.point(reference));
      Expected here = Expected.of(path, path.from() + s, reference);
      Expected next = Expected.of(path, path.from() + s + 1, reference);
      long hash = 0;
      long unit = 0;
      int transitions = 0;
      int uncertain = 0;
      boolean certain = true;
      for (int l = 0; l < hidden; l++) {
        for (int j = 0; j < here.z[l].length; j++, unit++) {
          int code = activation.code(here.z[l][j]);
          int changed = Math.abs(code - activation.code(next.z[l][j]));
          hash += code * PatternHash.key(unit);
          transitions += changed;
          perLayer[l] += changed;
          for (double knot : knots) {
            boolean a =
                Expected.isUncertain(
                    activation, here.z[l][j], origin[l][j], here.errors[l][j], knot);
            boolean b =
                Expected.isUncertain(
                    activation, next.z[l][j], origin[l][j], next.errors[l][j], knot);
            certain &= !a;
            uncertain += a || b ? 1 : 0;
            uncertainPerLayer[l] += a || b ? 1 : 0;
          }
        }
      }
      String what = "step %d of %s, %s".formatted(s, describe(path), version);
      assertTrue(
          Math.abs(found.perStep[s] - transitions) <= uncertain,
          "%s: expected %d ± %d transitions, found %d"
              .formatted(what, transitions, uncertain, found.perStep[s]));
      perBin[(int) ((path.from() + s) % path.points() * bins / path.points())] += found.perStep[s];
      if (certain) {
        certainPoints++;
        assertEquals(hash, found.hashes[s], what + ": hash");
      }
      for (int c = 0; c < CLASSES; c++) {
        double logit = here.z[hidden][c];
        double tolerance =
            MARGIN * here.errors[hidden][c]
                + 2 * ROUNDING * (Math.abs(logit) + Math.abs(origin[hidden][c]));
        assertEquals(logit, found.logits[s * CLASSES + c], tolerance, what + ": logit " + c);
      }
    }
    assertArrayEquals(perBin, found.perBin, describe(path));
    assertEquals(
        Arrays.stream(found.perStep).asLongStream().sum(), Arrays.stream(found.perLayer).sum());
    for (int l = 0; l < hidden; l++) {
      assertTrue(
          Math.abs(found.perLayer[l] - perLayer[l]) <= uncertainPerLayer[l],
          "layer %d of %s, %s: expected %d ± %d transitions, found %d"
              .formatted(
                  l,
                  describe(path),
                  version,
                  perLayer[l],
                  uncertainPerLayer[l],
                  found.perLayer[l]));
    }
    // What is left out by doubt is little.
    assertTrue(
        10 * certainPoints >= 9 * path.steps(),
        "%s: only %d of %d points are certain"
            .formatted(describe(path), certainPoints, path.steps()));
  }

  private static String describe(Path path) {
    return "%s through %s %s, from %d of %d"
        .formatted(
            path.curve(),
            path.network().activation(),
            Arrays.stream(path.network().weights()).map(w -> w.length).toList(),
            path.from(),
            path.points());
  }

  @ParameterizedTest
  @MethodSource("versions")
  void anyWidthsAndStepsAgreeWithDoublePrecision(Version version) {
    Curve ellipse = Curve.ellipse(0.7);
    assertAgrees(version, Path.of(1, Activation.RELU, false, ellipse, 1000, 0, 1, 1));
    assertAgrees(version, Path.of(2, Activation.RELU, true, ellipse, 1000, 990, 5, 3, 1, 17));
    assertAgrees(version, Path.of(3, Activation.RELU, true, ellipse, 3000, 7, 63, 33, 32, 31));
    assertAgrees(version, Path.of(4, Activation.RELU, true, ellipse, 500, 471, 65, 17, 64, 3, 40));
    assertAgrees(version, Path.of(5, Activation.RELU, false, ellipse, 1 << 20, 77, 64, 100, 66));
  }

  @ParameterizedTest
  @MethodSource("versions")
  void allActivationsAgreeWithDoublePrecision(Version version) {
    for (Activation activation : Activation.values()) {
      Curve ellipse = Curve.ellipse(-1);
      long seed = 10 + activation.ordinal();
      assertAgrees(version, Path.of(seed, activation, true, ellipse, 777, 700, 80, 24, 33, 18));
    }
  }

  @ParameterizedTest
  @MethodSource("versions")
  void polygonsAgreeWithDoublePrecision(Version version) {
    Activation activation = Activation.HARD_SIGMOID;
    // Within an edge, around a corner, around many corners and back to the start.
    assertAgrees(version, Path.of(20, activation, false, Curve.polygon(5), 5000, 120, 70, 20, 33));
    assertAgrees(version, Path.of(21, activation, true, Curve.polygon(28), 1400, 33, 70, 20, 33));
    assertAgrees(version, Path.of(22, activation, true, Curve.polygon(9), 31, 20, 90, 20, 9));
  }

  @Test
  void layersOfHundredsOfUnitsTakeFewerPointsAtATime() {
    Version version = new Version(stand.launcher().architecture() >= 80, 64);
    TrajectoryKernel kernel = kernel(version);
    assertTrue(kernel.tile(200) == 63, "tile of 200 units: " + kernel.tile(200));
    assertTrue(kernel.tile(500) < 63, "tile of 500 units: " + kernel.tile(500));
    assertEquals(0, kernel.tile(1025));
    Curve ellipse = Curve.ellipse(0);
    assertAgrees(version, Path.of(30, Activation.RELU, false, ellipse, 2000, 5, 9, 200, 500));
  }

  @ParameterizedTest
  @MethodSource("versions")
  void transitionsOfAWholeTrajectoryAreTheReferences(Version version) {
    Activation activation = Activation.RELU6;
    int points = 1260;
    Path path = Path.of(40, activation, true, Curve.ellipse(0.1), points, 0, points, 64, 60, 50);
    Found found = run(kernel(version), path, 9, true);
    Reference.Transitions expected = path.network().transitions(path::point, points, 9);
    // Of a thousand transitions, at most two may be lost or found by rounding.
    assertTrue(expected.total() > 100, "only " + expected.total());
    assertEquals(expected.total(), Arrays.stream(found.perLayer).sum(), 0.002 * expected.total());
    for (int l = 0; l < expected.perLayer().length; l++) {
      assertEquals(expected.perLayer()[l], found.perLayer[l], 0.002 * expected.perLayer()[l]);
    }
    for (int bin = 0; bin < 9; bin++) {
      // A crossing moved over a bin's end shows in both.
      assertEquals(expected.perBin()[bin], found.perBin[bin], 1 + 0.002 * expected.perBin()[bin]);
    }
    assertEquals(expected.regions(), Arrays.stream(found.perStep).filter(t -> t > 0).count(), 2);
  }

  @ParameterizedTest
  @MethodSource("versions")
  void countsAreAddedAndTheSameOnEveryRun(Version version) {
    Path path = Path.of(50, Activation.TANH, true, Curve.ellipse(3), 900, 850, 130, 33, 40, 20);
    Found once = run(kernel(version), path, 4, true);
    Found again = run(kernel(version), path, 4, true);
    assertArrayEquals(once.perLayer, again.perLayer);
    assertArrayEquals(once.perBin, again.perBin);
    assertArrayEquals(once.perStep, again.perStep);
    assertArrayEquals(once.hashes, again.hashes);
    assertArrayEquals(once.logits, again.logits);
    assertArrayEquals(
        once.perLayer, run(kernel(version), path, 4, false).perLayer, "counts of layers alone");
  }

  @Test
  void whatDoesNotFitIsRefused() {
    TrajectoryKernel kernel = new TrajectoryKernel(stand.launcher());
    Points points =
        new Points(Curve.ellipse(0), Matrix.of(stand.doubles(new double[12]), 0, 3, 4), 100);
    Matrix[] weights = {Matrix.of(stand.floats(new float[8]), 0, 2, 4)};
    Matrix[] knots = {Matrix.of(stand.floats(new float[12]), 0, 3, 4)};
    Matrix logits = Matrix.of(stand.floats(new float[20]), 0, 10, 2);
    Matrix references = Matrix.of(stand.floats(new float[2]), 0, 1, 2);
    DeviceArray perLayer = stand.doubles(new double[1]);
    TrajectoryCounts counts = new TrajectoryCounts(perLayer, null, null, null, logits);
    for (Runnable wrong :
        List.<Runnable>of(
            () -> run(kernel, points, 10, new Matrix[0], knots, references, counts),
            () -> run(kernel, points, 10, weights, new Matrix[0], references, counts),
            () -> run(kernel, points, 64, weights, knots, references, counts),
            () -> run(kernel, points, 9, weights, knots, references, counts),
            () -> run(kernel, points, 10, weights, knots, null, counts),
            () ->
                kernel.run(Activation.RELU, points, 0, 10, 64, weights, knots, references, counts),
            // The last one's counts are not whole numbers.
            () -> run(kernel, points, 10, weights, knots, references, counts))) {
      assertThrows(IllegalArgumentException.class, wrong::run);
    }
  }

  private static void run(
      TrajectoryKernel kernel,
      Points points,
      int steps,
      Matrix[] weights,
      Matrix[] knots,
      Matrix references,
      TrajectoryCounts counts) {
    int shared = kernel.tile(4);
    kernel.run(Activation.RELU, points, 0, steps, shared, weights, knots, references, counts);
  }

  @Test
  void everyCardTakesLayersThatItsSharedMemoryHolds() {
    // Units of the widest layer that takes 64 points at a time, and any: 64, 99, 163 and 227 KiB.
    assertWidest(75, 200, 512);
    assertWidest(86, 288, 640);
    assertWidest(80, 480, 1024);
    assertWidest(90, 512, 1024);
  }

  /** Exactly how wide layers may be in float32 on a card. */
  private static void assertWidest(int computeCapability, int most64, int most) {
    try (KernelStand card = new KernelStand(new EmulatedDriver(computeCapability, 1 << 28, 1))) {
      TrajectoryKernel kernel = new TrajectoryKernel(card.launcher(), false, 64);
      assertEquals(63, kernel.tile(1));
      assertEquals(63, kernel.tile(most64));
      assertTrue(kernel.tile(most64 + 1) < 63, "more than " + most64);
      assertTrue(kernel.tile(most) > 0);
      assertEquals(0, kernel.tile(most + 1));
    }
  }

  @ParameterizedTest
  @MethodSource("versions")
  void costsAreWhatTheHeaderSays(Version version) {
    if (!(stand.driver() instanceof EmulatedDriver emulator)) {
      return;
    }
    TrajectoryKernel kernel = kernel(version);
    int width = 128;
    int layers = 3;
    int tile = kernel.tile(width);
    int steps = 4 * tile;
    int[] hidden = new int[layers];
    Arrays.fill(hidden, width);
    Path path = Path.of(60, Activation.RELU, false, Curve.ellipse(0), 1 << 20, 0, steps, hidden);
    emulator.resetCounters();
    run(kernel, path, 1, false);
    Counters cost =
        emulator
            .counters()
            .get(
                "forward_trajectory.forward_trajectory_%s%d"
                    .formatted(version.tensorCores ? "tensor_" : "", tile + 1));
    String what = version + "\n" + cost;
    // Three products for one on tensor cores.
    int times = version.tensorCores ? 3 : 1;
    double flop = (layers - 1) * 2.0 * width * width * times + 4.0 * width;
    double points = (tile + 1.0) / tile * steps;
    assertEquals(flop * points, cost.flops(), 0.1 * flop * points, what);
    assertEquals(0, cost.bankConflicts(), what);
    // Weights and knots once a tile in sectors of 32 bytes, and little else.
    double bytes = 4 * (4.0 * (layers - 1) * width * width + 12.0 * layers * width);
    assertTrue(32 * cost.globalLoadSectors() <= 1.1 * bytes + 4 * 16 * 1024, what);
    // Only atomic additions.
    assertEquals(0, cost.globalStoreBytes(), what);
  }
}
