package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.JacobianKernel.Arithmetic;
import dev.flinch.device.cuda.JacobianKernel.Version;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.device.cuda.emulator.InstructionClass;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("cuda")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class JacobianKernelTest {
  /**
   * What a norm may differ by, relatively: some 100 times float32's rounding, as errors pass
   * through up to six products of up to 300 terms.
   */
  private static final double TOLERANCE = 1e-4;

  private static final long EMULATED_BYTES = 256L << 20;

  /** Inputs, then units of each layer: around strips of 8, tiles of 16 … 128 and warps. */
  private static final List<Integer[]> SHAPES =
      List.of(
          new Integer[] {1, 1, 2},
          new Integer[] {5, 2, 3, 2},
          new Integer[] {40, 33, 17, 3},
          new Integer[] {300, 32, 10},
          new Integer[] {40, 3, 64, 1, 10},
          new Integer[] {5, 17, 33, 3, 2, 17, 3},
          new Integer[] {40, 100, 33});

  private static final int[] POINTS = {1, 3, 31, 64, 65};

  private final List<KernelStand> stands = new ArrayList<>();

  /** A kernel on a stand. */
  private record Made(KernelStand stand, Version version) {
    @Override
    public String toString() {
      return version + " on " + stand.driver().card().name();
    }
  }

  @BeforeAll
  void openStands() {
    if (TestedDevice.isEmulated()) {
      stands.add(new KernelStand(new EmulatedDriver(80, EMULATED_BYTES, 2)));
      stands.add(new KernelStand(new EmulatedDriver(75, EMULATED_BYTES, 2)));
    } else {
      stands.add(new KernelStand(TestedDevice.driver()));
    }
  }

  @AfterEach
  void freeArrays() {
    stands.forEach(KernelStand::clear);
  }

  @AfterAll
  void closeStands() {
    stands.forEach(KernelStand::close);
  }

  Stream<Made> versions() {
    return stands.stream()
        .flatMap(
            stand ->
                Arrays.stream(Arithmetic.values())
                    .filter(a -> a != Arithmetic.TENSOR || stand.launcher().architecture() >= 80)
                    .flatMap(
                        a ->
                            IntStream.of(64, 32, 16)
                                .mapToObj(rows -> new Made(stand, new Version(a, rows, 0)))));
  }

  /** Norms of Jacobians and their rows. */
  private record Result(double[] norms, double[] rows) {}

  /**
   * A network with its points, as a kernel takes them. Biases and weights have offsets, and weights
   * rows with NaN between them, so that nothing but themselves may be read.
   */
  private static Result run(
      Made made, Network network, double[][] first, float[] x, int n, boolean probabilities) {
    return run(made, network, first, x, n, probabilities, true);
  }

  private static Result run(
      Made made,
      Network network,
      double[][] first,
      float[] x,
      int n,
      boolean probabilities,
      boolean withRows) {
    KernelStand stand = made.stand();
    Architecture a = network.architecture();
    Reference reference = Reference.of(network);
    int depth = a.depth();
    Matrix[] weights = new Matrix[depth - 1];
    for (int l = 1; l < depth; l++) {
      weights[l - 1] = matrix(stand, reference.weights()[l], l % 3, l % 2 * 4);
    }
    Matrix[] biases = null;
    if (a.biases()) {
      biases = new Matrix[depth];
      for (int l = 0; l < depth; l++) {
        biases[l] = matrix(stand, new double[][] {reference.biases()[l]}, 1, 0);
      }
    }
    double[][] z = new double[n][];
    Reference unbiased =
        new Reference(
            a.activation(), reference.weights(), new double[depth][a.widest() + a.classes()]);
    for (int i = 0; i < n; i++) {
      z[i] = unbiased.preActivations(RandomNetworks.row(x, i, a.inputs()))[0];
    }
    int rowsOfPoint = a.classes() - (probabilities ? 1 : 0);
    int columns = first[0].length;
    DeviceArray norms = stand.doubles(new double[n]);
    DeviceArray rows = stand.floats(new float[withRows ? n * rowsOfPoint * columns : 0]);
    new JacobianKernel(stand.launcher(), made.version())
        .run(
            a.activation(),
            weights,
            biases,
            matrix(stand, first, 0, 0),
            matrix(stand, z, 1, 3),
            probabilities,
            Matrix.of(norms, 0, n, 1),
            withRows ? Matrix.of(rows, 0, n * rowsOfPoint, columns) : null);
    Result result = new Result(stand.values(norms), stand.values(rows));
    stand.clear();
    return result;
  }

  private static Matrix matrix(KernelStand stand, double[][] values, int offset, int gap) {
    int rows = values.length;
    int columns = values[0].length;
    float[] memory = new float[offset + rows * (columns + gap)];
    Arrays.fill(memory, Float.NaN);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        memory[offset + i * (columns + gap) + j] = (float) values[i][j];
      }
    }
    return new Matrix(stand.floats(memory), offset, rows, columns, columns + gap, false, 1, 0);
  }

  @ParameterizedTest
  @MethodSource("versions")
  void agreesWithDoublePrecisionAtEveryPoint(Made made) {
    List<Version> all = versions().map(Made::version).distinct().toList();
    int at = 0;
    for (Integer[] units : SHAPES) {
      for (Activation activation : Activation.values()) {
        // A third of all combinations for each version, a different one for its neighbours.
        int seed = at++;
        if (seed % 3 == all.indexOf(made.version()) % 3) {
          int n = POINTS[(seed + seed / 5) % POINTS.length];
          check(made, seed, activation, seed % 2 == 0, seed / 2 % 2 == 0, n, units);
        }
      }
    }
  }

  private static void check(
      Made made,
      long seed,
      Activation activation,
      boolean biases,
      boolean probabilities,
      int n,
      Integer... units) {
    Network network = RandomNetworks.network(seed, activation, biases, units);
    Reference reference = Reference.of(network);
    float[] x = RandomNetworks.inputs(seed, n, units[0]);
    Result result = run(made, network, reference.weights()[0], x, n, probabilities);
    String what =
        "seed %d, %s, biases %b, probabilities %b, %d points, %s: "
            .formatted(seed, activation, biases, probabilities, n, Arrays.toString(units));
    for (int i = 0; i < n; i++) {
      double[] point = RandomNetworks.row(x, i, units[0]);
      double[][] jacobian =
          probabilities
              ? timesHelmert(reference.probabilityJacobian(point))
              : reference.logitJacobian(point);
      double norm = Reference.frobenius(jacobian);
      assertEquals(norm, result.norms()[i], TOLERANCE * norm, what + "norm of point " + i);
      for (int r = 0; r < jacobian.length; r++) {
        for (int j = 0; j < units[0]; j++) {
          assertEquals(
              jacobian[r][j],
              result.rows()[(i * jacobian.length + r) * units[0] + j],
              TOLERANCE * norm,
              what + "point %d, row %d, column %d".formatted(i, r, j));
        }
      }
    }
  }

  /** U J with the rows (1, …, 1, −k, 0, …, 0) / √(k(k + 1)) of Helmert's basis. */
  private static double[][] timesHelmert(double[][] jacobian) {
    int classes = jacobian.length;
    int columns = jacobian[0].length;
    double[][] product = new double[classes - 1][columns];
    for (int j = 0; j < columns; j++) {
      double before = 0;
      for (int k = 1; k < classes; k++) {
        before += jacobian[k - 1][j];
        product[k - 1][j] = (before - k * jacobian[k][j]) / Math.sqrt(k * (k + 1.0));
      }
    }
    return product;
  }

  @ParameterizedTest
  @MethodSource("versions")
  void agreesWithACholeskyFactorOfTheFirstLayer(Made made) {
    Network network = RandomNetworks.network(7, Activation.RELU, true, 70, 17, 20, 5);
    Reference reference = Reference.of(network);
    float[] x = RandomNetworks.inputs(7, 9, 70);
    double[][] factor = cholesky(reference.weights()[0]);
    for (boolean probabilities : new boolean[] {false, true}) {
      double[] expected = run(made, network, reference.weights()[0], x, 9, probabilities).norms();
      double[] found = run(made, network, factor, x, 9, probabilities).norms();
      for (int i = 0; i < 9; i++) {
        assertEquals(expected[i], found[i], TOLERANCE * expected[i], "point " + i);
      }
    }
  }

  /** The lower triangular L with L Lᵀ = W Wᵀ. */
  private static double[][] cholesky(double[][] w) {
    int n = w.length;
    double[][] l = new double[n][n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = 0;
        for (int k = 0; k < w[0].length; k++) {
          sum += w[i][k] * w[j][k];
        }
        for (int k = 0; k < j; k++) {
          sum -= l[i][k] * l[j][k];
        }
        l[i][j] = i == j ? Math.sqrt(sum) : sum / l[j][j];
      }
    }
    return l;
  }

  @ParameterizedTest
  @MethodSource("versions")
  void saturatedProbabilitiesKeepTheirRelativeAccuracy(Made made) {
    // Logits some 100 apart: probabilities down to 1e-43, whose squares no float32 holds. The error
    // of a logit, some 1e-7 of it, is the relative error of its probability.
    Network small = RandomNetworks.network(5, Activation.RELU, false, 20, 30, 6);
    float[][] weights = {small.weights()[0], small.weights()[1].clone()};
    for (int i = 0; i < weights[1].length; i++) {
      weights[1][i] *= 30;
    }
    Network network = new Network(small.architecture(), weights, null);
    Reference reference = Reference.of(network);
    float[] x = RandomNetworks.inputs(5, 50, 20);
    double[] norms = run(made, network, reference.weights()[0], x, 50, true).norms();
    double smallest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < 50; i++) {
      double expected =
          Reference.frobenius(reference.probabilityJacobian(RandomNetworks.row(x, i, 20)));
      smallest = Math.min(smallest, expected);
      assertEquals(expected, norms[i], TOLERANCE * expected, "point " + i);
    }
    assertTrue(smallest < 1e-20, "the test saturates: " + smallest);
  }

  @ParameterizedTest
  @MethodSource("versions")
  void squaresNeitherUnderflowNorOverflow(Made made) {
    for (float scale : new float[] {1e-25f, 1e25f}) {
      Network plain = RandomNetworks.network(11, Activation.RELU, false, 12, 9, 4);
      float[] last = plain.weights()[1].clone();
      for (int i = 0; i < last.length; i++) {
        last[i] *= scale;
      }
      Network network =
          new Network(plain.architecture(), new float[][] {plain.weights()[0], last}, null);
      Reference reference = Reference.of(network);
      float[] x = RandomNetworks.inputs(11, 5, 12);
      double[] norms = run(made, network, reference.weights()[0], x, 5, false).norms();
      for (int i = 0; i < 5; i++) {
        double expected =
            Reference.frobenius(reference.logitJacobian(RandomNetworks.row(x, i, 12)));
        assertEquals(
            expected, norms[i], TOLERANCE * expected, "point %d at %g".formatted(i, scale));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("versions")
  void notANumberNeverPassesAsANorm(Made made) {
    Network sound = RandomNetworks.network(3, Activation.RELU, true, 6, 9, 8, 4);
    float[] x = RandomNetworks.inputs(3, 5, 6);
    for (int layer = 0; layer < 3; layer++) {
      for (boolean bias : new boolean[] {false, true}) {
        float[][] weights =
            Arrays.stream(sound.weights()).map(float[]::clone).toArray(float[][]::new);
        float[][] biases =
            Arrays.stream(sound.biases()).map(float[]::clone).toArray(float[][]::new);
        (bias ? biases : weights)[layer][1] = Float.NaN;
        Network network = new Network(sound.architecture(), weights, biases);
        double[][] first = Reference.of(network).weights()[0];
        for (boolean probabilities : new boolean[] {false, true}) {
          for (double norm : run(made, network, first, x, 5, probabilities).norms()) {
            assertTrue(
                Double.isNaN(norm),
                "NaN in %s of layer %d: norm %g".formatted(bias ? "bias" : "weights", layer, norm));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("versions")
  void aPointHasTheSameBitsWhereverItStands(Made made) {
    for (Activation activation : List.of(Activation.RELU6, Activation.TANH)) {
      Network network = RandomNetworks.network(13, activation, true, 20, 33, 18, 5);
      double[][] first = Reference.of(network).weights()[0];
      float[] x = RandomNetworks.inputs(13, 150, 20);
      Result all = run(made, network, first, x, 150, true);
      assertArrayEquals(all.norms(), run(made, network, first, x, 150, true).norms());
      float[] last = Arrays.copyOfRange(x, 149 * 20, 150 * 20);
      Result alone = run(made, network, first, last, 1, true);
      assertEquals(all.norms()[149], alone.norms()[0]);
      int perPoint = alone.rows().length;
      assertArrayEquals(
          alone.rows(), Arrays.copyOfRange(all.rows(), 149 * perPoint, 150 * perPoint));
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void theChosenVersionAgreesToo(Activation activation) {
    for (KernelStand stand : stands) {
      check(new Made(stand, null), 21, activation, true, true, 7, 30, 129, 10);
    }
  }

  @Test
  void wideLayersAreTakenFewerRowsAtATime() {
    for (KernelStand stand : stands) {
      check(new Made(stand, null), 22, Activation.RELU, true, true, 2, 4, 390, 61, 3);
    }
  }

  @Test
  void onlyNetworksThatFitAreTaken() {
    for (KernelStand stand : stands) {
      JacobianKernel kernel = new JacobianKernel(stand.launcher());
      assertTrue(kernel.takes(Activation.RELU, 21, 200, 10), "20 hidden layers of 200");
      assertTrue(kernel.takes(Activation.TANH, 21, 200, 100), "100 classes");
      assertFalse(kernel.takes(Activation.RELU, 2, 4000, 10), "wider than a block's results");
      assertFalse(kernel.takes(Activation.RELU, 10_000, 200, 10), "deeper than its slopes");
      assertFalse(kernel.takes(Activation.RELU, 1, 10, 10), "no hidden layer");
      assertFalse(kernel.takes(Activation.RELU, 3, 200, 1), "one class");
    }
  }

  @Test
  void wrongShapesAreRefusedWithWhatWasExpected() {
    KernelStand stand = stands.get(0);
    DeviceArray floats = stand.floats(new float[1000]);
    DeviceArray norms = stand.doubles(new double[10]);
    Matrix[] weights = {Matrix.of(floats, 0, 3, 5)};
    Matrix first = Matrix.of(floats, 0, 5, 7);
    Matrix z = Matrix.of(floats, 0, 10, 5);
    JacobianKernel kernel = new JacobianKernel(stand.launcher());
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    kernel.run(
                        Activation.RELU,
                        weights,
                        null,
                        Matrix.of(floats, 0, 6, 7),
                        z,
                        true,
                        Matrix.of(norms, 0, 10, 1),
                        null))
            .getMessage();
    assertEquals("jacobians: first: expected 5 × 7 of one replica, found 6 × 7 of 1", message);
    assertThrows(
        IllegalArgumentException.class,
        () ->
            kernel.run(
                Activation.RELU, weights, null, first, z, true, Matrix.of(norms, 0, 9, 1), null));
  }

  @ParameterizedTest
  @MethodSource("versions")
  void costsWhatTheHeaderPromises(Made made) {
    if (!TestedDevice.isEmulated() || made.version().rows() == 16) {
      // Whole tiles of 16 rows are of 128 units: too much for the emulator to be worth it.
      return;
    }
    EmulatedDriver driver = (EmulatedDriver) made.stand().driver();
    int n = made.version().rows();
    int classes = 2048 / n;
    int units = 64;
    int inputs = 64;
    Network network = RandomNetworks.network(17, Activation.RELU, false, inputs, units, classes);
    double[][] first = Reference.of(network).weights()[0];
    float[] x = RandomNetworks.inputs(17, n, inputs);
    Version version = new Version(made.version().arithmetic(), n, n);
    driver.resetCounters();
    run(new Made(made.stand(), version), network, first, x, n, false, false);
    Counters counters =
        driver.counters().entrySet().stream()
            .filter(kernel -> kernel.getKey().matches("jacobian\\.jacobian_(mul|ten).*"))
            .map(Map.Entry::getValue)
            .findFirst()
            .orElseThrow();
    double products = units * classes;
    double last = units * inputs;
    double flop = 2 * n * (products + classes * (products + last));
    // Split operands take three products.
    double factor = version.arithmetic() == Arithmetic.TENSOR ? 3 : 1;
    assertEquals(factor * flop, counters.flops(), 0.1 * factor * flop);
    assertEquals(8L * n, counters.globalStoreBytes(), "only norms leave the chip");
    // The products have none; what sums a pass's rows has some, however wide layers are.
    long accesses =
        counters.warps(InstructionClass.SHARED_LOAD)
            + counters.warps(InstructionClass.SHARED_STORE);
    assertTrue(counters.bankConflicts() < 0.05 * accesses, counters::toString);
  }
}
