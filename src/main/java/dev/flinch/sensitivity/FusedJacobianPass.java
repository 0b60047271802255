package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.FusedPasses;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.network.NetworkStack;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** One kernel for all points of a tile, after the product of inputs and first layer. */
final class FusedJacobianPass extends JacobianPass {
  private final FusedPasses fused;
  private final int tile;
  private final Matrix[] first;
  private final Matrix[] rows;

  FusedJacobianPass(FusedPasses fused, NetworkStack stack, Jacobian jacobian, long points) {
    super(stack, jacobian, points);
    this.fused = fused;
    Device device = stack.device();
    // Rows are only kept for Gram matrices, which only logits are asked for.
    int kept = jacobian == Jacobian.LOGITS ? rowsPerPoint * firstLayers[0].columns() : 0;
    long fits = device.laneBytes() / Float.BYTES / Math.max(1, kept);
    this.tile = (int) Math.max(1, Math.min(points, Math.min(device.productRows(), fits)));
    this.first = perLane(device, lane -> scope.matrix(tile, architecture.rows(0)));
    this.rows =
        perLane(
            device, lane -> scope.matrix(kept == 0 ? 0 : tile * rowsPerPoint, kept / rowsPerPoint));
  }

  private static Matrix[] perLane(Device device, IntFunction<Matrix> each) {
    return IntStream.range(0, device.lanes()).mapToObj(each).toArray(Matrix[]::new);
  }

  @Override
  int tile() {
    return tile;
  }

  @Override
  Matrix firstPreactivations(Lane lane, int points) {
    return first[lane.index()].rows(0, points);
  }

  @Override
  void norms(Lane lane, int replica, Matrix x, Matrix norms) {
    Matrix z = firstPreactivations(lane, norms.rows());
    if (x != null) {
      lane.gemm(false, x, true, stack.weights(0).replicas(replica, 1), 0, z);
    }
    jacobians(lane, replica, z, norms, null);
  }

  @Override
  void grams(Lane lane, int replica, Matrix grams) {
    int points = grams.rows();
    Matrix kept = rows[lane.index()].rows(0, points * rowsPerPoint);
    jacobians(lane, replica, firstPreactivations(lane, points), null, kept);
    lane.groupGrams(kept, rowsPerPoint, grams);
  }

  private void jacobians(Lane lane, int replica, Matrix z, Matrix norms, Matrix kept) {
    Matrix[] biases = new Matrix[architecture.depth()];
    Matrix[] weights = new Matrix[architecture.depth() - 1];
    for (int l = 0; l < biases.length; l++) {
      biases[l] = architecture.biases() ? stack.biases(l).replicas(replica, 1) : null;
      if (l > 0) {
        weights[l - 1] = stack.weights(l).replicas(replica, 1);
      }
    }
    fused.jacobians(
        lane,
        architecture.activation(),
        weights,
        architecture.biases() ? biases : null,
        firstLayers[replica],
        z,
        jacobian == Jacobian.PROBABILITIES,
        norms,
        kept);
  }
}
