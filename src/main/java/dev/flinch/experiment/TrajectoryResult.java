package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.sensitivity.TrajectoryNorms;
import dev.flinch.sensitivity.Transitions;
import java.util.List;

/**
 * What was measured of one network along a trajectory.
 *
 * @param anchors the images of the training split that it goes through, where a study says so
 * @param image the image of the test split that it translates, likewise
 * @param points sampled points k
 * @param bins equal parts of the parameter's range
 * @param regions linear regions that sampling sees
 * @param jacobianNorm of the probabilities; null where not measured or not finite
 * @param seconds the measuring took; null in a study, whose numbers are the same on every run
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TrajectoryResult(
    String kind,
    List<Integer> anchors,
    Integer image,
    long points,
    int bins,
    Counts transitions,
    long regions,
    TrajectoryNorms jacobianNorm,
    Double seconds) {

  /** Transitions in all, of each hidden layer, and of each bin. */
  public record Counts(long total, long[] perLayer, long[] perBin) {
    static Counts of(Transitions transitions) {
      return new Counts(transitions.total(), transitions.perLayer(), transitions.perBin());
    }
  }

  /** Without the images, which whoever asked knows, but with the time it took. */
  TrajectoryResult inShort(double measured) {
    return new TrajectoryResult(
        kind, null, null, points, bins, transitions, regions, jacobianNorm, measured);
  }
}
