package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;

/**
 * Frobenius norms of input–output Jacobians for tiles of points: one forward pass, then the rows of
 * some dozen points at a time backward together, a matrix product a layer. Where the first layer is
 * narrower than the input, the last product goes to a Cholesky factor of W₁W₁ᵀ instead of W₁, since
 * ‖δ W₁‖ = ‖δ L‖ for L Lᵀ = W₁W₁ᵀ.
 */
final class JacobianPass implements AutoCloseable {
  /** Rows of a backward product that let it run at full speed. */
  private static final int BACKWARD_ROWS = 576;

  /** Backward passes that share a forward one, which needs more points for the same speed. */
  private static final int BACKWARD_PASSES = 4;

  private final NetworkStack stack;
  private final Jacobian jacobian;
  private final int rowsPerPoint;
  private final int backwardPoints;
  private final int tile;
  private final Scope scope;
  private final ForwardBuffers[] forward;
  private final Matrix[] seeds;
  private final Matrix[][] errors;
  private final Matrix[] firstLayers;

  /**
   * @param points how many points each replica will be asked about: decides what pays off
   */
  JacobianPass(NetworkStack stack, Jacobian jacobian, long points) {
    this.stack = stack;
    this.jacobian = jacobian;
    Device device = stack.device();
    Architecture architecture = stack.architecture();
    int rows = jacobian.rows(architecture.classes());
    this.rowsPerPoint = rows;
    this.backwardPoints = (int) Math.min(points, (BACKWARD_ROWS + rows - 1) / rows);
    this.tile = (int) Math.min(points, (long) backwardPoints * BACKWARD_PASSES);
    this.scope = new Scope(device);
    boolean factored = factoringPays(architecture, rows, points);
    this.firstLayers = new Matrix[stack.replicas()];
    for (int r = 0; r < firstLayers.length; r++) {
      firstLayers[r] =
          factored
              ? CholeskyFactor.ofRows(device, scope, stack.weights(0).replicas(r, 1))
              : stack.weights(0).replicas(r, 1);
    }
    int widest = Math.max(architecture.widest(), firstLayers[0].columns());
    this.forward =
        ForwardBuffers.perLane(
            device, () -> ForwardBuffers.keepingSlopes(scope, architecture, tile));
    this.seeds = new Matrix[device.lanes()];
    this.errors = new Matrix[device.lanes()][2];
    for (int lane = 0; lane < device.lanes(); lane++) {
      seeds[lane] = scope.matrix(backwardPoints * rows, architecture.classes());
      errors[lane][0] = scope.matrix(backwardPoints * rows, widest);
      errors[lane][1] = scope.matrix(backwardPoints * rows, widest);
      if (jacobian == Jacobian.LOGITS) {
        Matrix all = seeds[lane];
        device.run(1, (any, task) -> any.logitSeeds(all));
      }
    }
  }

  private static boolean factoringPays(Architecture architecture, int rows, long points) {
    double units = architecture.rows(0);
    double inputs = architecture.inputs();
    double saved = 2.0 * points * rows * units * (inputs - units);
    // The factor is found in double precision, partly by plain loops.
    double cost = 4 * units * units * inputs + 20 * units * units * units;
    return saved > cost;
  }

  /** Multiplications and additions for one point, with what this pass skips left out. */
  static long flop(Architecture architecture, Jacobian jacobian, long points) {
    int rows = jacobian.rows(architecture.classes());
    long forward = 0;
    for (int l = 0; l < architecture.depth(); l++) {
      forward += 2L * architecture.rows(l) * architecture.columns(l);
    }
    long first = (long) architecture.rows(0) * architecture.inputs();
    long units = architecture.rows(0);
    long backward = forward - 2 * first;
    long last = 2 * (factoringPays(architecture, rows, points) ? units * units : first);
    return forward + rows * (backward + last);
  }

  /** The most points that {@link #norms} takes at once. */
  int tile() {
    return tile;
  }

  /** Where {@link #norms} expects first-layer pre-activations when it is given no inputs. */
  Matrix firstPreactivations(Lane lane, int points) {
    return forward[lane.index()].z()[0].rows(0, points);
  }

  /**
   * Norms of the Jacobians at points.
   *
   * @param x inputs, points × d; or null where {@link #firstPreactivations} were filled in
   * @param scales float64, points × 1: the norm is this times the root of {@code squares}
   * @param squares float64, points × 1
   */
  void norms(Lane lane, int replica, Matrix x, Matrix scales, Matrix squares) {
    ForwardBuffers buffers = forward(lane, replica, x, squares.rows());
    for (int from = 0; from < squares.rows(); from += backwardPoints) {
      int points = Math.min(backwardPoints, squares.rows() - from);
      Matrix rows = rows(lane, replica, buffers, from, scales.rows(from, points));
      lane.groupDots(rows, rows, rowsPerPoint, squares.rows(from, points));
    }
  }

  /**
   * Gram matrices A Aᵀ of the logits' Jacobians at the points of {@link #firstPreactivations}.
   *
   * @param grams float64, points × C²
   */
  void grams(Lane lane, int replica, Matrix grams) {
    ForwardBuffers buffers = forward(lane, replica, null, grams.rows());
    for (int from = 0; from < grams.rows(); from += backwardPoints) {
      Matrix some = grams.rows(from, Math.min(backwardPoints, grams.rows() - from));
      lane.groupGrams(rows(lane, replica, buffers, from, some), rowsPerPoint, some);
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
   * @param results one row for each of these points; takes the seeds' scales if there are any
   */
  private Matrix rows(Lane lane, int replica, ForwardBuffers buffers, int from, Matrix results) {
    Architecture architecture = stack.architecture();
    int points = results.rows();
    int rows = points * rowsPerPoint;
    Matrix error = seeds[lane.index()].rows(0, rows);
    if (jacobian == Jacobian.PROBABILITIES) {
      lane.probabilitySeeds(buffers.logits().rows(from, points), error, results);
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

  @Override
  public void close() {
    scope.close();
  }
}
