package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.Geometry;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What a compiler wrote, against Java; and how fast it runs. */
class CompiledKernelsTest {
  private static final long SEED = 3;
  private static final String PTX = read();

  private static String read() {
    try (InputStream in = CompiledKernelsTest.class.getResourceAsStream("compiled.ptx")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static float[] random(int count, double from, double to) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextDouble(from, to);
    }
    return values;
  }

  private static Driver.Kernel kernel(Emulated card, String name) {
    return card.driver.load("compiled", PTX).kernel(name);
  }

  @Test
  void tailsOfAnySizeAreRight() {
    try (Emulated card = new Emulated()) {
      Driver.Kernel saxpy = kernel(card, "saxpy");
      for (int n : new int[] {1, 2, 31, 32, 33, 127, 1000}) {
        float[] x = random(n, -1, 1);
        float[] y = random(n, -100, 100);
        long a = card.floats(x);
        long b = card.floats(y);
        card.driver.launch(card.stream, saxpy, Geometry.of((n + 63) / 64, 64), a, b, 3f, n);
        float[] expected = new float[n];
        for (int i = 0; i < n; i++) {
          expected[i] = Math.fma(3f, x[i], y[i]);
        }
        assertArrayEquals(expected, card.floats(b, n));
      }
    }
  }

  @Test
  void treesOfSumsAddInTheSameOrder() {
    try (Emulated card = new Emulated()) {
      float[] x = random(1000, -1, 1);
      long out = card.allocate(4);
      card.driver.launch(
          card.stream, kernel(card, "sum"), Geometry.of(1, 256), card.floats(x), out, 1000);
      float[] partial = new float[256];
      for (int i = 0; i < 1000; i++) {
        partial[i % 256] += x[i];
      }
      for (int half = 128; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
          partial[i] += partial[i + half];
        }
      }
      assertEquals(partial[0], card.floats(out, 1)[0]);
    }
  }

  private static float[] product(Emulated card, float[] a, float[] b, int n) {
    long c = card.allocate(4L * n * n);
    card.driver.launch(
        card.stream,
        kernel(card, "product"),
        new Geometry((n + 15) / 16, (n + 15) / 16, 1, 16, 16, 1, 0),
        card.floats(a),
        card.floats(b),
        c,
        n);
    return card.floats(c, n * n);
  }

  @Test
  void productsAreTheSameForAnyParallelism() {
    int n = 77;
    float[] a = random(n * n, -1, 1);
    float[] b = random(n * n, 0, 2);
    float[] expected = new float[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < n; k++) {
          expected[i * n + j] = Math.fma(a[i * n + k], b[k * n + j], expected[i * n + j]);
        }
      }
    }
    String counters = null;
    for (int parallelism : new int[] {1, 2, 7}) {
      try (Emulated card = new Emulated(new EmulatedDriver(75, 1 << 24, parallelism))) {
        assertArrayEquals(expected, product(card, a, b, n));
        String counted = card.driver.counters().get("compiled.product").toString();
        assertEquals(counters == null ? counted : counters, counted);
        counters = counted;
      }
    }
  }

  @Test
  void functionsOfTheCompilersLibraryAreAsGoodAsItPromises() {
    try (Emulated card = new Emulated()) {
      int n = 500;
      float[] x = random(n, 1e-3, 4);
      long y = card.allocate(4L * 7 * n);
      long z = card.allocate(8L * 3 * n);
      card.driver.launch(
          card.stream, kernel(card, "functions"), Geometry.of(4, 128), card.floats(x), y, z, n);
      float[] singles = card.floats(y, 7 * n);
      double[] doubles = card.doubles(z, 3 * n);
      for (int i = 0; i < n; i++) {
        double v = x[i];
        double[] expected = {
          Math.tanh(v),
          Math.exp(v),
          Math.log(v),
          Math.sin(x[i] * 1e6f),
          Math.atan2(v, 2),
          Math.sqrt(v),
          1 / v
        };
        for (int j = 0; j < 7; j++) {
          // The CUDA guide's bounds for these are 0 to 3 ulp; another half for the rounding here.
          assertEquals(
              expected[j],
              singles[7 * i + j],
              3.5 * Math.ulp((float) expected[j]),
              "function %d of %s".formatted(j, x[i]));
        }
        double[] precise = {Math.exp(v), Math.atan(v), v * 100 % 1.3};
        for (int j = 0; j < 3; j++) {
          assertEquals(
              precise[j],
              doubles[3 * i + j],
              3 * Math.ulp(precise[j]),
              "double function %d of %s".formatted(j, x[i]));
        }
      }
    }
  }

  /** Time of this thread on a processor: what else the machine does counts little. */
  private static long processorNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }

  @Test
  void instructionsRunFastEnoughForWholeTestRuns() {
    int n = 128;
    float[] a = random(n * n, -1, 1);
    try (Emulated card = new Emulated(new EmulatedDriver(75, 1 << 24, 1))) {
      double best = 0;
      for (int i = 0; i < 12; i++) {
        card.driver.resetCounters();
        long start = processorNanos();
        product(card, a, a, n);
        double micros = (processorNanos() - start) * 1e-3;
        long count = card.driver.counters().get("compiled.product").allThreadInstructions();
        best = Math.max(best, count / micros);
      }
      System.out.printf("emulator: %.0f million thread instructions a second%n", best);
      // An idle core does hundreds of millions once the code is compiled: only a collapse fails.
      assertTrue(best > 20, best + " million thread instructions a second");
    }
  }
}
