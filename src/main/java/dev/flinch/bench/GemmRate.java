package dev.flinch.bench;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.DoubleSupplier;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/**
 * The rate of float32 matrix products with all lanes at work, each on matrices of its own.
 *
 * @param shape rows × inner × columns of one product
 * @param gflops 10⁹ multiplications and additions a second, the median of the timings
 */
public record GemmRate(String shape, double gflops) {
  static final Comparator<GemmRate> BY_RATE = Comparator.comparingDouble(GemmRate::gflops);

  private static final double SECONDS_PER_TIMING = 0.1;
  private static final int TIMINGS = 9;

  /** Rows, inner size and columns: in cache, a long one, and a large one. */
  private static final int[][] SHAPES = {{512, 200, 200}, {8192, 200, 200}, {4096, 1000, 1000}};

  /** The rates of products of several shapes. */
  static List<GemmRate> several(Device device) {
    return Stream.of(SHAPES).map(shape -> measure(device, shape[0], shape[1], shape[2])).toList();
  }

  /** A first idea of the rate, in a fraction of a second. */
  public static GemmRate roughly(Device device) {
    return measure(device, SHAPES[0][0], SHAPES[0][1], SHAPES[0][2], 3, SECONDS_PER_TIMING / 4);
  }

  /** The best of several shapes. */
  static GemmRate best(Device device) {
    return several(device).stream().max(BY_RATE).orElseThrow();
  }

  /** x (m × k) times the transpose of w (n × k), as layers do it. */
  static GemmRate measure(Device device, int m, int k, int n) {
    return measure(device, m, k, n, TIMINGS, SECONDS_PER_TIMING);
  }

  private static GemmRate measure(
      Device device, int m, int k, int n, int timings, double secondsPerTiming) {
    int lanes = device.lanes();
    double flop = 2.0 * m * k * n;
    try (Scope scope = new Scope(device)) {
      Matrix[][] operands = new Matrix[lanes][];
      for (int lane = 0; lane < lanes; lane++) {
        operands[lane] = new Matrix[] {normal(scope, device, m, k), normal(scope, device, n, k)};
      }
      Matrix[] results = new Matrix[lanes];
      Arrays.setAll(results, lane -> scope.matrix(m, n));
      Products products =
          times ->
              device.run(
                  lanes,
                  (lane, task) -> {
                    Matrix[] xw = operands[lane.index()];
                    for (int i = 0; i < times; i++) {
                      lane.gemm(false, xw[0], true, xw[1], 0, results[lane.index()]);
                    }
                  });
      products.run(1);
      double once = device.seconds(() -> products.run(1));
      int times = (int) Math.max(1, secondsPerTiming / once);
      double median = median(timings, () -> device.seconds(() -> products.run(times)));
      return new GemmRate("%d × %d × %d".formatted(m, k, n), lanes * times * flop / median / 1e9);
    }
  }

  private interface Products {
    void run(int times);
  }

  private static Matrix normal(Scope scope, Device device, int rows, int columns) {
    float[] values = new float[rows * columns];
    RandomStreams.fillNormal(
        RandomStreams.stream(1, Purpose.BENCHMARK, rows, columns), 1, values, 0, values.length);
    Matrix matrix = Matrix.of(scope.floats(values.length), 0, rows, columns);
    device.upload(values, 0, matrix.data(), 0, values.length);
    return matrix;
  }

  /** The median of several timings (the mean of the middle two where their number is even). */
  static double median(int timings, DoubleSupplier timing) {
    double[] seconds = DoubleStream.generate(timing).limit(timings).sorted().toArray();
    return (seconds[(timings - 1) / 2] + seconds[timings / 2]) / 2;
  }
}
