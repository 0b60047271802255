package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Minimises R functions of n variables side by side by L-BFGS with 10 pairs and a strong-Wolfe line
 * search. Variables, gradients and pairs are float32 rows on the device; all inner products come
 * from Gram matrices in float64, over which the two-loop recursion runs on the host, so that a
 * direction is one linear combination of rows (W. Chen, Z. Wang and J. Zhou, <em>Large-scale L-BFGS
 * using MapReduce</em>, NIPS 2014). What a replica does depends on its own function alone: it comes
 * to the same bits in any company and for any number of lanes.
 *
 * <p>A replica ends where SciPy's L-BFGS-B does by default: where its loss falls by no more than
 * 2.2·10⁻⁹ max(|f|, |f′|, 1) in an iteration, or no component of its gradient exceeds 10⁻⁵.
 */
final class Lbfgs {
  /** Pairs (s, y) that are kept. */
  static final int PAIRS = 10;

  /** Relative decrease of the loss at which a replica ends. */
  static final double LOSS_TOLERANCE = 2.2e-9;

  /** Largest component of a gradient at which a replica ends. */
  static final double GRADIENT_TOLERANCE = 1e-5;

  /**
   * Cosine of s and y that float32 tells from 0: a pair's curvature is rounding below it, and the
   * pair is passed over.
   */
  private static final double LEAST_CURVATURE = 0x1p-23;

  /** Rows of a replica: those of the pairs, s and y, are rings. */
  private static final int S = 0;

  private static final int Y = PAIRS;
  private static final int GRADIENT = 2 * PAIRS;
  private static final int DIRECTION = GRADIENT + 1;
  private static final int TRIAL_GRADIENT = GRADIENT + 2;
  private static final int POINT = GRADIENT + 3;
  private static final int TRIAL = GRADIENT + 4;

  /** Rows of a replica: floats that it takes for each variable. */
  static final int ROWS = GRADIENT + 5;

  /** Rows of the Gram matrix that a direction follows from: all pairs and the gradient. */
  private static final int HISTORY = GRADIENT + 1;

  /** Rows of the Gram matrix of a line search: gradient, direction and the gradient at a trial. */
  private static final int LINE = 3;

  /** Columns whose products are summed before float64 takes over. */
  private static final int CHUNK = 4096;

  /** Columns of a task, where work is cut for lanes: chunks of Gram matrices, and variables. */
  private static final int TASK_CHUNKS = 16;

  private static final int TASK_COLUMNS = TASK_CHUNKS * CHUNK;

  /** What is minimised. */
  @FunctionalInterface
  interface Objective {
    /**
     * Evaluates some replicas' functions at {@link Lbfgs#trials}, and leaves their gradients in
     * {@link Lbfgs#gradients}; those of other replicas may change too, unless they were evaluated
     * at the same trials before.
     *
     * @param losses receives the values, at the replicas' places
     */
    void evaluate(int[] replicas, double[] losses);
  }

  /** What an iteration came to. */
  enum Ending {
    /** The replica stands at a better point, from which it can go on. */
    NONE,
    /** It stands at a better point, and by the tolerances at its end. */
    CONVERGED,
    /** Rounding lets it find no better point; it stands where it stood. */
    STUCK,
    /** Its function or gradient is not finite; it stands where it stood. */
    NOT_FINITE
  }

  private final Device device;
  private final int replicas;
  private final int size;
  private final int chunk;
  private final int chunks;
  private final int stride;
  private final DeviceArray rows;
  private final DeviceArray factors;
  private final Matrix grams;
  private final Matrix ones;
  private final DeviceArray sums;

  private final double[] losses;

  /** Pairs since the start, or since a replica began anew: the next one goes to this % PAIRS. */
  private final int[] pairs;

  /** A row that becomes a combination of others: {@code first}, {@code first + step}, … */
  private record Combination(int replica, int target, int first, int step, float... factors) {}

  /** How a replica's iteration stands. */
  private static final class Line {
    private final int replica;
    private double step;

    /** Null until f′(0) is known. */
    private LineSearch search;

    /** Where the search ended, and the square of its gradient there. */
    private double loss;

    private double square;

    private Line(int replica) {
      this.replica = replica;
    }

    private boolean isFound() {
      return search.status() == LineSearch.Status.FOUND;
    }
  }

