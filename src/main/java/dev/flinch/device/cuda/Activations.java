package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;

/** Launches {@code kernels/activation.cu}. */
final class Activations {
  private static final String MODULE = "activation";

  private final Launcher launcher;

  Activations(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#addBias}. */
  void addBias(Matrix z, Matrix bias) {
    OperandShapes.addBias(z, bias);
    if (z.rows() == 0 || z.columns() == 0) {
      return;
    }
    int width = ElementGrid.packWidth(z, bias);
    announce(z, 2);
    launcher.launch(
        MODULE,
        "add_bias_" + width,
        ElementGrid.over(launcher.card(), z.rows(), z.columns(), width, z.replicas()),
        Launcher.address(z),
        z.stride(),
        z.replicaStride(),
        Launcher.address(bias),
        bias.replicaStride(),
        z.rows(),
        z.columns(),
        z.replicas());
  }

  /** As {@link dev.flinch.device.Lane#activate}. */
  void activate(Activation activation, Matrix z, Matrix bias, Matrix h) {
    OperandShapes.activate(z, bias, h);
    if (z.rows() == 0 || z.columns() == 0) {
      return;
    }
    int width = ElementGrid.packWidth(z, bias, h);
    announce(z, 3);
    launcher.launch(
        MODULE,
        "activate_" + width,
        ElementGrid.over(launcher.card(), z.rows(), z.columns(), width, z.replicas()),
        activation.isPiecewiseLinear() ? 0 : 1,
        (float) activation.low(),
        (float) activation.high(),
        (float) activation.shift(),
        Launcher.address(z),
        z.stride(),
        z.replicaStride(),
        Launcher.addressOrNull(bias),
        bias == null ? 0L : bias.replicaStride(),
        Launcher.address(h),
        h.stride(),
        h.replicaStride(),
        z.rows(),
        z.columns(),
        z.replicas());
  }

  /** As {@link dev.flinch.device.Lane#scale}. */
  void scale(Matrix a, Matrix slopes, int group, Matrix out) {
    OperandShapes.scale(a, slopes, group, out);
    if (a.rows() == 0 || a.columns() == 0) {
      return;
    }
    int width = ElementGrid.packWidth(a, slopes, out);
    announce(a, 2 + 1.0 / group);
    launcher.launch(
        MODULE,
        "scale_" + width,
        ElementGrid.over(launcher.card(), a.rows(), a.columns(), width, a.replicas()),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        Launcher.address(slopes),
        slopes.stride(),
        slopes.replicaStride(),
        group,
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        a.rows(),
        a.columns(),
        a.replicas());
  }

  /**
   * Says that the next launch moves every element of a matrix so many times, with about one
   * operation for each.
   */
  private void announce(Matrix m, double times) {
    double elements = (double) m.rows() * m.columns() * m.replicas();
    launcher.announce(elements, times * Float.BYTES * elements);
  }
}
