package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.cuda.driver.Geometry;

/**
 * Launches {@code kernels/seeds.cu} and {@code kernels/norms.cu}: where Jacobians of a network's
 * outputs start, and where those of the probabilities end when the logits' are known.
 */
final class JacobianEnds {
  private static final int THREADS = 256;
  private static final int WARP = 32;

  private final Launcher launcher;

  JacobianEnds(Launcher launcher) {
    this.launcher = launcher;
  }

  /** As {@link dev.flinch.device.Lane#probabilitySeeds}. */
  void probabilitySeeds(Matrix logits, Matrix seeds, Matrix scales) {
    OperandShapes.probabilitySeeds(logits, seeds, scales);
    if (logits.rows() == 0) {
      return;
    }
    Geometry geometry = pointwise(logits);
    launcher.launch(
        "seeds",
        "probability_seeds",
        geometry,
        Launcher.address(logits),
        logits.stride(),
        logits.replicaStride(),
        Launcher.address(seeds),
        seeds.stride(),
        seeds.replicaStride(),
        Launcher.address(scales, ElementType.FLOAT64),
        scales.stride(),
        scales.replicaStride(),
        probabilities(geometry, logits),
        logits.rows(),
        logits.columns(),
        lanes(logits),
        logits.replicas());
  }

  /** As {@link dev.flinch.device.Lane#logitSeeds}. */
  void logitSeeds(Matrix seeds) {
    if (seeds.rows() == 0 || seeds.columns() == 0) {
      return;
    }
    launcher.launch(
        "seeds",
        "logit_seeds",
        ElementGrid.over(launcher.card(), seeds.rows(), seeds.columns(), 1, seeds.replicas()),
        Launcher.address(seeds),
        seeds.stride(),
        seeds.replicaStride(),
        seeds.rows(),
        seeds.columns(),
        seeds.replicas());
  }

  /** As {@link dev.flinch.device.Lane#probabilityNorms}. */
  void probabilityNorms(Matrix logits, Matrix grams, int[] regions, Matrix norms) {
    OperandShapes.probabilityNorms(logits, grams, regions, norms);
    if (logits.rows() == 0 || logits.columns() == 0) {
      return;
    }
    Geometry geometry = pointwise(logits);
    launcher.launch(
        "norms",
        "probability_norms",
        geometry,
        Launcher.address(logits),
        logits.stride(),
        Launcher.address(grams, ElementType.FLOAT64),
        grams.stride(),
        launcher.copy(regions),
        Launcher.address(norms, ElementType.FLOAT64),
        norms.stride(),
        probabilities(geometry, logits),
        logits.rows(),
        logits.columns(),
        lanes(logits));
  }

  /** How many lanes of a warp share a point. */
  private static int lanes(Matrix logits) {
    return Math.min(WARP, ElementGrid.powerOfTwo(logits.columns()));
  }

  private Geometry pointwise(Matrix logits) {
    return Geometry.of(
        ElementGrid.blocks(launcher.card(), logits.rows(), THREADS / lanes(logits)),
        1,
        ElementGrid.layers(launcher.card(), logits.replicas()),
        THREADS);
  }

  /** Scratch for the softmax of as many points as are in work at once. */
  private long probabilities(Geometry geometry, Matrix logits) {
    return launcher.scratch(8L * geometry.blocks() * (THREADS / lanes(logits)) * logits.columns());
  }
}
