package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/** Launches {@code kernels/reduce.cu}. */
final class Reductions {
  private static final String MODULE = "reduce";
  private static final int THREADS = 256;
  private static final int WARP = 32;

  /** Rows of a chunk of column sums: as many blocks work on a column as it has chunks. */
  private static final int CHUNK = 4096;

  private final Launcher launcher;

  Reductions(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#columnSums}. */
  void columnSums(Matrix a, Matrix sums) {
    OperandShapes.columnSums(a, sums);
    if (a.columns() == 0) {
      return;
    }
    int x = Math.min(WARP, ElementGrid.powerOfTwo(a.columns()));
    int chunks = Math.max(1, (a.rows() - 1) / CHUNK + 1);
    int replicas = a.replicas();
    long partial = chunks == 1 ? 0 : launcher.scratch(8L * replicas * chunks * a.columns());
    launcher.launch(
        MODULE,
        "column_sums",
        new Geometry(
            (a.columns() - 1) / x + 1,
            chunks,
            ElementGrid.layers(launcher.card(), replicas),
            x,
            THREADS / x,
            1,
            0),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        CHUNK,
        partial,
        Launcher.address(sums),
        sums.replicaStride(),
        a.rows(),
        a.columns(),
        replicas);
    if (chunks > 1) {
      launcher.launch(
          MODULE,
          "column_sums_of_chunks",
          Geometry.of(
              (a.columns() - 1) / THREADS + 1,
              1,
              ElementGrid.layers(launcher.card(), replicas),
              THREADS),
          partial,
          chunks,
          Launcher.address(sums),
          sums.replicaStride(),
          a.columns(),
          replicas);
    }
  }

  /** As {@link dev.flinch.device.Lane#groupNorms}. */
  void groupNorms(Matrix a, int group, Matrix scales, Matrix norms) {
    OperandShapes.groupNorms(a, group, scales, norms);
    if (norms.rows() == 0) {
      return;
    }
    // A group without columns has no elements: its norm is written all the same.
    boolean empty = a.columns() == 0;
    long elements = (long) group * a.columns();
    int threads =
        (int) Math.max(WARP, Math.min(THREADS, Long.highestOneBit(Math.max(1, elements / 4))));
    launcher.launch(
        MODULE,
        "group_norms",
        Geometry.of(
            norms.rows(), 1, ElementGrid.layers(launcher.card(), norms.replicas()), threads),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        empty ? 0 : group,
        scales == null ? 0L : Launcher.address(scales, ElementType.FLOAT64),
        scales == null ? 0 : scales.stride(),
        scales == null ? 0L : scales.replicaStride(),
        Launcher.address(norms, ElementType.FLOAT64),
        norms.stride(),
        norms.replicaStride(),
        empty ? 1 : a.columns(),
        norms.replicas());
  }

  /** As {@link dev.flinch.device.Lane#groupGrams}. */
  void groupGrams(Matrix a, int group, Matrix grams) {
    OperandShapes.groupGrams(a, group, grams);
    if (grams.rows() == 0 || group == 0) {
      return;
    }
    launcher.launch(
        MODULE,
        "group_grams",
        Geometry.of(
            grams.rows(), 1, ElementGrid.layers(launcher.card(), grams.replicas()), THREADS),
        Launcher.address(a),
        a.stride(),
        a.replicaStride(),
        group,
        Launcher.address(grams, ElementType.FLOAT64),
        grams.stride(),
        grams.replicaStride(),
        a.columns(),
        grams.replicas());
  }
}
