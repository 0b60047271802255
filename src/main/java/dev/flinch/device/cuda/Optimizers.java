package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cuda.driver.Geometry;
import java.util.Arrays;
import java.util.Locale;

/** Launches {@code kernels/optimizer.cu}. */
final class Optimizers {
  private static final String MODULE = "optimizer";
  private static final int THREADS = 256;

  /** Columns of the longest row that rows without gaps are joined to; kernels count in ints. */
  private static final long LONGEST_ROW = 1 << 30;

  private final Launcher launcher;

  Optimizers(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#update}. */
  void update(
      OptimizerRule rule,
      DeviceArray rates,
      DeviceArray running,
      int replicaFrom,
      Matrix weights,
      Matrix gradient,
      Matrix... slots) {
    OperandShapes.update(rule, weights, gradient, slots);
    if (weights.rows() == 0 || weights.columns() == 0) {
      return;
    }
    Matrix first = slots.length > 0 ? slots[0] : null;
    Matrix second = slots.length > 1 ? slots[1] : null;
    boolean joined =
        weights.isDense()
            && gradient.isDense()
            && Arrays.stream(slots).allMatch(Matrix::isDense)
            && (long) weights.rows() * weights.columns() <= LONGEST_ROW;
    int rows = joined ? 1 : weights.rows();
    int columns = joined ? weights.rows() * weights.columns() : weights.columns();
    int width =
        joined
            ? ElementGrid.packWidth(
                oneRow(weights), oneRow(gradient), oneRow(first), oneRow(second))
            : ElementGrid.packWidth(weights, gradient, first, second);
    int replicas = weights.replicas();
    // Weights and slots are read and written, the gradient is read.
    double values = (double) rows * columns * replicas * (3 + 2 * slots.length);
    launcher.announce(values, Float.BYTES * values);
    launcher.launch(
        MODULE,
        "update_%s_%d".formatted(rule.name().toLowerCase(Locale.ROOT), width),
        ElementGrid.over(launcher.card(), rows, columns, width, replicas),
        Launcher.address(rates, ElementType.FLOAT32, replicaFrom, replicas),
        Launcher.address(running, ElementType.INT32, replicaFrom, replicas),
        Launcher.address(weights),
        weights.stride(),
        weights.replicaStride(),
        Launcher.address(gradient),
        gradient.stride(),
        gradient.replicaStride(),
        Launcher.addressOrNull(first),
        first == null ? 0 : first.stride(),
        first == null ? 0L : first.replicaStride(),
        Launcher.addressOrNull(second),
        second == null ? 0 : second.stride(),
        second == null ? 0L : second.replicaStride(),
        rows,
        columns,
        replicas);
  }

  /** A dense matrix as one row. */
  private static Matrix oneRow(Matrix m) {
    int columns = m == null ? 0 : m.rows() * m.columns();
    return m == null
        ? null
        : new Matrix(
            m.data(), m.offset(), 1, columns, columns, false, m.replicas(), m.replicaStride());
  }

  /** As {@link dev.flinch.device.Lane#haltNonFinite}. */
  void haltNonFinite(Matrix sums, DeviceArray running, long runningFrom) {
    OperandShapes.haltNonFinite(sums);
    int replicas = sums.replicas();
    launcher.launch(
        MODULE,
        "halt_non_finite",
        Geometry.of((replicas - 1) / THREADS + 1, THREADS),
        Launcher.address(sums),
        sums.replicaStride(),
        Launcher.address(running, ElementType.INT32, runningFrom, replicas),
        replicas);
  }
}
