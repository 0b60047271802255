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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Trains a stack, a step at a time, in two jobs: rows of the batch forward and back, then blocks of
 * weights, each taking its gradient and its step. For the lanes of a processor work is cut small: a
 * replica, some rows, a block whose gradient stays in cache. A device that takes whole stacks gets
 * all of a run of replicas at once. How the work is cut depends on shapes alone, so a replica ends
 * with the same weights on every run, for any number of lanes and in any company.
 */
public final class Trainer implements AutoCloseable {
  /** Floats of a weight gradient's block, a quarter of a core's cache. */
  private static final int BLOCK_FLOATS = 128 << 10;

  /** The most stopped replicas in a row that are computed along with their neighbours. */
  private static final int BRIDGED = 4;

  private final Device device;
  private final NetworkStack stack;
  private final DeviceExamples examples;
  private final TrainingSettings settings;
  private final List<ReplicaSettings> replicas;
  private final Architecture architecture;
  private final String name;
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
  private final DeviceArray[] gradients;
  private final Matrix[][] weightSlots;
  private final Matrix[][] biasSlots;
  private final int[][] order;
  private final DeviceArray batch;
  private final DeviceArray batchLabels;
  private final DeviceArray labels;
  private final DeviceArray running;
  private final DeviceArray rates;
  private final DeviceArray epochLosses;
  private final DeviceArray epochHits;
  private final List<Block> blocks;

  private final Outcome[] outcomes;
  private final long[] stepsTaken;
  private final List<EpochRecord> history = new ArrayList<>();
  private long step;
  private int orderedEpoch = -1;
  private float[] currentRates;
  private List<Run> runsOfJobs = List.of();
  private final Map<Integer, Jobs> jobs = new HashMap<>();

  /** A block of rows of one layer's weights: the unit of the second job. */
  private record Block(int layer, int from, int rows) {}

  /** The jobs of a step. */
  private record Jobs(Device.Repetition errors, Device.Repetition descent) {}

  /** Consecutive replicas that are worked on together. */
  private record Run(int first, int count) {}

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
    this.name = "train " + architecture.title();
    this.count = examples.count();
    this.batchSize = Math.min(settings.batchSize(), count);
    this.rowsPerTask =
        device.takesWholeStacks()
            ? batchSize
            : Math.max(32, Math.min(128, (batchSize + 31) / 32 * 16));
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
    int together = device.takesWholeStacks() ? n : 1;
    this.backward = layers(device.lanes(), lane -> scope.matrices(together, rowsPerTask, widest));
    this.blocks = blocks();
    long largest =
        blocks.stream()
            .mapToLong(b -> (long) b.rows * (architecture.columns(b.layer) + 1))
            .max()
            .orElse(1);
    this.gradients = new DeviceArray[device.lanes()];
    Arrays.setAll(gradients, lane -> scope.floats(together * largest));
    int slots = settings.rule().slots();
    this.weightSlots = slots(slots, stack::weights);
    this.biasSlots = architecture.biases() ? slots(slots, stack::biases) : new Matrix[depth][];
    this.order = new int[n][];
    this.batch = scope.ints((long) n * batchSize);
    this.batchLabels = scope.ints((long) n * batchSize);
    this.labels = scope.ints((long) n * count);
    this.running = scope.ints(n);
    this.rates = scope.floats(n);
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
  private List<Block> blocks() {
    List<Block> all = new ArrayList<>();
    for (int l = 0; l < architecture.depth(); l++) {
      int out = architecture.rows(l);
      double floats = (double) out * architecture.columns(l);
      int parts =
          device.takesWholeStacks() ? 1 : (int) Math.max(1, Math.round(floats / BLOCK_FLOATS));
      int rows = (out + parts - 1) / parts;
      for (int from = 0; from < out; from += rows) {
        all.add(new Block(l, from, Math.min(rows, out - from)));
      }
    }
    all.sort(Comparator.comparingLong((Block b) -> -(long) b.rows * architecture.columns(b.layer)));
    return all;
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
    Device.Range range = device.range(name);
    try (range) {
      takeStep();
    }
  }

