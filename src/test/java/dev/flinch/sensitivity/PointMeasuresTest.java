package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PointMeasuresTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static PointMeasures[] measure(
      Device device, List<Network> networks, float[] inputs, int[] labels) {
    int d = networks.get(0).architecture().inputs();
    try (Scope scope = new Scope(device);
        NetworkStack stack = new NetworkStack(device, networks)) {
      Matrix x = Matrix.of(scope.floats(inputs.length), 0, labels.length, d);
      device.upload(inputs, 0, x.data(), 0, inputs.length);
      return PointMeasures.at(stack, x, labels, Progress.NONE);
    }
  }

  private static int[] labels(int n, int classes) {
    return IntStream.range(0, n).map(i -> (i * 7 + i / 3) % classes).toArray();
  }

  private static void assertClose(double expected, double found, String what) {
    // What deep float32 products of these sizes leave; relative, since losses and norms span
    // orders.
    assertEquals(expected, found, 2e-4 * Math.abs(expected), what);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void pointsOfConvolutionalNetworksAreThoseOfTheDefinitions(Activation activation) {
    for (Architecture architecture : RandomNetworks.convolutional(activation, true)) {
      Network network = RandomNetworks.network(3, architecture);
      float[] inputs = RandomNetworks.inputs(3, 17, architecture.inputs());
      int[] labels = labels(17, architecture.classes());
      assertThoseOf(network, inputs, measure(DEVICE, List.of(network), inputs, labels)[0]);
    }
  }

  /** Compares all columns with the definitions in double precision. */
  private static void assertThoseOf(Network network, float[] inputs, PointMeasures found) {
    Reference reference = Reference.of(network);
    int d = network.architecture().inputs();
    for (int i = 0; i < found.count(); i++) {
      double[] x = RandomNetworks.row(inputs, i, d);
      double[] logits = reference.logits(x);
      int label = found.labels()[i];
      double[][] j = reference.probabilityJacobian(x);
      double largest = Arrays.stream(logits).max().orElseThrow();
      String where = "point " + i;
      assertEquals(largest, logits[found.predictions()[i]], 1e-4 * Math.abs(largest), where);
      assertEquals(found.predictions()[i] != label, found.misclassified()[i], where);
      assertClose(Reference.crossEntropy(logits, label), found.crossEntropy()[i], where);
      assertClose(Reference.frobenius(j), found.jacobianNorm()[i], where);
      assertClose(Reference.frobenius(new double[][] {j[label]}), found.rowNorm()[i], where);
      double[] sigma = Reference.softmax(logits);
      int predicted = found.predictions()[i];
      double top = Arrays.stream(sigma).max().orElseThrow();
      double rest =
          IntStream.range(0, sigma.length)
              .filter(c -> c != predicted)
              .mapToDouble(c -> sigma[c])
              .sum();
      assertClose(top, found.maximumProbability()[i], where);
      assertClose(rest, found.uncertainty()[i], where);
      double mean =
          Arrays.stream(reference.logitJacobian(x))
              .mapToDouble(row -> Reference.frobenius(new double[][] {row}))
              .average()
              .orElseThrow();
      assertClose(mean, found.logitGradientNorm()[i], where);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void everyColumnIsThatOfTheReference(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {20, 9, 11, 10},
              new Integer[] {20, 33, 2},
              new Integer[] {5, 16, 16, 16, 3},
              new Integer[] {7, 4})) {
        int classes = units[units.length - 1];
        for (int n : new int[] {1, 2, 127}) {
          RandomNetworks.forSeeds(
              2,
              seed -> {
                Network network = RandomNetworks.network(seed, activation, biases, units);
                float[] inputs = RandomNetworks.inputs(seed, n, units[0]);
                assertThoseOf(
                    network,
                    inputs,
                    measure(DEVICE, List.of(network), inputs, labels(n, classes))[0]);
              });
        }
      }
    }
  }

  @Test
  void normsAreThoseOfFiniteDifferences() {
    Network network = RandomNetworks.network(4, Activation.TANH, true, 6, 12, 9, 4);
    float[] inputs = RandomNetworks.inputs(4, 20, 6);
    int[] labels = labels(20, 4);
    PointMeasures found = measure(DEVICE, List.of(network), inputs, labels)[0];
    Reference reference = Reference.of(network);
    double h = 1e-5;
    for (int i = 0; i < 20; i++) {
      double[][] logits = new double[4][6];
      double[][] probabilities = new double[4][6];
      for (int k = 0; k < 6; k++) {
        double[] low = RandomNetworks.row(inputs, i, 6);
        double[] high = low.clone();
        low[k] -= h;
        high[k] += h;
        double[] below = reference.logits(low);
        double[] above = reference.logits(high);
        for (int c = 0; c < 4; c++) {
          logits[c][k] = (above[c] - below[c]) / (2 * h);
          probabilities[c][k] =
              (Reference.softmax(above)[c] - Reference.softmax(below)[c]) / (2 * h);
        }
      }
      assertClose(Reference.frobenius(probabilities), found.jacobianNorm()[i], "J");
      double[][] row = {probabilities[labels[i]]};
      assertClose(Reference.frobenius(row), found.rowNorm()[i], "J_y");
      double sum = 0;
      for (double[] gradient : logits) {
        sum += Reference.frobenius(new double[][] {gradient});
      }
      assertClose(sum / 4, found.logitGradientNorm()[i], "M");
    }
  }

  @Test
  void severalTilesAndReplicasChangeNothing() {
    List<Network> networks =
        IntStream.range(0, 3)
            .mapToObj(s -> RandomNetworks.network(s, Activation.RELU6, true, 12, 9, 8, 100))
            .toList();
    int n = 1003;
    float[] inputs = RandomNetworks.inputs(9, n, 12);
    int[] labels = labels(n, 100);
    PointMeasures[] together = measure(DEVICE, networks, inputs, labels);
    for (int r = 0; r < 3; r++) {
      PointMeasures alone = measure(DEVICE, List.of(networks.get(r)), inputs, labels)[0];
      assertArrayEquals(alone.jacobianNorm(), together[r].jacobianNorm());
      assertArrayEquals(alone.crossEntropy(), together[r].crossEntropy());
      assertArrayEquals(alone.predictions(), together[r].predictions());
      assertArrayEquals(alone.logitGradientNorm(), together[r].logitGradientNorm());
    }
    assertThoseOf(networks.get(1), inputs, together[1]);
  }

  @Test
  void relativeAccuracyIsKeptWhereProbabilitiesSaturate() {
    Network network = RandomNetworks.saturated(5, 10, 30, 6);
    int n = 300;
    float[] inputs = RandomNetworks.inputs(5, n, 10);
    PointMeasures found = measure(DEVICE, List.of(network), inputs, labels(n, 6))[0];
    assertThoseOf(network, inputs, found);
    double smallest = Arrays.stream(found.jacobianNorm()).min().orElseThrow();
    assertTrue(smallest < 1e-20, "the test saturates: " + smallest);
  }

  @Test
  void certaintyBeyondDoublePrecisionIsZeroAndItsBoundsHold() {
    Network network = linear(new double[][] {{4000, 0}, {-4000, 0}});
    PointMeasures found =
        measure(DEVICE, List.of(network), new float[] {1, 0, 1, 0}, new int[] {0, 1})[0];
    assertEquals(0, found.crossEntropy()[0]);
    assertEquals(8000, found.crossEntropy()[1]);
    assertArrayEquals(new double[2], found.jacobianNorm());
    assertArrayEquals(new double[2], found.uncertainty());
    assertArrayEquals(new boolean[] {false, true}, found.misclassified());
    BoundComparison bounds = BoundComparison.of(found, 2);
    assertEquals(1, bounds.lowerHolds());
    assertEquals(1, bounds.rowUpperHolds());
    assertEquals(1, bounds.belowMaximumEntropy());
  }

  private static Network linear(double[][] rows) {
    float[] weights = new float[rows.length * rows[0].length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) rows[i / rows[0].length][i % rows[0].length];
    }
    Architecture architecture =
        new Architecture(List.of(rows[0].length, rows.length), Activation.RELU, false);
    return new Network(architecture, new float[][] {weights}, null);
  }

  @Test
  void orthogonalGradientsOfEqualNormsKeepAllBounds() {
    double[][] rows = new double[5][5];
    IntStream.range(0, 5).forEach(i -> rows[i][i] = 2);
    int n = 500;
    PointMeasures found =
        measure(DEVICE, List.of(linear(rows)), RandomNetworks.inputs(2, n, 5), labels(n, 5))[0];
    BoundComparison bounds = BoundComparison.of(found, 5);
    assertEquals(1, bounds.lowerHolds());
    assertEquals(1, bounds.rowLowerHolds());
    assertEquals(1, bounds.rowUpperHolds());
    for (int i = 0; i < n; i++) {
      assertEquals(2, found.logitGradientNorm()[i], 1e-6);
    }
    // Equal logits but for the point's own: the row is at its lower bound.
    PointMeasures attained =
        measure(DEVICE, List.of(linear(rows)), new float[] {0.7f, 0, 0, 0, 0}, new int[] {0})[0];
    double bound = new JacobianBounds(5, 2).lower(attained.crossEntropy()[0]);
    assertEquals(bound, attained.rowNorm()[0], 1e-6 * bound);
  }

  @Test
  void equalGradientsBreakTheLowerBoundAndItIsSaid() {
    // Every logit moves alike, so probabilities don't move at all.
    double[][] rows = new double[4][3];
    Arrays.stream(rows).forEach(row -> row[1] = 1);
    PointMeasures found =
        measure(DEVICE, List.of(linear(rows)), RandomNetworks.inputs(2, 10, 3), labels(10, 4))[0];
    BoundComparison bounds = BoundComparison.of(found, 4);
    assertArrayEquals(new double[10], found.jacobianNorm());
    assertEquals(0, bounds.lowerHolds());
    assertEquals(0, bounds.rowLowerHolds());
    assertEquals(1, bounds.rowUpperHolds());
  }

  @Test
  void normsAreThoseThatMeasureFinds() {
    Network network = RandomNetworks.network(6, Activation.HARD_SIGMOID, true, 30, 20, 20, 10);
    float[] inputs = RandomNetworks.inputs(6, 200, 30);
    PointMeasures found = measure(DEVICE, List.of(network), inputs, labels(200, 10))[0];
    try (Scope scope = new Scope(DEVICE);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      Matrix x = Matrix.of(scope.floats(inputs.length), 0, 200, 30);
      DEVICE.upload(inputs, 0, x.data(), 0, inputs.length);
      double[] norms =
          JacobianNorms.at(stack, x, Jacobian.PROBABILITIES, Progress.NONE)[0].points();
      for (int i = 0; i < 200; i++) {
        assertEquals(norms[i], found.jacobianNorm()[i], 1e-5 * norms[i]);
      }
    }
  }

  @Test
  void memoryDoesNotGrowWithThePoints() {
    Network network = RandomNetworks.network(1, Activation.RELU, false, 4, 8, 100);
    long[] most = new long[2];
    for (int k = 0; k < 2; k++) {
      int n = k == 0 ? 2_000 : 8_000;
      long[] peak = most;
      int which = k;
      try (Scope scope = new Scope(DEVICE);
          NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
        Matrix x = Matrix.of(scope.floats((long) n * 4), 0, n, 4);
        long before = DEVICE.liveBytes();
        PointMeasures.at(
            stack,
            x,
            new int[n],
            (task, done, total) ->
                peak[which] = Math.max(peak[which], DEVICE.liveBytes() - before));
      }
    }
    assertEquals(most[0], most[1]);
    // 16 MiB of Gram matrices a lane, and less of all else.
    assertTrue(most[0] < DEVICE.lanes() * (32L << 20), () -> most[0] + " bytes");
  }

  @Test
  void labelsArePointsInNumber() {
    Network network = RandomNetworks.network(1, Activation.RELU, false, 2, 3);
    try (Scope scope = new Scope(DEVICE);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      Matrix x = Matrix.of(scope.floats(4), 0, 2, 2);
      assertThrows(
          IllegalArgumentException.class,
          () -> PointMeasures.at(stack, x, new int[3], Progress.NONE));
    }
  }
}
