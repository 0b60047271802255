package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.ArrayList;
import java.util.List;

/**
 * Transitions along a trajectory as sampling finds them, beside the exact ones.
 *
 * @param exact all crossings
 * @param rows one for each density, the lowest first
 */
public record SamplingComparison(long exact, List<Row> rows) {

  /**
   * One density.
   *
   * @param points k
   * @param missed crossings that no k equidistant points can see: a unit crosses a knot and comes
   *     back between two of them
   * @param sampled what {@link Transitions#along} counts, less what exact arithmetic would
   * @param invented what {@link Transitions#inPlainFloat32} counts, less what exact arithmetic
   *     would
   */
  public record Row(long points, long missed, long sampled, long invented) {}

  /**
   * Samples one network at 2^{@code lowest}, 2^{@code lowest + 1}, … 2^{@code highest} points.
   *
   * @param stack of one network
   * @param crossings of the same network and trajectory
   */
  public static SamplingComparison of(
      NetworkStack stack,
      Trajectory trajectory,
      Crossings crossings,
      int lowest,
      int highest,
      Progress progress) {
    List<Row> rows = new ArrayList<>();
    for (int power = lowest; power <= highest; power++) {
      long points = 1L << power;
      long seen = crossings.seenBy(points);
      long sampled = Transitions.along(stack, trajectory, points, 1, progress)[0].total();
      long plain = Transitions.inPlainFloat32(stack, trajectory, points, 1, progress)[0].total();
      rows.add(new Row(points, crossings.count() - seen, sampled - seen, plain - seen));
    }
    return new SamplingComparison(crossings.count(), List.copyOf(rows));
  }
}
