package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import java.util.Arrays;

/**
 * Frobenius norms of a network's Jacobian at points, and their mean: the Jacobian norm of Novak et
 * al., §3.1, is a mean of norms, not of squares.
 *
 * @param mean over the points
 * @param standardError of the mean; 0 for a single point
 * @param points the norm at each point
 */
public record JacobianNorms(double mean, double standardError, double[] points) {

  /** The mean of norms at one point or more. */
  public static JacobianNorms of(double[] points) {
    double mean = Arrays.stream(points).average().orElseThrow();
    double squares = Arrays.stream(points).map(p -> (p - mean) * (p - mean)).sum();
    int n = points.length;
    return new JacobianNorms(mean, n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0, points);
  }

  /**
   * Norms of every replica at the same points.
   *
   * @param inputs normalised points, {@code n × d}
   * @return one result a replica
   */
  public static JacobianNorms[] at(
      NetworkStack stack, Matrix inputs, Jacobian jacobian, Progress progress) {
    Device device = stack.device();
    int n = inputs.rows();
    int replicas = stack.replicas();
    String name =
        (jacobian == Jacobian.LOGITS ? "Jacobian norms of the logits of " : "Jacobian norms of ")
            + stack.architecture().title();
    try (Scope scope = new Scope(device, name);
        JacobianPass pass = JacobianPass.of(stack, jacobian, n)) {
      int tiles = (n + pass.tile() - 1) / pass.tile();
      Matrix norms = Matrix.stacked(scope.doubles((long) replicas * n), 0, replicas, n, 1);
      JacobianNorms[] results = new JacobianNorms[replicas];
      for (int r = 0; r < replicas; r++) {
        Matrix ofReplica = norms.replicas(r, 1);
        int replica = r;
        device.run(
            tiles,
            (lane, task) -> {
              int from = task * pass.tile();
              int rows = Math.min(pass.tile(), n - from);
              pass.norms(lane, replica, inputs.rows(from, rows), ofReplica.rows(from, rows));
            });
        results[r] = of(download(device, ofReplica));
        progress.report(name, r + 1, replicas);
      }
      return results;
    }
  }

  /** Multiplications and additions that {@link #at} makes for {@code points} points. */
  public static long flop(Architecture architecture, Jacobian jacobian, int points) {
    return points * JacobianPass.flop(architecture, jacobian, points);
  }

  /** A float64 column. */
  static double[] download(Device device, Matrix column) {
    double[] values = new double[column.rows()];
    device.download(column.data(), column.offset(), values, 0, values.length);
    return values;
  }
}