  /**
   * Room in a scope for replicas that stand at 0.
   *
   * @param size variables of each, n
   */
  Lbfgs(Device device, Scope scope, int replicas, int size) {
    this.device = device;
    this.replicas = replicas;
    this.size = size;
    this.chunks = (size + CHUNK - 1) / CHUNK;
    this.chunk = Matrix.paddedColumns((size + chunks - 1) / chunks);
    this.stride = Math.multiplyExact(chunks, chunk);
    this.losses = new double[replicas];
    this.pairs = new int[replicas];
    this.rows = scope.floats((long) replicas * ROWS * stride);
    this.factors = scope.floats(2L * replicas * HISTORY);
    long products = HISTORY * HISTORY;
    this.grams =
        Matrix.stacked(
            scope.doubles(replicas * chunks * products), 0, replicas, chunks, (int) products);
    this.sums = scope.doubles(replicas * products);
    this.ones = Matrix.of(scope.doubles(chunks), 0, 1, chunks);
    double[] one = new double[chunks];
    Arrays.fill(one, 1);
    device.upload(one, 0, ones.data(), 0, chunks);
  }

  /** A part of one row of every replica, as a matrix. */
  private Matrix part(int row, int from, int height, int width) {
    return new Matrix(
        rows,
        (long) row * stride + from,
        height,
        width,
        width,
        false,
        replicas,
        (long) ROWS * stride);
  }

  /**
   * Some of the variables as they stand, {@code height × width} from variable {@code from} on, of
   * every replica; who writes them calls {@link #start} after.
   */
  Matrix points(int from, int height, int width) {
    return part(POINT, from, height, width);
  }

  /** The same of the points at which an {@link Objective} evaluates. */
  Matrix trials(int from, int height, int width) {
    return part(TRIAL, from, height, width);
  }

  /** The gradients at the trials, laid out alike. */
  Matrix gradients(int from, int height, int width) {
    return part(TRIAL_GRADIENT, from, height, width);
  }

  /** The value where a replica stands. */
  double loss(int replica) {
    return losses[replica];
  }

  /**
   * Evaluates replicas where they stand, without memory of pairs.
   *
   * @return for each of {@code active} whether it has come to an end already
   */
  Ending[] start(int[] active, Objective objective) {
    List<Combination> copies = new ArrayList<>();
    for (int r : active) {
      pairs[r] = 0;
      copies.add(new Combination(r, TRIAL, POINT, 1, 1));
    }
    combine(copies);
    objective.evaluate(active, losses);
    double[][] products = grams(active, GRADIENT, LINE);
    copies.clear();
    Ending[] endings = new Ending[active.length];
    for (int i = 0; i < active.length; i++) {
      int r = active[i];
      double square = products[i][LINE * LINE - 1];
      boolean finite = Double.isFinite(losses[r]) && Double.isFinite(square);
      endings[i] = !finite ? Ending.NOT_FINITE : isFlat(r, square) ? Ending.CONVERGED : Ending.NONE;
      if (finite) {
        copies.add(new Combination(r, GRADIENT, TRIAL_GRADIENT, 1, 1));
      }
    }
    combine(copies);
    return endings;
  }

  /**
   * An iteration: directions, line searches that go on side by side until the last has ended, and
   * the pairs that follow.
   *
   * @param active replicas that were started and have not ended
   */
  Ending[] iterate(int[] active, Objective objective) {
    double[][] histories = grams(active, S, HISTORY);
    List<Line> lines = new ArrayList<>();
    List<Combination> directions = new ArrayList<>();
    for (int i = 0; i < active.length; i++) {
      int r = active[i];
      Line line = new Line(r);
      lines.add(line);
      float[] direction = direction(pairs[r], histories[i]);
      if (direction == null) {
        directions.add(descend(line, histories[i][HISTORY * HISTORY - 1]));
      } else {
        line.step = 1;
        directions.add(new Combination(r, DIRECTION, S, 1, direction));
      }
    }
    combine(directions);
    List<Line> open = lines;
    while (!open.isEmpty()) {
      open = search(open, objective);
    }
    return move(lines);
  }

  /** Steepest descent, with no memory and a first step of at most length 1. */
  private Combination descend(Line line, double squareOfGradient) {
    pairs[line.replica] = 0;
    line.search = null;
    line.step = (float) Math.min(1, 1 / Math.sqrt(squareOfGradient));
    return new Combination(line.replica, DIRECTION, GRADIENT, 1, -1);
  }

