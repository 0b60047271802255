package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.network.BackwardBuffers;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.LayerMatrices;
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
  private final DeviceArray[] errors;
  private final BackwardBuffers[] backward;
  private final Matrix[] scales;

  ComposedJacobianPass(NetworkStack stack, Jacobian jacobian, long points) {
    super(stack, jacobian, points);
    Device device = stack.device();
    int rows = rowsPerPoint;
    int enough = Math.max(1, device.productRows() / architecture.positions(0));
    this.backwardPoints = (int) Math.min(points, (enough + rows - 1) / rows);
    this.tile = (int) Math.min(points, (long) backwardPoints * BACKWARD_PASSES);
    int inputs = architecture.isConvolutional() ? architecture.inputs() : firstLayers[0].columns();
    int widest = Matrix.paddedColumns(architecture.widest());
    this.forward =
        ForwardBuffers.perLane(
            device, () -> ForwardBuffers.keepingSlopes(scope, architecture, tile));
    this.seeds = new Matrix[device.lanes()];
    this.errors = new DeviceArray[device.lanes()];
    this.backward = new BackwardBuffers[device.lanes()];
    this.scales = new Matrix[device.lanes()];
    for (int lane = 0; lane < device.lanes(); lane++) {
      seeds[lane] = scope.matrix(backwardPoints * rows, architecture.classes());
      scales[lane] = Matrix.of(scope.doubles(backwardPoints), 0, backwardPoints, 1);
      errors[lane] = scope.floats((long) backwardPoints * rows * widest);
      backward[lane] = new BackwardBuffers(scope, architecture, 1, backwardPoints * rows, inputs);
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
    stack.forward(lane, replica, x, buffers);
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
    BackwardBuffers back = backward[lane.index()];
    for (int l = architecture.depth() - 1; l > 0; l--) {
      Matrix below = LayerMatrices.written(errors[lane.index()], architecture, l - 1, 1, rows);
      Matrix slopes = buffers.z()[l - 1].rows(from, points);
      Matrix weights = stack.weights(l).replicas(replica, 1);
      back.back(lane, l, weights, error, slopes, rowsPerPoint, below);
      error = below;
    }
    return back.toInputs(lane, firstLayers[replica], error);
  }
}
