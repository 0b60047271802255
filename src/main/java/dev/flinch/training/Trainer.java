package dev.flinch.training;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Trains a stack, a step at a time, in two jobs: rows of the batch forward and back, then blocks of
 * weights, each taking its gradient and its step while both are in cache, so that no gradient is
 * ever written to memory. How the work is cut depends on shapes alone, so a replica ends with the
 * same weights on every run, for any number of lanes and in any company.
 */
public final class Trainer implements AutoCloseable {
  /** Floats of a weight gradient's block, a quarter of a core's cache. */
  private static final int BLOCK_FLOATS = 128 << 10;

  private final Device device;
  private final NetworkStack stack;
  private final DeviceExamples examples;
  private final TrainingSettings settings;
  private final List<ReplicaSettings> replicas;
  private final Architecture architecture;
  private final int count;
  private final int batchSize;
  private final int rowsPerTask;
  private final long stepsPerEpoch;
  private final long lastStep;
  private final Scope scope;
  private final Matrix x;
  private final Matrix[] z;
  private final Matrix[] h;
  private final Matrix losses;
  private final Matrix hits;
  private final Matrix[] backward;
  private final Matrix[] gradients;
  private final Matrix[][] weightSlots;
  private final Matrix[][] biasSlots;
  private final DeviceArray order;
  private final DeviceArray batchLabels;
  private final DeviceArray labels;
  private final DeviceArray running;
  private final DeviceArray epochLosses;
  private final DeviceArray epochHits;
  private final List<Block> blocks;

  private final Outcome[] outcomes;
  private final long[] stepsTaken;
  private final List<EpochRecord> history = new ArrayList<>();
  private long step;
  private int orderedEpoch = -1;

  /** A block of rows of one layer's weights: the unit of the second job. */
  private record Block(int layer, int from, int rows) {}

  /**
   * A trainer at step 0.
   *
   * @param stack the networks, changed in place; not closed by the trainer
   * @param examples the inputs that all replicas share
   * @param replicas one for each network of the stack
   */
  public Trainer(
      NetworkStack stack,
      DeviceExamples examples,
      TrainingSettings settings,
      List<ReplicaSettings> replicas) {
    this.device = stack.device();
    this.stack = stack;
    this.examples = examples;
    this.settings = settings;
    this.replicas = List.copyOf(replicas);
    this.architecture = stack.architecture();
    this.count = examples.count();
    this.batchSize = Math.min(settings.batchSize(), count);
    this.rowsPerTask = Math.max(32, Math.min(128, (batchSize + 31) / 32 * 16));
    this.stepsPerEpoch = (count + batchSize - 1) / batchSize;
    this.lastStep = settings.stop().lastStep(stepsPerEpoch);
    int n = stack.replicas();
    if (replicas.size() != n) {
      throw new IllegalArgumentException(
          "%d replicas for a stack of %d".formatted(replicas.size(), n));
    }
    this.outcomes = new Outcome[n];
    Arrays.fill(outcomes, Outcome.RUNNING);
    this.stepsTaken = new long[n];

    int depth = architecture.depth();
    this.scope = new Scope(device);
    this.x = batch(architecture.inputs());
    this.z = layers(depth, l -> batch(architecture.rows(l)));
    this.h = layers(depth - 1, l -> batch(architecture.rows(l)));
    this.losses = batch(1);
    this.hits = batch(1);
    int widest = architecture.widest();
    this.backward = layers(device.lanes(), lane -> scope.matrix(rowsPerTask, widest));
    this.blocks = blocks(architecture);
    int largest =
        blocks.stream().mapToInt(b -> b.rows * (architecture.columns(b.layer) + 1)).max().orElse(1);
    this.gradients = layers(device.lanes(), lane -> scope.matrix(1, largest));
    int slots = settings.rule().slots();
    this.weightSlots = slots(slots, stack::weights);
    this.biasSlots = architecture.biases() ? slots(slots, stack::biases) : new Matrix[depth][];
    this.order = scope.ints((long) n * count);
    this.batchLabels = scope.ints((long) n * count);
    this.labels = scope.ints((long) n * count);
    this.running = scope.ints(n);
    this.epochLosses = scope.floats(stepsPerEpoch * n);
    this.epochHits = scope.floats(stepsPerEpoch * n);
    int[] ones = new int[n];
    Arrays.fill(ones, 1);
    device.upload(ones, 0, running, 0, n);
    for (int r = 0; r < n; r++) {
      device.upload(replicas.get(r).labels(), 0, labels, (long) r * count, count);
    }
  }

