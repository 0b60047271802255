package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/**
 * Launches {@code kernels/cross_entropy_seeds.cu}, {@code kernels/unit_rows.cu} and {@code
 * kernels/gram_product.cu}: what products of single examples' gradients are made of.
 */
final class ExampleGradientKernels {
  private static final int THREADS = 256;
  private static final int WARP = 32;

  /** Rows and columns of C that a block of {@code gram_product} computes. */
  private static final int TILE = 64;

  private final Launcher launcher;

  ExampleGradientKernels(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#crossEntropySeeds}. */
  void crossEntropySeeds(
      Matrix logits, DeviceArray labels, long labelsFrom, Matrix seeds, Matrix scales) {
    OperandShapes.crossEntropySeeds(logits, seeds, scales);
    if (logits.rows() == 0 || logits.columns() == 0) {
      return;
    }
    int width = Math.min(WARP, ElementGrid.powerOfTwo(logits.columns()));
    launcher.launch(
        "cross_entropy_seeds",
        "cross_entropy_seeds",
        Geometry.of(
            ElementGrid.blocks(launcher.card(), logits.rows(), THREADS / width),
            1,
            ElementGrid.layers(launcher.card(), logits.replicas()),
            THREADS),
        Launcher.address(logits),
        logits.stride(),
        logits.replicaStride(),
        Launcher.address(labels, ElementType.INT32, labelsFrom, logits.rows()),
        Launcher.address(seeds),
        seeds.stride(),
        seeds.replicaStride(),
        Launcher.address(scales, ElementType.FLOAT64),
        scales.stride(),
        scales.replicaStride(),
        logits.rows(),
        logits.columns(),
        width,
        logits.replicas());
  }

  /** As {@link dev.flinch.device.Lane#unitRows}. */
  void unitRows(Matrix a, Matrix out, Matrix norms) {
    OperandShapes.unitRows(a, out, norms);
    if (a.rows() == 0) {
      return;
    }
    int threads = Math.max(WARP, Math.min(THREADS, Integer.highestOneBit(a.columns() / 4 + 1)));
    launcher.launch(
        "unit_rows",
        "unit_rows",
        Geometry.of(a.rows(), 1, ElementGrid.layers(launcher.card(), a.replicas()), threads),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        Launcher.address(out),
        out.stride(),
        out.replicaStride(),
        out.columns() - a.columns(),
        Launcher.address(norms, ElementType.FLOAT64),
        norms.stride(),
        norms.replicaStride(),
        a.columns(),
        a.replicas());
  }

  /** As {@link dev.flinch.device.Lane#gramProduct}. */
  void gramProduct(
      Matrix a, Matrix b, Matrix d, Matrix e, Matrix u, Matrix v, float beta, Matrix c) {
    OperandShapes.gramProduct(a, b, d, e, u, v, c);
    if (c.rows() == 0 || c.columns() == 0) {
      return;
    }
    double outputs = (double) c.rows() * c.columns();
    double depth = (double) a.columns() + d.columns();
    launcher.announce(
        c.replicas() * 2 * outputs * depth,
        c.replicas() * Float.BYTES * (depth * (c.rows() + c.columns()) + outputs));
    long tiles = (long) tiles(c.rows()) * tiles(c.columns());
    launcher.launch(
        "gram_product",
        "gram_product",
        Geometry.of(Math.toIntExact(tiles * c.replicas()), 1, 1, THREADS),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        Launcher.address(b),
        b.stride(),
        b.replicaStride(),
        a.columns(),
        Launcher.address(d),
        d.stride(),
        d.replicaStride(),
        Launcher.address(e),
        e.stride(),
        e.replicaStride(),
        d.columns(),
        Launcher.addressOrNull(u),
        u == null ? 0L : u.replicaStride(),
        Launcher.addressOrNull(v),
        v == null ? 0L : v.replicaStride(),
        beta,
        Launcher.address(c),
        c.stride(),
        c.replicaStride(),
        c.rows(),
        c.columns());
  }

  private static int tiles(int size) {
    return (size - 1) / TILE + 1;
  }
}
