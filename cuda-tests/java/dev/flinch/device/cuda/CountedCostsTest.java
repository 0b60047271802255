package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.JacobianKernel.Arithmetic;
import dev.flinch.device.cuda.KernelProducts.Version;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.trajectory.Ellipse;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The counts in {@code kernels/PERFORMANCE.md}: what kernels cost for a network of 20 × 200,
 * counted by the emulator and printed. FLOP are held to the formulas of the kernels' headers.
 */
@Tag("cuda")
@Tag("slow")
class CountedCostsTest {
  private static final long MEMORY = 1L << 30;
  private static final int DEPTH = 20;
  private static final int WIDTH = 200;
  private static final int INPUTS = 784;
  private static final int CLASSES = 10;
  private static final int BATCH = 256;

  /** Matrix elements after the first layer: 18 of 200 × 200 and one of 10 × 200. */
  private static final double LATER_WEIGHTS = (DEPTH - 2.0) * WIDTH * WIDTH + WIDTH * CLASSES;

  private static void print(String what, double units, String unit, double flop, Counters c) {
    System.out.printf(
        Locale.ROOT,
        "%s, %s: %.0f × %s%n  %,.0f FLOP by the formula, %,d counted (%.3f); a %s: %,.0f counted%n"
            + "  loaded %,d bytes in %,d sectors (%,d bytes, %,.0f a %s), stored %,d bytes in %,d sectors%n"
            + "  %,d warp instructions, %,d cycles of bank conflicts, %,d divergent branches%n",
        what,
        c.launches() == 1 ? "one launch" : c.launches() + " launches",
        units,
        unit,
        flop,
        c.flops(),
        c.flops() / flop,
        unit,
        c.flops() / units,
        c.globalLoadBytes(),
        c.globalLoadSectors(),
        32 * c.globalLoadSectors(),
        32 * c.globalLoadSectors() / units,
        unit,
        c.globalStoreBytes(),
        c.globalStoreSectors(),
        c.allWarpInstructions(),
        c.bankConflicts(),
        c.divergentBranches());
  }

  /** Compute capability 9.0 takes tensor cores, 8.9 multiply-adds. */
  @ParameterizedTest
  @ValueSource(ints = {90, 89})
  void pointsOfATrajectory(int computeCapability) {
    EmulatedDriver driver = new EmulatedDriver(computeCapability, MEMORY, processors());
    boolean tensorCores = computeCapability == 90;
    int rows = 64;
    int tiles = 4;
    int points = tiles * (rows - 1);
    Architecture architecture =
        Architecture.uniform(INPUTS, DEPTH, WIDTH, CLASSES, Activation.RELU);
    Network network = Network.initial(architecture, 1, 1);
    Counters cost;
    try (CudaDevice device = new CudaDevice("emulator", driver);
        NetworkStack stack = new NetworkStack(device, List.of(network))) {
      driver.resetCounters();
      Transitions.along(stack, Ellipse.random(INPUTS, 1), points, 1, Progress.NONE);
      cost =
          driver
              .counters()
              .get(
                  "forward_trajectory.forward_trajectory_%s%d"
                      .formatted(tensorCores ? "tensor_" : "", rows));
    }
    double perPoint = 4.0 * WIDTH + 2.0 * (DEPTH - 2) * WIDTH * WIDTH;
    // Each tile also takes the next one's first point; three products stand for one.
    double flop = perPoint * tiles * rows * (tensorCores ? 3 : 1);
    print("forward_trajectory" + (tensorCores ? "_tensor" : ""), points, "point", flop, cost);
    assertEquals(flop, cost.flops(), 0.1 * flop);
  }

