package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;

/**
 * The Jacobian norm of the probabilities along a trajectory sampled at k equidistant parameters.
 *
 * @param mean over all points
 * @param perBin the mean over the points of each of the equal bins of the parameter
 */
public record TrajectoryNorms(double mean, double[] perBin) {
  /** Tiles between two downloads, so that memory does not grow with k. */
  private static final int TILES_PER_LANE = 16;

  /** Norms of every replica at the same points. */
  public static TrajectoryNorms[] along(
      NetworkStack stack, Trajectory trajectory, long points, int bins, Progress progress) {
    Device device = stack.device();
    int replicas = stack.replicas();
    try (Scope scope = new Scope(device);
        JacobianPass pass = new JacobianPass(stack, Jacobian.PROBABILITIES, points)) {
      FirstLayer firstLayer = new FirstLayer(scope, stack, trajectory, points);
      int batch = pass.tile() * device.lanes() * TILES_PER_LANE;
      Matrix scales = Matrix.of(scope.doubles(batch), 0, batch, 1);
      Matrix squares = Matrix.of(scope.doubles(batch), 0, batch, 1);
      TrajectoryNorms[] results = new TrajectoryNorms[replicas];
      for (int r = 0; r < replicas; r++) {
        double[] sums = new double[bins];
        long[] counts = new long[bins];
        for (long from = 0; from < points; from += batch) {
          int count = (int) Math.min(batch, points - from);
          int replica = r;
          long first = from;
          device.run(
              (count + pass.tile() - 1) / pass.tile(),
              (lane, task) -> {
                int at = task * pass.tile();
                int rows = Math.min(pass.tile(), count - at);
                firstLayer.preactivations(
                    lane, replica, first + at, 1, null, pass.firstPreactivations(lane, rows));
                pass.norms(lane, replica, null, scales.rows(at, rows), squares.rows(at, rows));
              });
          double[] norms =
              JacobianNorms.download(
                  device, Jacobian.PROBABILITIES, scales.rows(0, count), squares.rows(0, count));
          for (int i = 0; i < count; i++) {
            int bin = (int) ((from + i) * bins / points);
            sums[bin] += norms[i];
            counts[bin]++;
          }
          progress.report(
              "Jacobian norms along the trajectory, " + stack.architecture().title(),
              r * points + from + count,
              replicas * points);
        }
        results[r] = of(sums, counts, points);
      }
      return results;
    }
  }

  private static TrajectoryNorms of(double[] sums, long[] counts, long points) {
    double total = 0;
    double[] perBin = new double[sums.length];
    for (int bin = 0; bin < sums.length; bin++) {
      total += sums[bin];
      perBin[bin] = sums[bin] / counts[bin];
    }
    return new TrajectoryNorms(total / points, perBin);
  }
}
