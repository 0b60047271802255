package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.stream.IntStream;

/** Both measures along one trajectory, from one pass over its points where the network allows. */
public record TrajectoryMeasures(Transitions transitions, TrajectoryNorms norms) {

  /**
   * Measures every replica. Memory grows with the number of bins, not of points.
   *
   * @param points k, the equidistant parameters
   * @param bins at most k
   */
  public static TrajectoryMeasures[] along(
      NetworkStack stack, Trajectory trajectory, long points, int bins, Progress progress) {
    Transitions.Tally[] tallies = Transitions.Tally.perReplica(stack, points, bins);
    TrajectoryNorms[] norms =
        TrajectoryNorms.along(stack, trajectory, points, bins, tallies, progress);
    Transitions[] transitions =
        TrajectoryNorms.byRegion(stack.architecture())
            ? Transitions.Tally.results(tallies)
            : Transitions.along(stack, trajectory, points, bins, progress);
    return IntStream.range(0, stack.replicas())
        .mapToObj(r -> new TrajectoryMeasures(transitions[r], norms[r]))
        .toArray(TrajectoryMeasures[]::new);
  }
}
