package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The Jacobian norm of the probabilities along a trajectory sampled at k equidistant parameters.
 *
 * @param mean over all points
 * @param perBin the mean over the points of each of the equal bins of the parameter
 * @param minimum the least of all, at the first point that has it
 * @param maximum the largest of all, likewise
 */
public record TrajectoryNorms(double mean, double[] perBin, Extreme minimum, Extreme maximum) {
  /** A norm, and the parameter of its point. */
  public record Extreme(double norm, double parameter) {}

  /** Points of a task where every point has its own backward pass. */
  private static final int SEGMENT_STEPS = 1 << 10;

  /** How many points share a region, at least, for the first layer's factor to be worth finding. */
  private static final int POINTS_PER_REGION = 32;

  /** Whether a network's points share backward passes, and so know their transitions too. */
  static boolean byRegion(Architecture architecture) {
    // Within a pattern, poolings may still choose other pixels.
    return architecture.activation().isPiecewiseLinear()
        && architecture.depth() > 1
        && !architecture.isConvolutional();
  }

  /**
   * Norms of every replica at the same points.
   *
   * <p>In a piecewise-linear network the logits' Jacobian A is one matrix throughout a linear
   * region, so one backward pass a region is enough: consecutive points of one pattern share A Aᵀ,
   * and each point's norm follows from it and the point's own probabilities. In a smooth network
   * every point is passed back.
   *
   * @param tallies take the transitions of each replica if {@link #byRegion}
   */
  static TrajectoryNorms[] along(
      NetworkStack stack,
      Trajectory trajectory,
      long points,
      int bins,
      Transitions.Tally[] tallies,
      Progress progress) {
    Architecture architecture = stack.architecture();
    Device device = stack.device();
    int replicas = stack.replicas();
    String name = "Jacobian norms along the trajectory of " + architecture.title();
    try (Scope scope = new Scope(device, name)) {
      FirstLayer firstLayer = new FirstLayer(scope, stack, trajectory, points);
      try (Segments segments =
          byRegion(architecture)
              ? new Regions(scope, stack, firstLayer, points, tallies)
              : new EveryPoint(scope, stack, firstLayer, points)) {
        int perReplica = segments.count();
        int tasks = Math.multiplyExact(replicas, perReplica);
        // Summed by segment first, then in their order, so that the sum is the same on every run.
        Tally[] parts = new Tally[tasks];
        AtomicLong done = new AtomicLong();
        device.run(
            tasks,
            (lane, task) -> {
              int segment = task % perReplica;
              double[] norms = segments.norms(lane, task / perReplica, segment);
              Tally part = new Tally();
              for (int i = 0; i < norms.length; i++) {
                long point = segments.from(segment) + i;
                double parameter = trajectory.period() * point / points;
                part.add(Transitions.bin(point, bins, points), parameter, norms[i]);
              }
              parts[task] = part;
              progress.report(name, done.incrementAndGet(), tasks);
            });
        TrajectoryNorms[] results = new TrajectoryNorms[replicas];
        for (int r = 0; r < replicas; r++) {
          results[r] = of(Arrays.asList(parts).subList(r * perReplica, (r + 1) * perReplica), bins);
        }
        return results;
      }
    }
  }

  /** What was found at some consecutive points. */
  static final class Tally {
    private int firstBin;
    private double[] sums = {};
    private long[] counts = {};
    private Extreme minimum = new Extreme(Double.POSITIVE_INFINITY, Double.NaN);
    private Extreme maximum = new Extreme(Double.NEGATIVE_INFINITY, Double.NaN);

    /** Adds the next point, whose bin is not before that of the last. */
    void add(int bin, double parameter, double norm) {
      if (sums.length == 0) {
        firstBin = bin;
      }
      if (bin - firstBin >= sums.length) {
        sums = Arrays.copyOf(sums, bin - firstBin + 1);
        counts = Arrays.copyOf(counts, sums.length);
      }
      sums[bin - firstBin] += norm;
      counts[bin - firstBin]++;
      minimum = norm < minimum.norm() ? new Extreme(norm, parameter) : minimum;
      maximum = norm > maximum.norm() ? new Extreme(norm, parameter) : maximum;
    }
  }

  /** The result of consecutive parts, summed in their order. */
  static TrajectoryNorms of(List<Tally> parts, int bins) {
    double[] perBin = new double[bins];
    long[] counts = new long[bins];
    Extreme minimum = parts.get(0).minimum;
    Extreme maximum = parts.get(0).maximum;
    for (Tally part : parts) {
      for (int i = 0; i < part.sums.length; i++) {
        perBin[part.firstBin + i] += part.sums[i];
        counts[part.firstBin + i] += part.counts[i];
      }
      minimum = part.minimum.norm() < minimum.norm() ? part.minimum : minimum;
      maximum = part.maximum.norm() > maximum.norm() ? part.maximum : maximum;
    }
    double mean = Arrays.stream(perBin).sum() / Arrays.stream(counts).sum();
    for (int bin = 0; bin < bins; bin++) {
      perBin[bin] /= counts[bin];
    }
    return new TrajectoryNorms(mean, perBin, minimum, maximum);
  }

  /** A trajectory in segments, each of which one lane finds the norms of. */
  private interface Segments extends AutoCloseable {
    int count();

    /** The first point of a segment. */
    long from(int segment);

    /** The norm at each point of a segment. */
    double[] norms(Lane lane, int replica, int segment);

