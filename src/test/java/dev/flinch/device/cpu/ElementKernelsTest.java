package dev.flinch.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.device.OptimizerRule;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The vector instructions against the plain loops, over odd sizes with strides and offsets. */
class ElementKernelsTest {
  private static final int[] SIZES = {1, 2, 3, 15, 16, 17, 31, 32, 33, 127, 200};
  private static final int ROWS = 5;
  private static final int PADDING = 3;

  private final ElementKernels plain = new PlainKernels();
  private final ElementKernels vector = new VectorKernels();

  private static ByteBuffer normal(long seed, int count) {
    float[] values = new float[count];
    RandomStreams.fillNormal(
        RandomStreams.stream(seed, Purpose.BENCHMARK, 0, count), 4, values, 0, count);
    ByteBuffer buffer = ByteBuffer.allocateDirect(8 * count).order(ByteOrder.nativeOrder());
    buffer.asFloatBuffer().put(values);
    return buffer;
  }

  private static ByteBuffer copy(ByteBuffer of) {
    return ByteBuffer.allocateDirect(of.capacity())
        .put(0, of, 0, of.capacity())
        .order(ByteOrder.nativeOrder());
  }

  private static void assertClose(ByteBuffer expected, ByteBuffer actual, String what) {
    assertClose(expected, actual, 4e-8, what);
  }

  /** Equal to a few roundings of the value, and of {@code absolute} where that is larger. */
  private static void assertClose(
      ByteBuffer expected, ByteBuffer actual, double absolute, String what) {
    for (int at = 0; at < expected.capacity(); at += 4) {
      float e = expected.getFloat(at);
      float a = actual.getFloat(at);
      assertTrue(
          Float.compare(e, a) == 0 || Math.abs(e - a) <= Math.max(4e-7 * Math.abs(e), absolute),
          what + " at byte " + at + ": expected " + e + ", found " + a);
    }
  }

