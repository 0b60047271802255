package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/**
 * Mini-batches by {@code kernels/gather.cu}. Indices are on the card, where only the kernels see
 * them: one that isn't of a row of the source makes its row of the result NaN, and so does a
 * quarter turn of images that aren't square.
 */
final class Gathering {
  private static final String MODULE = "gather";
  private static final int THREADS = 256;
  private static final int ROWS_PER_BLOCK = THREADS / 32;

  private final Launcher launcher;

  Gathering(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#gather}. */
  void gather(Matrix source, DeviceArray indices, long from, long stride, Matrix out) {
    OperandShapes.gather(source, out);
    if (out.rows() == 0 || out.columns() == 0) {
      return;
    }
    long rows = (long) out.rows() * out.replicas();
    launcher.launch(
        MODULE,
        "gather_rows",
        Geometry.of(Math.toIntExact((rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK), THREADS),
        Launcher.address(source.replicas(0, 1)),
        source.stride(),
        source.rows(),
        list(indices, from, stride, out),
        stride,
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        out.rows(),
        out.columns(),
        out.replicas());
  }

  /** As {@link dev.flinch.device.Lane#gatherImages}. */
  void gatherImages(
      DeviceArray pixels,
      ImageShape shape,
      DeviceArray indices,
      DeviceArray moves,
      long from,
      long stride,
      Matrix out) {
    OperandShapes.gatherImages(shape, out);
    if (out.rows() == 0 || out.columns() == 0) {
      return;
    }
    launcher.launch(
        MODULE,
        "gather_images",
        Geometry.of(Math.toIntExact((long) out.rows() * out.replicas()), THREADS),
        Launcher.address(pixels, ElementType.UINT8, 0, pixels.length()),
        pixels.length() / shape.size(),
        shape.channels(),
        shape.height(),
        shape.width(),
        list(indices, from, stride, out),
        moves == null ? 0L : list(moves, from, stride, out),
        stride,
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        out.rows());
  }

  /** Where the first replica's numbers are, once those of all replicas are known to be. */
  private static long list(DeviceArray numbers, long from, long stride, Matrix out) {
    long last = from + (out.replicas() - 1) * stride;
    Launcher.address(numbers, ElementType.INT32, last, out.rows());
    return Launcher.address(numbers, ElementType.INT32, from, out.rows());
  }
}