  @ParameterizedTest
  @EnumSource(Arithmetic.class)
  void jacobiansOfProbabilities(Arithmetic arithmetic) {
    EmulatedDriver driver = new EmulatedDriver(90, MEMORY, processors());
    int points = 64;
    int seeds = CLASSES - 1;
    try (KernelStand stand = new KernelStand(driver)) {
      SplittableRandom random = new SplittableRandom(1);
      Matrix[] weights = new Matrix[DEPTH - 1];
      for (int l = 0; l < weights.length; l++) {
        int out = l == weights.length - 1 ? CLASSES : WIDTH;
        weights[l] = normal(stand, random, out, WIDTH, Math.sqrt(2.0 / WIDTH));
      }
      DeviceArray norms = stand.doubles(new double[points]);
      // F: the Cholesky factor of 200 × 200 that many points share.
      Matrix first = normal(stand, random, WIDTH, WIDTH, 1);
      Matrix z = normal(stand, random, points, WIDTH, 1);
      driver.resetCounters();
      new JacobianKernel(stand.launcher(), new JacobianKernel.Version(arithmetic, 64, points))
          .run(
              Activation.RELU, weights, null, first, z, true, Matrix.of(norms, 0, points, 1), null);
      Counters cost =
          driver
              .counters()
              .get("jacobian.jacobian_" + arithmetic.name().toLowerCase(Locale.ROOT) + "_64");
      int times = arithmetic == Arithmetic.TENSOR ? 3 : 1;
      double square = (double) WIDTH * WIDTH;
      double flop = 2 * points * (LATER_WEIGHTS + seeds * (LATER_WEIGHTS + square)) * times;
      print("jacobian_" + arithmetic, points, "point", flop, cost);
      // A warp makes 32 units, so seven warps make 224 of a layer's 200, and one 32 logits. Rows of
      // the last layer's weights come eight at a time. That is 1.12 of what the header counts.
      double hidden = (DEPTH - 2) * WIDTH * up(WIDTH, 32);
      double forward = hidden + WIDTH * up(CLASSES, 32);
      double backward = hidden + up(CLASSES, 8) * up(WIDTH, 32) + WIDTH * up(WIDTH, 32);
      double covered = 2 * points * (forward + seeds * backward) * times;
      assertEquals(covered, cost.flops(), 0.02 * covered);
      assertTrue(Arrays.stream(stand.values(norms)).allMatch(norm -> norm > 0));
    }
  }

