package dev.flinch.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.reference.ReferenceOptimizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainerTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final int N = 83;
  private static final LabelledImages IMAGES = images(N);

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
    return RandomNetworks.network(seed, activation, biases, 15, 17, 33, 4);
  }

  private static TrainingSettings settings(OptimizerRule rule, int batch, StopRule stop) {
    return new TrainingSettings(rule, batch, 0.1, 2, stop);
  }

  private static final StopRule NEVER_ACCURATE = new StopRule(3, 0, 2);

  /** Trains networks of given seeds, and returns them with the trainer's history. */
  private record Trained(
      List<Network> networks, List<EpochRecord> history, List<Outcome> outcomes) {}

  private static Trained train(
      CpuDevice device, TrainingSettings settings, List<Network> networks, double... rates) {
    try (DeviceExamples examples = new DeviceExamples(device, IMAGES);
        NetworkStack stack = new NetworkStack(device, networks);
        Trainer trainer = new Trainer(stack, examples, settings, replicas(rates))) {
      while (!trainer.done()) {
        trainer.step();
      }
      return trained(stack, trainer);
    }
  }

  private static Trained trained(NetworkStack stack, Trainer trainer) {
    return new Trained(
        IntStream.range(0, stack.replicas()).mapToObj(stack::get).toList(),
        trainer.history(),
        IntStream.range(0, stack.replicas()).mapToObj(trainer::outcome).toList());
  }

  private static List<ReplicaSettings> replicas(double... rates) {
    return IntStream.range(0, rates.length)
        .mapToObj(r -> new ReplicaSettings(r, rates[r], IMAGES.labels()))
        .toList();
  }

  private static void assertSameWeights(Network expected, Network actual) {
    assertTrue(Arrays.deepEquals(expected.weights(), actual.weights()), "weights differ");
    assertTrue(Arrays.deepEquals(expected.biases(), actual.biases()), "biases differ");
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void epochsFollowTheDoublePrecisionReference(OptimizerRule rule) {
    for (Activation activation : Activation.values()) {
      for (boolean biases : new boolean[] {false, true}) {
        Network start = network(5, activation, biases);
        assertFollowsTheReference(rule, start, rule == OptimizerRule.SGD ? 0.1 : 0.01);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void epochsOfConvolutionalNetworksFollowTheReference(OptimizerRule rule) {
    for (Activation activation : List.of(Activation.RELU, Activation.TANH)) {
      for (boolean biases : new boolean[] {false, true}) {
        Network start =
            RandomNetworks.network(
                5,
                Architecture.convolutional(
                    IMAGES.shape(),
                    List.of(new Convolution(5, 3, 1), new Convolution(16, 3, 2)),
                    List.of(7, 4),
                    activation,
                    biases));
        assertFollowsTheReference(rule, start, rule == OptimizerRule.SGD ? 0.1 : 0.003);
      }
    }
  }

  /** Three epochs, so that the rate decays once; 83 examples in batches of 40, 40 and 3. */
  private static void assertFollowsTheReference(OptimizerRule rule, Network start, double rate) {
    String what = rule + " " + start.architecture().title();
    boolean biases = start.architecture().biases();
    Trained trained = train(DEVICE, settings(rule, 40, NEVER_ACCURATE), List.of(start), rate);
    Reference reference = Reference.of(start);
    List<Double> losses = referenceEpochs(reference, biases, rule, rate);
    Network end = trained.networks().get(0);
    for (int l = 0; l < end.weights().length; l++) {
      double[] expected =
          Arrays.stream(reference.weights()[l]).flatMapToDouble(Arrays::stream).toArray();
      assertClose(expected, end.weights()[l], what + " weights " + l);
      if (biases) {
        assertClose(reference.biases()[l], end.biases()[l], what + " biases " + l);
      }
    }
    for (int epoch = 0; epoch < 3; epoch++) {
      assertEquals(losses.get(epoch), trained.history().get(epoch).loss(), 1e-4, "loss");
    }
  }

  /** Float32 against float64 over nine steps: a fraction of the weights' own scale. */
  private static void assertClose(double[] expected, float[] actual, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], 2e-4, what + "[" + i + "]");
    }
  }

  private static List<Double> referenceEpochs(
      Reference reference, boolean biases, OptimizerRule rule, double initialRate) {
    List<double[]> parameters = new ArrayList<>();
    for (double[][] matrix : reference.weights()) {
      parameters.addAll(List.of(matrix));
    }
    if (biases) {
      parameters.addAll(List.of(reference.biases()));
    }
    List<double[]> first = parameters.stream().map(p -> new double[p.length]).toList();
    List<double[]> second = parameters.stream().map(p -> new double[p.length]).toList();
    if (rule == OptimizerRule.RMSPROP) {
      first.forEach(s -> Arrays.fill(s, 1));
    }
    List<Double> losses = new ArrayList<>();
    int t = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
      int[] order =
          RandomStreams.permutation(RandomStreams.stream(0, Purpose.SHUFFLE, epoch, 0), N);
      double rate = initialRate * (epoch < 2 ? 1 : 0.1);
      double loss = 0;
      for (int from = 0; from < N; from += 40) {
        int[] batch = Arrays.copyOfRange(order, from, Math.min(N, from + 40));
        List<double[]> inputs =
            Arrays.stream(batch).mapToObj(i -> Reference.doubles(IMAGES.normalised(i))).toList();
        Reference.Gradient gradient =
            reference.gradient(inputs, Arrays.stream(batch).map(IMAGES::label).toArray());
        loss += gradient.loss() * batch.length;
        List<double[]> gradients = new ArrayList<>();
        for (double[][] matrix : gradient.weights()) {
          gradients.addAll(List.of(matrix));
        }
        if (biases) {
          gradients.addAll(List.of(gradient.biases()));
        }
        t++;
        for (int p = 0; p < parameters.size(); p++) {
          double[] w = parameters.get(p);
          double[] g = gradients.get(p);
          switch (rule) {
            case SGD -> ReferenceOptimizer.sgd(w, g, rate);
            case MOMENTUM -> ReferenceOptimizer.momentum(w, g, first.get(p), rate);
            case ADAM -> ReferenceOptimizer.adam(w, g, first.get(p), second.get(p), t, rate);
            case RMSPROP -> ReferenceOptimizer.rmsProp(w, g, first.get(p), rate);
            default -> throw new AssertionError(rule);
          }
        }
      }
      losses.add(loss / N);
    }
    return losses;
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void aRestoredStateGoesOnBitForBitFromAnyStep(OptimizerRule rule) {
    TrainingSettings settings = settings(rule, 32, NEVER_ACCURATE);
    List<Network> start =
        List.of(network(1, Activation.RELU, true), network(2, Activation.RELU, true));
    Trained whole = train(DEVICE, settings, start, 0.02, 0.01);
    for (int interruptedAt : new int[] {0, 1, 3, 4, 8}) {
      TrainerState state;
      try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
          NetworkStack stack = new NetworkStack(DEVICE, start);
          Trainer trainer = new Trainer(stack, examples, settings, replicas(0.02, 0.01))) {
        for (int s = 0; s < interruptedAt; s++) {
          trainer.step();
        }
        state = trainer.state();
        trainer.step();
      }
      List<Network> others =
          List.of(network(8, Activation.RELU, true), network(9, Activation.RELU, true));
      try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
          NetworkStack stack = new NetworkStack(DEVICE, others);
          Trainer trainer = new Trainer(stack, examples, settings, replicas(0.02, 0.01))) {
        trainer.restore(state);
        while (!trainer.done()) {
          trainer.step();
        }
        Trained resumed = trained(stack, trainer);
        assertEquals(whole.history(), resumed.history());
        assertEquals(whole.outcomes(), resumed.outcomes());
        for (int r = 0; r < 2; r++) {
          assertSameWeights(whole.networks().get(r), resumed.networks().get(r));
        }
      }
    }
  }

  @Test
  void groupingAndLanesChangeNoBit() {
    TrainingSettings settings = settings(OptimizerRule.ADAM, 70, NEVER_ACCURATE);
    List<Network> start =
        IntStream.range(0, 3).mapToObj(s -> network(s, Activation.TANH, true)).toList();
    Trained together = train(DEVICE, settings, start, 0.01, 0.02, 0.03);
    try (CpuDevice one = new CpuDevice(1);
        CpuDevice five = new CpuDevice(5)) {
      for (CpuDevice device : List.of(one, five)) {
        Trained again = train(device, settings, start, 0.01, 0.02, 0.03);
        for (int r = 0; r < 3; r++) {
          assertSameWeights(together.networks().get(r), again.networks().get(r));
        }
      }
    }
    // ReplicaSettings 0 alone has the same seed, 0, and so the same shuffles.
    Trained alone = train(DEVICE, settings, start.subList(0, 1), 0.01);
    assertSameWeights(together.networks().get(0), alone.networks().get(0));
    assertEquals(
        together.history().stream().filter(e -> e.replica() == 0).toList(), alone.history());
  }

  @Test
  void aReplicaThatDivergesIsMarkedAndItsNeighboursGoOnUntouched() {
    TrainingSettings settings = settings(OptimizerRule.SGD, 32, NEVER_ACCURATE);
    Network calm = network(1, Activation.RELU, false);
    Network wild = network(2, Activation.RELU, false);
    Trained both = train(DEVICE, settings, List.of(calm, wild), 0.01, 1e30);
    Trained alone = train(DEVICE, settings, List.of(calm), 0.01);
    assertEquals(List.of(Outcome.COMPLETED, Outcome.DIVERGED), both.outcomes());
    assertSameWeights(alone.networks().get(0), both.networks().get(0));
  }

  @Test
  void trainingStopsWhenTheTrainingSplitIsLearnt() {
    TrainingSettings settings =
        new TrainingSettings(OptimizerRule.ADAM, 32, 0.1, 500, new StopRule(500, 0, 1.0));
    Trained trained = train(DEVICE, settings, List.of(network(3, Activation.RELU, false)), 0.01);
    assertEquals(List.of(Outcome.ACCURATE), trained.outcomes());
    assertTrue(trained.history().size() < 500);
    Reference reference = Reference.of(trained.networks().get(0));
    for (int i = 0; i < N; i++) {
      double[] logits = reference.logits(Reference.doubles(IMAGES.normalised(i)));
      double label = logits[IMAGES.label(i)];
      assertEquals(Arrays.stream(logits).max().orElseThrow(), label, "example " + i);
    }
  }

  @Test
  void aLimitOnStepsEndsWithinAnEpoch() {
    TrainingSettings settings = settings(OptimizerRule.SGD, 32, new StopRule(0, 5, 2));
    Trained trained = train(DEVICE, settings, List.of(network(3, Activation.RELU, false)), 0.01);
    assertEquals(List.of(Outcome.COMPLETED), trained.outcomes());
    assertEquals(5, trained.history().get(1).step());
    assertEquals(2, trained.history().size());
  }

  @Test
  void evaluationAgreesWithDoublePrecision() {
    Network network = network(6, Activation.HARD_SIGMOID, true);
    try (DeviceExamples examples = new DeviceExamples(DEVICE, IMAGES);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network, network))) {
      Evaluation[] evaluations = Evaluation.of(stack, examples);
      Reference reference = Reference.of(network);
      double loss = 0;
      int correct = 0;
      for (int i = 0; i < N; i++) {
        double[] logits = reference.logits(Reference.doubles(IMAGES.normalised(i)));
        loss += Reference.crossEntropy(logits, IMAGES.label(i)) / N;
        int label = IMAGES.label(i);
        correct += Arrays.stream(logits).max().orElseThrow() == logits[label] ? 1 : 0;
      }
      assertEquals(loss, evaluations[0].crossEntropy(), 1e-5);
      assertEquals((double) correct / N, evaluations[0].accuracy(), 1e-12);
      assertEquals(evaluations[0], evaluations[1]);
    }
  }

  @Test
  void sixtyFiveLayersAndWidth65536Train() {
    Integer[] deep = new Integer[66];
    Arrays.fill(deep, 16);
    deep[0] = 15;
    deep[65] = 4;
    for (Integer[] units : List.of(deep, new Integer[] {15, 65_536, 4})) {
      Network start = RandomNetworks.network(1, Activation.RELU, false, units);
      StopRule stop = new StopRule(5, 0, 2);
      TrainingSettings settings = new TrainingSettings(OptimizerRule.SGD, 41, 0.1, 500, stop);
      Trained trained = train(DEVICE, settings, List.of(start), units.length > 3 ? 1e-3 : 1e-5);
      assertEquals(List.of(Outcome.COMPLETED), trained.outcomes());
      assertTrue(trained.history().get(4).loss() < trained.history().get(0).loss());
    }
  }

  @Test
  void historyIsEqualOnEveryRun() {
    TrainingSettings settings = settings(OptimizerRule.RMSPROP, 16, NEVER_ACCURATE);
    List<Network> start = List.of(network(1, Activation.RELU6, true));
    Trained first = train(DEVICE, settings, start, 0.01);
    Trained second = train(DEVICE, settings, start, 0.01);
    assertEquals(first.history(), second.history());
    assertArrayEquals(first.networks().get(0).weights()[1], second.networks().get(0).weights()[1]);
  }
}
