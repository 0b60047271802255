package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.training.Backpropagation.Block;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;

/**
 * Trains a stack by L-BFGS on the full batch. A step, which is an epoch too, is an iteration of
 * every replica that is still running: a direction and a line search of as many evaluations as it
 * takes, each of which passes over all training examples, a tile after the other. A replica whose
 * loss falls no further, or whose gradient vanishes, is {@link Outcome#COMPLETED} where it stands.
 */
public final class LbfgsTrainer implements StackTrainer {
  /** The most iterations (Novak et al., §A.5.5). */
  public static final int MOST_ITERATIONS = 2684;

  /**
   * The most parameters of a network: with what pads them, twice as many are less than 2³¹, since
   * rows that stand two apart are operands of one product.
   */
  public static final int MOST_PARAMETERS = (1 << 30) - (1 << 16);

  /** Floats of a replica's tile that are worth having: larger tiles make products no faster. */
  private static final int TILE_FLOATS = 4 << 20;

  private static final int FEWEST_ROWS = 256;
  private static final int MOST_ROWS = 4096;

  private static final String PAIRS = "lbfgs.pairs";

  private final Device device;
  private final NetworkStack stack;
  private final DeviceExamples examples;
  private final Architecture architecture;
  private final String name;
  private final int count;
  private final int tile;
  private final long lastStep;
  private final double trainAccuracy;
  private final Scope scope;
  private final DeviceArray labels;
  private final Matrix losses;
  private final Matrix hits;
  private final Backpropagation passes;
  private final DeviceArray ones;
  private final Lbfgs lbfgs;
  private final NetworkStack trials;
  private final List<Part> parts;

  private final Outcome[] outcomes;
  private final long[] stepsTaken;
  private final List<EpochRecord> history = new ArrayList<>();
  private long step;
  private boolean started;

  /**
   * Weights or biases of a layer.
   *
   * @param from the first of them among all variables
   * @param values where the stack has them
   */
  private record Part(String name, int from, Matrix values) {
    int size() {
      return values.rows() * values.columns();
    }
  }

  /**
   * A trainer at step 0.
   *
   * @param stack the networks, changed in place; not closed by the trainer
   * @param examples the inputs that all replicas share
   * @param stop when to end; at the latest after {@link #MOST_ITERATIONS}
   * @param labels a class for each training example, of each network
   * @throws IllegalArgumentException if there are labels of more or fewer networks, or a network
   *     has more than {@link #MOST_PARAMETERS}
   */
  public LbfgsTrainer(
      NetworkStack stack, DeviceExamples examples, StopRule stop, List<int[]> labels) {
    int n = stack.replicas();
    if (labels.size() != n) {
      throw new IllegalArgumentException(
          "%d replicas for a stack of %d".formatted(labels.size(), n));
    }
    if (stack.architecture().parameters() > MOST_PARAMETERS) {
      throw new IllegalArgumentException(
          "L-BFGS: expected at most %d parameters, found %d"
              .formatted(MOST_PARAMETERS, stack.architecture().parameters()));
    }
    this.device = stack.device();
    this.stack = stack;
    this.examples = examples;
    this.architecture = stack.architecture();
    this.name = "train " + architecture.title();
    this.count = examples.count();
    this.tile = tileRows(architecture, count);
    this.lastStep = Math.min(stop.lastStep(1), MOST_ITERATIONS);
    this.trainAccuracy = stop.trainAccuracy();
    this.outcomes = new Outcome[n];
    Arrays.fill(outcomes, Outcome.RUNNING);
    this.stepsTaken = new long[n];
    this.parts = parts(stack);
    Part last = parts.get(parts.size() - 1);

    this.scope = new Scope(device);
    this.lbfgs = new Lbfgs(device, scope, n, Math.addExact(last.from, last.size()));
    this.passes = new Backpropagation(device, scope, architecture, n, tile);
    this.losses = Matrix.stacked(scope.floats((long) n * count), 0, n, count, 1);
    this.hits = Matrix.stacked(scope.floats((long) n * count), 0, n, count, 1);
    this.labels = scope.ints((long) n * count);
    for (int r = 0; r < n; r++) {
      device.upload(labels.get(r), 0, this.labels, (long) r * count, count);
    }
    float[] one = new float[Math.multiplyExact(tile, architecture.positions(0))];
    Arrays.fill(one, 1);
    this.ones = scope.floats(one.length);
    device.upload(one, 0, ones, 0, one.length);
    int depth = architecture.depth();
    Matrix[] weights = new Matrix[depth];
    Matrix[] biases = new Matrix[depth];
    for (int l = 0; l < depth; l++) {
      Part w = weights(l);
      weights[l] = lbfgs.trials(w.from, w.values.rows(), w.values.columns());
      if (architecture.biases()) {
        biases[l] = lbfgs.trials(biases(l).from, 1, biases(l).size());
      }
    }
    this.trials = NetworkStack.of(device, architecture, weights, biases);
  }

