package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;

/**
 * One forward pass, then the rows of some points at a time backward together, a matrix product a
 * layer.
 */
final class ComposedJacobianPass extends JacobianPass {
  /** Backward passes that share a forward one, which needs more points for the same speed. */
  private static final int BACKWARD_PASSES = 4;

  private final int backwardPoints;
  private final int tile;
  private final ForwardBuffers[] forward;
  private final Matrix[] seeds;
  private final Matrix[][] errors;
  private final Matrix[] scales;

  ComposedJacobianPass(NetworkStack stack, Jacobian jacobian, long points) {
    super(stack, jacobian, points);
    Device device = stack.device();
    int rows = rowsPerPoint;
    this.backwardPoints = (int) Math.min(points, (device.productRows() + rows - 1) / rows);
    this.tile = (int) Math.min(points, (long) backwardPoints * BACKWARD_PASSES);
    int widest = Math.max(architecture.widest(), firstLayers[0].columns());
    this.forward =
        ForwardBuffers.perLane(
            device, () -> ForwardBuffers.keepingSlopes(scope, architecture, tile));
    this.seeds = new Matrix[device.lanes()];
    this.errors = new Matrix[device.lanes()][2];
    this.scales = new Matrix[device.lanes()];
    for (int lane = 0; lane < device.lanes(); lane++) {
      seeds[lane] = scope.matrix(backwardPoints * rows, architecture.classes());
      scales[lane] = Matrix.of(scope.doubles(backwardPoints), 0, backwardPoints, 1);
      errors[lane][0] = scope.matrix(backwardPoints * rows, widest);
      errors[lane][1] = scope.matrix(backwardPoints * rows, widest);
      if (jacobian == Jacobian.LOGITS) {
        Matrix all = seeds[lane];
        device.run(1, (any, task) -> any.logitSeeds(all));
      }
    }
  }

  @Override
  int tile() {
    return tile;
  }

  @Override
  Matrix firstPreactivations(Lane lane, int points) {
    return forward[lane.index()].z()[0].rows(0, points);
  }

  @Override
  void norms(Lane lane, int replica, Matrix x, Matrix norms) {
    ForwardBuffers buffers = forward(lane, replica, x, norms.rows());
    for (int from = 0; from < norms.rows(); from += backwardPoints) {
      int points = Math.min(backwardPoints, norms.rows() - from);
      Matrix scale = scales[lane.index()].rows(0, points);
      Matrix rows = rows(lane, replica, buffers, from, scale);
      Matrix factors = jacobian == Jacobian.PROBABILITIES ? scale : null;
      lane.groupNorms(rows, rowsPerPoint, factors, norms.rows(from, points));
    }
  }

  @Override
  void grams(Lane lane, int replica, Matrix grams) {
    ForwardBuffers buffers = forward(lane, replica, null, grams.rows());
    for (int from = 0; from < grams.rows(); from += backwardPoints) {
      int points = Math.min(backwardPoints, grams.rows() - from);
      Matrix scale = scales[lane.index()].rows(0, points);
      Matrix rows = rows(lane, replica, buffers, from, scale);
      lane.groupGrams(rows, rowsPerPoint, grams.rows(from, points));
    }
  }

  private ForwardBuffers forward(Lane lane, int replica, Matrix x, int points) {
    ForwardBuffers buffers = forward[lane.index()].first(points);
    stack.forward(lane, replica, x, buffers.z(), buffers.h());
    return buffers;
  }

  /**
   * The rows of some points' Jacobians, or rows with the same products.
   *
   * @param from the first of these points in the forward pass
   * @param scale one row for each of these points; takes the seeds' scales if there are any
   */
  private Matrix rows(Lane lane, int replica, ForwardBuffers buffers, int from, Matrix scale) {
    int points = scale.rows();
    int rows = points * rowsPerPoint;
    Matrix error = seeds[lane.index()].rows(0, rows);
    if (jacobian == Jacobian.PROBABILITIES) {
      lane.probabilitySeeds(buffers.logits().rows(from, points), error, scale);
    }
    for (int l = architecture.depth() - 1; l > 0; l--) {
      Matrix back = errors(lane, l, rows, architecture.columns(l));
      lane.gemm(false, error, false, stack.weights(l).replicas(replica, 1), 0, back);
      lane.scale(back, buffers.z()[l - 1].rows(from, points), rowsPerPoint, back);
      error = back;
    }
    Matrix first = firstLayers[replica];
    Matrix back = errors(lane, 0, rows, first.columns());
    lane.gemm(false, error, false, first, 0, back);
    return back;
  }

  private Matrix errors(Lane lane, int layer, int rows, int columns) {
    return Matrix.padded(errors[lane.index()][layer % 2].data(), rows, columns);
  }
}
