package dev.flinch.device.cpu;

import static org.bytedeco.openblas.global.openblas_nolapack.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas_nolapack.CblasTrans;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_dgemm;
import static org.bytedeco.openblas.global.openblas_nolapack.cblas_sgemm;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Matrix products by OpenBLAS on raw addresses, one thread a call. An instance belongs to one lane:
 * its pointers are moved from call to call, so that a product allocates nothing.
 */
final class Blas {
  private final FloatCursor a = new FloatCursor();
  private final FloatCursor b = new FloatCursor();
  private final FloatCursor c = new FloatCursor();
  private final DoubleCursor wideA = new DoubleCursor();
  private final DoubleCursor wideB = new DoubleCursor();
  private final DoubleCursor wideC = new DoubleCursor();

  /** c (m × n) ← op(a) op(b) + beta c, row-major, float64 if {@code wide}, else float32. */
  void gemm(
      boolean wide,
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long addressA,
      int strideA,
      long addressB,
      int strideB,
      float beta,
      long addressC,
      int strideC) {
    int opA = transposeA ? CblasTrans : CblasNoTrans;
    int opB = transposeB ? CblasTrans : CblasNoTrans;
    if (wide) {
      cblas_dgemm(
          CblasRowMajor,
          opA,
          opB,
          m,
          n,
          k,
          1,
          wideA.at(addressA),
          strideA,
          wideB.at(addressB),
          strideB,
          beta,
          wideC.at(addressC),
          strideC);
    } else {
      cblas_sgemm(
          CblasRowMajor,
          opA,
          opB,
          m,
          n,
          k,
          1,
          a.at(addressA),
          strideA,
          b.at(addressB),
          strideB,
          beta,
          c.at(addressC),
          strideC);
    }
  }

  private static final class FloatCursor extends FloatPointer {
    FloatCursor at(long address) {
      this.address = address;
      return this;
    }
  }

  private static final class DoubleCursor extends DoublePointer {
    DoubleCursor at(long address) {
      this.address = address;
      return this;
    }
  }
}