  /** The parameters one behind the other, each part from a multiple of a cache line on. */
  private static List<Part> parts(NetworkStack stack) {
    List<Part> parts = new ArrayList<>();
    int at = 0;
    for (int l = 0; l < stack.architecture().depth(); l++) {
      Part weights = new Part("weights." + l, at, stack.weights(l));
      parts.add(weights);
      at = Math.addExact(at, padded(weights.size()));
      if (stack.architecture().biases()) {
        Part biases = new Part("biases." + l, at, stack.biases(l));
        parts.add(biases);
        at = Math.addExact(at, padded(biases.size()));
      }
    }
    return List.copyOf(parts);
  }

  private static int padded(int size) {
    return Math.multiplyExact((size - 1) / Matrix.PADDING + 1, Matrix.PADDING);
  }

  private Part weights(int layer) {
    return parts.get(architecture.biases() ? 2 * layer : layer);
  }

  private Part biases(int layer) {
    return parts.get(2 * layer + 1);
  }

  private static long floatsPerRow(Architecture architecture) {
    return 2 * architecture.unitsOfPass();
  }

  /** Rows of a tile, all of them as equal as can be. */
  private static int tileRows(Architecture architecture, int count) {
    long most = Math.min(MOST_ROWS, TILE_FLOATS / floatsPerRow(architecture));
    // A convolution makes rows of positions.
    int fewest = Math.max(1, FEWEST_ROWS / architecture.positions(0));
    int tiles = (int) ((count - 1) / Math.max(fewest, most)) + 1;
    return (count - 1) / tiles + 1;
  }

  /**
   * What training takes on the device for each network: its weights, rows of as many, about one row
   * more for Gram matrices, and a tile.
   */
  public static long bytes(Architecture architecture, int trainingImages) {
    return Float.BYTES
        * (architecture.parameters() * (2 + Lbfgs.ROWS)
            + tileRows(architecture, trainingImages) * floatsPerRow(architecture)
            + 3L * trainingImages);
  }

  /** Floats beside each weight that a checkpoint holds. */
  public static int slots() {
    return Lbfgs.memoryRows();
  }

  @Override
  public boolean done() {
    return active().length == 0;
  }

  @Override
  public long steps() {
    return step;
  }

  @Override
  public long lastStep() {
    return lastStep;
  }

  /** One: every step sees all examples. */
  @Override
  public long stepsPerEpoch() {
    return 1;
  }

  @Override
  public Outcome outcome(int replica) {
    return outcomes[replica];
  }

  @Override
  public long stepsTaken(int replica) {
    return stepsTaken[replica];
  }

  @Override
  public List<EpochRecord> history() {
    return List.copyOf(history);
  }

  private int[] active() {
    return IntStream.range(0, outcomes.length)
        .filter(r -> outcomes[r] == Outcome.RUNNING)
        .toArray();
  }

  @Override
  public void step() {
    Device.Range range = device.range(name);
    try (range) {
      if (!started) {
        start();
      }
      if (!done()) {
        iterate();
      }
    }
  }

  private void start() {
    for (Part part : parts) {
      copy(flat(part.values), lbfgs.points(part.from, 1, part.size()));
    }
    int[] active = active();
    Lbfgs.Ending[] endings = lbfgs.start(active, this::evaluate);
    for (int i = 0; i < active.length; i++) {
      outcomes[active[i]] = outcome(endings[i]);
    }
    started = true;
  }

