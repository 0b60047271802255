package dev.flinch.training;

/**
 * A search along a line for a step that satisfies the strong Wolfe conditions, f(t) ≤ f(0) + c₁ t
 * f′(0) and |f′(t)| ≤ c₂ |f′(0)| with c₁ = 10⁻⁴ and c₂ = 0.9: J. J. Moré and D. J. Thuente,
 * <em>Line Search Algorithms with Guaranteed Sufficient Decrease</em>, ACM TOMS 20 (1994). It
 * evaluates nothing itself: whoever has it evaluates f at {@link #step()}, tells it by {@link
 * #observe}, and does so until {@link #status()} is no longer {@link Status#SEARCHING}, so that
 * many searches can go on side by side.
 *
 * <p>Where f is not finite the step was too long, and a shorter one is tried.
 */
final class LineSearch {
  /** c₁, of the sufficient decrease. */
  static final double DECREASE = 1e-4;

  /** c₂, of the curvature. */
  static final double CURVATURE = 0.9;

  /** The most evaluations; a search that has not ended by then has met rounding, not a minimum. */
  static final int MOST_EVALUATIONS = 20;

  /** How a search stands. */
  enum Status {
    /** To be told of f at the next step. */
    SEARCHING,
    /** The last step satisfies both conditions. */
    FOUND,
    /** There is no such step, or none that rounding lets one find. */
    FAILED
  }

  /** f and f′ at a step. */
  private record Trial(double step, double loss, double slope) {
    /** Of f(t) − slope · t. */
    Trial without(double slopeOfLine) {
      return new Trial(step, loss - slopeOfLine * step, slope - slopeOfLine);
    }

    boolean isFinite() {
      return Double.isFinite(loss) && Double.isFinite(slope);
    }
  }

  private final Trial start;

  /** The best step so far: one end of the interval, once there is one. */
  private Trial best;

  /** The other end. */
  private Trial other;

  private boolean bracketed;

  /** Whether a step with sufficient decrease and a positive slope was seen. */
  private boolean descended;

  /** Where the next step may be: within the interval, or beyond the last step. */
  private double low;

  private double high;
  private double width = Double.POSITIVE_INFINITY;
  private double widthBefore = Double.POSITIVE_INFINITY;

  /** The shortest step so far at which f is not finite. */
  private double wall = Double.POSITIVE_INFINITY;

  private double step;
  private int evaluations;
  private boolean sawFinite;
  private Status status = Status.SEARCHING;

  /**
   * A search that begins.
   *
   * @param loss f(0)
   * @param slope f′(0); if it is not negative the search has failed already
   * @param step the first to be tried, above 0
   */
  LineSearch(double loss, double slope, double step) {
    this.start = new Trial(0, loss, slope);
    this.best = start;
    this.other = start;
    this.high = 5 * step;
    this.step = (float) step;
    if (!(slope < 0) || !(this.step > 0) || !start.isFinite()) {
      status = Status.FAILED;
    }
  }

  /** The step to evaluate next, or the last one evaluated: a number of float32's. */
  double step() {
    return step;
  }

  Status status() {
    return status;
  }

  /** Whether f was finite at any step so far. */
  boolean sawFinite() {
    return sawFinite;
  }

  /** Takes in f and f′ at {@link #step()}. */
  void observe(double loss, double slope) {
    if (status != Status.SEARCHING) {
      throw new IllegalStateException("a line search that has ended");
    }
    evaluations++;
    Trial trial = new Trial(step, loss, slope);
    if (!trial.isFinite()) {
      shorten();
      return;
    }
    sawFinite = true;
    boolean decreased = loss <= start.loss + DECREASE * step * start.slope;
    if (decreased && Math.abs(slope) <= CURVATURE * -start.slope) {
      status = Status.FOUND;
      return;
    }
    descended |= decreased && slope >= 0;
    if (evaluations == MOST_EVALUATIONS) {
      status = Status.FAILED;
      return;
    }
    narrow(trial, decreased);
  }

  private void shorten() {
    if (bracketed || step <= best.step || evaluations == MOST_EVALUATIONS) {
      status = Status.FAILED;
      return;
    }
    wall = step;
    low = best.step;
    high = step;
    advance(best.step + (step - best.step) / 10);
  }

