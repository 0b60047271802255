package dev.flinch.training;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.training.Backpropagation.Block;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Trains a stack by mini-batches. A step is two jobs: rows of the batch forward and back, then
 * blocks of weights, each taking its gradient and its step. Where there are replicas enough for all
 * lanes of a processor, a lane does both for one of them.
 */
public final class Trainer implements StackTrainer {
  /** Images that tell of most replicas that they are not accurate yet. */
  private static final int FIRST_LOOK = 1000;

  private final Device device;
  private final NetworkStack stack;
  private final DeviceExamples examples;
  private final TrainingSettings settings;
  private final List<ReplicaSettings> replicas;
  private final Architecture architecture;
  private final String name;
  private final int count;
  private final int batchSize;
  private final long stepsPerEpoch;
  private final long lastStep;
  private final Scope scope;
  private final Matrix x;
  private final Matrix losses;
  private final Matrix hits;
  private final Backpropagation passes;
  private final DeviceArray[] gradients;
  private final Matrix[][] weightSlots;
  private final Matrix[][] biasSlots;
  private final int[][] order;
  private final int[][] moves;
  private final DeviceArray batch;
  private final DeviceArray batchLabels;

  /** What images are gathered from that are moved, and their moves; null where none are. */
  private final DeviceArray pixels;

  private final DeviceArray batchMoves;
  private final DeviceArray labels;
  private final DeviceArray running;
  private final DeviceArray rates;
  private final DeviceArray epochLosses;
  private final DeviceArray epochHits;
  private final Outcome[] outcomes;
  private final long[] stepsTaken;
  private final List<EpochRecord> history = new ArrayList<>();
  private long step;
  private int orderedEpoch = -1;
  private float[] currentRates;
  private List<Run> runsOfJobs = List.of();
  private final Map<Integer, Jobs> jobs = new HashMap<>();

  /** The jobs of a step. */
  private record Jobs(Device.Repetition errors, Device.Repetition descent) {}