  private static Matrix normal(
      KernelStand stand, SplittableRandom random, int rows, int columns, double deviation) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return Matrix.of(stand.floats(values), 0, rows, columns);
  }

  /** A batch of 256 through a layer of 200 × 200: forward nt, errors nn, gradients tn. */
  @ParameterizedTest
  @EnumSource(
      value = Version.class,
      names = {"TILED_64", "TILED_128", "TENSOR_64", "TENSOR_128"})
  void productsOfALayer(Version version) {
    EmulatedDriver driver = new EmulatedDriver(90, MEMORY, processors());
    try (KernelStand stand = new KernelStand(driver)) {
      SplittableRandom random = new SplittableRandom(2);
      Matrix x = normal(stand, random, BATCH, WIDTH, 1);
      Matrix errors = normal(stand, random, BATCH, WIDTH, 1);
      Matrix w = normal(stand, random, WIDTH, WIDTH, 1);
      Matrix z = normal(stand, random, BATCH, WIDTH, 1);
      Matrix gradient = normal(stand, random, WIDTH, WIDTH, 1);
      KernelProducts products = new KernelProducts(stand.launcher());
      double flop = 2.0 * BATCH * WIDTH * WIDTH;
      driver.resetCounters();
      products.gemm(version, false, x, true, w, 0, z);
      products.gemm(version, false, errors, false, w, 0, z);
      products.gemm(version, true, errors, false, x, 0, gradient);
      int tile = version.tile();
      int times = version.name().startsWith("TENSOR") ? 3 : 1;
      driver
          .counters()
          .forEach(
              (name, cost) -> {
                print(name, 1, "product", times * flop, cost);
                // What tiles stick out over the edges is multiplied too.
                int rows = name.contains("_tn_") ? WIDTH : BATCH;
                int depth = name.contains("_tn_") ? BATCH : WIDTH;
                double covered =
                    2.0 * up(rows, tile) * up(WIDTH, tile) * up(depth, times == 3 ? 16 : 4);
                assertEquals(times * covered, cost.flops(), 0.1 * times * covered, name);
              });
    }
  }

  /**
   * Crossings of a walk. What the first layer is of plays no part but in F, which is 200 × 200 for
   * any inputs that are more.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void crossingsOfAWalk(boolean withGrams) {
    Integer[] units = new Integer[DEPTH + 1];
    Arrays.fill(units, WIDTH);
    units[DEPTH] = CLASSES;
    WalkedNetworks.Setting setting =
        WalkedNetworks.Setting.of(1, Activation.RELU, false, true, 1, 1, units);
    System.out.println(RegionWalkCostTest.crossings(setting, 1, 201, withGrams));
  }

  private static double up(int size, int tile) {
    return (size + tile - 1) / tile * tile;
  }

  /** What a training step of one replica does besides products. */
  @Test
  void elementsOfATrainingStep() {
    EmulatedDriver driver = new EmulatedDriver(90, MEMORY, processors());
    try (CudaDevice device = new CudaDevice("emulator", driver);
        Scope scope = new Scope(device)) {
      Matrix images = scope.matrix(1000, INPUTS);
      Matrix batch = scope.matrix(BATCH, INPUTS);
      DeviceArray indices = scope.ints(BATCH);
      device.upload(new SplittableRandom(3).ints(BATCH, 0, 1000).toArray(), 0, indices, 0, BATCH);
      Matrix z = scope.matrix(BATCH, WIDTH);
      Matrix h = scope.matrix(BATCH, WIDTH);
      Matrix logits = scope.matrix(BATCH, CLASSES);
      Matrix loss = scope.matrix(BATCH, 1);
      Matrix correct = scope.matrix(BATCH, 1);
      Matrix sum = scope.matrix(1, 1);
      DeviceArray labels = scope.ints(BATCH);
      Matrix w = scope.matrix(WIDTH, WIDTH);
      Matrix gradient = scope.matrix(WIDTH, WIDTH);
      Matrix velocity = scope.matrix(WIDTH, WIDTH);
      DeviceArray rates = scope.floats(1);
      DeviceArray running = scope.ints(1);
      device.upload(new int[] {1}, 0, running, 0, 1);
      double layer = (double) BATCH * WIDTH;
      moves(device, driver, 8.0 * BATCH * INPUTS, l -> l.gather(images, indices, 0, BATCH, batch));
      moves(device, driver, 12 * layer, l -> l.activate(Activation.RELU, z, null, h));
      moves(device, driver, 12 * layer, l -> l.scale(z, h, 1, z));
      moves(
          device,
          driver,
          BATCH * (8.0 * CLASSES + 12),
          l -> l.softmaxCrossEntropy(logits, labels, 0, BATCH, 1f / BATCH, logits, loss, correct));
      moves(device, driver, 4.0 * BATCH, l -> l.columnSums(loss, sum));
      moves(
          device,
          driver,
          20.0 * WIDTH * WIDTH,
          l -> l.update(OptimizerRule.MOMENTUM, rates, running, 0, w, gradient, velocity));
    }
  }

  /**
   * @param bytes that the kernel's header promises
   */
  private static void moves(
      CudaDevice device, EmulatedDriver driver, double bytes, Consumer<Lane> operation) {
    driver.resetCounters();
    device.run(1, (lane, task) -> operation.accept(lane));
    driver
        .counters()
        .forEach(
            (name, c) ->
                System.out.printf(
                    Locale.ROOT,
                    "%s: %,.0f bytes by the header; loaded %,d bytes in %,d sectors, stored %,d bytes in %,d sectors (%.2f of the header's bytes in sectors); %,d FLOP, %,d warp instructions, %,d cycles of bank conflicts%n",
                    name,
                    bytes,
                    c.globalLoadBytes(),
                    c.globalLoadSectors(),
                    c.globalStoreBytes(),
                    c.globalStoreSectors(),
                    32 * (c.globalLoadSectors() + c.globalStoreSectors()) / bytes,
                    c.flops(),
                    c.allWarpInstructions(),
                    c.bankConflicts()));
    assertEquals(1, driver.counters().size());
  }

  private static int processors() {
    return Runtime.getRuntime().availableProcessors();
  }
}