  /**
   * The two-loop recursion, on coefficients of rows.
   *
   * @param gram of s, y and the gradient
   * @return −H g as a combination of them; null where no pair is of use, or that isn't downhill
   */
  private static float[] direction(int pairs, double[] gram) {
    int[] usable =
        IntStream.range(Math.max(0, pairs - PAIRS), pairs)
            .map(pair -> pair % PAIRS)
            .filter(slot -> isCurved(gram, slot))
            .toArray();
    if (usable.length == 0) {
      return null;
    }
    double[] sum = new double[HISTORY];
    sum[GRADIENT] = 1;
    double[] alphas = new double[usable.length];
    for (int i = usable.length - 1; i >= 0; i--) {
      int slot = usable[i];
      alphas[i] = product(gram, sum, S + slot) / entry(gram, S + slot, Y + slot);
      sum[Y + slot] -= alphas[i];
    }
    int newest = usable[usable.length - 1];
    double scale = entry(gram, S + newest, Y + newest) / entry(gram, Y + newest, Y + newest);
    for (int k = 0; k < HISTORY; k++) {
      sum[k] *= scale;
    }
    for (int i = 0; i < usable.length; i++) {
      int slot = usable[i];
      double beta = product(gram, sum, Y + slot) / entry(gram, S + slot, Y + slot);
      sum[S + slot] += alphas[i] - beta;
    }
    if (!(product(gram, sum, GRADIENT) > 0)) {
      return null;
    }
    float[] direction = new float[HISTORY];
    for (int k = 0; k < HISTORY; k++) {
      direction[k] = (float) -sum[k];
    }
    return direction;
  }

  /** Whether s · y is positive beyond rounding. */
  private static boolean isCurved(double[] gram, int slot) {
    double squares = entry(gram, S + slot, S + slot) * entry(gram, Y + slot, Y + slot);
    return entry(gram, S + slot, Y + slot) > LEAST_CURVATURE * Math.sqrt(squares);
  }

  private static double entry(double[] gram, int row, int column) {
    return gram[row * HISTORY + column];
  }

  /** The inner product of a combination of rows with one of them. */
  private static double product(double[] gram, double[] sum, int row) {
    double product = 0;
    for (int k = 0; k < HISTORY; k++) {
      // A row that is not in the sum counts as nothing, whatever it holds.
      product += sum[k] == 0 ? 0 : sum[k] * entry(gram, k, row);
    }
    return product;
  }

  /**
   * An evaluation for every open search.
   *
   * @return those that are still open
   */
  private List<Line> search(List<Line> open, Objective objective) {
    int[] searching = open.stream().mapToInt(line -> line.replica).toArray();
    combine(
        open.stream()
            .map(
                l ->
                    new Combination(
                        l.replica, TRIAL, DIRECTION, POINT - DIRECTION, (float) l.step, 1))
            .toList());
    double[] values = new double[replicas];
    objective.evaluate(searching, values);
    double[][] products = grams(searching, GRADIENT, LINE);
    List<Line> still = new ArrayList<>();
    List<Combination> anew = new ArrayList<>();
    for (int i = 0; i < searching.length; i++) {
      Line line = open.get(i);
      double squareOfGradient = products[i][0];
      line.loss = values[line.replica];
      line.square = products[i][LINE * LINE - 1];
      if (line.search == null) {
        line.search = new LineSearch(losses[line.replica], products[i][1], line.step);
      }
      if (line.search.status() == LineSearch.Status.SEARCHING) {
        // A gradient that is not finite leaves its mark on its square, if not on the slope.
        double slope = Double.isFinite(line.square) ? products[i][LINE + 2] : Double.NaN;
        line.search.observe(line.loss, slope);
      }
      switch (line.search.status()) {
        case SEARCHING -> {
          line.step = line.search.step();
          still.add(line);
        }
        case FAILED -> {
          if (pairs[line.replica] > 0) {
            anew.add(descend(line, squareOfGradient));
            still.add(line);
          }
        }
        default -> {}
      }
    }
    combine(anew);
    return still;
  }

  /** Goes where the searches ended, and keeps the pairs. */
  private Ending[] move(List<Line> lines) {
    List<Combination> differences = new ArrayList<>();
    List<Combination> copies = new ArrayList<>();
    Ending[] endings = new Ending[lines.size()];
    for (int i = 0; i < endings.length; i++) {
      Line line = lines.get(i);
      int r = line.replica;
      if (!line.isFound()) {
        endings[i] = line.search.sawFinite() ? Ending.STUCK : Ending.NOT_FINITE;
        continue;
      }
      int slot = pairs[r] % PAIRS;
      pairs[r]++;
      differences.add(new Combination(r, S + slot, POINT, TRIAL - POINT, -1, 1));
      differences.add(new Combination(r, Y + slot, GRADIENT, TRIAL_GRADIENT - GRADIENT, -1, 1));
      copies.add(new Combination(r, POINT, TRIAL, 1, 1));
      copies.add(new Combination(r, GRADIENT, TRIAL_GRADIENT, 1, 1));
      double before = losses[r];
      losses[r] = line.loss;
      double scale = Math.max(1, Math.max(Math.abs(before), Math.abs(line.loss)));
      endings[i] =
          before - line.loss <= LOSS_TOLERANCE * scale || isFlat(r, line.square)
              ? Ending.CONVERGED
              : Ending.NONE;
    }
    combine(differences);
    combine(copies);
    return endings;
  }