  @Test
  void thisJvmRunsTheVectorInstructions() {
    assertInstanceOf(VectorKernels.class, ElementKernels.best());
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void activationsAgree(Activation activation) {
    for (int n : SIZES) {
      int stride = 4 * (n + PADDING);
      ByteBuffer z = normal(1, ROWS * (n + PADDING));
      z.putFloat(0, Float.NaN);
      z.putFloat(stride, (float) activation.low());
      z.putFloat(2 * stride, (float) Math.min(activation.high(), 1e30));
      z.putFloat(3 * stride, -0f);
      ByteBuffer bias = normal(2, n);
      for (ByteBuffer b : new ByteBuffer[] {null, bias}) {
        ByteBuffer zPlain = copy(z);
        ByteBuffer zVector = copy(z);
        ByteBuffer hPlain = normal(3, ROWS * (n + PADDING));
        ByteBuffer hVector = copy(hPlain);
        plain.activate(activation, zPlain, 0, stride, b, 0, hPlain, 0, stride, ROWS, n);
        vector.activate(activation, zVector, 0, stride, b, 0, hVector, 0, stride, ROWS, n);
        assertClose(hPlain, hVector, activation + " of " + n);
        // 1 − t² inherits the rounding of t = tanh, near 1 where the slope is small.
        assertClose(zPlain, zVector, 2.4e-7, activation + "′ of " + n);
        assertTrue(Float.isNaN(hVector.getFloat(0)), "NaN passes through");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void differencesAndTransitionsAgree(Activation activation) {
    for (int n : SIZES) {
      int stride = 4 * (n + PADDING);
      ByteBuffer z = normal(4, ROWS * (n + PADDING));
      for (int at = 0; activation == Activation.TANH && at < z.capacity(); at += 4) {
        // Small ones, as they are within a tile: far ones divide by almost zero.
        z.putFloat(at, z.getFloat(at) / 100);
      }
      ByteBuffer knots = normal(5, 3 * n);
      for (int j = 0; j < n; j++) {
        float low = knots.getFloat(4 * j);
        float high = activation.knots() == 1 ? Float.POSITIVE_INFINITY : low + 2 + 0.1f * (j % 7);
        knots.putFloat(4 * (n + j), high);
        float base = Math.min(Math.max(0, low), high);
        knots.putFloat(
            4 * (2 * n + j), activation == Activation.TANH ? (float) Math.tanh(low) : base);
      }
      ByteBuffer zVector = copy(z);
      ByteBuffer counts = ByteBuffer.allocateDirect(4 * ROWS).order(ByteOrder.nativeOrder());
      ByteBuffer countsVector = copy(counts);
      plain.activateDifferences(activation, z, 0, stride, knots, 0, 4 * n, counts, 0, ROWS, n);
      vector.activateDifferences(
          activation, zVector, 0, stride, knots, 0, 4 * n, countsVector, 0, ROWS, n);
      assertClose(z, zVector, activation + " of differences of " + n);
      for (int i = 0; i < ROWS; i++) {
        assertEquals(counts.getInt(4 * i), countsVector.getInt(4 * i), activation + ", n = " + n);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void optimizersAgree(OptimizerRule rule) {
    for (int n : SIZES) {
      ByteBuffer gradient = normal(6, n);
      ByteBuffer[] plainState = {normal(7, n), absolute(normal(8, n)), absolute(normal(9, n))};
      ByteBuffer[] vectorState = {copy(plainState[0]), copy(plainState[1]), copy(plainState[2])};
      plain.update(
          rule, 0.1f, plainState[0], 0, gradient, 0, plainState[1], 0, plainState[2], 0, n);
      vector.update(
          rule, 0.1f, vectorState[0], 0, gradient, 0, vectorState[1], 0, vectorState[2], 0, n);
      for (int s = 0; s <= rule.slots(); s++) {
        assertClose(plainState[s], vectorState[s], rule + " of " + n + ", state " + s);
      }
    }
  }

  private static ByteBuffer absolute(ByteBuffer buffer) {
    for (int at = 0; at < buffer.capacity(); at += 4) {
      buffer.putFloat(at, Math.abs(buffer.getFloat(at)));
    }
    return buffer;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 9})
  void scalingByGroupsAgrees(int group) {
    for (int n : SIZES) {
      int rows = 4 * group;
      ByteBuffer a = normal(10, rows * n);
      ByteBuffer slopes = normal(11, 4 * n);
      ByteBuffer expected = copy(a);
      ByteBuffer actual = copy(a);
      plain.scale(a, 0, 4 * n, slopes, 0, 4 * n, group, expected, 0, 4 * n, rows, n);
      vector.scale(a, 0, 4 * n, slopes, 0, 4 * n, group, actual, 0, 4 * n, rows, n);
      assertClose(expected, actual, "scale by " + group + " of " + n);
    }
  }

  @Test
  void sumsOfRowsAreTheSameBits() {
    for (int n : SIZES) {
      ByteBuffer a = normal(14, 5 * n);
      double[] expected = IntStream.range(0, n).mapToDouble(Math::sin).toArray();
      double[] actual = expected.clone();
      plain.addRows(a, 0, 4 * n, 5, expected);
      vector.addRows(a, 0, 4 * n, 5, actual);
      assertArrayEquals(expected, actual, "n = " + n);
    }
  }

  @Test
  void dotsAndCombinationsAgree() {
    for (int n : SIZES) {
      ByteBuffer a = normal(12, n);
      ByteBuffer b = normal(13, n);
      double magnitude = 0;
      for (int j = 0; j < 4 * n; j += 4) {
        magnitude += Math.abs((double) a.getFloat(j) * b.getFloat(j));
      }
      // Each float32 addition rounds by half a unit of at most the sum of magnitudes.
      assertEquals(
          plain.dot(a, 0, b, 0, n), vector.dot(a, 0, b, 0, n), n * 6e-8 * magnitude, "n = " + n);

      ByteBuffer vectors = ByteBuffer.allocateDirect(24 * n).order(ByteOrder.nativeOrder());
      for (int j = 0; j < 3 * n; j++) {
        vectors.putDouble(8 * j, Math.sin(j));
      }
      for (boolean wide : new boolean[] {false, true}) {
        ByteBuffer expected = ByteBuffer.allocateDirect(8 * n).order(ByteOrder.nativeOrder());
        ByteBuffer actual = copy(expected);
        int[] at = {0, 16 * n};
        double[] factors = {0.3, -1.7};
        plain.combine(vectors, at, factors, vectors, 8 * n, -1, expected, 0, wide, n);
        vector.combine(vectors, at, factors, vectors, 8 * n, -1, actual, 0, wide, n);
        assertEquals(expected, actual, "the same operations in the same order, n = " + n);
      }
    }
  }

  @Test
  void multiplesAndProductsOfGramsAgree() {
    for (int n : SIZES) {
      ByteBuffer p = normal(14, n);
      ByteBuffer q = normal(15, n);
      ByteBuffer multiples = normal(16, n);
      ByteBuffer sameMultiples = copy(multiples);
      plain.multiply(p, 0, -0.7f, multiples, 4, n);
      vector.multiply(p, 0, -0.7f, sameMultiples, 4, n);
      assertEquals(multiples, sameMultiples, "one multiplication each, n = " + n);
      for (ByteBuffer factors : new ByteBuffer[] {null, normal(17, n)}) {
        for (float beta : new float[] {0, 1, -2}) {
          ByteBuffer expected = normal(18, n + PADDING);
          expected.putFloat(4, beta == 0 ? Float.NaN : 1);
          ByteBuffer actual = copy(expected);
          plain.addProduct(p, 0, q, 0, 1.3f, factors, 0, beta, expected, 4, n);
          vector.addProduct(p, 0, q, 0, 1.3f, factors, 0, beta, actual, 4, n);
          // A sum of terms of some hundreds may cancel.
          assertClose(expected, actual, 1e-4, "n = " + n + ", beta = " + beta);
          assertTrue(Float.isFinite(actual.getFloat(4)));
        }
      }
    }
  }

  @Test
  void runsAreCopiedAndNothingBesideThem() {
    for (int length : new int[] {1, 3, 7, 8, 9, 15, 16, 17, 27, 48, 96, 97}) {
      int runs = 6;
      // Runs that overlap where they come from, as those of patches do.
      ByteBuffer from = normal(31, 4 * runs + length + 1);
      from.putInt(8, 0x7fc12345);
      ByteBuffer expected = normal(32, runs * (length + PADDING) + 1);
      ByteBuffer actual = copy(expected);
      for (int i = 0; i < runs; i++) {
        for (int j = 0; j < length; j++) {
          int at = 4 * (1 + i * (length + PADDING) + j);
          expected.putInt(at, from.getInt(4 * (1 + 3 * i + j)));
        }
      }
      ByteBuffer byPlain = copy(actual);
      plain.copyRuns(from, 4, 12, byPlain, 4, 4 * (length + PADDING), length, runs);
      vector.copyRuns(from, 4, 12, actual, 4, 4 * (length + PADDING), length, runs);
      assertEquals(-1, expected.mismatch(byPlain), "plain runs of " + length);
      assertEquals(-1, expected.mismatch(actual), "runs of " + length);
    }
  }

  @Test
  void sumsOfRowsHaveTheSameBits() {
    int sums = 3;
    for (int n : SIZES) {
      for (int across : new int[] {1, 2, 3, 5}) {
        int right = 4 * (n + 1);
        int down = across * right + 8;
        int deep = 4;
        ByteBuffer from = normal(33, (deep + sums) * (down / 4 + 1) + n);
        from.putFloat(4, Float.NaN);
        ByteBuffer byPlain = normal(34, sums * (n + PADDING));
        ByteBuffer byVector = copy(byPlain);
        ByteBuffer expected = copy(byPlain);
        int toStep = 4 * (n + PADDING);
        for (int i = 0; i < sums; i++) {
          for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int term = 0; term < deep * across; term++) {
              sum += from.getFloat(i * down + term / across * down + term % across * right + 4 * j);
            }
            expected.putFloat(i * toStep + 4 * j, sum);
          }
        }
        plain.sumRows(from, 0, right, across, down, deep, down, byPlain, 0, toStep, n, sums);
        vector.sumRows(from, 0, right, across, down, deep, down, byVector, 0, toStep, n, sums);
        assertEquals(-1, expected.mismatch(byPlain), n + " columns, plain");
        assertEquals(-1, expected.mismatch(byVector), n + " columns");
      }
    }
  }

  @Test
  void poolingAgreesOnNumbersThatAreEqualInfiniteOrNone() {
    int windows = 4;
    for (int n : SIZES) {
      for (int side : new int[] {1, 2, 3}) {
        int row = 4 * (windows * side + 1) * n;
        ByteBuffer h = normal(35, side * row / 4);
        for (int at = 0; at < side * row; at += 4) {
          float value = Math.round(h.getFloat(at) / 4);
          h.putFloat(at, value == 3 ? Float.NaN : value == -2 ? Float.NEGATIVE_INFINITY : value);
        }
        ByteBuffer slopes = normal(36, side * row / 4);
        ByteBuffer[] slopesBy = {copy(slopes), copy(slopes)};
        ByteBuffer[] out = {normal(37, windows * n), normal(37, windows * n)};
        ByteBuffer[] without = {copy(out[0]), copy(out[0])};
        ByteBuffer[] differences = {copy(out[0]), copy(out[0])};
        ElementKernels[] kernels = {plain, vector};
        for (int k = 0; k < 2; k++) {
          kernels[k].maxPool(h, 0, row, slopesBy[k], 0, out[k], 0, side, n, windows);
          kernels[k].maxPool(h, 0, row, null, 0, without[k], 0, side, n, windows);
          kernels[k].poolDifferences(h, 0, row, slopes, 0, differences[k], 0, side, n, windows);
        }
        String what = n + " channels, side " + side;
        assertClose(out[0], out[1], 0, what);
        assertClose(out[0], without[1], 0, what);
        assertClose(out[0], without[0], 0, what);
        assertClose(slopesBy[0], slopesBy[1], 0, what);
        assertClose(differences[0], differences[1], 0, what);
      }
    }
  }
}
