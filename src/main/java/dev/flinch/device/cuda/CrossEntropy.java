package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/** Launches {@code kernels/softmax_cross_entropy.cu}. */
final class CrossEntropy {
  private static final int THREADS = 256;
  private static final int WARP = 32;

  private final Launcher launcher;

  CrossEntropy(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#softmaxCrossEntropy}. */
  void ofRows(
      Matrix logits,
      DeviceArray labels,
      long labelsFrom,
      long labelsStride,
      float factor,
      Matrix gradient,
      Matrix loss,
      Matrix correct) {
    OperandShapes.softmaxCrossEntropy(logits, gradient, loss, correct);
    if (logits.rows() == 0 || logits.columns() == 0) {
      return;
    }
    int width = Math.min(WARP, ElementGrid.powerOfTwo(logits.columns()));
    launcher.launch(
        "softmax_cross_entropy",
        "softmax_cross_entropy",
        Geometry.of(
            ElementGrid.blocks(launcher.card(), logits.rows(), THREADS / width),
            1,
            ElementGrid.layers(launcher.card(), logits.replicas()),
            THREADS),
        Launcher.address(logits),
        logits.stride(),
        logits.replicaStride(),
        Launcher.address(
            labels,
            ElementType.INT32,
            labelsFrom,
            (logits.replicas() - 1) * labelsStride + logits.rows()),
        labelsStride,
        factor,
        Launcher.addressOrNull(gradient),
        gradient == null ? 0 : gradient.stride(),
        gradient == null ? 0L : gradient.replicaStride(),
        Launcher.address(loss),
        loss.stride(),
        loss.replicaStride(),
        Launcher.address(correct),
        correct.stride(),
        correct.replicaStride(),
        logits.rows(),
        logits.columns(),
        width,
        logits.replicas());
  }
}