  private void takeStep() {
    int[] active = active();
    int epoch = (int) (step / stepsPerEpoch);
    int stepOfEpoch = (int) (step % stepsPerEpoch);
    if (epoch != orderedEpoch) {
      shuffle(epoch);
    }
    int from = stepOfEpoch * batchSize;
    int rows = Math.min(batchSize, count - from);
    setBatch(active, from, rows);
    setRates(epoch);
    Jobs jobs = jobs(runs(active), rows);
    jobs.errors.run();
    device.run(
        1,
        (lane, task) -> {
          lane.columnSums(losses.rows(0, rows), ofStep(epochLosses, stepOfEpoch));
          lane.columnSums(hits.rows(0, rows), ofStep(epochHits, stepOfEpoch));
          lane.haltNonFinite(ofStep(epochLosses, stepOfEpoch), running, 0);
        });
    jobs.descent.run();
    step++;
    endStep(active, epoch, stepOfEpoch, from + rows);
  }

  /** The two jobs of a step, made anew when replicas have stopped. */
  private Jobs jobs(List<Run> runs, int batchRows) {
    if (!runs.equals(runsOfJobs)) {
      closeJobs();
      runsOfJobs = runs;
    }
    return jobs.computeIfAbsent(
        batchRows,
        rows -> {
          int parts = (rows + rowsPerTask - 1) / rowsPerTask;
          return new Jobs(
              device.repetition(
                  runs.size() * parts,
                  (lane, task) -> {
                    int first = task % parts * rowsPerTask;
                    int some = Math.min(rowsPerTask, rows - first);
                    errors(lane, runs.get(task / parts), first, some, rows);
                  }),
              device.repetition(
                  runs.size() * blocks.size(),
                  (lane, task) ->
                      descend(
                          lane,
                          runs.get(task % runs.size()),
                          blocks.get(task / runs.size()),
                          rows)));
        });
  }

  private void closeJobs() {
    for (Jobs both : jobs.values()) {
      both.errors.close();
      both.descent.close();
    }
    jobs.clear();
  }

  /** Which examples the batch has, for every active replica, and their labels. */
  private void setBatch(int[] active, int from, int rows) {
    int[] indices = new int[outcomes.length * batchSize];
    int[] classes = new int[indices.length];
    for (int r : active) {
      System.arraycopy(order[r], from, indices, r * batchSize, rows);
      for (int i = r * batchSize; i < r * batchSize + rows; i++) {
        classes[i] = replicas.get(r).labels()[indices[i]];
      }
    }
    device.upload(indices, 0, batch, 0, indices.length);
    device.upload(classes, 0, batchLabels, 0, classes.length);
  }

  private void setRates(int epoch) {
    float[] now = new float[stack.replicas()];
    for (int r = 0; r < now.length; r++) {
      now[r] =
          (float)
              (settings.rate(replicas.get(r).learningRate(), epoch)
                  * settings.rule().rateFactor(step + 1));
    }
    if (!Arrays.equals(now, currentRates)) {
      device.upload(now, 0, rates, 0, now.length);
      currentRates = now;
    }
  }

  private int[] active() {
    return IntStream.range(0, outcomes.length)
        .filter(r -> outcomes[r] == Outcome.RUNNING)
        .toArray();
  }

  /**
   * The active replicas as the device takes them: one by one, or in runs. A replica that has
   * stopped is computed along where it stands between others, and its weights stay as they are:
   * that costs less than launching everything once more.
   */
  private List<Run> runs(int[] active) {
    List<Run> runs = new ArrayList<>();
    for (int r : active) {
      Run last = runs.isEmpty() ? null : runs.get(runs.size() - 1);
      if (device.takesWholeStacks() && last != null && r - last.first - last.count <= BRIDGED) {
        runs.set(runs.size() - 1, new Run(last.first, r + 1 - last.first));
      } else {
        runs.add(new Run(r, 1));
      }
    }
    return runs;
  }

