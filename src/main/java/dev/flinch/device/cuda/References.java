package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/** Launches {@code kernels/references.cu}. */
final class References {
  private static final String MODULE = "references";
  private static final int COUNTING_THREADS = 128;

  private final Launcher launcher;

  References(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#activateReferences}. */
  void activate(Activation activation, Matrix z, Matrix bias, Matrix knots) {
    OperandShapes.activateReferences(z, bias, knots);
    if (z.rows() == 0 || z.columns() == 0) {
      return;
    }
    int padded = knots.padded() ? knots.stride() : knots.columns();
    launcher.launch(
        MODULE,
        "activate_references",
        ElementGrid.over(launcher.card(), z.rows(), padded, 1, z.replicas()),
        activation.isPiecewiseLinear() ? 0 : 1,
        (float) activation.low(),
        (float) activation.high(),
        (float) activation.shift(),
        Launcher.address(z, ElementType.FLOAT64),
        z.stride(),
        z.replicaStride(),
        Launcher.addressOrNull(bias),
        bias == null ? 0L : bias.replicaStride(),
        Launcher.address(knots),
        knots.stride(),
        knots.replicaStride(),
        z.rows(),
        z.columns(),
        padded,
        z.replicas());
  }

  /** As {@link dev.flinch.device.Lane#activateDifferences}. */
  void activateDifferences(
      Activation activation, Matrix z, Matrix knots, DeviceArray counts, long countsFrom) {
    OperandShapes.activateDifferences(z, knots);
    if (z.rows() == 0) {
      return;
    }
    int steps = z.rows() - 1;
    long countsAt = Launcher.address(counts, ElementType.INT32, countsFrom, steps);
    if (steps > 0) {
      launcher.launch(
          MODULE,
          "count_transitions",
          Geometry.of(steps, COUNTING_THREADS),
          Launcher.address(z),
          z.stride(),
          Launcher.address(knots),
          knots.stride(),
          countsAt,
          z.columns());
    }
    if (z.columns() > 0) {
      launcher.launch(
          MODULE,
          "activate_differences",
          ElementGrid.over(launcher.card(), z.rows(), z.columns(), 1, 1),
          activation.isPiecewiseLinear() ? 0 : 1,
          Launcher.address(z),
          z.stride(),
          Launcher.address(knots),
          knots.stride(),
          z.rows(),
          z.columns());
    }
  }
}
