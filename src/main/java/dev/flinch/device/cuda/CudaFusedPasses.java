package dev.flinch.device.cuda;

import dev.flinch.device.Activation;
import dev.flinch.device.FusedPasses;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;

/** The fused passes: each in a class of its own. */
final class CudaFusedPasses implements FusedPasses {
  private final TrajectoryKernel trajectory;
  private final JacobianKernel jacobian;

  CudaFusedPasses(Launcher launcher) {
    this.trajectory = new TrajectoryKernel(launcher);
    this.jacobian = new JacobianKernel(launcher);
  }

  @Override
  public int trajectoryTile(int widest) {
    return trajectory.tile(widest);
  }

  @Override
  public void trajectory(
      Lane lane,
      Activation activation,
      Points points,
      long from,
      int steps,
      int stepsPerReference,
      Matrix[] weights,
      Matrix[] knots,
      Matrix referenceLogits,
      TrajectoryCounts counts) {
    trajectory.run(
        activation,
        points,
        from,
        steps,
        stepsPerReference,
        weights,
        knots,
        referenceLogits,
        counts);
  }

  @Override
  public boolean takesJacobians(Activation activation, int depth, int widest, int classes) {
    return jacobian.takes(activation, depth, widest, classes);
  }

  @Override
  public void jacobians(
      Lane lane,
      Activation activation,
      Matrix[] weights,
      Matrix[] biases,
      Matrix first,
      Matrix z,
      boolean ofProbabilities,
      Matrix norms,
      Matrix rows) {
    jacobian.run(activation, weights, biases, first, z, ofProbabilities, norms, rows);
  }
}
