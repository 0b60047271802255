package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.FusedPasses;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.function.IntToLongFunction;

/**
 * A trajectory as a network's first layer sees it: the products of W₁ with the trajectory's few
 * vectors, found once in float64. Any number of points follows without a point ever being formed.
 */
final class FirstLayer {
  private static final int ROWS = 256;

  private final Trajectory trajectory;
  private final long points;
  private final Matrix[] images;

  /**
   * @param scope owns the products
   * @param points k, the equidistant parameters that indices of points refer to
   */
  FirstLayer(Scope scope, NetworkStack stack, Trajectory trajectory, long points) {
    this.trajectory = trajectory;
    this.points = points;
    this.images = images(scope, stack, trajectory.vectors());
  }

  /**
   * The products of the first layer's weights with vectors, in float64.
   *
   * @param scope owns them
   * @param vectors {@code [vector][d]}
   * @return a matrix a replica, vectors × units
   */
  static Matrix[] images(Scope scope, NetworkStack stack, double[][] vectors) {
    Matrix[] images = new Matrix[stack.replicas()];
    Device device = stack.device();
    Architecture architecture = stack.architecture();
    int units = architecture.unitsOut(0);
    int inputs = architecture.inputs();
    int rows = architecture.rows(0);
    int columns = architecture.columns(0);
    for (int r = 0; r < images.length; r++) {
      images[r] = Matrix.of(scope.doubles((long) vectors.length * units), 0, vectors.length, units);
    }
    int blocks = (rows + ROWS - 1) / ROWS;
    try (Scope temporary = new Scope(device)) {
      Matrix all =
          Matrix.of(temporary.doubles((long) vectors.length * inputs), 0, vectors.length, inputs);
      for (int v = 0; v < vectors.length; v++) {
        device.upload(vectors[v], 0, all.data(), all.start(0, v), inputs);
      }
      Matrix multiplied = all;
      if (architecture.isConvolutional()) {
        int positions = vectors.length * architecture.positions(0);
        multiplied =
            Matrix.of(temporary.doubles((long) positions * columns), 0, positions, columns);
        Matrix patches = multiplied;
        device.run(1, (lane, task) -> lane.patches(all, architecture.patches(0), patches));
      }
      Matrix input = multiplied;
      Matrix[] wide = new Matrix[device.lanes()];
      for (int lane = 0; lane < wide.length; lane++) {
        wide[lane] = Matrix.of(temporary.doubles((long) ROWS * columns), 0, ROWS, columns);
      }
      device.run(
          images.length * blocks,
          (lane, task) -> {
            int r = task / blocks;
            int from = task % blocks * ROWS;
            int some = Math.min(ROWS, rows - from);
            Matrix weights = wide[lane.index()].rows(0, some);
            lane.widen(stack.weights(0).replicas(r, 1).rows(from, some), weights);
            Matrix out = images[r].split(architecture.positions(0)).columns(from, some);
            lane.gemm(false, input, true, weights, 0, out);
          });
    }
    return images;
  }

  /**
   * First-layer pre-activations (without biases) of points {@code from}, {@code from + spacing}, …
   *
   * @param offset float64, subtracted from each row; or null
   * @param out rows × units, float32 or float64
   */
  void preactivations(Lane lane, int replica, long from, long spacing, Matrix offset, Matrix out) {
    preactivations(lane, replica, i -> from + i * spacing, offset, out);
  }

  /** The same for any points: row i is point {@code pointOf(i)}. */
  void preactivations(
      Lane lane, int replica, IntToLongFunction pointOf, Matrix offset, Matrix out) {
    int terms = trajectory.curve().terms();
    int[] indices = new int[out.rows() * terms];
    double[] coefficients = new double[out.rows() * terms];
    for (int i = 0; i < out.rows(); i++) {
      trajectory
          .curve()
          .coordinates(parameter(pointOf.applyAsLong(i)), indices, coefficients, i * terms);
    }
    lane.combine(images[replica], terms, indices, coefficients, offset, -1, out);
  }

  /**
   * Any combinations of the trajectory's vectors, as the first layer sees them.
   *
   * @param out rows × units, float64; indices and coefficients as {@link Lane#combine} takes them
   */
  void combine(
      Lane lane, int replica, int terms, int[] indices, double[] coefficients, Matrix out) {
    lane.combine(images[replica], terms, indices, coefficients, null, 0, out);
  }

  /** What places the points of a replica's trajectory on a device. */
  FusedPasses.Points points(int replica) {
    return new FusedPasses.Points(trajectory.curve(), images[replica], points);
  }

  /** The parameter of a point; indices go around. */
  private double parameter(long point) {
    return trajectory.period() * (point % points) / points;
  }
}
