package dev.flinch.bench;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.function.IntConsumer;

/**
 * The rate at which the device's memory is read and written with all lanes at work: what {@code
 * scale} moves, which reads two float32 numbers and writes one for a multiplication.
 *
 * @param gigabytes 10⁹ bytes read and written a second, the median of the timings
 */
public record CopyRate(double gigabytes) {
  private static final double SECONDS_PER_TIMING = 0.05;
  private static final int TIMINGS = 9;
  private static final int COLUMNS = 4096;

  /** Bytes of each of three operands, all lanes together: several times what caches hold. */
  private static final long CARD_BYTES = 256 << 20;

  private static final long CPU_BYTES = 64 << 20;

  static CopyRate measure(Device device) {
    return measure(device, device.takesWholeStacks() ? CARD_BYTES : CPU_BYTES);
  }

  /**
   * @param bytes of each operand
   */
  static CopyRate measure(Device device, long bytes) {
    int lanes = device.lanes();
    int rows = Math.toIntExact(bytes / Float.BYTES / COLUMNS / lanes);
    try (Scope scope = new Scope(device)) {
      Matrix[][] operands = new Matrix[lanes][3];
      for (Matrix[] own : operands) {
        for (int i = 0; i < own.length; i++) {
          own[i] = scope.matrix(rows, COLUMNS);
        }
      }
      IntConsumer copies =
          times ->
              device.run(
                  lanes,
                  (lane, task) -> {
                    // In turn, so that memory that nobody wrote yet is not taken for a fast one.
                    Matrix[] m = operands[lane.index()];
                    for (int i = 0; i < times; i++) {
                      lane.scale(m[i % 3], m[(i + 1) % 3], 1, m[(i + 2) % 3]);
                    }
                  });
      copies.accept(3);
      double once = device.seconds(() -> copies.accept(3)) / 3;
      int times = (int) Math.max(1, SECONDS_PER_TIMING / once);
      double median = GemmRate.median(TIMINGS, () -> device.seconds(() -> copies.accept(times)));
      double moved = 3.0 * Float.BYTES * rows * COLUMNS * lanes;
      return new CopyRate(times * moved / median / 1e9);
    }
  }
}