  /**
   * A trainer at step 0.
   *
   * @param stack the networks, changed in place; not closed by the trainer
   * @param examples the inputs that all replicas share; with pixels if any is augmented
   * @param replicas one for each network of the stack
   * @throws IllegalArgumentException if there are more or fewer, or one of them asks for moves that
   *     the images don't allow, or of examples without pixels
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
    this.stepsPerEpoch = (count + batchSize - 1) / batchSize;
    this.lastStep = settings.stop().lastStep(stepsPerEpoch);
    int n = stack.replicas();
    if (replicas.size() != n) {
      throw new IllegalArgumentException(
          "%d replicas for a stack of %d".formatted(replicas.size(), n));
    }
    replicas.forEach(r -> requireSuitable(r.augmentation(), examples));
    boolean augmented = isAugmented(new Run(0, n));
    this.pixels = augmented ? examples.pixels() : null;
    this.outcomes = new Outcome[n];
    Arrays.fill(outcomes, Outcome.RUNNING);
    this.stepsTaken = new long[n];

    int depth = architecture.depth();
    this.scope = new Scope(device);
    this.x = scope.matrices(n, batchSize, architecture.inputs());
    this.losses = scope.matrices(n, batchSize, 1);
    this.hits = scope.matrices(n, batchSize, 1);
    this.passes = new Backpropagation(device, scope, architecture, n, batchSize);
    int together = device.takesWholeStacks() ? n : 1;
    long largest =
        passes.blocks().stream()
            .mapToLong(b -> (long) b.rows() * (architecture.columns(b.layer()) + 1))
            .max()
            .orElse(1);
    this.gradients = new DeviceArray[device.lanes()];
    Arrays.setAll(gradients, lane -> scope.floats(together * largest));
    int slots = settings.rule().slots();
    this.weightSlots = slots(slots, stack::weights);
    this.biasSlots = architecture.biases() ? slots(slots, stack::biases) : new Matrix[depth][];
    this.order = new int[n][];
    this.moves = new int[n][];
    this.batch = scope.ints((long) n * batchSize);
    this.batchLabels = scope.ints((long) n * batchSize);
    this.batchMoves = augmented ? scope.ints((long) n * batchSize) : null;
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

  private static void requireSuitable(Augmentation augmentation, DeviceExamples examples) {
    if (!augmentation.suits(examples.images().shape())) {
      throw new IllegalArgumentException(
          "%s: expected square images, found images of %s"
              .formatted(augmentation, examples.images().shape()));
    }
  }

  /** Whether any replica of a run has its images moved. */
  private boolean isAugmented(Run run) {
    return replicas.subList(run.first(), run.first() + run.count()).stream()
        .anyMatch(r -> r.augmentation() != Augmentation.NONE);
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

  @Override
  public boolean done() {
    return Arrays.stream(outcomes).noneMatch(o -> o == Outcome.RUNNING);
  }

  @Override
  public long steps() {
    return step;
  }

  @Override
  public long lastStep() {
    return lastStep;
  }

  @Override
  public long stepsPerEpoch() {
    return stepsPerEpoch;
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

  @Override
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
    List<Run> runs = Run.of(device, active);
    if (keepAllLanesBusy(runs.size())) {
      device.run(runs.size(), (lane, task) -> wholeStep(lane, runs.get(task), stepOfEpoch, rows));
    } else {
      Jobs jobs = jobs(runs, rows);
      jobs.errors.run();
      device.run(1, (lane, task) -> sum(lane, new Run(0, outcomes.length), stepOfEpoch, rows));
      jobs.descent.run();
    }
    step++;
    endStep(active, epoch, stepOfEpoch, from + rows);
  }

  /** Whether so many tasks of equal length leave lanes idle for an eighth of the time at most. */
  private boolean keepAllLanesBusy(int tasks) {
    int lanes = device.lanes();
    int slots = (tasks + lanes - 1) / lanes * lanes;
    return !device.takesWholeStacks() && 8 * (slots - tasks) <= slots;
  }

  /** Both jobs of a step for one replica, whose batch stays in cache from one to the next. */
  private void wholeStep(Lane lane, Run run, int stepOfEpoch, int rows) {
    int part = passes.rowsPerPart();
    for (int first = 0; first < rows; first += part) {
      errors(lane, run, first, Math.min(part, rows - first), rows);
    }
    sum(lane, run, stepOfEpoch, rows);
    passes.blocks().forEach(block -> descend(lane, run, block, rows));
  }

  /** Sums losses and hits of a step, and halts replicas whose loss is not finite. */
  private void sum(Lane lane, Run run, int stepOfEpoch, int rows) {
    Matrix loss = run.of(ofStep(epochLosses, stepOfEpoch));
    lane.columnSums(run.of(losses, 0, rows), loss);
    lane.columnSums(run.of(hits, 0, rows), run.of(ofStep(epochHits, stepOfEpoch)));
    lane.haltNonFinite(loss, running, run.first());
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
          int parts = passes.parts(rows);
          List<Block> blocks = passes.blocks();
          return new Jobs(
              device.repetition(
                  runs.size() * parts,
                  (lane, task) -> {
                    int first = task % parts * passes.rowsPerPart();
                    int some = Math.min(passes.rowsPerPart(), rows - first);
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

  /** Which examples the batch has, for every active replica, their labels and their moves. */
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
    if (batchMoves != null) {
      int[] packed = new int[indices.length];
      for (int r : active) {
        for (int i = r * batchSize; i < r * batchSize + rows; i++) {
          packed[i] = moves[r][indices[i]];
        }
      }
      device.upload(packed, 0, batchMoves, 0, packed.length);
    }
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

  /** The sums of one step, one a replica. */
  private Matrix ofStep(DeviceArray sums, int stepOfEpoch) {
    int n = stack.replicas();
    return Matrix.stacked(sums, (long) stepOfEpoch * n, n, 1, 1);
  }

  /** A fresh order of the examples, and fresh moves, for every running replica. */
  private void shuffle(int epoch) {
    for (int r : active()) {
      ReplicaSettings replica = replicas.get(r);
      order[r] =
          RandomStreams.permutation(
              RandomStreams.stream(replica.seed(), Purpose.SHUFFLE, epoch, 0), count);
      if (batchMoves != null) {
        moves[r] = replica.augmentation().moves(replica.seed(), epoch, count);
      }
    }
    orderedEpoch = epoch;
  }

  /**
   * The first job: some rows of the replicas' batches forward, and their errors back.
   *
   * @param first the first of these rows in the batch
   * @param batchRows rows of the whole batch, whose mean loss is differentiated
   */
  private void errors(Lane lane, Run run, int first, int rows, int batchRows) {
    Matrix inputs = run.of(x, first, rows);
    long position = (long) run.first() * batchSize + first;
    if (pixels != null && isAugmented(run)) {
      // An image that is not moved has the bits that it has among the inputs.
      ImageShape shape = examples.images().shape();
      lane.gatherImages(pixels, shape, batch, batchMoves, position, batchSize, inputs);
    } else {
      lane.gather(examples.inputs(), batch, position, batchSize, inputs);
    }
    passes.errors(
        lane,
        stack,
        run,
        first,
        inputs,
        new Backpropagation.Task(
            batchLabels,
            position,
            batchSize,
            1f / batchRows,
            run.of(losses, first, rows),
            run.of(hits, first, rows)));
  }

  /** The second job: the gradient of a block of weights, and the optimizer's step on it. */
  private void descend(Lane lane, Run run, Block block, int rows) {
    int l = block.layer();
    int fanIn = architecture.columns(l);
    Matrix errors = passes.errors(run, block, rows);
    Matrix input = passes.inputs(run, l, rows, run.of(x, 0, rows));
    DeviceArray memory = gradients[lane.index()];
    Matrix gradient = Matrix.stacked(memory, 0, run.count(), block.rows(), fanIn);
    lane.gemm(true, errors, false, input, 0, gradient);
    lane.update(
        settings.rule(),
        rates,
        running,
        run.first(),
        run.of(stack.weights(l), block.from(), block.rows()),
        gradient,
        Backpropagation.layers(
            weightSlots[l].length, s -> run.of(weightSlots[l][s], block.from(), block.rows())));
    if (architecture.biases()) {
      long behind = (long) run.count() * block.rows() * fanIn;
      Matrix biasGradient = Matrix.stacked(memory, behind, run.count(), 1, block.rows());
      lane.columnSums(errors, biasGradient);
      lane.update(
          settings.rule(),
          rates,
          running,
          run.first(),
          run.of(stack.biases(l)).columns(block.from(), block.rows()),
          biasGradient,
          Backpropagation.layers(
              biasSlots[l].length,
              s -> run.of(biasSlots[l][s]).columns(block.from(), block.rows())));
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
   * Ends the training of replicas that reached the accuracy asked for over the whole split, of
   * images as they are. Only those are evaluated that may have reached it, since a pass over the
   * split costs a third of an epoch: whose accuracy over the epoch's batches came near it, or,
   * since batches of moved images say nothing, who didn't already fail at too many of the first
   * images.
   */
  private void stopAccurate() {
    double target = settings.stop().trainAccuracy();
    if (target > 1) {
      return;
    }
    int[] near =
        IntStream.concat(
                history.stream()
                    .filter(e -> e.step() == step && !isAugmented(new Run(e.replica(), 1)))
                    .filter(e -> e.accuracy() >= target - 0.1)
                    .mapToInt(EpochRecord::replica),
                IntStream.of(augmentedThatMayHaveReached(target)))
            .toArray();
    if (near.length == 0) {
      return;
    }
    Evaluation[] evaluations = Evaluation.of(stack, near, examples.inputs(), labels, count);
    for (int i = 0; i < near.length; i++) {
      if (evaluations[i].accuracy() >= target) {
        stop(near[i], Outcome.ACCURATE);
      }
    }
  }

  private int[] augmentedThatMayHaveReached(double target) {
    int[] augmented = IntStream.of(active()).filter(r -> isAugmented(new Run(r, 1))).toArray();
    if (augmented.length == 0) {
      return augmented;
    }
    int first = Math.min(count, FIRST_LOOK);
    Evaluation[] looks =
        Evaluation.of(stack, augmented, examples.inputs().rows(0, first), labels, count);
    // Half an example of room for rounding.
    double failures = (1 - target) * count + 0.5;
    return IntStream.range(0, augmented.length)
        .filter(i -> (1 - looks[i].accuracy()) * first <= failures)
        .map(i -> augmented[i])
        .toArray();
  }

  private void stop(int replica, Outcome outcome) {
    outcomes[replica] = outcome;
    device.upload(new int[] {0}, 0, running, replica, 1);
  }

  @Override
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

  @Override
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
