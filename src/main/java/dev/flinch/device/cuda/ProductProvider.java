package dev.flinch.device.cuda;

import dev.flinch.device.Matrix;

/** One way to multiply matrices on a card. */
interface ProductProvider {
  /** What it is, for people, such as {@code cuBLAS 12.6}. */
  String description();

  /**
   * As {@link dev.flinch.device.Lane#gemm}, for operands whose shapes {@link Products} found to fit
   * and of which c has at least one element.
   */
  void gemm(boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c);
}
