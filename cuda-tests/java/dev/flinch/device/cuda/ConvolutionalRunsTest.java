package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.sensitivity.HiddenLayers;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.sensitivity.PointMeasures;
import dev.flinch.sensitivity.RegionMap;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.sensitivity.StiffnessSettings;
import dev.flinch.sensitivity.TrajectoryMeasures;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.training.Augmentation;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Evaluation;
import dev.flinch.training.LbfgsTrainer;
import dev.flinch.training.Outcome;
import dev.flinch.training.ReplicaSettings;
import dev.flinch.training.StopRule;
import dev.flinch.training.Trainer;
import dev.flinch.training.TrainingSettings;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Plane;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Training and all measures of small convolutional networks agree with the CPU device. */
@Tag("cuda")
class ConvolutionalRunsTest {
  private static final Device CPU = new CpuDevice(1);
  private static final Device CUDA = TestedDevice.open();
  private static final int REPLICAS = 3;

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, CPU.liveBytes());
    assertEquals(0, CUDA.liveBytes());
    CPU.close();
    CUDA.close();
  }

  static Stream<Architecture> architectures() {
    return Stream.concat(
        RandomNetworks.convolutional(Activation.RELU, true).stream(),
        Stream.of(RandomNetworks.convolutional(Activation.TANH, false).get(0)));
  }

  private static List<Network> networks(Architecture architecture) {
    return IntStream.range(0, REPLICAS)
        .mapToObj(r -> RandomNetworks.network(r, architecture))
        .toList();
  }

  private static LabelledImages images(Architecture architecture, int n) {
    ImageShape shape = architecture.image();
    byte[][] pixels = new byte[n][shape.size()];
    int[] labels = new int[n];
    for (int i = 0; i < n; i++) {
      var stream = RandomStreams.stream(2, Purpose.BENCHMARK, 3, i);
      stream.nextBytes(pixels[i]);
      labels[i] = i % architecture.classes();
    }
    return new LabelledImages("test images", shape, architecture.classes(), pixels, labels);
  }

  /** Loss sums of every step of every replica, and what the networks then know. */
  private record Course(List<float[]> losses, List<Outcome> outcomes, Evaluation[] evaluations) {}

  private static Course train(
      Device device, Architecture architecture, OptimizerRule rule, double[] rates, int steps) {
    LabelledImages images = images(architecture, 19);
    List<ReplicaSettings> replicas =
        IntStream.range(0, REPLICAS)
            .mapToObj(
                r ->
                    new ReplicaSettings(
                        r,
                        rates[r],
                        images.labels(),
                        r == 1 ? Augmentation.TRANSLATE_FLIP : Augmentation.NONE))
            .toList();
    // 19 examples in batches of 8, 8 and 3.
    TrainingSettings settings =
        new TrainingSettings(rule, 8, 0.1, 20, new StopRule(0, steps, Double.POSITIVE_INFINITY));
    List<float[]> losses = new ArrayList<>();
    try (DeviceExamples examples = DeviceExamples.withPixels(device, images);
        NetworkStack stack = new NetworkStack(device, networks(architecture));
        Trainer trainer = new Trainer(stack, examples, settings, replicas)) {
      while (!trainer.done()) {
        int step = (int) (trainer.steps() % trainer.stepsPerEpoch());
        trainer.step();
        float[] epoch = trainer.state().arrays().get("epoch.losses");
        losses.add(Arrays.copyOfRange(epoch, step * REPLICAS, (step + 1) * REPLICAS));
      }
      return new Course(losses, trainer.state().outcomes(), Evaluation.of(stack, examples));
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void lossesOfEveryStepOfAWholeStackAreTheCpus(Architecture architecture) {
    OptimizerRule rule = architecture.biases() ? OptimizerRule.ADAM : OptimizerRule.MOMENTUM;
    int steps = 14;
    double[] rates = {0.01, 0.005, 0.003};
    Course expected = train(CPU, architecture, rule, rates, steps);
    Course actual = train(CUDA, architecture, rule, rates, steps);
    assertEquals(steps, actual.losses().size());
    for (int step = 0; step < steps; step++) {
      float[] losses = expected.losses().get(step);
      for (int r = 0; r < REPLICAS; r++) {
        String what = "%s, step %d, replica %d".formatted(architecture.title(), step, r);
        assertEquals(losses[r], actual.losses().get(step)[r], 1e-3 * losses[r], what);
      }
    }
    // Something was learnt, or agreement would say little.
    float first = actual.losses().get(0)[0] + actual.losses().get(1)[0];
    float last = actual.losses().get(steps - 2)[0] + actual.losses().get(steps - 1)[0];
    assertTrue(last < first, "from " + first + " to " + last);
    for (int r = 0; r < REPLICAS; r++) {
      double loss = expected.evaluations()[r].crossEntropy();
      assertEquals(loss, actual.evaluations()[r].crossEntropy(), 1e-3 * loss);
    }
  }

  @Test
  void aReplicaThatDivergesLeavesTheBitsOfItsNeighboursAloneAndRunsRepeat() {
    Architecture architecture = RandomNetworks.convolutional(Activation.RELU, true).get(0);
    OptimizerRule rule = OptimizerRule.SGD;
    Course calm = train(CUDA, architecture, rule, new double[] {0.01, 0.01, 0.01}, 5);
    Course again = train(CUDA, architecture, rule, new double[] {0.01, 0.01, 0.01}, 5);
    Course wild = train(CUDA, architecture, rule, new double[] {0.01, 1e30, 0.01}, 5);
    assertEquals(List.of(Outcome.COMPLETED, Outcome.DIVERGED, Outcome.COMPLETED), wild.outcomes());
    for (int step = 0; step < 5; step++) {
      assertArrayEquals(calm.losses().get(step), again.losses().get(step), "step " + step);
      assertEquals(calm.losses().get(step)[0], wild.losses().get(step)[0]);
      assertEquals(calm.losses().get(step)[2], wild.losses().get(step)[2]);
    }
  }

  /** Losses after each iteration of L-BFGS: {@code [iteration][replica]}. */
  private static double[][] lossesByLbfgs(Device device, List<Network> networks, int iterations) {
    LabelledImages images = images(networks.get(0).architecture(), 13);
    List<int[]> labels = networks.stream().map(n -> images.labels()).toList();
    StopRule stop = new StopRule(0, iterations, Double.POSITIVE_INFINITY);
    double[][] losses = new double[iterations][networks.size()];
    try (DeviceExamples examples = new DeviceExamples(device, images);
        NetworkStack stack = new NetworkStack(device, networks);
        LbfgsTrainer trainer = new LbfgsTrainer(stack, examples, stop, labels)) {
      while (!trainer.done()) {
        trainer.step();
      }
      trainer.history().forEach(e -> losses[(int) e.step() - 1][e.replica()] = e.loss());
      return losses;
    }
  }

  @Test
  void lossesByLbfgsAreTheCpusAndHaveTheSameBitsInAnyCompany() {
    List<Network> networks = networks(RandomNetworks.convolutional(Activation.TANH, true).get(0));
    double[][] expected = lossesByLbfgs(CPU, networks, 3);
    double[][] actual = lossesByLbfgs(CUDA, networks, 3);
    double[][] alone = lossesByLbfgs(CUDA, networks.subList(1, 2), 3);
    for (int k = 0; k < 3; k++) {
      for (int r = 0; r < REPLICAS; r++) {
        String what = "iteration %d, replica %d".formatted(k, r);
        assertEquals(expected[k][r], actual[k][r], 1e-4 * expected[k][r], what);
      }
      assertEquals(alone[k][0], actual[k][1]);
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void jacobianNormsAreTheCpusAtEveryPoint(Architecture architecture) {
    LabelledImages images = images(architecture, 9);
    for (Jacobian jacobian : Jacobian.values()) {
      JacobianNorms[] expected = norms(CPU, architecture, images, jacobian);
      JacobianNorms[] actual = norms(CUDA, architecture, images, jacobian);
      for (int r = 0; r < REPLICAS; r++) {
        assertRelatively(expected[r].points(), actual[r].points());
      }
    }
  }

  private static JacobianNorms[] norms(
      Device device, Architecture architecture, LabelledImages images, Jacobian jacobian) {
    try (DeviceExamples examples = new DeviceExamples(device, images);
        NetworkStack stack = new NetworkStack(device, networks(architecture))) {
      return JacobianNorms.at(stack, examples.inputs(), jacobian, Progress.NONE);
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void whatEveryPointIsFoundToBeIsTheCpus(Architecture architecture) {
    LabelledImages images = images(architecture, 9);
    PointMeasures[] expected = points(CPU, architecture, images);
    PointMeasures[] found = points(CUDA, architecture, images);
    for (int r = 0; r < REPLICAS; r++) {
      assertArrayEquals(expected[r].predictions(), found[r].predictions());
      assertRelatively(expected[r].crossEntropy(), found[r].crossEntropy());
      assertRelatively(expected[r].jacobianNorm(), found[r].jacobianNorm());
      assertRelatively(expected[r].logitGradientNorm(), found[r].logitGradientNorm());
    }
  }

  private static PointMeasures[] points(
      Device device, Architecture architecture, LabelledImages images) {
    try (DeviceExamples examples = new DeviceExamples(device, images);
        NetworkStack stack = new NetworkStack(device, networks(architecture))) {
      return PointMeasures.at(stack, examples.inputs(), images.labels(), Progress.NONE);
    }
  }

  /** To 10⁻⁴, as all Jacobian norms of devices agree. */
  private static void assertRelatively(double[] expected, double[] found) {
    assertEquals(expected.length, found.length);
    for (int i = 0; i < expected.length; i++) {
      assertTrue(expected[i] > 0, "point " + i + ": " + expected[i]);
      assertEquals(expected[i], found[i], 1e-4 * expected[i], "point " + i);
    }
  }

  private static void assertAgree(Transitions expected, Transitions actual, String what) {
    assertTrue(expected.total() > 20, what + ": too few transitions to tell: " + expected);
    assertEquals(expected.total(), actual.total(), 1 + 0.002 * expected.total(), what);
    assertEquals(expected.regions(), actual.regions(), 1 + 0.002 * expected.regions(), what);
    assertEquals(actual.total(), Arrays.stream(actual.perLayer()).sum(), what);
    for (int bin = 0; bin < actual.perBin().length; bin++) {
      assertEquals(
          expected.perBin()[bin], actual.perBin()[bin], 1 + 0.002 * expected.total(), what);
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void bothMeasuresAlongATrajectoryAreTheCpus(Architecture architecture) {
    LabelledImages images = images(architecture, 1);
    for (Trajectory trajectory :
        List.of(
            Ellipse.random(architecture.inputs(), 5),
            new TranslationLoop(architecture.image(), images.normalised(0)))) {
      TrajectoryMeasures expected = measures(CPU, architecture, trajectory);
      TrajectoryMeasures actual = measures(CUDA, architecture, trajectory);
      String what = architecture.title() + " " + trajectory.kind();
      assertAgree(expected.transitions(), actual.transitions(), what);
      double mean = expected.norms().mean();
      assertEquals(mean, actual.norms().mean(), 1e-4 * mean, what);
      for (int bin = 0; bin < 5; bin++) {
        double norm = expected.norms().perBin()[bin];
        assertEquals(norm, actual.norms().perBin()[bin], 1e-4 * norm, what + ", bin " + bin);
      }
    }
  }

  private static TrajectoryMeasures measures(
      Device device, Architecture architecture, Trajectory trajectory) {
    try (NetworkStack stack = new NetworkStack(device, networks(architecture).subList(0, 1))) {
      return TrajectoryMeasures.along(stack, trajectory, 301, 5, Progress.NONE)[0];
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void regionMapsAreTheCpusAtAllButAFewPixels(Architecture architecture) {
    RegionMap expected = map(CPU, architecture);
    RegionMap actual = map(CUDA, architecture);
    long[] hashes = expected.hashes();
    long[] found = actual.hashes();
    long different = IntStream.range(0, hashes.length).filter(i -> hashes[i] != found[i]).count();
    // Nobody's centre is on a boundary; one pixel for chance.
    assertTrue(different <= 1, different + " pixels differ");
    double total = Arrays.stream(expected.transitions()).sum();
    assertTrue(total > 20, "too few transitions to tell: " + total);
    assertEquals(total, Arrays.stream(actual.transitions()).sum(), 2 + 0.002 * total);
  }

  private static RegionMap map(Device device, Architecture architecture) {
    int d = architecture.inputs();
    float[] x = RandomNetworks.inputs(9, 3, d);
    Plane plane =
        Plane.through(
            Arrays.copyOf(x, d),
            Arrays.copyOfRange(x, d, 2 * d),
            Arrays.copyOfRange(x, 2 * d, 3 * d));
    try (NetworkStack stack = new NetworkStack(device, networks(architecture).subList(1, 2))) {
      return RegionMap.of(stack, plane, 9, HiddenLayers.all(architecture), Progress.NONE)[0];
    }
  }

  @ParameterizedTest
  @MethodSource("architectures")
  void stiffnessIsTheCpus(Architecture architecture) {
    LabelledImages images = images(architecture, 17);
    Stiffness expected = stiffness(CPU, architecture, images);
    Stiffness actual = stiffness(CUDA, architecture, images);
    int layers = architecture.depth();
    assertEquals(layers, actual.perLayer().size());
    for (int a = 0; a < architecture.classes(); a++) {
      assertArrayEquals(expected.pairs()[a], actual.pairs()[a]);
      for (int b = 0; b < architecture.classes(); b++) {
        assertEquals(
            expected.cosine().classMatrix()[a][b], actual.cosine().classMatrix()[a][b], 1e-5);
      }
    }
    for (int l = 0; l < layers; l++) {
      assertEquals(
          expected.perLayer().get(l).cosine().within(),
          actual.perLayer().get(l).cosine().within(),
          1e-5,
          "layer " + l);
    }
  }

  private static Stiffness stiffness(
      Device device, Architecture architecture, LabelledImages images) {
    try (DeviceExamples examples = new DeviceExamples(device, images);
        NetworkStack stack = new NetworkStack(device, networks(architecture))) {
      return Stiffness.within(
          stack,
          1,
          new Stiffness.Examples(examples.inputs(), images.labels()),
          StiffnessSettings.ALL,
          Progress.NONE);
    }
  }
}
