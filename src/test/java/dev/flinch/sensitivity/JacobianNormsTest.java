package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.trajectory.Ellipse;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class JacobianNormsTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static JacobianNorms[] norms(
      List<Network> networks, float[] inputs, int n, Jacobian jacobian) {
    int d = networks.get(0).architecture().inputs();
    try (Scope scope = new Scope(DEVICE);
        NetworkStack stack = new NetworkStack(DEVICE, networks)) {
      Matrix x = Matrix.of(scope.floats((long) n * d), 0, n, d);
      DEVICE.upload(inputs, 0, x.data(), 0, n * d);
      return JacobianNorms.at(stack, x, jacobian, Progress.NONE);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void agreeWithDoublePrecisionAtEveryPoint(Activation activation) {
    int n = 101;
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units : RandomNetworks.SHAPES) {
        RandomNetworks.forSeeds(
            3,
            seed -> {
              Network network = RandomNetworks.network(seed, activation, biases, units);
              Reference reference = Reference.of(network);
              float[] inputs = RandomNetworks.inputs(seed, n, units[0]);
              JacobianNorms probabilities =
                  norms(List.of(network), inputs, n, Jacobian.PROBABILITIES)[0];
              JacobianNorms logits = norms(List.of(network), inputs, n, Jacobian.LOGITS)[0];
              double sum = 0;
              for (int i = 0; i < n; i++) {
                double[] x = RandomNetworks.row(inputs, i, units[0]);
                double expected = Reference.frobenius(reference.probabilityJacobian(x));
                sum += expected;
                assertClose(expected, probabilities.points()[i], i);
                assertClose(Reference.frobenius(reference.logitJacobian(x)), logits.points()[i], i);
              }
              assertEquals(sum / n, probabilities.mean(), 1e-5 * sum / n);
            });
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void convolutionalNetworksAgreeAtEveryPoint(Activation activation) {
    int n = 23;
    for (boolean biases : new boolean[] {false, true}) {
      for (Architecture architecture : RandomNetworks.convolutional(activation, biases)) {
        Network network = RandomNetworks.network(6, architecture);
        Reference reference = Reference.of(network);
        int d = architecture.inputs();
        float[] inputs = RandomNetworks.inputs(6, n, d);
        List<Network> two = List.of(RandomNetworks.network(7, architecture), network);
        JacobianNorms probabilities = norms(two, inputs, n, Jacobian.PROBABILITIES)[1];
        JacobianNorms logits = norms(two, inputs, n, Jacobian.LOGITS)[1];
        for (int i = 0; i < n; i++) {
          double[] x = RandomNetworks.row(inputs, i, d);
          assertClose(
              Reference.frobenius(reference.probabilityJacobian(x)), probabilities.points()[i], i);
          assertClose(Reference.frobenius(reference.logitJacobian(x)), logits.points()[i], i);
        }
      }
    }
  }

  private static void assertClose(double expected, double actual, int point) {
    assertEquals(expected, actual, 1e-4 * expected, "point " + point);
  }

  @Test
  void manyPointsOnAWideInputTakeTheCholeskyFactorAndAgree() {
    Network network = RandomNetworks.network(4, Activation.RELU, false, 300, 20, 20, 10);
    int n = 3000;
    float[] inputs = RandomNetworks.inputs(4, n, 300);
    assertTrue(
        JacobianNorms.flop(network.architecture(), Jacobian.PROBABILITIES, n)
            < n * JacobianPass.flop(network.architecture(), Jacobian.PROBABILITIES, 1));
    JacobianNorms many = norms(List.of(network), inputs, n, Jacobian.PROBABILITIES)[0];
    Reference reference = Reference.of(network);
    for (int i = 0; i < n; i += 97) {
      double[] x = RandomNetworks.row(inputs, i, 300);
      assertClose(Reference.frobenius(reference.probabilityJacobian(x)), many.points()[i], i);
    }
  }

  @Test
  void saturatedProbabilitiesKeepTheirRelativeAccuracy() {
    Network network = RandomNetworks.saturated(5, 20, 30, 6);
    float[] inputs = RandomNetworks.inputs(5, 50, 20);
    JacobianNorms norms = norms(List.of(network), inputs, 50, Jacobian.PROBABILITIES)[0];
    Reference reference = Reference.of(network);
    double smallest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < 50; i++) {
      double expected =
          Reference.frobenius(reference.probabilityJacobian(RandomNetworks.row(inputs, i, 20)));
      smallest = Math.min(smallest, expected);
      assertClose(expected, norms.points()[i], i);
    }
    assertTrue(smallest < 1e-20, "the test saturates: " + smallest);
  }

  @Test
  void aStackGivesEachNetworkWhatItGetsAlone() {
    List<Network> networks =
        IntStream.range(0, 3)
            .mapToObj(s -> RandomNetworks.network(s, Activation.HARD_TANH, true, 12, 9, 8, 4))
            .toList();
    float[] inputs = RandomNetworks.inputs(9, 70, 12);
    JacobianNorms[] together = norms(networks, inputs, 70, Jacobian.PROBABILITIES);
    for (int r = 0; r < 3; r++) {
      JacobianNorms alone = norms(List.of(networks.get(r)), inputs, 70, Jacobian.PROBABILITIES)[0];
      assertArrayEquals(alone.points(), together[r].points());
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void normsAlongATrajectoryAreTheMeansOfTheirPoints(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {10, 14, 13, 5}, new Integer[] {10, 33, 2}, new Integer[] {10, 4})) {
        for (int k : new int[] {1, 5, 1003, 20_000}) {
          RandomNetworks.forSeeds(
              2, seed -> assertMeansAlong(seed, activation, biases, units, k, Math.min(k, 7)));
        }
      }
    }
  }

  private static void assertMeansAlong(
      long seed, Activation activation, boolean biases, Integer[] units, int k, int bins) {
    Network network = RandomNetworks.network(seed, activation, biases, units);
    Ellipse ellipse = Ellipse.random(10, seed);
    TrajectoryNorms norms;
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      TrajectoryMeasures both = TrajectoryMeasures.along(stack, ellipse, k, bins, Progress.NONE)[0];
      norms = both.norms();
      Transitions alone = Transitions.along(stack, ellipse, k, bins, Progress.NONE)[0];
      assertArrayEquals(alone.perBin(), both.transitions().perBin());
      assertArrayEquals(alone.perLayer(), both.transitions().perLayer());
      assertEquals(alone.regions(), both.transitions().regions());
    }
    Reference reference = Reference.of(network);
    double[] sums = new double[bins];
    int[] counts = new int[bins];
    for (int i = 0; i < k; i++) {
      int bin = (int) ((long) i * bins / k);
      double[] x = ellipse.point(2 * Math.PI * i / k);
      sums[bin] += Reference.frobenius(reference.probabilityJacobian(x));
      counts[bin]++;
    }
    for (int bin = 0; bin < bins; bin++) {
      double expected = sums[bin] / counts[bin];
      assertEquals(expected, norms.perBin()[bin], 1e-4 * expected, "bin " + bin + " of " + k);
    }
    assertEquals(Arrays.stream(sums).sum() / k, norms.mean(), 1e-4 * norms.mean());
  }

  @Test
  void normsByRegionKeepTheirRelativeAccuracyWhereProbabilitiesSaturate() {
    Network network = RandomNetworks.saturated(5, 10, 30, 6);
    Ellipse ellipse = Ellipse.random(10, 5);
    int k = 2000;
    TrajectoryNorms norms;
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      norms = TrajectoryMeasures.along(stack, ellipse, k, k, Progress.NONE)[0].norms();
    }
    Reference reference = Reference.of(network);
    double smallest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < k; i++) {
      double[] x = ellipse.point(2 * Math.PI * i / k);
      double expected = Reference.frobenius(reference.probabilityJacobian(x));
      smallest = Math.min(smallest, expected);
      assertClose(expected, norms.perBin()[i], i);
    }
    assertTrue(smallest < 1e-20, "the test saturates: " + smallest);
  }

  @Test
  void theFactorOfASingularMatrixStillGivesItsNorms() {
    // Rank 2 of 4: rows 2 and 3 are combinations of rows 0 and 1.
    double[][] w = {{1, 2, 3}, {0, 1, -1}, {1, 3, 2}, {2, 5, 5}};
    double[] gram = new double[16];
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j < 4; j++) {
        for (int k = 0; k < 3; k++) {
          gram[4 * i + j] += w[i][k] * w[j][k];
        }
      }
    }
    double[] factor = gram.clone();
    CholeskyFactor.factor(factor, 4);
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j <= i; j++) {
        double product = 0;
        for (int k = 0; k <= j; k++) {
          product += factor[4 * i + k] * factor[4 * j + k];
        }
        assertEquals(gram[4 * i + j], product, 1e-12);
      }
    }
  }
}