  /**
   * Whether no component of the gradient at a replica's trial exceeds the tolerance. The gradient
   * itself is looked at only where its norm leaves that open.
   */
  private boolean isFlat(int replica, double square) {
    if (square > GRADIENT_TOLERANCE * GRADIENT_TOLERANCE * size) {
      return false;
    }
    float[] gradient = new float[Math.min(size, TASK_COLUMNS)];
    long at = start(replica, TRIAL_GRADIENT);
    for (int from = 0; from < size; from += gradient.length) {
      int count = Math.min(gradient.length, size - from);
      device.download(rows, at + from, gradient, 0, count);
      for (int i = 0; i < count; i++) {
        if (Math.abs(gradient[i]) > GRADIENT_TOLERANCE) {
          return false;
        }
      }
    }
    return true;
  }

  private long start(int replica, int row) {
    return ((long) replica * ROWS + row) * stride;
  }

  /** One after the other on each device's terms: rows at once, or cut into tasks for lanes. */
  private void combine(List<Combination> combinations) {
    if (combinations.isEmpty()) {
      return;
    }
    float[] all = new float[combinations.size() * HISTORY];
    for (int i = 0; i < combinations.size(); i++) {
      float[] some = combinations.get(i).factors;
      System.arraycopy(some, 0, all, i * HISTORY, some.length);
    }
    device.upload(all, 0, factors, 0, all.length);
    int columns = device.takesWholeStacks() ? stride : Math.min(stride, TASK_COLUMNS);
    int parts = (stride + columns - 1) / columns;
    device.run(
        combinations.size() * parts,
        (lane, task) -> {
          Combination c = combinations.get(task / parts);
          int from = task % parts * columns;
          int width = Math.min(columns, stride - from);
          lane.gemm(
              false,
              Matrix.of(factors, (long) task / parts * HISTORY, 1, c.factors.length),
              false,
              new Matrix(
                  rows,
                  start(c.replica, c.first) + from,
                  c.factors.length,
                  width,
                  Math.multiplyExact(c.step, stride),
                  false,
                  1,
                  0),
              0,
              Matrix.of(rows, start(c.replica, c.target) + from, 1, width));
        });
  }

  /**
   * Gram matrices of rows of some replicas, chunk by chunk, the chunks' sums in float64.
   *
   * @param first the first of {@code group} rows
   * @return group² inner products of each
   */
  private double[][] grams(int[] chosen, int first, int group) {
    int products = group * group;
    int some = device.takesWholeStacks() ? chunks : Math.min(chunks, TASK_CHUNKS);
    int parts = (chunks + some - 1) / some;
    device.run(
        chosen.length * parts,
        (lane, task) -> {
          int r = chosen[task / parts];
          int from = task % parts * some;
          int count = Math.min(some, chunks - from);
          long at = start(r, first) + (long) from * chunk;
          lane.groupGrams(
              new Matrix(rows, at, group, chunk, stride, false, count, chunk),
              group,
              Matrix.stacked(
                  grams.data(), grams.start(r) + (long) from * products, count, 1, products));
        });
    device.run(
        chosen.length,
        (lane, task) ->
            lane.gemm(
                false,
                ones,
                false,
                Matrix.of(grams.data(), grams.start(chosen[task]), chunks, products),
                0,
                Matrix.of(sums, (long) task * products, 1, products)));
    double[] all = new double[chosen.length * products];
    device.download(sums, 0, all, 0, all.length);
    return IntStream.range(0, chosen.length)
        .mapToObj(i -> Arrays.copyOfRange(all, i * products, (i + 1) * products))
        .toArray(double[][]::new);
  }

  /** Pairs since a replica began: with its rows, its loss and its point all that it remembers. */
  int pairs(int replica) {
    return pairs[replica];
  }

  /** Goes on where another began, whose point and {@link #memory} are there already. */
  void resume(int replica, int pairs, double loss) {
    this.pairs[replica] = pairs;
    this.losses[replica] = loss;
  }

  /** How many rows {@link #memory} has. */
  static int memoryRows() {
    return HISTORY;
  }

  /**
   * Some variables' parts of a row that a replica keeps from one iteration to the next: 10 of s, 10
   * of y, and the gradient.
   */
  Matrix memory(int row, int from, int height, int width) {
    return part(row, from, height, width);
  }
}