  /** Takes in a trial, and chooses the next step. */
  private void narrow(Trial trial, boolean decreased) {
    // Until f has descended, its difference from the line of sufficient decrease is minimised.
    double line = !descended && trial.loss <= best.loss && !decreased ? DECREASE * start.slope : 0;
    Trial at = trial.without(line);
    Trial from = best.without(line);
    double next = next(from, other.without(line), at);
    if (at.loss > from.loss) {
      other = trial;
    } else {
      if (areOpposite(at, from)) {
        other = best;
      }
      best = trial;
    }
    if (bracketed) {
      double now = Math.abs(other.step - best.step);
      if (now >= 0.66 * widthBefore) {
        next = middle();
      }
      widthBefore = width;
      width = now;
      low = Math.min(best.step, other.step);
      high = Math.max(best.step, other.step);
    } else {
      next = Math.min(next, best.step + (wall - best.step) / 2);
      low = next + 1.1 * (next - best.step);
      high = next + 4 * (next - best.step);
    }
    advance(next);
  }

  private double middle() {
    return best.step + 0.5 * (other.step - best.step);
  }

  /**
   * Goes to the next step as float32 has it; rounding prevents progress where that is no new one.
   */
  private void advance(double next) {
    double last = step;
    step = (float) next;
    if (bracketed && !(step > low && step < high)) {
      step = (float) middle();
    }
    if (step == last
        || !(step > 0)
        || Double.isInfinite(step)
        || (bracketed && !(step > low && step < high))) {
      status = Status.FAILED;
    }
  }

  /**
   * The step that interpolation proposes, as in §4 of the paper, by what the last trial was.
   *
   * @param from the best trial before
   * @param to the interval's other end
   * @param at the last trial
   */
  private double next(Trial from, Trial to, Trial at) {
    if (at.loss > from.loss) {
      // A larger value: there is a minimum in between.
      bracketed = true;
      double cubic = cubic(from, at);
      double quadratic = quadratic(from, at);
      return Math.abs(cubic - from.step) < Math.abs(quadratic - from.step)
          ? cubic
          : cubic + (quadratic - cubic) / 2;
    }
    double secant = at.step + at.slope / (at.slope - from.slope) * (from.step - at.step);
    if (areOpposite(at, from)) {
      // Past the minimum.
      bracketed = true;
      return farther(at, cubic(at, from), secant);
    }
    if (Math.abs(at.slope) < Math.abs(from.slope)) {
      // The slope flattens out; the cubic may have its minimum behind, or nowhere.
      double end = at.step > from.step ? high : low;
      double cubic = cubic(at, from);
      boolean isAhead = (cubic - at.step) * (at.step - from.step) > 0;
      double ahead = isAhead ? cubic : end;
      if (!bracketed) {
        return Math.max(low, Math.min(high, farther(at, ahead, secant)));
      }
      double nearer = Math.abs(ahead - at.step) < Math.abs(secant - at.step) ? ahead : secant;
      double most = at.step + 0.66 * (to.step - at.step);
      return at.step > from.step ? Math.min(most, nearer) : Math.max(most, nearer);
    }
    // The slope steepens.
    if (bracketed) {
      return cubic(at, to);
    }
    return at.step > from.step ? high : low;
  }

  private static boolean areOpposite(Trial a, Trial b) {
    return a.slope < 0 && b.slope > 0 || a.slope > 0 && b.slope < 0;
  }

  private static double farther(Trial from, double one, double another) {
    return Math.abs(one - from.step) > Math.abs(another - from.step) ? one : another;
  }

  /** The minimum of the cubic through two trials with their slopes. */
  private static double cubic(Trial a, Trial b) {
    double theta = 3 * (a.loss - b.loss) / (b.step - a.step) + a.slope + b.slope;
    double scale = Math.max(Math.abs(theta), Math.max(Math.abs(a.slope), Math.abs(b.slope)));
    double square = theta / scale * (theta / scale) - a.slope / scale * (b.slope / scale);
    double gamma = Math.copySign(scale * Math.sqrt(Math.max(0, square)), b.step - a.step);
    double ratio = (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope);
    return a.step + ratio * (b.step - a.step);
  }

  /** The minimum of the parabola through two trials with the first one's slope. */
  private static double quadratic(Trial a, Trial b) {
    double width = b.step - a.step;
    return a.step + a.slope / ((a.loss - b.loss) / width + a.slope) / 2 * width;
  }
}
