package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.OptimizerRule;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Outcome;
import dev.flinch.training.ReplicaSettings;
import dev.flinch.training.StopRule;
import dev.flinch.training.Trainer;
import dev.flinch.training.TrainingSettings;
import java.util.List;
import java.util.stream.IntStream;

/** The first epoch of fresh ReLU networks: 50,000 images in batches of 256, Momentum, 0.005. */
record EpochJob(int replicas, int depth, int width) implements Job {
  private static final int BATCH = 256;
  private static final double RATE = 0.005;
  private static final int CHECKED_IMAGES = 96;
  private static final int CHECKED_BATCH = 32;

  /** Replicas that are trained in double precision too; from the first to the last of all. */
  private static final int CHECKED_REPLICAS = 8;

  /** What a CPU trains in some seconds. */
  private static final int FEW_REPLICAS = 8;

  @Override
  public String name() {
    return "epoch-%s%dx%d".formatted(replicas == 1 ? "" : replicas + "x", depth, width);
  }

  private Architecture architecture() {
    return Architecture.uniform(784, depth, width, 10, Activation.RELU);
  }

  /** Three products a matrix, but for the first layer's errors by its input, which nobody needs. */
  @Override
  public double flop() {
    Architecture a = architecture();
    return 2.0
        * (3 * a.parameters() - (long) a.rows(0) * a.columns(0))
        * BenchData.TRAIN
        * replicas;
  }

  /**
   * Of the batches 8 bytes a pixel (read, and gathered), of the hidden units 24 (pre-activation,
   * activation and slope; then error, slope and their product), of Momentum 20 a weight and step
   * (weight, velocity and gradient read, the first two written). The loss moves a thousandth of it.
   */
  @Override
  public double bytes() {
    Architecture a = architecture();
    long steps = (BenchData.TRAIN + BATCH - 1) / BATCH;
    long ofImages = (8L * a.columns(0) + 24L * (depth - 1) * width) * BenchData.TRAIN;
    return (double) replicas * (ofImages + 20 * a.parameters() * steps);
  }

  /** Stacks that are made to fill a card keep a CPU busy for minutes. */
  @Override
  public boolean runsUnasked(Device device) {
    return replicas <= FEW_REPLICAS || device.takesWholeStacks();
  }

  private List<Network> networks() {
    return IntStream.rangeClosed(1, replicas)
        .mapToObj(seed -> Network.initial(architecture(), seed, 1))
        .toList();
  }

  /** An epoch of the job's own networks, on fewer images in smaller batches. */
  private Trainer trainer(NetworkStack stack, DeviceExamples examples, int batch) {
    int[] labels = examples.images().labels();
    return new Trainer(
        stack,
        examples,
        new TrainingSettings(OptimizerRule.MOMENTUM, batch, 0.1, 500, new StopRule(1, 0, 2)),
        IntStream.rangeClosed(1, replicas)
            .mapToObj(seed -> new ReplicaSettings(seed, RATE, labels))
            .toList());
  }

  private static void train(Trainer trainer, Progress progress) {
    while (!trainer.done()) {
      trainer.step();
      progress.report("epoch", trainer.steps(), trainer.lastStep());
    }
  }

  /**
   * A few steps of the same networks. What is compared is how far each matrix has moved: its
   * distance from plain arithmetic's, relative to the way that it went. Rounding carries a few
   * units across their knots, hence the wide tolerance; a wrong factor anywhere exceeds it.
   */
  @Override
  public void check(Device device, BenchData data) {
    LabelledImages images = data.train().first(CHECKED_IMAGES);
    List<Network> networks = networks();
    try (NetworkStack stack = new NetworkStack(device, networks);
        DeviceExamples examples = new DeviceExamples(device, images);
        Trainer trainer = trainer(stack, examples, CHECKED_BATCH)) {
      train(trainer, Progress.NONE);
      for (int r : checkedReplicas()) {
        PlainNetwork plain = new PlainNetwork(networks.get(r));
        trainPlainly(plain, images, r + 1);
        for (int l = 0; l < depth; l++) {
          requireSameWay(
              "%s, weights of network %d, layer %d".formatted(name(), r, l),
              networks.get(r).weights()[l],
              plain.weights(l),
              stack.get(r).weights()[l]);
        }
      }
    }
  }

  private int[] checkedReplicas() {
    int checked = Math.min(CHECKED_REPLICAS, replicas);
    return IntStream.range(0, checked)
        .map(i -> checked == 1 ? 0 : i * (replicas - 1) / (checked - 1))
        .toArray();
  }

  private static void trainPlainly(PlainNetwork plain, LabelledImages images, long seed) {
    int[] order =
        RandomStreams.permutation(
            RandomStreams.stream(seed, Purpose.SHUFFLE, 0, 0), images.count());
    for (int from = 0; from < order.length; from += CHECKED_BATCH) {
      int[] batch = IntStream.range(from, from + CHECKED_BATCH).map(i -> order[i]).toArray();
      plain.momentumStep(
          IntStream.of(batch)
              .mapToObj(i -> JacobianJob.doubles(images.normalised(i)))
              .toArray(double[][]::new),
          IntStream.of(batch).map(images::label).toArray(),
          RATE);
    }
  }

  private static void requireSameWay(String what, float[] start, double[] end, float[] found) {
    double way = 0;
    double apart = 0;
    for (int i = 0; i < start.length; i++) {
      way += (end[i] - start[i]) * (end[i] - start[i]);
      apart += (end[i] - found[i]) * (end[i] - found[i]);
    }
    if (!(Math.sqrt(apart / way) <= 0.01)) {
      throw new WrongAnswerException(
          "%s: moved by %s in double precision, but %s away from where it is"
              .formatted(what, Math.sqrt(way), Math.sqrt(apart)));
    }
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, networks());
    DeviceExamples examples = new DeviceExamples(device, data.train());
    return new Run() {
      @Override
      public double time(Progress progress) {
        List<Network> fresh = networks();
        IntStream.range(0, replicas).forEach(r -> stack.set(r, fresh.get(r)));
        try (Trainer trainer = trainer(stack, examples, BATCH)) {
          double seconds = device.seconds(() -> train(trainer, progress));
          for (int r = 0; r < replicas; r++) {
            if (trainer.outcome(r) != Outcome.COMPLETED) {
              throw new WrongAnswerException(
                  "%s: network %d ended as %s".formatted(name(), r, trainer.outcome(r)));
            }
          }
          return seconds;
        }
      }

      @Override
      public void close() {
        examples.close();
        stack.close();
      }
    };
  }
}
