package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.RegionWalks.Networks;
import dev.flinch.device.RegionWalks.Trace;
import dev.flinch.device.RegionWalks.Walkers;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.LongToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A closed trajectory of a piecewise-linear network walked from one linear region to the next: all
 * crossings, and Jacobian norms from what holds throughout each region.
 *
 * <p>The curve is cut into pieces, each with a walker of its own that starts from a fresh forward
 * pass. Where one walker stops, its pattern has to be the next one's first. If it isn't, as a
 * crossing may lie on the seam up to rounding, the next piece is walked again from the pattern that
 * the one before arrived with.
 *
 * @param crossings all of them
 * @param norms at the points that were asked for; null where none were
 * @param healedSeams parameters where a piece had to be walked again
 * @param drift the largest relative difference between what walkers carried along and fresh passes
 */
public record ExactTrajectory(
    Crossings crossings, TrajectoryNorms norms, double[] healedSeams, double drift) {
  private static final Logger LOG = LoggerFactory.getLogger(ExactTrajectory.class);

  /** Hidden units for each piece: each unit crosses a knot about twice along an ellipse. */
  private static final int UNITS_PER_PIECE = 16;

  private static final int LEAST_PIECES = 16;
  private static final int MOST_PIECES = 256;

  /** Walkers of a task, where not all replicas are walked at once. */
  private static final int WALKERS = 32;

  private static final int MOST_CROSSINGS = 512;

  /** What the regions of a task's walkers may take. */
  private static final long TASK_BYTES = 64 << 20;

  /** The same where a task is all that the device does. */
  private static final long WHOLE_BYTES = 1L << 30;

  /** Replicas whose networks are made ready together. */
  private static final long NETWORK_BYTES = 512L << 20;

  /** What is carried along may be off by so much of the largest in its layer … */
  private static final double MOST_DRIFT = 1e-9;

  /** … or the piece is walked again in stretches of so many crossings. */
  private static final int FEW_CROSSINGS = 4;

  /**
   * Parameters of a trajectory at which norms are found.
   *
   * @param count how many
   * @param at the i-th, ascending with i, from 0 up to but not including the period
   */
  public record Points(long count, LongToDoubleFunction at) {
    /** No points: crossings alone are asked for. */
    public static final Points NONE = new Points(0, i -> 0);

    /** k equidistant parameters from 0 on. */
    public static Points equidistant(Trajectory trajectory, long count) {
      return new Points(count, i -> trajectory.period() * i / count);
    }

    /** Given parameters, ascending. */
    public static Points of(double... parameters) {
      return new Points(parameters.length, i -> parameters[(int) i]);
    }

    /** The first point that is not before a parameter. */
    long firstFrom(double parameter) {
      long low = 0;
      long high = count;
      while (low < high) {
        long middle = (low + high) / 2;
        if (at.applyAsDouble(middle) < parameter) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return low;
    }
  }

  /**
   * Whether a network's regions can be walked: fully connected and piecewise linear, with a hidden
   * layer.
   */
  public static boolean isPossible(Architecture architecture) {
    return architecture.activation().isPiecewiseLinear()
        && architecture.depth() > 1
        && !architecture.isConvolutional();
  }

  /**
   * Walks every replica along one trajectory.
   *
   * @param points where Jacobian norms of the probabilities are found
   * @param bins of the norms
   * @return one result a replica
   * @throws IllegalArgumentException for a network that is not piecewise linear
   */
  public static ExactTrajectory[] along(
      NetworkStack stack, Trajectory trajectory, Points points, int bins, Progress progress) {
    return along(stack, List.of(trajectory), t -> points, bins, progress)[0];
  }

  /**
   * Walks every replica along every trajectory, all of them as one batch.
   *
   * @param points where Jacobian norms of the probabilities are found along each
   * @param bins of the norms
   * @return {@code [trajectory][replica]}
   * @throws IllegalArgumentException for a network that is not piecewise linear
   */
  public static ExactTrajectory[][] along(
      NetworkStack stack,
      List<Trajectory> trajectories,
      Function<Trajectory, Points> points,
      int bins,
      Progress progress) {
    Architecture architecture = stack.architecture();
    if (!isPossible(architecture)) {
      throw new IllegalArgumentException(
          architecture.title() + ": expected a piecewise-linear network with a hidden layer");
    }
    ExactTrajectory[][] results = new ExactTrajectory[trajectories.size()][stack.replicas()];
    int together = (int) Math.max(1, NETWORK_BYTES / (8 * architecture.parameters()));
    try (Scope scope = new Scope(stack.device())) {
      List<Way> ways =
          trajectories.stream()
              .map(trajectory -> new Way(scope, stack, trajectory, points.apply(trajectory)))
              .toList();
      for (int from = 0; from < stack.replicas(); from += together) {
        int count = Math.min(together, stack.replicas() - from);
        try (Scope own = new Scope(stack.device());
            Walk walk = new Walk(own, stack, from, count, ways, bins)) {
          walk.run(progress);
          for (int t = 0; t < results.length; t++) {
            for (int r = 0; r < count; r++) {
              results[t][from + r] = walk.result(t, r);
            }
          }
        }
      }
    }
    return results;
  }

  /** A trajectory, cut into pieces. */
  private static final class Way {
    final Trajectory trajectory;
    final Points points;
    final List<Piece> pieces;
    final FirstLayer firstLayer;

    Way(Scope scope, NetworkStack stack, Trajectory trajectory, Points points) {
      this.trajectory = trajectory;
      this.points = points;
      long least = stack.architecture().hiddenUnits() / UNITS_PER_PIECE;
      this.pieces =
          Piece.cut(trajectory.curve(), (int) Math.max(LEAST_PIECES, Math.min(MOST_PIECES, least)));
      this.firstLayer = new FirstLayer(scope, stack, trajectory, 1);
    }

    boolean isArcs() {
      return pieces.get(0).isArc();
    }
  }

  /** The walks of some replicas. */
  private static final class Walk implements AutoCloseable {
    private final NetworkStack stack;
    private final Device device;
    private final int firstReplica;
    private final int replicas;
    private final List<Way> ways;
    private final int bins;
    private final Networks networks;
    private final RegionWalks walks;

    /** {@code [trajectory][replica][piece]}. */
    private final Path[][][] paths;

    Walk(
        Scope scope, NetworkStack stack, int firstReplica, int replicas, List<Way> ways, int bins) {
      this.stack = stack;
      this.device = stack.device();
      this.firstReplica = firstReplica;
      this.replicas = replicas;
      this.ways = ways;
      this.bins = bins;
      this.paths = new Path[ways.size()][replicas][];
      for (int t = 0; t < ways.size(); t++) {
        Way way = ways.get(t);
        for (int r = 0; r < replicas; r++) {
          int replica = r;
          paths[t][r] =
              way.pieces.stream()
                  .map(piece -> new Path(way, replica, piece, way.points, bins))
                  .toArray(Path[]::new);
        }
      }
      this.networks = networks(scope, stack.architecture());
      this.walks = device.walks(networks);
    }

    private Networks networks(Scope scope, Architecture architecture) {
      int depth = architecture.depth();
      Matrix[] weights = new Matrix[depth - 1];
      Matrix[] biases = new Matrix[depth];
      for (int l = 0; l < depth; l++) {
        if (l > 0) {
          weights[l - 1] = stack.weights(l).replicas(firstReplica, replicas);
        }
        biases[l] = architecture.biases() ? stack.biases(l).replicas(firstReplica, replicas) : null;
      }
      return new Networks(
          architecture.activation(),
          weights,
          architecture.biases() ? biases : null,
          ways.stream().anyMatch(way -> way.points.count() > 0)
              ? factors(scope, architecture)
              : null);
    }

    /** W₁ itself, or the Cholesky factor of W₁W₁ᵀ where that is narrower. */
    private Matrix factors(Scope scope, Architecture architecture) {
      int units = architecture.rows(0);
      int columns = Math.min(units, architecture.inputs());
      Matrix factors =
          Matrix.stacked(
              scope.doubles((long) replicas * units * columns), 0, replicas, units, columns);
      for (int r = 0; r < replicas; r++) {
        Matrix weights = stack.weights(0).replicas(firstReplica + r, 1);
        Matrix factor = factors.replicas(r, 1);
        if (units < architecture.inputs()) {
          CholeskyFactor.ofRows(device, weights, factor);
        } else {
          device.run(1, (lane, task) -> lane.widen(weights, factor));
        }
      }
      return factors;
    }

    void run(Progress progress) {
      List<List<Path>> tasks = new ArrayList<>();
      for (Path[][] along : paths) {
        for (Path[] of : along) {
          for (int from = 0; from < of.length; from += WALKERS) {
            tasks.add(Arrays.asList(of).subList(from, Math.min(of.length, from + WALKERS)));
          }
        }
      }
      boolean whole = device.takesWholeStacks();
      List<List<Path>> batches = whole ? batches(tasks) : tasks;
      AtomicLong done = new AtomicLong();
      String title = "regions of " + stack.architecture().title();
      device.run(
          batches.size(),
          (lane, task) -> {
            walk(lane, batches.get(task).toArray(Path[]::new), whole ? WHOLE_BYTES : TASK_BYTES);
            progress.report(title, done.incrementAndGet(), batches.size());
          });
    }

    /**
     * All paths that can be walked by one operation: arcs, and straight pieces; with norms or not.
     */
    private static List<List<Path>> batches(List<List<Path>> tasks) {
      return List.copyOf(
          tasks.stream()
              .flatMap(List::stream)
              .collect(
                  Collectors.groupingBy(
                      path -> List.of(path.way.isArcs(), path.points.count() > 0)))
              .values());
    }

    /** Walks pieces side by side to their ends. */
    private void walk(Lane lane, Path[] some, long bytes) {
      boolean norms = some[0].points.count() > 0;
      long classes = networks.classes();
      long perRegion = norms ? 8 * (3 * classes + classes * classes) : 12;
      int capacity =
          (int) Math.max(4, Math.min(MOST_CROSSINGS, bytes / some.length / perRegion - 1));
      int[] codes = null;
      for (Path[] rest = some; rest.length > 0; ) {
        try (Scope own = new Scope(device)) {
          Trace trace = Trace.of(own, networks, rest.length, capacity, norms);
          if (codes != null) {
            device.upload(codes, 0, trace.codes(), 0, codes.length);
          }
          step(lane, rest, firstLayers(lane, own, rest), trace, codes != null);
          Path[] going = Arrays.stream(rest).filter(path -> !path.arrived()).toArray(Path[]::new);
          codes = codesOf(going, rest, trace);
          rest = going;
        }
      }
    }

    /** Where paths are that had no room to go on, in their order. */
    private int[] codesOf(Path[] going, Path[] all, Trace trace) {
      int units = networks.hiddenUnits();
      int[] codes = new int[Math.multiplyExact(going.length, units)];
      for (int i = 0, g = 0; g < going.length; i++) {
        if (all[i] == going[g]) {
          device.download(trace.codes(), (long) i * units, codes, g++ * units, units);
        }
      }
      return codes;
    }

    /** c₀, c₁ and c₂ of first-layer pre-activations, three rows a path. */
    private Matrix firstLayers(Lane lane, Scope own, Path[] started) {
      int units = stack.architecture().rows(0);
      Matrix first =
          Matrix.of(own.doubles(3L * started.length * units), 0, 3 * started.length, units);
      for (int from = 0, to; from < started.length; from = to) {
        to = from;
        while (to < started.length
            && started[to].way == started[from].way
            && started[to].replica == started[from].replica) {
          to++;
        }
        int[] indices = new int[9 * (to - from)];
        double[] coefficients = new double[indices.length];
        for (int i = from; i < to; i++) {
          started[i].piece.polynomial(indices, coefficients, 9 * (i - from));
        }
        started[from].way.firstLayer.combine(
            lane,
            firstReplica + started[from].replica,
            3,
            indices,
            coefficients,
            first.rows(3 * from, 3 * (to - from)));
      }
      return first;
    }

    /** Walks on from where paths are, as far as there is room. */
    private void step(Lane lane, Path[] some, Matrix first, Trace trace, boolean resumed) {
      int count = some.length;
      boolean[] resume = new boolean[count];
      Arrays.fill(resume, resumed);
      Walkers walkers =
          new Walkers(
              some[0].piece.isArc(),
              first,
              Arrays.stream(some).mapToInt(path -> path.replica).toArray(),
              Arrays.stream(some).mapToDouble(path -> path.at).toArray(),
              Arrays.stream(some).mapToDouble(path -> path.end).toArray(),
              resume);
      walks.walk(lane, walkers, trace);
      int capacity = trace.capacity();
      int[] counts = new int[count];
      double[] reached = new double[count];
      long[] hashes = new long[2 * count];
      double[] drift = new double[count];
      device.download(trace.counts(), 0, counts, 0, count);
      device.download(trace.reached(), 0, reached, 0, count);
      device.download(trace.hashes(), 0, hashes, 0, hashes.length);
      device.download(trace.drift(), 0, drift, 0, count);
      double[] parameters = new double[Math.multiplyExact(count, capacity)];
      int[] packed = new int[parameters.length];
      device.download(trace.parameters(), 0, parameters, 0, parameters.length);
      device.download(trace.crossings(), 0, packed, 0, packed.length);
      for (int i = 0; i < count; i++) {
        int own = i * capacity;
        some[i].append(
            Arrays.copyOfRange(parameters, own, own + counts[i]),
            Arrays.copyOfRange(packed, own, own + counts[i]),
            reached[i],
            hashes[2 * i],
            hashes[2 * i + 1]);
        some[i].drift = Math.max(some[i].drift, drift[i]);
      }
      if (trace.grams() != null) {
        norms(lane, some, walkers, trace);
      }
    }

    /** Norms at the points that the last step has passed. */
    private void norms(Lane lane, Path[] some, Walkers walkers, Trace trace) {
      int[] from = new int[some.length + 1];
      for (int i = 0; i < some.length; i++) {
        from[i + 1] = Math.addExact(from[i], some[i].passed());
      }
      int count = from[some.length];
      double[] values = new double[count];
      for (int i = 0; i < some.length; i++) {
        some[i].locals(values, from[i], from[i + 1] - from[i]);
      }
      try (Scope own = new Scope(device)) {
        DeviceArray at = own.doubles(count);
        DeviceArray norms = own.doubles(count);
        device.upload(values, 0, at, 0, count);
        walks.norms(lane, walkers, trace, from, at, norms);
        device.download(norms, 0, values, 0, count);
      }
      for (int i = 0; i < some.length; i++) {
        some[i].take(values, from[i], from[i + 1] - from[i]);
      }
    }

    ExactTrajectory result(int way, int replica) {
      Path[] own = paths[way][replica];
      for (int i = 0; i < own.length; i++) {
        if (own[i].drift > MOST_DRIFT) {
          LOG.info(
              "{}: what was carried past parameter {} is off by {} of its layer's largest; walked"
                  + " again in shorter stretches",
              stack.architecture().title(),
              own[i].piece.start(),
              own[i].drift);
          own[i] = again(own[i], own[i].startCodes, FEW_CROSSINGS);
        }
      }
      double[] healed = heal(own);
      int[] packed = Arrays.stream(own).flatMapToInt(path -> Arrays.stream(path.packed)).toArray();
      double[] parameters = Arrays.stream(own).flatMapToDouble(Path::globals).toArray();
      Way along = ways.get(way);
      return new ExactTrajectory(
          Crossings.of(along.trajectory.period(), networks.hidden(), parameters, packed),
          along.points.count() == 0
              ? null
              : TrajectoryNorms.of(Arrays.stream(own).map(path -> path.tally).toList(), bins),
          healed,
          Arrays.stream(own).mapToDouble(path -> path.drift).max().orElseThrow());
    }

    /** Walks pieces again whose first pattern is not the last one of the piece before. */
    private double[] heal(Path[] own) {
      int count = own.length;
      double[] healed = {};
      // Once around finds every seam; a healed piece may end with another pattern, so once more.
      for (int i = 0; i < 2 * count; i++) {
        int before = i % count;
        int next = (i + 1) % count;
        if (own[before].lastHash != own[next].firstHash) {
          double seam = own[next].piece.start();
          LOG.info(
              "{}: the walk arrives at parameter {} with another pattern than it goes on with;"
                  + " walked on with the first",
              stack.architecture().title(),
              seam);
          healed = DoubleStream.concat(Arrays.stream(healed), DoubleStream.of(seam)).toArray();
          own[before] = again(own[before], own[before].startCodes, MOST_CROSSINGS);
          own[next] = again(own[next], own[before].endCodes, MOST_CROSSINGS);
        }
      }
      for (int i = 0; i < count; i++) {
        if (own[i].lastHash != own[(i + 1) % count].firstHash) {
          throw new IllegalStateException(
              "%s: the walk doesn't close at parameter %s"
                  .formatted(stack.architecture().title(), own[(i + 1) % count].piece.start()));
        }
      }
      return healed;
    }

    /**
     * Walks a piece again, for its crossings alone.
     *
     * @param startCodes the pattern to start with; null for that of its first point
     * @param capacity crossings until everything is found anew
     */
    private Path again(Path path, int[] startCodes, int capacity) {
      Path again = new Path(path.way, path.replica, path.piece, Points.NONE, bins);
      again.tally = path.tally;
      again.startCodes = startCodes;
      again.endCodes = new int[networks.hiddenUnits()];
      try (Scope own = new Scope(device)) {
        Trace trace = Trace.of(own, networks, 1, capacity, false);
        if (startCodes != null) {
          device.upload(startCodes, 0, trace.codes(), 0, startCodes.length);
        }
        device.run(
            1,
            (lane, task) -> {
              Path[] one = {again};
              Matrix first = firstLayers(lane, own, one);
              do {
                step(lane, one, first, trace, again.walked || startCodes != null);
              } while (!again.arrived());
            });
        device.download(trace.codes(), 0, again.endCodes, 0, again.endCodes.length);
      }
      return again;
    }

    @Override
    public void close() {
      walks.close();
    }
  }

  /** A walker's way along a piece. */
  private static final class Path {
    private final Way way;
    private final int replica;
    private final Piece piece;
    private final double end;
    private final int bins;
    private final Points points;

    /** The next point whose norm is to be found, and the first that is not of this piece. */
    private long next;

    private final long last;
    private TrajectoryNorms.Tally tally = new TrajectoryNorms.Tally();

    /** Where the walker is, by the piece's own parameter. */
    private double at;

    private double[] parameters = {};
    private int[] packed = {};
    private boolean walked;
    private long firstHash;
    private long lastHash;
    private double drift;

    /** The pattern that it was given to start with, or null. */
    private int[] startCodes;

    /** The pattern that it arrived with, where that was asked for. */
    private int[] endCodes;

    Path(Way way, int replica, Piece piece, Points points, int bins) {
      this.way = way;
      this.replica = replica;
      this.piece = piece;
      this.at = piece.local(piece.start());
      this.end = piece.local(piece.end());
      this.points = points;
      this.next = points.firstFrom(piece.start());
      this.last = points.firstFrom(piece.end());
      this.bins = bins;
    }

    boolean arrived() {
      return walked && !(at < end);
    }

    void append(double[] more, int[] morePacked, double reached, long startHash, long endHash) {
      int before = parameters.length;
      parameters = Arrays.copyOf(parameters, before + more.length);
      packed = Arrays.copyOf(packed, parameters.length);
      System.arraycopy(more, 0, parameters, before, more.length);
      System.arraycopy(morePacked, 0, packed, before, more.length);
      if (!walked) {
        firstHash = startHash;
      }
      walked = true;
      lastHash = endHash;
      at = reached;
    }

    /** Points between the next one and where the walker is. */
    private int passed() {
      long until = next;
      if (arrived()) {
        until = last;
      } else {
        while (until < last && piece.local(points.at().applyAsDouble(until)) < at) {
          until++;
        }
      }
      return Math.toIntExact(until - next);
    }

    private void locals(double[] out, int from, int count) {
      for (int i = 0; i < count; i++) {
        out[from + i] = piece.local(points.at().applyAsDouble(next + i));
      }
    }

    private void take(double[] norms, int from, int count) {
      double period = piece.curve().period();
      for (int i = 0; i < count; i++) {
        double parameter = points.at().applyAsDouble(next + i);
        tally.add(Transitions.bin(parameter / period, bins), parameter, norms[from + i]);
      }
      next += count;
    }

    private DoubleStream globals() {
      return Arrays.stream(parameters).map(piece::global);
    }
  }
}