  private Matrix batch(int columns) {
    int n = stack.replicas();
    return scope.matrices(n, batchSize, columns);
  }

  private static Matrix[] layers(int count, IntFunction<Matrix> each) {
    return IntStream.range(0, count).mapToObj(each).toArray(Matrix[]::new);
  }

  private Matrix[][] slots(int slots, IntFunction<Matrix> like) {
    Matrix[][] result = new Matrix[architecture.depth()][slots];
    for (int l = 0; l < result.length; l++) {
      Matrix m = like.apply(l);
      for (int s = 0; s < slots; s++) {
        DeviceArray data = scope.floats(m.data().length());
        result[l][s] = Matrix.stacked(data, 0, m.replicas(), m.rows(), m.columns());
        if (settings.rule().initialSlot() != 0) {
          float[] row = new float[m.columns()];
          Arrays.fill(row, settings.rule().initialSlot());
          for (long at = 0; at < data.length(); at += m.columns()) {
            device.upload(row, 0, data, at, m.columns());
          }
        }
      }
    }
    return result;
  }

  /** Blocks of all layers, the costliest first so that lanes end together. */
  private static List<Block> blocks(Architecture architecture) {
    List<Block> blocks = new ArrayList<>();
    for (int l = 0; l < architecture.depth(); l++) {
      int out = architecture.rows(l);
      int parts =
          (int) Math.max(1, Math.round((double) out * architecture.columns(l) / BLOCK_FLOATS));
      int rows = (out + parts - 1) / parts;
      for (int from = 0; from < out; from += rows) {
        blocks.add(new Block(l, from, Math.min(rows, out - from)));
      }
    }
    blocks.sort(
        Comparator.comparingLong((Block b) -> -(long) b.rows * architecture.columns(b.layer)));
    return blocks;
  }

  /** Whether every replica's training has ended. */
  public boolean done() {
    return Arrays.stream(outcomes).noneMatch(o -> o == Outcome.RUNNING);
  }

  /** Steps taken so far by the replicas that are still running. */
  public long steps() {
    return step;
  }

  /** The step at which training ends at the latest. */
  public long lastStep() {
    return lastStep;
  }

  public long stepsPerEpoch() {
    return stepsPerEpoch;
  }

  /** How a replica's training stands. */
  public Outcome outcome(int replica) {
    return outcomes[replica];
  }

  /** Steps that a replica has taken. */
  public long stepsTaken(int replica) {
    return stepsTaken[replica];
  }

  /** Every replica's epochs so far, in order. */
  public List<EpochRecord> history() {
    return List.copyOf(history);
  }

  /** Takes one step with every replica that is still running. */
  public void step() {
    int[] active = active();
    int epoch = (int) (step / stepsPerEpoch);
    int stepOfEpoch = (int) (step % stepsPerEpoch);
    if (epoch != orderedEpoch) {
      shuffle(epoch);
    }
    int from = stepOfEpoch * batchSize;
    int rows = Math.min(batchSize, count - from);
    int parts = (rows + rowsPerTask - 1) / rowsPerTask;
    device.run(
        active.length * parts,
        (lane, task) -> {
          int first = task % parts * rowsPerTask;
          errors(
              lane, active[task / parts], from, first, Math.min(rowsPerTask, rows - first), rows);
        });
    device.run(
        1,
        (lane, task) -> {
          lane.columnSums(losses.rows(0, rows), ofStep(epochLosses, stepOfEpoch));
          lane.columnSums(hits.rows(0, rows), ofStep(epochHits, stepOfEpoch));
          lane.haltNonFinite(ofStep(epochLosses, stepOfEpoch), running, 0);
        });
    float[] rates = new float[stack.replicas()];
    for (int r : active) {
      rates[r] =
          (float)
              (settings.rate(replicas.get(r).learningRate(), epoch)
                  * settings.rule().rateFactor(step + 1));
    }
    device.run(
        active.length * blocks.size(),
        (lane, task) ->
            descend(
                lane, active[task % active.length], blocks.get(task / active.length), rows, rates));
    step++;
    endStep(active, epoch, stepOfEpoch, from + rows);
  }

