package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;

/**
 * Frobenius norms of input–output Jacobians for tiles of points. Where the first layer is narrower
 * than the input, the last product goes to a Cholesky factor of W₁W₁ᵀ instead of W₁, since ‖δ W₁‖ =
 * ‖δ L‖ for L Lᵀ = W₁W₁ᵀ.
 */
abstract sealed class JacobianPass implements AutoCloseable
    permits ComposedJacobianPass, FusedJacobianPass {
  final NetworkStack stack;
  final Architecture architecture;
  final Jacobian jacobian;
  final int rowsPerPoint;
  final Scope scope;

  /** One a replica: the first layer's weights, or what has the same products of rows. */
  final Matrix[] firstLayers;

  JacobianPass(NetworkStack stack, Jacobian jacobian, long points) {
    this.stack = stack;
    this.architecture = stack.architecture();
    this.jacobian = jacobian;
    this.rowsPerPoint = jacobian.rows(architecture.classes());
    this.scope = new Scope(stack.device());
    boolean factored = factoringPays(architecture, rowsPerPoint, points);
    this.firstLayers = new Matrix[stack.replicas()];
    for (int r = 0; r < firstLayers.length; r++) {
      Matrix weights = stack.weights(0).replicas(r, 1);
      firstLayers[r] = factored ? CholeskyFactor.ofRows(stack.device(), scope, weights) : weights;
    }
  }

  /**
   * The pass of a device: in one kernel where it has one for such a network.
   *
   * @param points how many points each replica will be asked about: decides what pays off
   */
  static JacobianPass of(NetworkStack stack, Jacobian jacobian, long points) {
    Device device = stack.device();
    Architecture architecture = stack.architecture();
    return device
        .fused()
        .filter(
            fused ->
                !architecture.isConvolutional()
                    && fused.takesJacobians(
                        architecture.activation(),
                        architecture.depth(),
                        architecture.widest(),
                        architecture.classes()))
        .<JacobianPass>map(fused -> new FusedJacobianPass(fused, stack, jacobian, points))
        .orElseGet(() -> new ComposedJacobianPass(stack, jacobian, points));
  }

  private static boolean factoringPays(Architecture architecture, int rows, long points) {
    if (architecture.isConvolutional()) {
      return false;
    }
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
      forward += architecture.flop(l);
    }
    long first = architecture.flop(0);
    long units = architecture.rows(0);
    long backward = forward - first;
    long last = factoringPays(architecture, rows, points) ? 2 * units * units : first;
    return forward + rows * (backward + last);
  }

  /** The most points that are taken at once. */
  abstract int tile();

  /** Where first-layer pre-activations without bias are expected when there are no inputs. */
  abstract Matrix firstPreactivations(Lane lane, int points);

  /**
   * Norms of the Jacobians at points.
   *
   * @param x inputs, points × d; or null where {@link #firstPreactivations} were filled in
   * @param norms float64, points × 1
   */
  abstract void norms(Lane lane, int replica, Matrix x, Matrix norms);

  /**
   * Gram matrices A Aᵀ of the logits' Jacobians at the points of {@link #firstPreactivations}.
   *
   * @param grams float64, points × C²
   */
  abstract void grams(Lane lane, int replica, Matrix grams);

  @Override
  public void close() {
    scope.close();
  }
}