  /** The sums of one step, one a replica. */
  private Matrix ofStep(DeviceArray sums, int stepOfEpoch) {
    int n = stack.replicas();
    return Matrix.stacked(sums, (long) stepOfEpoch * n, n, 1, 1);
  }

  /** A fresh order of the examples for every running replica. */
  private void shuffle(int epoch) {
    for (int r : active()) {
      order[r] =
          RandomStreams.permutation(
              RandomStreams.stream(replicas.get(r).seed(), Purpose.SHUFFLE, epoch, 0), count);
    }
    orderedEpoch = epoch;
  }

  /**
   * The first job: some rows of the replicas' batches forward, and their errors back. Errors
   * ∂loss/∂z take the place of the logits and of the slopes.
   *
   * @param first the first of these rows in the batch
   * @param batchRows rows of the whole batch, whose mean loss is differentiated
   */
  private void errors(Lane lane, Run run, int first, int rows, int batchRows) {
    int depth = architecture.depth();
    Matrix inputs = of(x, run, first, rows);
    Matrix[] zs = layers(depth, l -> of(z[l], run, first, rows));
    Matrix[] hs = layers(depth - 1, l -> of(h[l], run, first, rows));
    long position = (long) run.first * batchSize + first;
    lane.gather(examples.inputs(), batch, position, batchSize, inputs);
    stack.forward(lane, run.first, inputs, zs, hs);
    lane.softmaxCrossEntropy(
        zs[depth - 1],
        batchLabels,
        position,
        batchSize,
        1f / batchRows,
        zs[depth - 1],
        of(losses, run, first, rows),
        of(hits, run, first, rows));
    for (int l = depth - 1; l > 0; l--) {
      DeviceArray memory = backward[lane.index()].data();
      Matrix back = Matrix.padded(memory, run.count, rows, architecture.columns(l));
      lane.gemm(false, zs[l], false, of(stack.weights(l), run), 0, back);
      lane.scale(back, zs[l - 1], 1, zs[l - 1]);
    }
  }

  private static Matrix of(Matrix matrix, Run run) {
    return matrix.replicas(run.first, run.count);
  }

  private static Matrix of(Matrix matrix, Run run, int first, int rows) {
    return of(matrix, run).rows(first, rows);
  }

  /** The second job: the gradient of a block of weights, and the optimizer's step on it. */
  private void descend(Lane lane, Run run, Block block, int rows) {
    int l = block.layer;
    int fanIn = architecture.columns(l);
    Matrix errors = of(z[l], run, 0, rows).columns(block.from, block.rows);
    Matrix input = of(l == 0 ? x : h[l - 1], run, 0, rows);
    DeviceArray memory = gradients[lane.index()];
    Matrix gradient = Matrix.stacked(memory, 0, run.count, block.rows, fanIn);
    lane.gemm(true, errors, false, input, 0, gradient);
    lane.update(
        settings.rule(),
        rates,
        running,
        run.first,
        of(stack.weights(l), run, block.from, block.rows),
        gradient,
        layers(weightSlots[l].length, s -> of(weightSlots[l][s], run, block.from, block.rows)));
    if (architecture.biases()) {
      long behind = (long) run.count * block.rows * fanIn;
      Matrix biasGradient = Matrix.stacked(memory, behind, run.count, 1, block.rows);
      lane.columnSums(errors, biasGradient);
      lane.update(
          settings.rule(),
          rates,
          running,
          run.first,
          of(stack.biases(l), run).columns(block.from, block.rows),
          biasGradient,
          layers(
              biasSlots[l].length, s -> of(biasSlots[l][s], run).columns(block.from, block.rows)));
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
    closeJobs();
    scope.close();
  }
}