  private int[] active() {
    return IntStream.range(0, outcomes.length)
        .filter(r -> outcomes[r] == Outcome.RUNNING)
        .toArray();
  }

  /** The sums of one step, one a replica. */
  private Matrix ofStep(DeviceArray sums, int stepOfEpoch) {
    int n = stack.replicas();
    return Matrix.stacked(sums, (long) stepOfEpoch * n, n, 1, 1);
  }

  /** A fresh order of the examples for every running replica. */
  private void shuffle(int epoch) {
    for (int r : active()) {
      ReplicaSettings replica = replicas.get(r);
      int[] permutation =
          RandomStreams.permutation(
              RandomStreams.stream(replica.seed(), Purpose.SHUFFLE, epoch, 0), count);
      device.upload(permutation, 0, order, (long) r * count, count);
      int[] ordered = IntStream.of(permutation).map(i -> replica.labels()[i]).toArray();
      device.upload(ordered, 0, batchLabels, (long) r * count, count);
    }
    orderedEpoch = epoch;
  }

  /**
   * The first job: some rows of a replica's batch forward, and their errors back. Errors ∂loss/∂z
   * take the place of the logits and of the slopes.
   *
   * @param from where the batch starts in the epoch's order
   * @param first the first of these rows in the batch
   * @param batchRows rows of the whole batch, whose mean loss is differentiated
   */
  private void errors(Lane lane, int replica, int from, int first, int rows, int batchRows) {
    int depth = architecture.depth();
    Matrix inputs = of(x, replica, first, rows);
    Matrix[] zs = layers(depth, l -> of(z[l], replica, first, rows));
    Matrix[] hs = layers(depth - 1, l -> of(h[l], replica, first, rows));
    long position = (long) replica * count + from + first;
    lane.gather(examples.inputs(), order, position, inputs);
    stack.forward(lane, replica, inputs, zs, hs);
    lane.softmaxCrossEntropy(
        zs[depth - 1],
        batchLabels,
        position,
        0,
        1f / batchRows,
        zs[depth - 1],
        of(losses, replica, first, rows),
        of(hits, replica, first, rows));
    for (int l = depth - 1; l > 0; l--) {
      Matrix back = Matrix.padded(backward[lane.index()].data(), rows, architecture.columns(l));
      lane.gemm(false, zs[l], false, stack.weights(l).replicas(replica, 1), 0, back);
      lane.scale(back, zs[l - 1], 1, zs[l - 1]);
    }
  }

  private static Matrix of(Matrix matrix, int replica, int first, int rows) {
    return matrix.replicas(replica, 1).rows(first, rows);
  }

  /** The second job: the gradient of a block of weights, and the optimizer's step on it. */
  private void descend(Lane lane, int replica, Block block, int rows, float[] rates) {
    int l = block.layer;
    int fanIn = architecture.columns(l);
    Matrix errors = of(z[l], replica, 0, rows).columns(block.from, block.rows);
    Matrix input = of(l == 0 ? x : h[l - 1], replica, 0, rows);
    DeviceArray memory = gradients[lane.index()].data();
    Matrix gradient = Matrix.of(memory, 0, block.rows, fanIn);
    lane.gemm(true, errors, false, input, 0, gradient);
    lane.update(
        settings.rule(),
        rates,
        running,
        replica,
        of(stack.weights(l), replica, block.from, block.rows),
        gradient,
        layers(weightSlots[l].length, s -> of(weightSlots[l][s], replica, block.from, block.rows)));
    if (architecture.biases()) {
      Matrix biasGradient = Matrix.of(memory, (long) block.rows * fanIn, 1, block.rows);
      lane.columnSums(errors, biasGradient);
      lane.update(
          settings.rule(),
          rates,
          running,
          replica,
          stack.biases(l).replicas(replica, 1).columns(block.from, block.rows),
          biasGradient,
          layers(
              biasSlots[l].length,
              s -> biasSlots[l][s].replicas(replica, 1).columns(block.from, block.rows)));
    }
  }