  private void iterate() {
    int[] active = active();
    Lbfgs.Ending[] endings = lbfgs.iterate(active, this::evaluate);
    step++;
    for (Part part : parts) {
      copy(lbfgs.points(part.from, 1, part.size()), flat(part.values));
    }
    List<Integer> accurate = new ArrayList<>();
    for (int i = 0; i < active.length; i++) {
      int r = active[i];
      outcomes[r] = outcome(endings[i]);
      if (endings[i] == Lbfgs.Ending.NONE || endings[i] == Lbfgs.Ending.CONVERGED) {
        stepsTaken[r] = step;
        double accuracy = sum(hits, r) / count;
        history.add(new EpochRecord(r, (int) step, step, lbfgs.loss(r), accuracy));
        if (accuracy >= trainAccuracy) {
          accurate.add(r);
        }
      }
    }
    stopAccurate(accurate.stream().mapToInt(r -> r).toArray());
    if (step == lastStep) {
      for (int r : active()) {
        outcomes[r] = Outcome.COMPLETED;
      }
    }
  }

  private static Outcome outcome(Lbfgs.Ending ending) {
    return switch (ending) {
      case NONE -> Outcome.RUNNING;
      case CONVERGED, STUCK -> Outcome.COMPLETED;
      case NOT_FINITE -> Outcome.DIVERGED;
    };
  }

  /** Ends those that are as accurate as asked for by the measure that results report, too. */
  private void stopAccurate(int[] near) {
    if (near.length == 0) {
      return;
    }
    Evaluation[] evaluations = Evaluation.of(stack, near, examples.inputs(), labels, count);
    for (int i = 0; i < near.length; i++) {
      if (evaluations[i].accuracy() >= trainAccuracy) {
        outcomes[near[i]] = Outcome.ACCURATE;
      }
    }
  }

  /** Mean losses of the networks at the trials, and their gradients. */
  private void evaluate(int[] chosen, double[] means) {
    List<Run> runs = Run.of(device, chosen);
    List<Block> blocks = passes.blocks();
    for (int at = 0; at < count; at += tile) {
      int from = at;
      int rows = Math.min(tile, count - from);
      int cuts = passes.parts(rows);
      device.run(
          runs.size() * cuts,
          (lane, task) -> {
            int first = task % cuts * passes.rowsPerPart();
            int some = Math.min(passes.rowsPerPart(), rows - first);
            errors(lane, runs.get(task / cuts), from, first, some);
          });
      device.run(
          runs.size() * blocks.size(),
          (lane, task) ->
              gradient(
                  lane, runs.get(task % runs.size()), blocks.get(task / runs.size()), from, rows));
    }
    for (int r : chosen) {
      means[r] = sum(losses, r) / count;
    }
  }

  private void errors(Lane lane, Run run, int from, int first, int rows) {
    int row = from + first;
    passes.errors(
        lane,
        trials,
        run,
        first,
        shared(examples.inputs().rows(row, rows), run),
        new Backpropagation.Task(
            labels,
            (long) run.first() * count + row,
            count,
            1f / count,
            run.of(losses, row, rows),
            run.of(hits, row, rows)));
  }

  /** Adds a tile's gradient of a block of weights to those of the tiles before. */
  private void gradient(Lane lane, Run run, Block block, int from, int rows) {
    int l = block.layer();
    float before = from == 0 ? 0 : 1;
    Matrix errors = passes.errors(run, block, rows);
    Matrix inputs = passes.inputs(run, l, rows, shared(examples.inputs().rows(from, rows), run));
    int fanIn = architecture.columns(l);
    int weightsFrom = weights(l).from + block.from() * fanIn;
    lane.gemm(
        true,
        errors,
        false,
        inputs,
        before,
        run.of(lbfgs.gradients(weightsFrom, block.rows(), fanIn)));
    if (architecture.biases()) {
      int biasesFrom = biases(l).from + block.from();
      lane.gemm(
          false,
          shared(Matrix.of(ones, 0, 1, errors.rows()), run),
          false,
          errors,
          before,
          run.of(lbfgs.gradients(biasesFrom, 1, block.rows())));
    }
  }

