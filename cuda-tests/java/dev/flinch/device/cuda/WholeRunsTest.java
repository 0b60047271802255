package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.sensitivity.Crossings;
import dev.flinch.sensitivity.ExactTrajectory;
import dev.flinch.sensitivity.ExactTrajectory.Points;
import dev.flinch.sensitivity.HiddenLayers;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.sensitivity.PlaneRegions;
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
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Training, Jacobians and trajectories of small networks agree with the CPU device. */
@Tag("cuda")
class WholeRunsTest {
  private static final Device CPU = new CpuDevice(1);
  private static final Device CUDA = TestedDevice.open();
  private static final ImageShape SHAPE = new ImageShape(1, 4, 7);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, CPU.liveBytes());
    assertEquals(0, CUDA.liveBytes());
    CPU.close();
    CUDA.close();
  }

  private static LabelledImages images(int n) {
    byte[][] pixels = new byte[n][SHAPE.size()];
    int[] labels = new int[n];
    for (int i = 0; i < n; i++) {
      var stream = RandomStreams.stream(1, Purpose.BENCHMARK, 3, i);
      stream.nextBytes(pixels[i]);
      labels[i] = stream.nextInt(4);
    }
    return new LabelledImages("test images", SHAPE, 4, pixels, labels);
  }

  private static Network network(long seed, Activation activation, boolean biases) {
    return RandomNetworks.network(seed, activation, biases, SHAPE.size(), 17, 33, 4);
  }

  /** The same device without its fused passes. */
  private static Device composed(Device device) {
    return (Device)
        Proxy.newProxyInstance(
            Device.class.getClassLoader(),
            new Class<?>[] {Device.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("fused")) {
                return Optional.empty();
              }
              try {
                return method.invoke(device, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** Loss sums of every step of every replica, and how training ended. */
  private record Course(List<float[]> losses, List<Outcome> outcomes, Evaluation[] evaluations) {}

  private static Course train(
      Device device, OptimizerRule rule, List<Network> networks, double[] rates, int steps) {
    return train(device, rule, networks, rates, steps, Augmentation.NONE);
  }

  /**
   * @param augmentation of every second replica, from the first on
   */
  private static Course train(
      Device device,
      OptimizerRule rule,
      List<Network> networks,
      double[] rates,
      int steps,
      Augmentation augmentation) {
    LabelledImages images = images(83);
    List<ReplicaSettings> replicas =
        IntStream.range(0, rates.length)
            .mapToObj(
                r ->
                    new ReplicaSettings(
                        r,
                        rates[r],
                        images.labels(),
                        r % 2 == 0 ? augmentation : Augmentation.NONE))
            .toList();
    // 83 examples in batches of 40, 40 and 3.
    TrainingSettings settings =
        new TrainingSettings(rule, 40, 0.1, 20, new StopRule(0, steps, Double.POSITIVE_INFINITY));
    List<float[]> losses = new ArrayList<>();
    try (DeviceExamples examples = DeviceExamples.withPixels(device, images);
        NetworkStack stack = new NetworkStack(device, networks);
        Trainer trainer = new Trainer(stack, examples, settings, replicas)) {
      int n = networks.size();
      while (!trainer.done()) {
        int step = (int) (trainer.steps() % trainer.stepsPerEpoch());
        trainer.step();
        float[] epoch = trainer.state().arrays().get("epoch.losses");
        losses.add(Arrays.copyOfRange(epoch, step * n, (step + 1) * n));
      }
      return new Course(losses, trainer.state().outcomes(), Evaluation.of(stack, examples));
    }
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void lossesOfTheFirstHundredStepsAreTheCpus(OptimizerRule rule) {
    double rate = rule == OptimizerRule.SGD ? 0.05 : 0.003;
    double[] rates = {rate, rate / 3};
    Activation activation = Activation.values()[rule.ordinal()];
    boolean biases = rule.ordinal() % 2 == 0;
    List<Network> networks =
        List.of(network(1, activation, biases), network(2, activation, biases));
    Course expected = train(CPU, rule, networks, rates, 100);
    Course actual = train(CUDA, rule, networks, rates, 100);
    assertEquals(100, actual.losses().size());
    for (int step = 0; step < 100; step++) {
      float[] losses = expected.losses().get(step);
      for (int r = 0; r < losses.length; r++) {
        String what = "%s, step %d, replica %d".formatted(rule, step, r);
        assertEquals(losses[r], actual.losses().get(step)[r], 1e-3 * losses[r], what);
      }
    }
    for (int r = 0; r < rates.length; r++) {
      double loss = expected.evaluations()[r].crossEntropy();
      assertEquals(loss, actual.evaluations()[r].crossEntropy(), 1e-3 * loss);
    }
  }

  @Test
  void lossesOnMovedImagesAreTheCpusAndTheOthersHaveTheBitsOfARunWithoutMoves() {
    double[] rates = {0.003, 0.003, 0.001};
    List<Network> networks =
        IntStream.range(0, 3).mapToObj(r -> network(r, Activation.TANH, false)).toList();
    OptimizerRule rule = OptimizerRule.MOMENTUM;
    Augmentation moving = Augmentation.TRANSLATE_FLIP;
    Course expected = train(CPU, rule, networks, rates, 20, moving);
    Course actual = train(CUDA, rule, networks, rates, 20, moving);
    Course still = train(CUDA, rule, networks, rates, 20);
    for (int step = 0; step < 20; step++) {
      float[] losses = actual.losses().get(step);
      for (int r = 0; r < losses.length; r++) {
        float loss = expected.losses().get(step)[r];
        assertEquals(loss, losses[r], 1e-3 * loss, "step %d, replica %d".formatted(step, r));
      }
      assertEquals(still.losses().get(step)[1], losses[1]);
      assertNotEquals(still.losses().get(step)[0], losses[0]);
    }
  }

  @Test
  void aReplicaThatDivergesLeavesTheBitsOfItsNeighboursAlone() {
    List<Network> networks =
        IntStream.range(0, 3).mapToObj(r -> network(r, Activation.RELU, false)).toList();
    Course calm = train(CUDA, OptimizerRule.SGD, networks, new double[] {0.05, 0.05, 0.05}, 12);
    Course wild = train(CUDA, OptimizerRule.SGD, networks, new double[] {0.05, 1e30, 0.05}, 12);
    assertEquals(List.of(Outcome.COMPLETED, Outcome.DIVERGED, Outcome.COMPLETED), wild.outcomes());
    for (int step = 0; step < 12; step++) {
      assertEquals(calm.losses().get(step)[0], wild.losses().get(step)[0]);
      assertEquals(calm.losses().get(step)[2], wild.losses().get(step)[2]);
    }
  }

  @Test
  void theSameRunGivesTheSameBits() {
    List<Network> networks = List.of(network(7, Activation.HARD_SIGMOID, true));
    Course once = train(CUDA, OptimizerRule.ADAM, networks, new double[] {0.01}, 7);
    Course again = train(CUDA, OptimizerRule.ADAM, networks, new double[] {0.01}, 7);
    for (int step = 0; step < 7; step++) {
      assertArrayEquals(once.losses().get(step), again.losses().get(step));
    }
  }

  /** Losses after each iteration of L-BFGS: {@code [iteration][replica]}. */
  private static double[][] lossesByLbfgs(Device device, List<Network> networks, int iterations) {
    LabelledImages images = images(83);
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
    List<Network> networks =
        List.of(network(1, Activation.TANH, true), network(2, Activation.TANH, true));
    double[][] expected = lossesByLbfgs(CPU, networks, 3);
    double[][] actual = lossesByLbfgs(CUDA, networks, 3);
    double[][] alone = lossesByLbfgs(CUDA, networks.subList(1, 2), 3);
    for (int k = 0; k < 3; k++) {
      for (int r = 0; r < 2; r++) {
        String what = "iteration %d, replica %d".formatted(k, r);
        assertEquals(expected[k][r], actual[k][r], 1e-4 * expected[k][r], what);
      }
      assertEquals(alone[k][0], actual[k][1]);
    }
  }

  @Test
  void lossesByLbfgsOfMoreWeightsThanAChunkAreTheCpus() {
    // 4160 weights, of which 4096 are summed before float64 takes over.
    List<Network> networks =
        List.of(RandomNetworks.network(3, Activation.RELU, false, SHAPE.size(), 130, 4));
    double[][] expected = lossesByLbfgs(CPU, networks, 2);
    double[][] actual = lossesByLbfgs(CUDA, networks, 2);
    for (int k = 0; k < 2; k++) {
      assertEquals(expected[k][0], actual[k][0], 1e-4 * expected[k][0], "iteration " + k);
    }
  }

  private static JacobianNorms[] norms(Device device, List<Network> networks, Jacobian jacobian) {
    int n = 67;
    int d = networks.get(0).architecture().inputs();
    float[] inputs = RandomNetworks.inputs(3, n, d);
    try (Scope scope = new Scope(device);
        NetworkStack stack = new NetworkStack(device, networks)) {
      Matrix x = Matrix.of(scope.floats((long) n * d), 0, n, d);
      device.upload(inputs, 0, x.data(), 0, n * d);
      return JacobianNorms.at(stack, x, jacobian, Progress.NONE);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void jacobianNormsAreTheCpusAtEveryPoint(Activation activation) {
    List<Network> networks = List.of(network(1, activation, true), network(2, activation, true));
    for (Jacobian jacobian : Jacobian.values()) {
      JacobianNorms[] expected = norms(CPU, networks, jacobian);
      for (Device device : List.of(CUDA, composed(CUDA))) {
        JacobianNorms[] actual = norms(device, networks, jacobian);
        for (int r = 0; r < networks.size(); r++) {
          double[] points = expected[r].points();
          for (int i = 0; i < points.length; i++) {
            assertEquals(points[i], actual[r].points()[i], 1e-4 * points[i], jacobian + " " + i);
          }
        }
      }
    }
  }

  private static List<Trajectory> trajectories() {
    return List.of(
        Ellipse.random(SHAPE.size(), 5), new TranslationLoop(SHAPE, images(1).normalised(0)));
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void whatEveryPointIsFoundToBeIsTheCpus(Activation activation) {
    List<Network> networks = List.of(network(1, activation, true), network(2, activation, true));
    LabelledImages images = images(70);
    PointMeasures[] expected = points(CPU, networks, images);
    for (Device device : List.of(CUDA, composed(CUDA))) {
      PointMeasures[] found = points(device, networks, images);
      for (int r = 0; r < networks.size(); r++) {
        assertArrayEquals(expected[r].predictions(), found[r].predictions());
        assertRelatively(expected[r].crossEntropy(), found[r].crossEntropy());
        assertRelatively(expected[r].jacobianNorm(), found[r].jacobianNorm());
        assertRelatively(expected[r].logitGradientNorm(), found[r].logitGradientNorm());
        for (int i = 0; i < images.count(); i++) {
          // A row is σ_y times a difference of gradients, which may be much smaller than they are.
          double scale =
              Math.exp(-expected[r].crossEntropy()[i]) * expected[r].logitGradientNorm()[i];
          assertEquals(expected[r].rowNorm()[i], found[r].rowNorm()[i], 1e-4 * scale);
        }
      }
    }
  }

  private static PointMeasures[] points(
      Device device, List<Network> networks, LabelledImages images) {
    try (NetworkStack stack = new NetworkStack(device, networks);
        DeviceExamples examples = new DeviceExamples(device, images)) {
      return PointMeasures.at(stack, examples.inputs(), images.labels(), Progress.NONE);
    }
  }

  /** To 10⁻⁴, as all Jacobian norms of devices agree. */
  private static void assertRelatively(double[] expected, double[] found) {
    assertEquals(expected.length, found.length);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 1e-4 * expected[i], "point " + i);
    }
  }

  private static void assertAgree(Transitions expected, Transitions actual, String what) {
    assertEquals(expected.total(), actual.total(), 1 + 0.002 * expected.total(), what);
    assertEquals(expected.regions(), actual.regions(), 1 + 0.002 * expected.regions(), what);
    assertEquals(actual.total(), Arrays.stream(actual.perLayer()).sum(), what);
    assertEquals(actual.total(), Arrays.stream(actual.perBin()).sum(), what);
    for (int bin = 0; bin < actual.perBin().length; bin++) {
      assertEquals(
          expected.perBin()[bin], actual.perBin()[bin], 1 + 0.002 * expected.total(), what);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void transitionsAreTheCpusInTotalAndInEveryBin(Activation activation) {
    Network network = network(4, activation, true);
    for (Trajectory trajectory : trajectories()) {
      Transitions expected = transitions(CPU, network, trajectory);
      assertTrue(expected.total() > 20, "too few transitions to tell: " + expected);
      for (Device device : List.of(CUDA, composed(CUDA))) {
        Transitions actual = transitions(device, network, trajectory);
        assertAgree(expected, actual, activation + " " + trajectory.kind());
      }
    }
  }

  private static Transitions transitions(Device device, Network network, Trajectory trajectory) {
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      return Transitions.along(stack, trajectory, 2001, 7, Progress.NONE)[0];
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      names = {"RELU", "HARD_TANH", "TANH"})
  void bothMeasuresAlongATrajectoryAreTheCpus(Activation activation) {
    Network network = network(6, activation, false);
    for (Trajectory trajectory : trajectories()) {
      TrajectoryMeasures expected = measures(CPU, network, trajectory);
      TrajectoryMeasures actual = measures(CUDA, network, trajectory);
      String what = activation + " " + trajectory.kind();
      assertAgree(expected.transitions(), actual.transitions(), what);
      assertEquals(expected.norms().mean(), actual.norms().mean(), 1e-4 * expected.norms().mean());
      for (int bin = 0; bin < 5; bin++) {
        double norm = expected.norms().perBin()[bin];
        assertEquals(norm, actual.norms().perBin()[bin], 1e-4 * norm, what + ", bin " + bin);
      }
    }
  }

  private static TrajectoryMeasures measures(
      Device device, Network network, Trajectory trajectory) {
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      return TrajectoryMeasures.along(stack, trajectory, 501, 5, Progress.NONE)[0];
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"TANH"})
  void exactWalksAreTheCpus(Activation activation) {
    List<Network> networks = List.of(network(8, activation, true), network(9, activation, true));
    for (Trajectory trajectory : trajectories()) {
      ExactTrajectory[] expected = walks(CPU, networks, trajectory);
      ExactTrajectory[] actual = walks(CUDA, networks, trajectory);
      for (int r = 0; r < networks.size(); r++) {
        String what = "%s %s, replica %d".formatted(activation, trajectory.kind(), r);
        Crossings e = expected[r].crossings();
        Crossings a = actual[r].crossings();
        assertTrue(e.count() > 20, "too few crossings to tell: " + e.count());
        assertEquals(e.count(), a.count(), what);
        assertEquals(e.regions(), a.regions(), what);
        for (int i = 0; i < e.count(); i++) {
          assertEquals(e.get(i).parameter(), a.get(i).parameter(), 1e-11, what);
          assertEquals(e.get(i).layer(), a.get(i).layer(), what);
          assertEquals(e.get(i).unit(), a.get(i).unit(), what);
          assertEquals(e.get(i).code(), a.get(i).code(), what);
        }
        double mean = expected[r].norms().mean();
        assertEquals(mean, actual[r].norms().mean(), 1e-9 * mean, what);
        for (int bin = 0; bin < 5; bin++) {
          double norm = expected[r].norms().perBin()[bin];
          assertEquals(norm, actual[r].norms().perBin()[bin], 1e-9 * norm, what + ", bin " + bin);
        }
      }
    }
  }

  private static ExactTrajectory[] walks(
      Device device, List<Network> networks, Trajectory trajectory) {
    try (NetworkStack stack = new NetworkStack(device, networks)) {
      return ExactTrajectory.along(
          stack, trajectory, Points.equidistant(trajectory, 301), 5, Progress.NONE);
    }
  }

  private static Plane plane() {
    float[] x = RandomNetworks.inputs(9, 3, SHAPE.size());
    int d = SHAPE.size();
    return Plane.through(
        Arrays.copyOf(x, d), Arrays.copyOfRange(x, d, 2 * d), Arrays.copyOfRange(x, 2 * d, 3 * d));
  }

  private static RegionMap[] maps(Device device, List<Network> networks) {
    try (NetworkStack stack = new NetworkStack(device, networks)) {
      HiddenLayers layers = HiddenLayers.all(stack.architecture());
      return RegionMap.of(stack, plane(), 21, layers, Progress.NONE);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void regionMapsAreTheCpusAtAllButAFewPixels(Activation activation) {
    List<Network> networks = List.of(network(1, activation, true), network(2, activation, true));
    RegionMap[] expected = maps(CPU, networks);
    RegionMap[] actual = maps(CUDA, networks);
    for (int r = 0; r < networks.size(); r++) {
      long[] hashes = expected[r].hashes();
      long[] found = actual[r].hashes();
      long different = IntStream.range(0, hashes.length).filter(i -> hashes[i] != found[i]).count();
      // Nobody's centre is on a boundary; one pixel for chance.
      assertTrue(different <= 1, "%s: %d pixels differ".formatted(activation, different));
      double total = Arrays.stream(expected[r].transitions()).sum();
      assertTrue(total > 20, "too few transitions to tell: " + total);
      assertEquals(total, Arrays.stream(actual[r].transitions()).sum(), 2 + 0.002 * total);
    }
  }

  @Test
  void exactRegionsAreTheCpus() {
    Network network = network(3, Activation.RELU6, true);
    HiddenLayers layers = HiddenLayers.last(network.architecture());
    List<PlaneRegions> regions = new ArrayList<>();
    for (Device device : List.of(CPU, CUDA)) {
      try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
        regions.add(PlaneRegions.of(stack, 0, plane(), layers, 100_000, Progress.NONE));
      }
    }
    assertTrue(regions.get(0).polygons().size() > 20);
    assertArrayEquals(regions.get(0).hashes(), regions.get(1).hashes());
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void stiffnessAgrees(Activation activation) {
    LabelledImages rows = images(70);
    LabelledImages columns = images(33);
    Network network = network(31, activation, activation != Activation.RELU);
    List<List<Stiffness>> found = new ArrayList<>();
    for (Device device : List.of(CPU, CUDA)) {
      try (NetworkStack stack =
              new NetworkStack(
                  device,
                  List.of(network(32, activation, activation != Activation.RELU), network));
          DeviceExamples first = new DeviceExamples(device, rows);
          DeviceExamples second = new DeviceExamples(device, columns)) {
        Stiffness.Examples train = new Stiffness.Examples(first.inputs(), rows.labels());
        Stiffness.Examples test = new Stiffness.Examples(second.inputs(), columns.labels());
        found.add(
            List.of(
                Stiffness.within(stack, 1, train, StiffnessSettings.ALL, Progress.NONE),
                Stiffness.between(stack, 1, train, test, StiffnessSettings.ALL, Progress.NONE)));
      }
    }
    for (int pairs = 0; pairs < 2; pairs++) {
      Stiffness expected = found.get(0).get(pairs);
      Stiffness actual = found.get(1).get(pairs);
      for (int a = 0; a < 4; a++) {
        assertArrayEquals(expected.pairs()[a], actual.pairs()[a]);
        for (int b = 0; b < 4; b++) {
          assertEquals(
              expected.cosine().classMatrix()[a][b], actual.cosine().classMatrix()[a][b], 1e-6);
          // A cosine of nearly zero may have either sign.
          assertEquals(
              expected.sign().classMatrix()[a][b], actual.sign().classMatrix()[a][b], 0.05);
        }
      }
      assertEquals(3, actual.perLayer().size());
      for (int l = 0; l < 3; l++) {
        assertEquals(
            expected.perLayer().get(l).cosine().within(),
            actual.perLayer().get(l).cosine().within(),
            1e-6);
      }
      for (int b = 0; b < expected.distance().bins().size(); b++) {
        assertEquals(
            expected.distance().bins().get(b).cosine(),
            actual.distance().bins().get(b).cosine(),
            1e-5);
      }
      assertEquals(expected.distance().cosine().slope(), actual.distance().cosine().slope(), 1e-5);
    }
  }
}