  /** Notes who diverged, and at the end of an epoch what was reached. */
  private void endStep(int[] active, int epoch, int stepOfEpoch, int seen) {
    int[] flags = new int[stack.replicas()];
    device.download(running, 0, flags, 0, flags.length);
    for (int r : active) {
      if (flags[r] == 0) {
        outcomes[r] = Outcome.DIVERGED;
      } else {
        stepsTaken[r] = step;
      }
    }
    boolean last = step == lastStep;
    if (stepOfEpoch + 1 == stepsPerEpoch || last) {
      recordEpoch(epoch, stepOfEpoch + 1, seen);
      stopAccurate();
    }
    if (last) {
      for (int r : active()) {
        stop(r, Outcome.COMPLETED);
      }
    }
  }

  private void recordEpoch(int epoch, int steps, int seen) {
    int n = stack.replicas();
    float[] lossSums = new float[steps * n];
    float[] hitSums = new float[steps * n];
    device.download(epochLosses, 0, lossSums, 0, lossSums.length);
    device.download(epochHits, 0, hitSums, 0, hitSums.length);
    for (int r : active()) {
      double loss = 0;
      double correct = 0;
      for (int s = 0; s < steps; s++) {
        loss += lossSums[s * n + r];
        correct += hitSums[s * n + r];
      }
      history.add(new EpochRecord(r, epoch + 1, step, loss / seen, correct / seen));
    }
  }

  /**
   * Ends the training of replicas that reached the accuracy asked for over the whole split. Only
   * those are evaluated whose accuracy over the epoch's batches came near it, since a pass over the
   * split costs a third of an epoch.
   */
  private void stopAccurate() {
    double target = settings.stop().trainAccuracy();
    int[] near =
        history.stream()
            .filter(e -> e.step() == step && e.accuracy() >= target - 0.1)
            .mapToInt(EpochRecord::replica)
            .toArray();
    if (target > 1 || near.length == 0) {
      return;
    }
    Evaluation[] evaluations = Evaluation.of(stack, near, examples.inputs(), labels, count);
    for (int i = 0; i < near.length; i++) {
      if (evaluations[i].accuracy() >= target) {
        stop(near[i], Outcome.ACCURATE);
      }
    }
  }

  private void stop(int replica, Outcome outcome) {
    outcomes[replica] = outcome;
    device.upload(new int[] {0}, 0, running, replica, 1);
  }

  /** Everything that {@link #restore} needs to go on as if training had never been interrupted. */
  public TrainerState state() {
    Map<String, float[]> arrays = new TreeMap<>();
    forEachArray((name, array) -> arrays.put(name, download(array)));
    return new TrainerState(
        step,
        List.of(outcomes.clone()),
        Arrays.stream(stepsTaken).boxed().toList(),
        List.copyOf(history),
        arrays);
  }

  /** Takes up a state that {@link #state} returned of a trainer built alike. */
  public void restore(TrainerState state) {
    forEachArray(
        (name, array) -> {
          float[] values = state.arrays().get(name);
          if (values == null || values.length != array.length()) {
            throw new IllegalArgumentException(
                "a state of another trainer: expected %d values of %s, found %s"
                    .formatted(array.length(), name, values == null ? "none" : values.length));
          }
          device.upload(values, 0, array, 0, values.length);
        });
    step = state.step();
    orderedEpoch = -1;
    history.clear();
    history.addAll(state.history());
    for (int r = 0; r < outcomes.length; r++) {
      stepsTaken[r] = state.stepsTaken().get(r);
      outcomes[r] = state.outcomes().get(r);
      int flag = outcomes[r] == Outcome.RUNNING ? 1 : 0;
      device.upload(new int[] {flag}, 0, running, r, 1);
    }
  }

  private void forEachArray(BiConsumer<String, DeviceArray> action) {
    for (int l = 0; l < architecture.depth(); l++) {
      action.accept("weights." + l, stack.weights(l).data());
      for (int s = 0; s < weightSlots[l].length; s++) {
        action.accept("weights.%d.slot.%d".formatted(l, s), weightSlots[l][s].data());
      }
      if (architecture.biases()) {
        action.accept("biases." + l, stack.biases(l).data());
        for (int s = 0; s < biasSlots[l].length; s++) {
          action.accept("biases.%d.slot.%d".formatted(l, s), biasSlots[l][s].data());
        }
      }
    }
    action.accept("epoch.losses", epochLosses);
    action.accept("epoch.hits", epochHits);
  }

  private float[] download(DeviceArray array) {
    float[] values = new float[Math.toIntExact(array.length())];
    device.download(array, 0, values, 0, values.length);
    return values;
  }

  @Override
  public void close() {
    scope.close();
  }
}