    @Override
    void close();
  }

  /** A backward pass for every point. */
  private static final class EveryPoint implements Segments {
    private final Device device;
    private final FirstLayer firstLayer;
    private final long points;
    private final JacobianPass pass;
    private final Matrix[] norms;

    EveryPoint(Scope scope, NetworkStack stack, FirstLayer firstLayer, long points) {
      this.device = stack.device();
      this.firstLayer = firstLayer;
      this.points = points;
      this.norms = columns(scope, device, SEGMENT_STEPS);
      this.pass = JacobianPass.of(stack, Jacobian.PROBABILITIES, points);
    }

    @Override
    public int count() {
      return Math.toIntExact((points + SEGMENT_STEPS - 1) / SEGMENT_STEPS);
    }

    @Override
    public long from(int segment) {
      return (long) segment * SEGMENT_STEPS;
    }

    @Override
    public double[] norms(Lane lane, int replica, int segment) {
      int count = (int) Math.min(SEGMENT_STEPS, points - from(segment));
      Matrix norm = norms[lane.index()].rows(0, count);
      for (int at = 0; at < count; at += pass.tile()) {
        int rows = Math.min(pass.tile(), count - at);
        Matrix first = pass.firstPreactivations(lane, rows);
        firstLayer.preactivations(lane, replica, from(segment) + at, 1, null, first);
        pass.norms(lane, replica, null, norm.rows(at, rows));
      }
      return JacobianNorms.download(device, norm);
    }

    @Override
    public void close() {
      pass.close();
    }
  }

  /** A backward pass for every linear region that a segment's points see. */
  private static final class Regions implements Segments {
    private final Device device;
    private final Architecture architecture;
    private final FirstLayer firstLayer;
    private final TrajectoryPass trajectoryPass;
    private final JacobianPass pass;
    private final Matrix[] logits;
    private final Matrix[] grams;
    private final Matrix[] norms;
    private final Transitions.Tally[] tallies;

    Regions(
        Scope scope,
        NetworkStack stack,
        FirstLayer firstLayer,
        long points,
        Transitions.Tally[] tallies) {
      this.tallies = tallies;
      this.device = stack.device();
      this.architecture = stack.architecture();
      this.firstLayer = firstLayer;
      int classes = architecture.classes();
      // At most a region a step, each with a Gram matrix.
      long gramBytes = (long) Double.BYTES * classes * classes;
      this.trajectoryPass = new TrajectoryPass(scope, stack, firstLayer, points, gramBytes, false);
      int steps = trajectoryPass.segmentSteps();
      this.logits = new Matrix[device.lanes()];
      this.grams = new Matrix[device.lanes()];
      for (int lane = 0; lane < logits.length; lane++) {
        logits[lane] = scope.matrix(steps, classes);
        long size = (long) steps * classes * classes;
        grams[lane] = Matrix.of(scope.doubles(size), 0, steps, classes * classes);
      }
      this.norms = columns(scope, device, steps);
      this.pass = JacobianPass.of(stack, Jacobian.LOGITS, Math.max(1, points / POINTS_PER_REGION));
    }

    @Override
    public int count() {
      return trajectoryPass.segments();
    }

    @Override
    public long from(int segment) {
      return trajectoryPass.from(segment);
    }

    @Override
    public double[] norms(Lane lane, int replica, int segment) {
      int steps = trajectoryPass.steps(segment);
      int[] perStep = new int[steps];
      Matrix logit = logits[lane.index()].rows(0, steps);
      long[] perLayer = new long[architecture.depth() - 1];
      trajectoryPass.segment(lane, replica, segment, perLayer, perStep, logit);
      tallies[replica].add(from(segment), perLayer, perStep);
      int[] regionOf = new int[steps];
      int[] middles = regions(perStep, regionOf);
      Matrix gram = grams[lane.index()].rows(0, middles.length);
      for (int at = 0; at < middles.length; at += pass.tile()) {
        int rows = Math.min(pass.tile(), middles.length - at);
        int first = at;
        firstLayer.preactivations(
            lane,
            replica,
            i -> from(segment) + middles[first + i],
            null,
            pass.firstPreactivations(lane, rows));
        pass.grams(lane, replica, gram.rows(at, rows));
      }
      Matrix norm = norms[lane.index()].rows(0, steps);
      lane.probabilityNorms(logit, gram, regionOf, norm);
      return JacobianNorms.download(device, norm);
    }

    /**
     * The runs of points of one pattern.
     *
     * @param perStep transitions from each point to the next
     * @param regionOf takes each point's run
     * @return the point in the middle of each run, the farthest from where rounding could matter
     */
    private static int[] regions(int[] perStep, int[] regionOf) {
      int[] middles = new int[perStep.length];
      int count = 0;
      int start = 0;
      for (int i = 0; i < perStep.length; i++) {
        regionOf[i] = count;
        if (perStep[i] > 0 || i == perStep.length - 1) {
          middles[count++] = (start + i) / 2;
          start = i + 1;
        }
      }
      return Arrays.copyOf(middles, count);
    }

    @Override
    public void close() {
      pass.close();
    }
  }

  /** A float64 column for each lane. */
  private static Matrix[] columns(Scope scope, Device device, int rows) {
    Matrix[] columns = new Matrix[device.lanes()];
    for (int lane = 0; lane < columns.length; lane++) {
      columns[lane] = Matrix.of(scope.doubles(rows), 0, rows, 1);
    }
    return columns;
  }
}
