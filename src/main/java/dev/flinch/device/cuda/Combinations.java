package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import java.nio.ByteOrder;

/** Launches {@code kernels/combine.cu} and {@code kernels/convert.cu}. */
final class Combinations {
  private final Launcher launcher;

  Combinations(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#combine}. */
  void combine(
      Matrix vectors,
      int terms,
      int[] indices,
      double[] coefficients,
      Matrix offset,
      double sign,
      Matrix out) {
    OperandShapes.combine(vectors, terms, indices, coefficients, offset, out);
    if (out.rows() == 0 || out.columns() == 0) {
      return;
    }
    int numbers = out.rows() * terms;
    // One copy for both, as one launch reads them: doubles first, for their alignment.
    long numbersAt =
        launcher.copy(
            12L * numbers,
            buffer -> {
              buffer.asDoubleBuffer().put(coefficients, 0, numbers);
              buffer.position(8 * numbers);
              buffer.slice().order(ByteOrder.nativeOrder()).asIntBuffer().put(indices, 0, numbers);
            });
    boolean wide = out.data().type() == ElementType.FLOAT64;
    launcher.launch(
        "combine",
        wide ? "combine_to_float64" : "combine_to_float32",
        ElementGrid.over(launcher.card(), out.rows(), out.columns(), 1, out.replicas()),
        Launcher.address(vectors, ElementType.FLOAT64),
        vectors.stride(),
        vectors.replicaStride(),
        terms,
        numbersAt + 8L * numbers,
        numbersAt,
        offset == null ? 0L : Launcher.address(offset, ElementType.FLOAT64),
        offset == null ? 0L : offset.replicaStride(),
        sign,
        Launcher.address(out, wide ? ElementType.FLOAT64 : ElementType.FLOAT32),
        out.stride(),
        out.replicaStride(),
        out.rows(),
        out.columns(),
        out.replicas());
  }

  /** As {@link dev.flinch.device.Lane#widen}. */
  void widen(Matrix narrow, Matrix wide) {
    OperandShapes.widen(narrow, wide);
    convert("widen", narrow, ElementType.FLOAT32, wide, ElementType.FLOAT64);
  }

  /** As {@link dev.flinch.device.Lane#narrow}. */
  void narrow(Matrix wide, Matrix narrow) {
    OperandShapes.narrow(wide, narrow);
    convert("narrow", wide, ElementType.FLOAT64, narrow, ElementType.FLOAT32);
  }

  private void convert(
      String entry, Matrix in, ElementType inType, Matrix out, ElementType outType) {
    if (in.rows() == 0 || in.columns() == 0) {
      return;
    }
    launcher.launch(
        "convert",
        entry,
        ElementGrid.over(launcher.card(), in.rows(), in.columns(), 1, in.replicas()),
        Launcher.address(in, inType),
        in.stride(),
        in.replicaStride(),
        Launcher.address(out, outType),
        out.stride(),
        out.replicaStride(),
        in.rows(),
        in.columns(),
        in.replicas());
  }
}
