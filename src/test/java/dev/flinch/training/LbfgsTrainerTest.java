package dev.flinch.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.Reference;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LbfgsTrainerTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final LabelledImages IMAGES = images(83);
  private static final StopRule NEVER_ACCURATE = new StopRule(0, 300, 2);

  /**
   * Losses after each iteration of SciPy 1.17.1 in double precision, from the same float32 weights
   * on the same images: {@code minimize(f, w, jac=True, method="L-BFGS-B", options={"maxcor": 10},
   * callback=…)} with f the mean cross-entropy of 15 → 16 → 4 networks with biases.
   */
  private static final double[] SCIPY_TANH = {
    2.173373,
    1.390366,
    1.054992,
    0.8389856,
    0.6897632,
    0.5284381,
    0.4069866,
    0.3111579,
    0.2178794,
    0.1397612,
    0.09094007,
    0.06800701,
    0.03818973,
    0.02241308,
    0.01328418,
    0.008937578,
    0.004453038,
    0.002382908,
    0.001525939,
    0.001050332,
    0.0005641189,
    0.0002617953,
    0.0001796788,
    9.308825e-05,
    4.71311e-05,
    2.335226e-05
  };

  private static final double[] SCIPY_RELU = {
    7.547277,
    5.377255,
    2.909473,
    2.460482,
    1.670953,
    1.338305,
    1.01287,
    0.7392467,
    0.518436,
    0.4078327,
    0.3430184,
    0.318332,
    0.2636004,
    0.2287395,
    0.1958457,
    0.1556153,
    0.1201194,
    0.08385038,
    0.0744407,
    0.05520889,
    0.04546891,
    0.03120933,
    0.027357,
    0.01873405,
    0.01642941,
    0.01015645,
    0.006015659,
    0.002895011,
    0.001791623,
    0.0008127539,
    0.0005157598,
    0.0002796539,
    0.0001358317,
    6.310516e-05,
    3.600275e-05,
    1.74159e-05,
    8.593123e-06,
    4.125566e-06
  };

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static LabelledImages images(int n) {
    ImageShape shape = new ImageShape(1, 3, 5);
    byte[][] pixels = new byte[n][shape.size()];
    int[] labels = new int[n];
    for (int i = 0; i < n; i++) {
      var stream = RandomStreams.stream(1, Purpose.BENCHMARK, 3, i);
      stream.nextBytes(pixels[i]);
      labels[i] = stream.nextInt(4);
    }
    return new LabelledImages("test images", shape, 4, pixels, labels);
  }

  private static Network network(long seed, Activation activation, boolean biases) {
    return Network.initial(new Architecture(List.of(15, 16, 4), activation, biases), seed, 3);
  }

  private record Trained(
      List<Network> networks, List<EpochRecord> history, List<Outcome> outcomes, long steps) {
    double[] losses(int replica) {
      return history.stream()
          .filter(e -> e.replica() == replica)
          .mapToDouble(EpochRecord::loss)
          .toArray();
    }
  }

  private static Trained train(
      CpuDevice device, LabelledImages images, StopRule stop, Network... networks) {
    try (DeviceExamples examples = new DeviceExamples(device, images);
        NetworkStack stack = new NetworkStack(device, List.of(networks));
        LbfgsTrainer trainer = trainer(stack, examples, stop)) {
      return finish(stack, trainer);
    }
  }

  private static LbfgsTrainer trainer(NetworkStack stack, DeviceExamples examples, StopRule stop) {
    int[] labels = examples.images().labels();
    return new LbfgsTrainer(
        stack, examples, stop, IntStream.range(0, stack.replicas()).mapToObj(r -> labels).toList());
  }

  private static Trained finish(NetworkStack stack, LbfgsTrainer trainer) {
    while (!trainer.done()) {
      trainer.step();
    }
    int n = stack.replicas();
    return new Trained(
        IntStream.range(0, n).mapToObj(stack::get).toList(),
        trainer.history(),
        IntStream.range(0, n).mapToObj(trainer::outcome).toList(),
        trainer.steps());
  }

  private static void assertSameWeights(Network expected, Network actual) {
    assertTrue(Arrays.deepEquals(expected.weights(), actual.weights()), "weights differ");
    assertTrue(Arrays.deepEquals(expected.biases(), actual.biases()), "biases differ");
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      names = {"TANH", "RELU"})
  void lossesOfAllIterationsAreSciPys(Activation activation) {
    double[] expected = activation == Activation.TANH ? SCIPY_TANH : SCIPY_RELU;
    Trained trained = train(DEVICE, IMAGES, NEVER_ACCURATE, network(5, activation, true));
    double[] losses = trained.losses(0);
    assertEquals(List.of(Outcome.COMPLETED), trained.outcomes());
    assertEquals(expected.length, losses.length, 2, "iterations");
    for (int k = 0; k < Math.min(expected.length, losses.length); k++) {
      // Float32 and float64 part slowly: 5e-7 of the loss at first, 3e-3 in the end.
      double tolerance = (k < 10 ? 1e-4 : 1e-2) * expected[k];
      assertEquals(expected[k], losses[k], tolerance, activation + ", iteration " + (k + 1));
    }
  }

  @Test
  void theFirstStepFollowsTheFullBatchsGradientInDoublePrecision() {
    // Two tiles of rows, the second shorter by one.
    assertFirstStepFollowsTheGradient(network(2, Activation.HARD_SIGMOID, true), images(4097));
  }

  @Test
  void theFirstStepOfAConvolutionalNetworkDoesToo() {
    LabelledImages images = images(283);
    Architecture architecture =
        Architecture.convolutional(
            images.shape(),
            List.of(new Convolution(5, 3, 1), new Convolution(6, 3, 2)),
            List.of(7, 4),
            Activation.HARD_SIGMOID,
            true);
    assertFirstStepFollowsTheGradient(Network.initial(architecture, 2, 3), images);
  }

  private static void assertFirstStepFollowsTheGradient(Network start, LabelledImages images) {
    List<double[]> inputs =
        IntStream.range(0, images.count())
            .mapToObj(i -> Reference.doubles(images.normalised(i)))
            .toList();
    Trained trained = train(DEVICE, images, new StopRule(0, 1, 2), start);
    Network end = trained.networks().get(0);
    Reference.Gradient gradient = Reference.of(start).gradient(inputs, images.labels());
    int depth = start.architecture().depth();
    double[][] expected = new double[2 * depth][];
    double square = 0;
    for (int l = 0; l < depth; l++) {
      expected[l] = Arrays.stream(gradient.weights()[l]).flatMapToDouble(Arrays::stream).toArray();
      expected[depth + l] = gradient.biases()[l];
    }
    for (double[] part : expected) {
      square += Arrays.stream(part).map(g -> g * g).sum();
    }
    double rate = Math.min(1, 1 / Math.sqrt(square));
    for (int p = 0; p < expected.length; p++) {
      for (int i = 0; i < expected[p].length; i++) {
        float before = p < depth ? start.weights()[p][i] : start.biases()[p - depth][i];
        float after = p < depth ? end.weights()[p][i] : end.biases()[p - depth][i];
        // Sums over some thousand rows or positions of float32, and weights of a few units.
        assertEquals(before - rate * expected[p][i], after, 2e-6, "part " + p + ", " + i);
      }
    }
    assertEquals(
        Reference.of(end).gradient(inputs, images.labels()).loss(), trained.losses(0)[0], 1e-5);
  }

  @Test
  void aRestoredStateGoesOnBitForBitFromAnyIteration() {
    Network[] start = {network(1, Activation.RELU, true), network(2, Activation.RELU, true)};
    Network[] others = {network(8, Activation.RELU, true), network(9, Activation.RELU, true)};
    Trained whole = train(DEVICE, IMAGES, NEVER_ACCURATE, start);
    for (int interruptedAt : new int[] {0, 1, 2, 9, 10, 11, 23, (int) whole.steps()}) {
      TrainerState state;
      try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
          NetworkStack stack = new NetworkStack(DEVICE, List.of(start));
          LbfgsTrainer trainer = trainer(stack, examples, NEVER_ACCURATE)) {
        for (int s = 0; s < interruptedAt; s++) {
          trainer.step();
        }
        state = trainer.state();
        if (!trainer.done()) {
          trainer.step();
        }
      }
      try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
          NetworkStack stack = new NetworkStack(DEVICE, List.of(others));
          LbfgsTrainer trainer = trainer(stack, examples, NEVER_ACCURATE)) {
        trainer.restore(state);
        Trained resumed = finish(stack, trainer);
        assertEquals(whole.history(), resumed.history());
        assertEquals(whole.outcomes(), resumed.outcomes());
        for (int r = 0; r < 2; r++) {
          assertSameWeights(whole.networks().get(r), resumed.networks().get(r));
        }
      }
    }
  }

  @Test
  void theStateOfAnotherTrainerIsRefused() {
    Network start = network(1, Activation.RELU, false);
    TrainingSettings settings = new TrainingSettings(OptimizerRule.SGD, 8, 1, 1, NEVER_ACCURATE);
    List<ReplicaSettings> replicas = List.of(new ReplicaSettings(1, 0.1, IMAGES.labels()));
    try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(start));
        Trainer batches = new Trainer(stack, examples, settings, replicas);
        LbfgsTrainer trainer = trainer(stack, examples, NEVER_ACCURATE)) {
      assertThrows(IllegalArgumentException.class, () -> trainer.restore(batches.state()));
      assertThrows(IllegalArgumentException.class, () -> batches.restore(trainer.state()));
    }
  }

  @Test
  void companyAndLanesChangeNoBit() {
    Network[] start = {
      network(1, Activation.TANH, true),
      network(2, Activation.TANH, true),
      network(3, Activation.TANH, true)
    };
    Trained together = train(DEVICE, IMAGES, NEVER_ACCURATE, start);
    try (CpuDevice one = new CpuDevice(1);
        CpuDevice five = new CpuDevice(5)) {
      for (int r = 0; r < start.length; r++) {
        for (CpuDevice device : List.of(one, five)) {
          Trained alone = train(device, IMAGES, NEVER_ACCURATE, start[r]);
          assertSameWeights(alone.networks().get(0), together.networks().get(r));
          assertArrayEquals(alone.losses(0), together.losses(r));
        }
      }
    }
  }

  @Test
  void aReplicaThatIsNotFiniteKeepsItsWeightsAndLeavesTheOthersAlone() {
    Network calm = network(1, Activation.RELU, false);
    Network wild = network(2, Activation.RELU, false);
    for (float[] layer : wild.weights()) {
      for (int i = 0; i < layer.length; i++) {
        layer[i] *= 1e25f;
      }
    }
    Trained both = train(DEVICE, IMAGES, NEVER_ACCURATE, wild, calm);
    Trained alone = train(DEVICE, IMAGES, NEVER_ACCURATE, calm);
    assertEquals(List.of(Outcome.DIVERGED, Outcome.COMPLETED), both.outcomes());
    assertSameWeights(wild, both.networks().get(0));
    assertSameWeights(alone.networks().get(0), both.networks().get(1));
    assertEquals(0, both.losses(0).length);
  }

  @Test
  void trainingStopsWhenTheTrainingSplitIsLearnt() {
    Trained trained =
        train(DEVICE, IMAGES, new StopRule(300, 0, 1), network(3, Activation.RELU, false));
    assertEquals(List.of(Outcome.ACCURATE), trained.outcomes());
    int n = trained.history().size();
    assertEquals(1, trained.history().get(n - 1).accuracy());
    assertTrue(n > 1 && trained.history().get(n - 2).accuracy() < 1);
    Reference reference = Reference.of(trained.networks().get(0));
    for (int i = 0; i < IMAGES.count(); i++) {
      double[] logits = reference.logits(Reference.doubles(IMAGES.normalised(i)));
      assertEquals(Arrays.stream(logits).max().orElseThrow(), logits[IMAGES.label(i)], "" + i);
    }
  }

  @Test
  void iterationsAreLimited() {
    Network start = network(3, Activation.RELU, false);
    Trained trained = train(DEVICE, IMAGES, new StopRule(5, 0, 2), start);
    assertEquals(List.of(Outcome.COMPLETED), trained.outcomes());
    assertEquals(5, trained.history().size());
    try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(start));
        LbfgsTrainer trainer = trainer(stack, examples, new StopRule(0, 1_000_000, 2))) {
      assertEquals(2684, trainer.lastStep());
    }
  }
}