  /** One matrix as that of every replica of a run. */
  private static Matrix shared(Matrix one, Run run) {
    return new Matrix(
        one.data(),
        one.offset(),
        one.rows(),
        one.columns(),
        one.stride(),
        one.padded(),
        run.count(),
        0);
  }

  private static Matrix flat(Matrix dense) {
    return new Matrix(
        dense.data(),
        dense.offset(),
        1,
        dense.rows() * dense.columns(),
        dense.rows() * dense.columns(),
        false,
        dense.replicas(),
        dense.replicaStride());
  }

  /** A row of every replica, bit for bit: times 1. */
  private void copy(Matrix from, Matrix to) {
    int together = device.takesWholeStacks() ? to.replicas() : 1;
    device.run(
        to.replicas() / together,
        (lane, task) -> {
          Run run = new Run(task * together, together);
          Matrix one = shared(Matrix.of(ones, 0, 1, 1), run);
          lane.gemm(false, one, false, run.of(from), 0, run.of(to));
        });
  }

  private double sum(Matrix columns, int replica) {
    float[] values = new float[count];
    device.download(columns.data(), columns.start(replica), values, 0, count);
    double sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum;
  }

  @Override
  public TrainerState state() {
    Map<String, float[]> arrays = new TreeMap<>();
    forEachArray(!done(), (key, matrix) -> arrays.put(key, download(matrix)));
    float[] pairs = new float[outcomes.length];
    for (int r = 0; r < pairs.length; r++) {
      pairs[r] = lbfgs.pairs(r);
    }
    arrays.put(PAIRS, pairs);
    return new TrainerState(
        step,
        List.of(outcomes.clone()),
        Arrays.stream(stepsTaken).boxed().toList(),
        List.copyOf(history),
        arrays);
  }

  @Override
  public void restore(TrainerState state) {
    boolean running = state.outcomes().contains(Outcome.RUNNING);
    Map<String, float[]> arrays = state.arrays();
    requireLength(arrays, PAIRS, outcomes.length);
    forEachArray(
        running, (key, matrix) -> requireLength(arrays, key, matrix.columns() * matrix.replicas()));
    forEachArray(running, (key, matrix) -> upload(arrays.get(key), matrix));
    step = state.step();
    started = step > 0;
    history.clear();
    history.addAll(state.history());
    double[] lossOf = new double[outcomes.length];
    history.forEach(e -> lossOf[e.replica()] = e.loss());
    for (int r = 0; r < outcomes.length; r++) {
      stepsTaken[r] = state.stepsTaken().get(r);
      outcomes[r] = state.outcomes().get(r);
      lbfgs.resume(r, (int) arrays.get(PAIRS)[r], lossOf[r]);
    }
    for (Part part : parts) {
      copy(flat(part.values), lbfgs.points(part.from, 1, part.size()));
    }
  }

  private static void requireLength(Map<String, float[]> arrays, String key, int length) {
    float[] values = arrays.get(key);
    if (values == null || values.length != length) {
      throw new IllegalArgumentException(
          "a state of another trainer: expected %d values of %s, found %s"
              .formatted(length, key, values == null ? "none" : values.length));
    }
  }

  /**
   * @param memory whether what a trainer goes on from is among them: pairs and gradient
   * @param action takes a name, and a row of every replica
   */
  private void forEachArray(boolean memory, BiConsumer<String, Matrix> action) {
    for (Part part : parts) {
      action.accept(part.name, flat(part.values));
      for (int row = 0; memory && row < Lbfgs.memoryRows(); row++) {
        action.accept(part.name + ".memory." + row, lbfgs.memory(row, part.from, 1, part.size()));
      }
    }
  }

  private float[] download(Matrix row) {
    float[] values = new float[Math.multiplyExact(row.replicas(), row.columns())];
    for (int r = 0; r < row.replicas(); r++) {
      device.download(row.data(), row.start(r), values, r * row.columns(), row.columns());
    }
    return values;
  }

  private void upload(float[] values, Matrix row) {
    for (int r = 0; r < row.replicas(); r++) {
      device.upload(values, r * row.columns(), row.data(), row.start(r), row.columns());
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
