package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class StiffnessTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final StiffnessSettings FEW_RESAMPLES =
      new StiffnessSettings(true, true, 0.05, 20, 0);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  /** What of a network at examples is compared: its stiffness, and the cosines behind it. */
  private record Measured(
      Stiffness stiffness, float[][] cosines, List<float[][]> perLayer, double[] norms) {}

  private static Measured within(
      Network network, float[] inputs, int[] classes, StiffnessSettings settings) {
    try (Scope scope = new Scope(DEVICE);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      Matrix x = upload(scope, inputs, classes.length);
      Stiffness stiffness =
          Stiffness.within(stack, 0, new Stiffness.Examples(x, classes), settings, Progress.NONE);
      try (ExampleGradients g = ExampleGradients.of(stack, 0, x, classes)) {
        return new Measured(
            stiffness,
            g.cosines(g, Progress.NONE),
            IntStream.range(0, g.layers()).mapToObj(l -> g.cosines(l, g, Progress.NONE)).toList(),
            g.norms());
      }
    }
  }

  private static Matrix upload(Scope scope, float[] inputs, int n) {
    Matrix x = Matrix.of(scope.floats(inputs.length), 0, n, inputs.length / n);
    DEVICE.upload(inputs, 0, x.data(), 0, inputs.length);
    return x;
  }

  private static int[] classes(int n, int classes) {
    return IntStream.range(0, n).map(i -> (i * 7 + i / 5) % classes).toArray();
  }

  /** C(a, b) as its definition reads, by cosine or by sign. */
  private static double mean(
      float[][] cosines,
      int[] rowClasses,
      int[] columnClasses,
      boolean self,
      int a,
      int b,
      boolean sign) {
    double sum = 0;
    int pairs = 0;
    for (int i = 0; i < rowClasses.length; i++) {
      for (int j = 0; j < columnClasses.length; j++) {
        if (rowClasses[i] == a && columnClasses[j] == b && (i != j || !self)) {
          sum += sign ? Math.signum(cosines[i][j]) : cosines[i][j];
          pairs++;
        }
      }
    }
    return sum / pairs;
  }

  private static void assertIsMeanOf(
      ClassStiffness found,
      float[][] cosines,
      int[] rowClasses,
      int[] columnClasses,
      boolean self,
      boolean sign) {
    int classes = found.classMatrix().length;
    double diagonal = 0;
    double others = 0;
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        double expected = mean(cosines, rowClasses, columnClasses, self, a, b, sign);
        assertEquals(expected, found.classMatrix()[a][b], 1e-12, a + ", " + b);
        diagonal += a == b ? expected / classes : 0;
        others += a == b ? 0 : expected / classes / (classes - 1);
      }
    }
    assertEquals(diagonal, found.within(), 1e-12);
    assertEquals(others, found.between(), 1e-12);
  }

  @Test
  void classMatricesAreMeansOverPairsOfDifferentExamples() {
    Network network = RandomNetworks.network(1, Activation.RELU, true, 20, 15, 4);
    // Several panels: four numbers a pair, and room for 1398 rows of each.
    for (int n : new int[] {60, 3000}) {
      int[] classes = classes(n, 4);
      Measured m = within(network, RandomNetworks.inputs(1, n, 20), classes, FEW_RESAMPLES);
      Stiffness stiffness = m.stiffness;
      assertIsMeanOf(stiffness.cosine(), m.cosines, classes, classes, true, false);
      assertIsMeanOf(stiffness.sign(), m.cosines, classes, classes, true, true);
      assertEquals(2, stiffness.perLayer().size());
      for (int l = 0; l < 2; l++) {
        assertIsMeanOf(
            stiffness.perLayer().get(l).cosine(), m.perLayer.get(l), classes, classes, true, false);
        assertIsMeanOf(
            stiffness.perLayer().get(l).sign(), m.perLayer.get(l), classes, classes, true, true);
      }
      long counted =
          Arrays.stream(stiffness.pairs()).flatMapToLong(Arrays::stream).sum()
              + IntStream.range(0, 4).mapToLong(c -> stiffness.pairs()[c][c]).sum();
      assertEquals((long) n * (n - 1), counted);
      assertEquals(List.of(), stiffness.notes());
    }
  }

  @Test
  void matricesBetweenSetsHaveARowForEachClassOfTheFirst() {
    Network network = RandomNetworks.network(2, Activation.TANH, false, 20, 15, 3);
    int[] rowClasses = classes(31, 3);
    int[] columnClasses = classes(50, 3);
    try (Scope scope = new Scope(DEVICE);
        NetworkStack stack =
            new NetworkStack(
                DEVICE,
                List.of(RandomNetworks.network(9, Activation.TANH, false, 20, 15, 3), network))) {
      Matrix rows = upload(scope, RandomNetworks.inputs(2, 31, 20), 31);
      Matrix columns = upload(scope, RandomNetworks.inputs(3, 50, 20), 50);
      Stiffness stiffness =
          Stiffness.between(
              stack,
              1,
              new Stiffness.Examples(rows, rowClasses),
              new Stiffness.Examples(columns, columnClasses),
              FEW_RESAMPLES,
              Progress.NONE);
      try (ExampleGradients one = ExampleGradients.of(stack, 1, rows, rowClasses);
          ExampleGradients other = ExampleGradients.of(stack, 1, columns, columnClasses)) {
        float[][] cosines = one.cosines(other, Progress.NONE);
        assertIsMeanOf(stiffness.cosine(), cosines, rowClasses, columnClasses, false, false);
        assertIsMeanOf(stiffness.sign(), cosines, rowClasses, columnClasses, false, true);
      }
      assertEquals(31 * 50, Arrays.stream(stiffness.pairs()).flatMapToLong(Arrays::stream).sum());
      assertArrayEquals(new int[] {31, 50}, stiffness.examples());
      assertTrue(stiffness.distance().bins().size() > 2);
    }
  }

  @Test
  void aClassOfOneExampleHasNoStiffnessWithinAndThatIsSaid() {
    Network network = RandomNetworks.network(3, Activation.RELU, true, 20, 15, 4);
    int[] classes = {0, 0, 1, 2, 2, 2};
    Measured m = within(network, RandomNetworks.inputs(3, 6, 20), classes, FEW_RESAMPLES);
    ClassStiffness cosine = m.stiffness.cosine();
    assertNull(cosine.classMatrix()[1][1]);
    assertNull(cosine.classMatrix()[3][0], "class 3 has no example");
    assertEquals(
        (mean(m.cosines, classes, classes, true, 0, 0, false)
                + mean(m.cosines, classes, classes, true, 2, 2, false))
            / 2,
        cosine.within(),
        1e-12);
    assertEquals(
        mean(m.cosines, classes, classes, true, 0, 1, false), cosine.classMatrix()[0][1], 1e-12);
    assertEquals(
        List.of("classes without a pair of examples, whose stiffness within is not defined: 1, 3"),
        m.stiffness.notes().subList(0, 1));
    Stiffness lone =
        within(network, RandomNetworks.inputs(3, 1, 20), new int[] {2}, FEW_RESAMPLES).stiffness;
    assertNull(lone.cosine().within());
    assertNull(lone.cosine().between());
    assertEquals(List.of(), lone.distance().bins());
    assertTrue(
        lone.notes()
            .contains(
                "no critical length: the line through mean cosine against distance needs pairs of two distances"),
        lone.notes().toString());
  }

  @Test
  void examplesWithoutAGradientAreCountedAndInNoPair() {
    Network network = RandomNetworks.network(4, Activation.RELU, false, 20, 15, 3);
    int n = 40;
    float[] inputs = RandomNetworks.inputs(4, n, 20);
    int[] classes = classes(n, 3);
    // Images of one value, which are normalised to zeros.
    Arrays.fill(inputs, 3 * 20, 5 * 20, 0);
    Stiffness with = within(network, inputs, classes, FEW_RESAMPLES).stiffness;
    assertArrayEquals(new int[] {2, 2}, with.zeroGradients());
    assertArrayEquals(new int[] {2, 2}, with.perLayer().get(0).zeroGradients());
    assertEquals(
        "examples whose gradient is zero have no angle and are left out: 2 of 40",
        with.notes().get(0));
    int[] kept = IntStream.range(0, n).filter(i -> i < 3 || i > 4).toArray();
    float[] others = new float[kept.length * 20];
    for (int k = 0; k < kept.length; k++) {
      System.arraycopy(inputs, kept[k] * 20, others, k * 20, 20);
    }
    Stiffness without =
        within(network, others, IntStream.of(kept).map(i -> classes[i]).toArray(), FEW_RESAMPLES)
            .stiffness;
    assertEquals(without.cosine().within(), with.cosine().within(), 1e-6);
    assertEquals(without.sign().between(), with.sign().between(), 1e-6);
    assertArrayEquals(without.pairs(), with.pairs());
  }

  @Test
  void equalExamplesAreAPairAtDistanceZero() {
    Network network = RandomNetworks.network(5, Activation.RELU, true, 20, 15, 3);
    float[] inputs = RandomNetworks.inputs(5, 4, 20);
    System.arraycopy(inputs, 0, inputs, 2 * 20, 20);
    int[] classes = {1, 1, 1, 2};
    Stiffness stiffness = within(network, inputs, classes, FEW_RESAMPLES).stiffness;
    assertEquals(3, stiffness.pairs()[1][1]);
    DistanceStiffness.Bin nearest = stiffness.distance().bins().get(0);
    assertEquals(0, nearest.from());
    assertEquals(0, nearest.distance(), 1e-6);
    assertEquals(1, nearest.cosine(), 1e-6);
    assertEquals(1, nearest.sign());
    assertEquals(1, nearest.pairs());
  }

  @Test
  void binsHoldThePairsOfEachClassByTheDistanceOfTheirInputs() {
    Network network = RandomNetworks.network(6, Activation.HARD_SIGMOID, true, 12, 15, 3);
    int n = 80;
    float[] inputs = RandomNetworks.inputs(6, n, 12);
    // It has a gradient, by the biases, but no distance from others.
    Arrays.fill(inputs, 7 * 12, 8 * 12, 0);
    int[] classes = classes(n, 3);
    StiffnessSettings settings = new StiffnessSettings(false, true, 0.25, 5, 0);
    Measured m = within(network, inputs, classes, settings);
    assertEquals(0, m.stiffness.zeroGradients()[0]);
    double[] cosines = new double[8];
    double[] signs = new double[8];
    double[] distances = new double[8];
    int[] pairs = new int[8];
    for (int i = 0; i < n; i++) {
      for (int j = i + 1; j < n; j++) {
        if (classes[i] == classes[j] && i != 7 && j != 7) {
          double[] x = RandomNetworks.row(inputs, i, 12);
          double[] y = RandomNetworks.row(inputs, j, 12);
          double distance = 1 - dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
          int bin = (int) (distance / 0.25);
          cosines[bin] += m.cosines[i][j];
          signs[bin] += Math.signum(m.cosines[i][j]);
          distances[bin] += distance;
          pairs[bin]++;
        }
      }
    }
    List<DistanceStiffness.Bin> bins = m.stiffness.distance().bins();
    assertEquals(IntStream.of(pairs).filter(p -> p > 0).count(), bins.size());
    for (DistanceStiffness.Bin bin : bins) {
      int b = (int) Math.round(bin.from() / 0.25);
      assertEquals(0.25 * (b + 1), bin.to());
      assertEquals(pairs[b], bin.pairs());
      assertEquals(distances[b] / pairs[b], bin.distance(), 1e-6);
      assertEquals(cosines[b] / pairs[b], bin.cosine(), 1e-9);
      assertEquals(signs[b] / pairs[b], bin.sign(), 1e-9);
    }
  }

  private static double dot(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(k -> a[k] * b[k]).sum();
  }

  /** Pairs of one class whose stiffness falls on a line, but for noise of pairs and examples. */
  private static DistanceStiffness madeUp(
      int n, double length, double noise, long seed, int resamples) {
    int[] classes = new int[n];
    DistancePairs pairs = new DistancePairs(1, classes, classes, true, 0.05);
    UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BENCHMARK, 3, 0);
    double[] own = random.doubles(n).map(v -> noise * (v - 0.5)).toArray();
    float[] stiffness = new float[n * n];
    float[] inputCosines = new float[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        double distance = 0.02 + 0.96 * random.nextDouble();
        double fallen = 0.8 * (1 - distance / length);
        inputCosines[i * n + j] = (float) (1 - distance);
        stiffness[i * n + j] =
            (float) (fallen + own[i] + own[j] + noise * (random.nextDouble() - 0.5));
      }
    }
    pairs.add(
        new ExamplePairs.Panel(0, 0, n, n, new float[][] {stiffness, inputCosines}),
        stiffness,
        inputCosines);
    return pairs.stiffness(resamples, 0);
  }

  @Test
  void theCriticalLengthIsWhereTheFittedLineCrossesZero() {
    CriticalLength exact = madeUp(50, 0.6, 0, 1, 10).cosine();
    assertEquals(0.6, exact.value(), 1e-6);
    assertEquals(0.8, exact.intercept(), 1e-6);
    assertEquals(-0.8 / 0.6, exact.slope(), 1e-5);
    assertEquals(0.6, exact.low(), 1e-5);
    assertEquals(0.6, exact.high(), 1e-5);
    // By the sign, which is 1 up to there and −1 beyond, it is somewhere near.
    assertEquals(0.6, madeUp(50, 0.6, 0, 1, 10).sign().value(), 0.1);
    // A line may be followed beyond the last pair.
    assertEquals(1.5, madeUp(50, 1.5, 0, 1, 10).cosine().value(), 1e-5);
  }

  @Test
  void intervalsHoldTheTrueLengthAboutAsOftenAsTheySay() {
    int held = 0;
    int trials = 40;
    for (int trial = 0; trial < trials; trial++) {
      CriticalLength found = madeUp(60, 0.5, 0.5, 100 + trial, 100).cosine();
      assertNotNull(found.low());
      assertTrue(found.low() < found.value() && found.value() < found.high());
      held += found.low() <= 0.5 && 0.5 <= found.high() ? 1 : 0;
    }
    // Of 95%, 40 trials hold fewer than 33 less than once in 10,000 times.
    assertTrue(held >= 33, held + " of " + trials);
  }

  @Test
  void linesThatDoNotFallThroughZeroHaveNoCriticalLength() {
    CriticalLength rising = madeUp(30, -1, 0, 2, 10).cosine();
    assertNull(rising.value());
    assertNull(rising.low());
    assertTrue(rising.slope() > 0);
    // Fallen from the start: a line of slope −0.8 from −0.1 on.
    CriticalLength.Line line = new CriticalLength.Line(-0.8, -0.1);
    assertNull(CriticalLength.of(line, new CriticalLength.Line[] {line}).value());
    // Resamples that never cross leave the interval open.
    CriticalLength.Line falling = new CriticalLength.Line(-1, 0.5);
    CriticalLength.Line level = new CriticalLength.Line(0, 0.5);
    CriticalLength open =
        CriticalLength.of(falling, new CriticalLength.Line[] {falling, level, falling, null});
    assertEquals(0.5, open.value());
    assertEquals(0.5, open.low());
    assertNull(open.high());
    assertNull(CriticalLength.of(null, new CriticalLength.Line[1]).value());
  }

  @Test
  void resamplesAreTheSameEveryTime() {
    CriticalLength one = madeUp(40, 0.5, 0.3, 3, 50).cosine();
    assertEquals(one, madeUp(40, 0.5, 0.3, 3, 50).cosine());
  }

  @Test
  void classesOfOneGroupAreComparedWithEachOther() {
    Double[][] matrix = {{9.0, 1.0, 2.0}, {1.0, 9.0, 4.0}, {2.0, null, 9.0}};
    ClassStiffness stiffness = new ClassStiffness(9.0, 2.0, matrix);
    assertEquals(1.0, stiffness.betweenWithinGroups(new int[] {5, 5, 6}));
    assertEquals(4.0, stiffness.betweenWithinGroups(new int[] {5, 6, 6}));
    assertNull(stiffness.betweenWithinGroups(new int[] {1, 2, 3}));
    assertThrows(
        IllegalArgumentException.class, () -> stiffness.betweenWithinGroups(new int[] {1}));
  }

  @Test
  void divergedNetworksAreRefusedAndLeaveNothingBehind() {
    Network network = RandomNetworks.network(7, Activation.RELU, false, 20, 15, 3);
    network.weights()[1][0] = Float.NaN;
    String message =
        assertThrows(
                RequestException.class,
                () -> within(network, RandomNetworks.inputs(7, 5, 20), new int[5], FEW_RESAMPLES))
            .getMessage();
    assertTrue(message.contains("diverged"), message);
    assertEquals(0, DEVICE.liveBytes());
  }
}
