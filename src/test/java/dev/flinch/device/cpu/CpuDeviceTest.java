package dev.flinch.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.Scope;
import dev.flinch.reference.Reference;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CpuDeviceTest {
  private final CpuDevice device = new CpuDevice(2);
  private final Scope scope = new Scope(device);

  @AfterEach
  void noMemoryIsLeftBehind() {
    scope.close();
    assertEquals(0, device.liveBytes());
    device.close();
  }

  private void lane(Consumer<Lane> operations) {
    device.run(1, (lane, task) -> operations.accept(lane));
  }

  private Matrix normal(long seed, int replicas, int rows, int columns) {
    Matrix m = scope.matrices(replicas, rows, columns);
    float[] row = new float[columns];
    for (int r = 0; r < replicas; r++) {
      for (int i = 0; i < rows; i++) {
        RandomStreams.fillNormal(
            RandomStreams.stream(seed, Purpose.BENCHMARK, r, i), 1, row, 0, columns);
        device.upload(row, 0, m.data(), m.start(r, i), columns);
      }
    }
    return m;
  }

  private double[][] values(Matrix m, int replica) {
    double[][] out = new double[m.rows()][m.columns()];
    float[] row = new float[m.columns()];
    for (int i = 0; i < m.rows(); i++) {
      if (m.data().type() == ElementType.FLOAT64) {
        device.download(m.data(), m.start(replica, i), out[i], 0, m.columns());
      } else {
        device.download(m.data(), m.start(replica, i), row, 0, m.columns());
        out[i] = Reference.doubles(row);
      }
    }
    return out;
  }

  private static double[][] transposed(double[][] m) {
    double[][] t = new double[m[0].length][m.length];
    for (int i = 0; i < m.length; i++) {
      for (int j = 0; j < t.length; j++) {
        t[j][i] = m[i][j];
      }
    }
    return t;
  }

  @ParameterizedTest
  @CsvSource({"1,1,1", "2,3,31", "33,127,17", "100,10,1000", "1,200,64"})
  void productsOfAllTranspositionsAgreeWithPlainLoops(int m, int n, int k) {
    for (boolean ta : new boolean[] {false, true}) {
      for (boolean tb : new boolean[] {false, true}) {
        Matrix a = normal(1, 2, ta ? k : m, ta ? m : k);
        Matrix b = normal(2, 2, tb ? n : k, tb ? k : n);
        Matrix c = normal(3, 2, m, n);
        for (float beta : new float[] {0, 1}) {
          double[][][] before = {values(c, 0), values(c, 1)};
          lane(lane -> lane.gemm(ta, a, tb, b, beta, c));
          for (int r = 0; r < 2; r++) {
            double[][] left = ta ? transposed(values(a, r)) : values(a, r);
            double[][] right = tb ? values(b, r) : transposed(values(b, r));
            double[][] actual = values(c, r);
            for (int i = 0; i < m; i++) {
              for (int j = 0; j < n; j++) {
                double sum = beta * before[r][i][j];
                double magnitude = Math.abs(sum);
                for (int l = 0; l < k; l++) {
                  sum += left[i][l] * right[j][l];
                  magnitude += Math.abs(left[i][l] * right[j][l]);
                }
                assertEquals(sum, actual[i][j], k * 6e-8 * magnitude + 1e-30);
              }
            }
          }
        }
      }
    }
  }

  @Test
  void wideningIsExactAndWideProductsAreInDoublePrecision() {
    Matrix a = normal(4, 1, 7, 33);
    Matrix wide = Matrix.of(scope.doubles(7 * 33), 0, 7, 33);
    Matrix product = Matrix.of(scope.doubles(49), 0, 7, 7);
    lane(
        lane -> {
          lane.widen(a, wide);
          lane.gemm(false, wide, true, wide, 0, product);
        });
    double[][] rows = values(a, 0);
    assertTrue(Arrays.deepEquals(rows, values(wide, 0)));
    double[][] actual = values(product, 0);
    for (int i = 0; i < 7; i++) {
      for (int j = 0; j < 7; j++) {
        double sum = 0;
        for (int l = 0; l < 33; l++) {
          sum += rows[i][l] * rows[j][l];
        }
        assertEquals(sum, actual[i][j], 1e-13);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 100})
  void crossEntropyItsGradientAndAccuracyAgreeWithDoublePrecision(int classes) {
    int n = 33;
    Matrix logits = normal(5, 1, n, classes);
    Matrix gradient = scope.matrix(n, classes);
    Matrix loss = Matrix.of(scope.floats(n), 0, n, 1);
    Matrix correct = Matrix.of(scope.floats(n), 0, n, 1);
    int[] classOf = IntStream.range(0, n).map(i -> i * 7 % classes).toArray();
    DeviceArray labels = scope.ints(n);
    device.upload(classOf, 0, labels, 0, n);
    double[][] rows = values(logits, 0);
    lane(lane -> lane.softmaxCrossEntropy(logits, labels, 0, 0, 0.5f, gradient, loss, correct));
    for (int i = 0; i < n; i++) {
      double[] sigma = Reference.softmax(rows[i]);
      assertEquals(
          Reference.crossEntropy(rows[i], classOf[i]), values(loss, 0)[i][0], 1e-6, "loss");
      double top = Arrays.stream(rows[i]).max().orElseThrow();
      assertEquals(rows[i][classOf[i]] == top ? 1 : 0, values(correct, 0)[i][0], "accuracy");
      for (int c = 0; c < classes; c++) {
        double expected = 0.5 * (sigma[c] - (c == classOf[i] ? 1 : 0));
        assertEquals(expected, values(gradient, 0)[i][c], 1e-7, "gradient");
      }
    }
  }

  @Test
  void crossEntropyIsStableForLogitsOfAnySize() {
    Matrix logits = scope.matrix(3, 2);
    device.upload(new float[] {1e30f, -1e30f}, 0, logits.data(), logits.start(0, 0), 2);
    device.upload(new float[] {-1000, 1000}, 0, logits.data(), logits.start(0, 1), 2);
    device.upload(new float[] {Float.NaN, 0}, 0, logits.data(), logits.start(0, 2), 2);
    Matrix loss = Matrix.of(scope.floats(3), 0, 3, 1);
    Matrix correct = Matrix.of(scope.floats(3), 0, 3, 1);
    DeviceArray labels = scope.ints(3);
    lane(lane -> lane.softmaxCrossEntropy(logits, labels, 0, 0, 1, logits, loss, correct));
    assertEquals(0, values(loss, 0)[0][0]);
    assertEquals(2000, values(loss, 0)[1][0]);
    assertTrue(Double.isNaN(values(loss, 0)[2][0]));
    assertArrayEquals(new double[] {-1, 1}, values(logits, 0)[1]);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 33})
  void seedsHaveTheNormOfTheSoftmaxCovarianceInOneRowLess(int classes) {
    Matrix logits = normal(6, 1, 5, classes);
    Matrix seeds = scope.matrix(5 * (classes - 1), classes);
    Matrix scales = Matrix.of(scope.doubles(5), 0, 5, 1);
    lane(lane -> lane.probabilitySeeds(logits, seeds, scales));
    for (int i = 0; i < 5; i++) {
      double[] sigma = Reference.softmax(values(logits, 0)[i]);
      double expected = 0;
      for (int a = 0; a < classes; a++) {
        for (int b = 0; b < classes; b++) {
          double s = (a == b ? sigma[a] : 0) - sigma[a] * sigma[b];
          expected += s * s;
        }
      }
      double scale = values(scales, 0)[i][0];
      double[][] rows =
          Arrays.copyOfRange(values(seeds, 0), i * (classes - 1), (i + 1) * (classes - 1));
      assertEquals(Math.sqrt(expected), scale * Reference.frobenius(rows), 1e-6);
    }
  }

  @Test
  void gatherBringsWholeRowsAndRefusesIndicesOutOfRange() {
    Matrix source = normal(7, 1, 9, 19);
    DeviceArray indices = scope.ints(4);
    device.upload(new int[] {-1, 8, 0, 9}, 0, indices, 0, 4);
    Matrix out = scope.matrix(2, 19);
    lane(lane -> lane.gather(source, indices, 1, 0, out));
    assertArrayEquals(values(source, 0)[8], values(out, 0)[0]);
    assertArrayEquals(values(source, 0)[0], values(out, 0)[1]);
    for (int from : new int[] {0, 2}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> lane(lane -> lane.gather(source, indices, from, 0, out)));
    }
  }

  @Test
  void aReplicaThatWasHaltedKeepsItsWeights() {
    Matrix weights = normal(8, 3, 2, 5);
    double[][] second = values(weights, 1);
    double[][] third = values(weights, 2);
    Matrix gradient = normal(9, 3, 2, 5);
    Matrix sums = Matrix.stacked(scope.floats(3), 0, 3, 1, 1);
    device.upload(new float[] {1, Float.NaN, Float.POSITIVE_INFINITY}, 0, sums.data(), 0, 3);
    DeviceArray running = scope.ints(3);
    device.upload(new int[] {1, 1, 1}, 0, running, 0, 3);
    DeviceArray rates = scope.floats(3);
    device.upload(new float[] {1, 1, 1}, 0, rates, 0, 3);
    double[][] first = values(weights, 0);
    lane(
        lane -> {
          lane.haltNonFinite(sums, running, 0);
          lane.update(OptimizerRule.SGD, rates, running, 0, weights, gradient);
        });
    assertFalse(Arrays.deepEquals(first, values(weights, 0)));
    assertTrue(Arrays.deepEquals(second, values(weights, 1)));
    assertTrue(Arrays.deepEquals(third, values(weights, 2)));
  }

  @Test
  void shapesThatDoNotFitAreRefusedWithWhatWasFound() {
    Matrix a = scope.matrix(2, 3);
    Matrix b = scope.matrix(4, 5);
    Matrix bias = scope.matrix(1, 4);
    DeviceArray ints = scope.ints(3);
    DeviceArray rates = scope.floats(1);
    for (Consumer<Lane> operation :
        Arrays.<Consumer<Lane>>asList(
            lane -> lane.gemm(false, a, false, b, 0, a),
            lane -> lane.addBias(a, bias),
            lane -> lane.activate(Activation.RELU, a, null, b),
            lane -> lane.scale(a, b, 1, a),
            lane -> lane.columnSums(a, bias),
            lane -> lane.probabilitySeeds(a, b, a),
            lane -> lane.groupNorms(a, 1, null, b),
            lane -> lane.gather(a, ints, 0, 0, b),
            lane -> lane.update(OptimizerRule.ADAM, rates, ints, 0, a, a))) {
      assertThrows(IllegalArgumentException.class, () -> lane(operation));
    }
    assertThrows(IllegalArgumentException.class, () -> Matrix.of(ints, 1, 1, 3));
    assertThrows(IllegalArgumentException.class, () -> a.rows(1, 2));
    assertThrows(IllegalArgumentException.class, () -> device.upload(new float[3], 0, ints, 0, 3));
    assertThrows(IndexOutOfBoundsException.class, () -> device.upload(new int[4], 0, ints, 0, 4));
  }

  @Test
  void everyTaskRunsOnceAndAFailureOfOneReachesTheCaller() {
    for (int lanes : new int[] {1, 2, 7}) {
      try (CpuDevice other = new CpuDevice(lanes)) {
        AtomicIntegerArray runs = new AtomicIntegerArray(1000);
        for (int repeat = 0; repeat < 50; repeat++) {
          other.run(1000, (lane, task) -> runs.incrementAndGet(task));
        }
        assertTrue(IntStream.range(0, 1000).allMatch(task -> runs.get(task) == 50));
        IllegalStateException failure =
            assertThrows(
                IllegalStateException.class,
                () ->
                    other.run(
                        100,
                        (lane, task) -> {
                          if (task == 63) {
                            throw new IllegalStateException("task " + task);
                          }
                        }));
        assertEquals("task 63", failure.getMessage());
        other.run(10, (lane, task) -> runs.incrementAndGet(task));
        assertEquals(51, runs.get(9), "the lanes go on after a failure");
      }
    }
  }

  @Test
  void scopesFreeWhatTheyOwnAndCloseTwiceHarmlessly() {
    long before = device.liveBytes();
    Scope inner = new Scope(device);
    DeviceArray array = inner.floats(1000);
    assertEquals(before + 4000, device.liveBytes());
    array.close();
    inner.close();
    inner.close();
    assertEquals(before, device.liveBytes());
    assertThrows(
        IllegalStateException.class,
        () -> lane(lane -> lane.gemm(false, of(array), false, of(array), 0, of(array))));
  }

  private static Matrix of(DeviceArray array) {
    return Matrix.of(array, 0, 2, 2);
  }
}
