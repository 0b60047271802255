package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.sensitivity.Crossings;
import dev.flinch.sensitivity.Crossings.Region;
import dev.flinch.sensitivity.ExactTrajectory;
import dev.flinch.sensitivity.SamplingComparison;
import dev.flinch.sensitivity.TrajectoryNorms;
import dev.flinch.sensitivity.Transitions;
import java.util.List;

/**
 * What was measured of one network along a trajectory.
 *
 * @param anchors the images of the training split that it goes through, where a study says so
 * @param image the image of the test split that it translates, likewise
 * @param method exact or sampled
 * @param points sampled points k, or those at which Jacobian norms were found
 * @param bins equal parts of the parameter's range
 * @param crossings exact transitions; null where they were sampled
 * @param regions linear regions: all of them, or those that sampling sees
 * @param shortestRegion null where transitions were sampled
 * @param longestRegion likewise
 * @param healedSeams parameters where rounding made one part of an exact walk arrive with another
 *     pattern than the next part began with, which was then walked again; null for none
 * @param jacobianNorm of the probabilities; null where not measured or not finite
 * @param comparison of sampling with the exact crossings; null where not asked for
 * @param seconds the measuring took; null in a study, whose numbers are the same on every run
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TrajectoryResult(
    String kind,
    List<Integer> anchors,
    Integer image,
    Method method,
    long points,
    int bins,
    Counts transitions,
    Long crossings,
    long regions,
    Region shortestRegion,
    Region longestRegion,
    double[] healedSeams,
    TrajectoryNorms jacobianNorm,
    SamplingComparison comparison,
    Double seconds) {

  /** Transitions in all, of each hidden layer, and of each bin. */
  public record Counts(long total, long[] perLayer, long[] perBin) {}

  /** Of a trajectory that was walked exactly. */
  static TrajectoryResult of(Course course, long points, int bins, ExactTrajectory exact) {
    double[] healed = exact.healedSeams();
    return of(
        course,
        points,
        exact.crossings().transitions(bins),
        exact.crossings(),
        healed.length > 0 ? healed : null,
        exact.norms());
  }

  /** Of a trajectory that was sampled. */
  static TrajectoryResult of(
      Course course, long points, Transitions transitions, TrajectoryNorms norms) {
    return of(course, points, transitions, null, null, norms);
  }

  private static TrajectoryResult of(
      Course course,
      long points,
      Transitions transitions,
      Crossings exact,
      double[] healedSeams,
      TrajectoryNorms norms) {
    return new TrajectoryResult(
        course.curve().kind(),
        course.anchors(),
        course.image(),
        exact == null ? Method.SAMPLED : Method.EXACT,
        points,
        transitions.perBin().length,
        new Counts(transitions.total(), transitions.perLayer(), transitions.perBin()),
        exact == null ? null : (long) exact.count(),
        transitions.regions(),
        exact == null ? null : exact.shortestRegion(),
        exact == null ? null : exact.longestRegion(),
        healedSeams,
        norms != null && Double.isFinite(norms.mean()) ? norms : null,
        null,
        null);
  }

  /** Without the images, which whoever asked knows, but with what was done about it since. */
  TrajectoryResult inShort(SamplingComparison compared, double measured) {
    return new TrajectoryResult(
        kind,
        null,
        null,
        method,
        points,
        bins,
        transitions,
        crossings,
        regions,
        shortestRegion,
        longestRegion,
        healedSeams,
        jacobianNorm,
        compared,
        measured);
  }
}
