package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/** Launches {@code kernels/pattern.cu}. */
final class Patterns {
  private static final String MODULE = "pattern";
  private static final int THREADS = 256;

  /** Rows that a block hashes: eight warps of four. */
  private static final int ROWS = 32;

  private final Launcher launcher;

  Patterns(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#hashPatterns}. */
  void hash(
      Activation activation, Matrix z, Matrix bias, long firstUnit, DeviceArray hashes, long from) {
    OperandShapes.hashPatterns(z, bias);
    if (z.rows() == 0 || z.columns() == 0) {
      return;
    }
    launcher.launch(
        MODULE,
        "hash_patterns",
        Geometry.of((z.rows() - 1) / ROWS + 1, THREADS),
        (float) activation.low(),
        (float) activation.high(),
        Launcher.address(z),
        z.stride(),
        Launcher.addressOrNull(bias),
        firstUnit,
        Launcher.address(hashes, ElementType.INT64, from, z.rows()),
        z.rows(),
        z.columns());
  }

  /** As {@link dev.flinch.device.Lane#countPatterns}. */
  void count(DeviceArray hashes, long from, int count, DeviceArray out, long at) {
    long counts = Launcher.address(out, ElementType.INT64, at, 2);
    launcher.zero(counts, 16);
    if (count == 0) {
      return;
    }
    int bits = 64 - Long.numberOfLeadingZeros(2L * count - 1);
    long bytes = 8 * ((1L << bits) + 1);
    long table = launcher.scratch(bytes);
    launcher.zero(table, bytes);
    launcher.launch(
        MODULE,
        "count_patterns",
        Geometry.of(ElementGrid.blocks(launcher.card(), count, THREADS), THREADS),
        Launcher.address(hashes, ElementType.INT64, from, count),
        count,
        table,
        bits,
        counts);
  }
}
