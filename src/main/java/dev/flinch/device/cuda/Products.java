package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Driver;

/**
 * Matrix products: checks shapes, and has large ones made by cuBLAS where it is found, all others
 * by kernels of our own. Which are large depends on a product's own size, not on how many there
 * are, so that a network is multiplied alike alone and in a stack.
 */
final class Products implements AutoCloseable {
  /**
   * Multiply-adds of a product from which cuBLAS makes it: 256³. Below, a product is a few tiles
   * that only fill a card together with those of other replicas, which is what our kernels' grid is
   * made for. An estimate: neither has been timed on a card.
   */
  private static final long LARGE = 1L << 24;

  private final ProductProvider own;
  private final ProductProvider large;
  private final String description;

  Products(Launcher launcher) {
    this(new KernelProducts(launcher), Cublas.find(launcher.driver(), launcher.stream()));
  }

  Products(KernelProducts own, Cublas.Outcome found) {
    this.own = own;
    this.large = found.cublas() == null ? own : found.cublas();
    this.description =
        found.cublas() == null
            ? "%s (%s)".formatted(own.description(), found.description())
            : "%s from 2^24 multiply-adds on, below by %s"
                .formatted(found.description(), own.description());
  }

  /** What multiplies matrices, and why. */
  String description() {
    return description;
  }

  /** As {@link dev.flinch.device.Lane#gemm}. */
  void gemm(boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    OperandShapes.gemm(transposeA, a, transposeB, b, c);
    if (c.rows() > 0 && c.columns() > 0) {
      long depth = transposeA ? a.rows() : a.columns();
      boolean isLarge = depth * c.rows() * c.columns() >= LARGE;
      (isLarge ? large : own).gemm(transposeA, a, transposeB, b, beta, c);
    }
  }

  /**
   * Announces products of float32. Those of float64 are left out: the ceiling that work is held
   * against is that of float32.
   *
   * @param depth how many terms a sum has
   */
  static void announce(Driver driver, int depth, Matrix c) {
    if (c.data().type() == ElementType.FLOAT32) {
      double outputs = (double) c.rows() * c.columns();
      double elements = (double) depth * (c.rows() + c.columns()) + outputs;
      driver.announce(
          new Driver.Work(
              2 * outputs * depth * c.replicas(), Float.BYTES * elements * c.replicas()));
    }
  }

  @Override
  public void close() {
    if (large instanceof Cublas cublas) {
      cublas.close();
    }
  }
}
