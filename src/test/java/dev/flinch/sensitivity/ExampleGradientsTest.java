package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
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
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ExampleGradientsTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static <T> T at(
      Device device,
      List<Network> networks,
      int replica,
      float[] inputs,
      int[] classes,
      Function<ExampleGradients, T> measure) {
    int n = classes.length;
    int d = networks.get(0).architecture().inputs();
    try (Scope scope = new Scope(device);
        NetworkStack stack = new NetworkStack(device, networks)) {
      Matrix x = Matrix.of(scope.floats((long) n * d), 0, n, d);
      device.upload(inputs, 0, x.data(), 0, n * d);
      try (ExampleGradients gradients = ExampleGradients.of(stack, replica, x, classes)) {
        return measure.apply(gradients);
      }
    }
  }

  private static <T> T at(
      Network network, float[] inputs, int[] classes, Function<ExampleGradients, T> measure) {
    return at(DEVICE, List.of(network), 0, inputs, classes, measure);
  }

  private static float[][] cosines(Network network, float[] inputs, int[] classes) {
    return at(network, inputs, classes, g -> g.cosines(g, Progress.NONE));
  }

  private static int[] classes(int n, int classes) {
    return IntStream.range(0, n).map(i -> (i * 7 + i / 5) % classes).toArray();
  }

  /** The explicit gradient of each example, {@code [example][layer][weights and biases]}. */
  private static double[][][] explicit(Network network, float[] inputs, int[] classes) {
    Reference reference = Reference.of(network);
    int d = network.architecture().inputs();
    return IntStream.range(0, classes.length)
        .mapToObj(
            i -> {
              Reference.Gradient g =
                  reference.gradient(
                      List.of(RandomNetworks.row(inputs, i, d)), new int[] {classes[i]});
              return IntStream.range(0, g.weights().length)
                  .mapToObj(
                      l -> {
                        double[] weights =
                            Arrays.stream(g.weights()[l]).flatMapToDouble(Arrays::stream).toArray();
                        double[] biases =
                            network.architecture().biases() ? g.biases()[l] : new double[0];
                        return IntStream.range(0, weights.length + biases.length)
                            .mapToDouble(
                                k -> k < weights.length ? weights[k] : biases[k - weights.length])
                            .toArray();
                      })
                  .toArray(double[][]::new);
            })
        .toArray(double[][][]::new);
  }

  /** The same without a division into layers. */
  private static double[][] whole(double[][][] explicit) {
    return Arrays.stream(explicit)
        .map(layers -> Arrays.stream(layers).flatMapToDouble(Arrays::stream).toArray())
        .toArray(double[][]::new);
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
    }
    return sum;
  }

  /**
   * Norms are held to ten times the tolerance of cosines: a pre-activation that is nearly zero has
   * few correct digits in float32, and a gradient may have little beside it.
   */
  private static void assertAgrees(
      double[][] expected, float[][] cosines, double[] norms, double tolerance) {
    double[][] unit = new double[expected.length][];
    for (int i = 0; i < expected.length; i++) {
      double norm = Math.sqrt(dot(expected[i], expected[i]));
      assertEquals(norm, norms[i], 10 * tolerance * norm, "norm of " + i);
      unit[i] = Arrays.stream(expected[i]).map(v -> norm == 0 ? 0 : v / norm).toArray();
    }
    for (int i = 0; i < expected.length; i++) {
      for (int j = 0; j < expected.length; j++) {
        double cosine = dot(unit[i], unit[j]);
        assertEquals(cosine, cosines[i][j], tolerance, "cosine of " + i + " and " + j);
        if (Math.abs(cosine) > 1e-4) {
          assertEquals(Math.signum(cosine), Math.signum(cosines[i][j]));
        }
      }
    }
  }

  /** Compares all gradients with explicit ones; returns their norms. */
  private static double[] assertAgreesWithExplicit(
      Network network, float[] inputs, int[] classes, double tolerance) {
    double[] norms = at(network, inputs, classes, ExampleGradients::norms);
    assertAgrees(
        whole(explicit(network, inputs, classes)),
        cosines(network, inputs, classes),
        norms,
        tolerance);
    return norms;
  }

  /** Compares whole gradients, and those of each layer, with explicit ones. */
  private static void assertAllPartsAgree(Network network, int n, long seed) {
    float[] inputs = RandomNetworks.inputs(seed, n, network.architecture().inputs());
    int[] classes = classes(n, network.architecture().classes());
    double[][][] explicit = explicit(network, inputs, classes);
    at(
        network,
        inputs,
        classes,
        g -> {
          assertAgrees(whole(explicit), g.cosines(g, Progress.NONE), g.norms(), 1e-5);
          for (int l = 0; l < g.layers(); l++) {
            int layer = l;
            assertAgrees(
                Arrays.stream(explicit).map(e -> e[layer]).toArray(double[][]::new),
                g.cosines(layer, g, Progress.NONE),
                g.norms(layer),
                1e-5);
          }
          return null;
        });
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void cosinesAndNormsAreThoseOfExplicitGradientsInDoublePrecision(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units : RandomNetworks.SHAPES) {
        RandomNetworks.forSeeds(
            3,
            seed ->
                assertAllPartsAgree(
                    RandomNetworks.network(seed, activation, biases, units), 37, seed));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void convolutionalNetworksAgreeInWhicheverFormTheirLayersAreKept(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Architecture architecture : RandomNetworks.convolutional(activation, biases)) {
        assertAllPartsAgree(RandomNetworks.network(9, architecture), 19, 9);
      }
    }
  }

  @Test
  void theNetworkOfThePaperAgreesToo() {
    Network network = RandomNetworks.network(1, Activation.RELU, true, 784, 500, 300, 100, 10);
    int n = 20;
    float[] inputs = RandomNetworks.inputs(1, n, 784);
    int[] classes = classes(n, 10);
    assertAgreesWithExplicit(network, inputs, classes, 1e-5);
  }

  @Test
  void aStepOnOneExampleMovesTheLossOfAnotherByTheProductOfTheirGradients() {
    Network network = RandomNetworks.network(2, Activation.TANH, true, 6, 5, 4, 3);
    int n = 5;
    float[] inputs = RandomNetworks.inputs(2, n, 6);
    int[] classes = classes(n, 3);
    Reference reference = Reference.of(network);
    float[][] cosines = cosines(network, inputs, classes);
    double[] norms = at(network, inputs, classes, ExampleGradients::norms);
    double step = 1e-4;
    for (int j = 0; j < n; j++) {
      Reference.Gradient g =
          reference.gradient(List.of(RandomNetworks.row(inputs, j, 6)), new int[] {classes[j]});
      Reference forth = stepped(reference, g, step);
      Reference back = stepped(reference, g, -step);
      for (int i = 0; i < n; i++) {
        double[] x = RandomNetworks.row(inputs, i, 6);
        double change =
            Reference.crossEntropy(forth.logits(x), classes[i])
                - Reference.crossEntropy(back.logits(x), classes[i]);
        // −∇lᵢ · gⱼ; the term of third order is some 10⁻⁸ of it.
        assertEquals(
            -change / (2 * step),
            cosines[i][j] * norms[i] * norms[j],
            1e-5 * norms[i] * norms[j],
            i + ", " + j);
      }
    }
  }

  private static Reference stepped(Reference from, Reference.Gradient g, double step) {
    double[][][] weights = new double[g.weights().length][][];
    double[][] biases = new double[weights.length][];
    for (int l = 0; l < weights.length; l++) {
      int layer = l;
      weights[l] =
          IntStream.range(0, g.weights()[l].length)
              .mapToObj(i -> minus(from.weights()[layer][i], g.weights()[layer][i], step))
              .toArray(double[][]::new);
      biases[l] = minus(from.biases()[l], g.biases()[l], step);
    }
    return new Reference(from.activation(), weights, biases);
  }

  private static double[] minus(double[] values, double[] gradient, double step) {
    return IntStream.range(0, values.length)
        .mapToDouble(k -> values[k] - step * gradient[k])
        .toArray();
  }

  @Test
  void gradientsTooSmallForFloat32KeepTheirDirections() {
    Network network = RandomNetworks.saturated(5, 20, 30, 6);
    int n = 50;
    float[] inputs = RandomNetworks.inputs(5, n, 20);
    Reference reference = Reference.of(network);
    // What the network is sure of, where gradients vanish.
    int[] classes =
        IntStream.range(0, n)
            .map(
                i -> {
                  double[] logits = reference.logits(RandomNetworks.row(inputs, i, 20));
                  return IntStream.range(0, 6)
                      .reduce(0, (best, c) -> logits[c] > logits[best] ? c : best);
                })
            .toArray();
    // A logit of 200 is known to 2 ⋅ 10⁻⁵, and its exponential to as much of itself.
    double[] norms = assertAgreesWithExplicit(network, inputs, classes, 1e-4);
    double smallest = Arrays.stream(norms).min().orElseThrow();
    assertTrue(smallest > 0 && smallest < 1e-30, "the test saturates: " + smallest);
  }

  @Test
  void deepNetworksOfSmallWeightsKeepTheirDirections() {
    Integer[] units = new Integer[25];
    Arrays.fill(units, 12);
    Network plain = RandomNetworks.network(6, Activation.RELU, false, units);
    Network network = RandomNetworks.scaled(plain, layer -> 0.05);
    int n = 20;
    float[] inputs = RandomNetworks.inputs(6, n, 12);
    int[] classes = classes(n, 12);
    double[] norms = assertAgreesWithExplicit(network, inputs, classes, 1e-5);
    assertTrue(norms[0] < 1e-20, "too large: " + norms[0]);
  }

  @Test
  void cosinesAreSymmetricAndOneWithThemselves() {
    Network network = RandomNetworks.network(7, Activation.HARD_TANH, true, 30, 20, 10, 5);
    int n = 300;
    float[][] cosines = cosines(network, RandomNetworks.inputs(7, n, 30), classes(n, 5));
    for (int i = 0; i < n; i++) {
      assertEquals(1, cosines[i][i], 1e-6);
      for (int j = 0; j < n; j++) {
        assertEquals(cosines[j][i], cosines[i][j]);
        assertTrue(Math.abs(cosines[i][j]) <= 1 + 1e-6);
      }
    }
  }

  @Test
  void layersSumToTheWhole() {
    Network network = RandomNetworks.network(8, Activation.RELU6, true, 30, 20, 10, 5);
    int n = 50;
    at(
        network,
        RandomNetworks.inputs(8, n, 30),
        classes(n, 5),
        g -> {
          float[][] whole = g.cosines(g, Progress.NONE);
          double[][] sums = new double[n][n];
          for (int l = 0; l < g.layers(); l++) {
            float[][] ofLayer = g.cosines(l, g, Progress.NONE);
            for (int i = 0; i < n; i++) {
              for (int j = 0; j < n; j++) {
                sums[i][j] += ofLayer[i][j] * g.norms(l)[i] * g.norms(l)[j];
              }
            }
          }
          for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
              assertEquals(sums[i][j] / g.norms()[i] / g.norms()[j], whole[i][j], 1e-6);
            }
          }
          return null;
        });
  }

  @Test
  void theOrderOfExamplesIsOfNoConsequence() {
    Network network = RandomNetworks.network(9, Activation.RELU, false, 30, 20, 5);
    int n = 200;
    float[] inputs = RandomNetworks.inputs(9, n, 30);
    int[] classes = classes(n, 5);
    float[] moved = new float[inputs.length];
    int[] movedClasses = new int[n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(inputs, i * 30, moved, i * 77 % n * 30, 30);
      movedClasses[i * 77 % n] = classes[i];
    }
    float[][] before = cosines(network, inputs, classes);
    float[][] after = cosines(network, moved, movedClasses);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        assertEquals(before[i][j], after[i * 77 % n][j * 77 % n], 1e-6);
      }
    }
  }

  @Test
  void equalExamplesHaveACosineOfOne() {
    Network network = RandomNetworks.network(10, Activation.RELU, true, 30, 20, 5);
    float[] inputs = RandomNetworks.inputs(10, 3, 30);
    System.arraycopy(inputs, 0, inputs, 60, 30);
    float[][] cosines = cosines(network, inputs, new int[] {1, 2, 1});
    assertEquals(1, cosines[0][2], 1e-6);
    assertEquals(cosines[0][1], cosines[2][1], 1e-6);
  }

  @Test
  void manyExamplesInPanelsAreWhatFewAreInOne() {
    Network network = RandomNetworks.network(11, Activation.RELU, true, 8, 6, 3);
    int n = 5000;
    float[] inputs = RandomNetworks.inputs(11, n, 8);
    int[] classes = classes(n, 3);
    float[][] many = cosines(network, inputs, classes);
    int[] some = IntStream.range(0, 50).map(k -> (k * 101 + k) % n).toArray();
    float[] someInputs = new float[some.length * 8];
    for (int k = 0; k < some.length; k++) {
      System.arraycopy(inputs, some[k] * 8, someInputs, k * 8, 8);
    }
    float[][] few = cosines(network, someInputs, IntStream.of(some).map(i -> classes[i]).toArray());
    for (int k = 0; k < some.length; k++) {
      for (int m = 0; m < some.length; m++) {
        assertEquals(few[k][m], many[some[k]][some[m]], 1e-6, some[k] + ", " + some[m]);
      }
    }
  }

  @Test
  void twoSetsAreAPartOfTheirUnion() {
    Network network = RandomNetworks.network(12, Activation.TANH, true, 30, 20, 5);
    int n = 150;
    float[] inputs = RandomNetworks.inputs(12, n, 30);
    int[] classes = classes(n, 5);
    float[][] union = cosines(network, inputs, classes);
    float[][] between =
        at(
            network,
            Arrays.copyOf(inputs, 40 * 30),
            Arrays.copyOf(classes, 40),
            first ->
                at(
                    network,
                    Arrays.copyOfRange(inputs, 40 * 30, n * 30),
                    Arrays.copyOfRange(classes, 40, n),
                    second -> first.cosines(second, Progress.NONE)));
    for (int i = 0; i < 40; i++) {
      for (int j = 40; j < n; j++) {
        assertEquals(union[i][j], between[i][j - 40], 1e-6);
      }
    }
  }

  @Test
  void aStackGivesEachNetworkWhatItGetsAloneOnAnyNumberOfLanes() {
    List<Network> networks =
        IntStream.range(0, 3)
            .mapToObj(s -> RandomNetworks.network(s, Activation.HARD_TANH, true, 12, 9, 8, 4))
            .toList();
    int n = 333;
    float[] inputs = RandomNetworks.inputs(9, n, 12);
    int[] classes = classes(n, 4);
    try (CpuDevice one = new CpuDevice(1)) {
      for (int r = 0; r < 3; r++) {
        float[][] alone = cosines(networks.get(r), inputs, classes);
        for (Device device : List.of(DEVICE, one)) {
          float[][] inStack =
              at(device, networks, r, inputs, classes, g -> g.cosines(g, Progress.NONE));
          for (int i = 0; i < n; i++) {
            assertArrayEquals(alone[i], inStack[i]);
          }
        }
      }
    }
  }

  @Test
  void gradientsThatAreZeroHaveANormAndCosinesOfZero() {
    // Without biases an image of one value, which is normalised to zeros, moves no weight.
    Network network = RandomNetworks.network(13, Activation.RELU, false, 30, 20, 5);
    float[] inputs = RandomNetworks.inputs(13, 4, 30);
    Arrays.fill(inputs, 30, 60, 0);
    int[] classes = {0, 1, 2, 3};
    float[][] cosines = cosines(network, inputs, classes);
    double[] norms = at(network, inputs, classes, ExampleGradients::norms);
    assertEquals(0, norms[1]);
    assertTrue(norms[0] > 0);
    assertArrayEquals(new float[4], cosines[1]);
    for (int i = 0; i < 4; i++) {
      assertEquals(0, cosines[i][1]);
    }
    // Of one class there is nothing to learn.
    Network single = RandomNetworks.network(13, Activation.RELU, true, 30, 20, 1);
    assertArrayEquals(new double[4], at(single, inputs, new int[4], ExampleGradients::norms), 0.0);
  }

  @Test
  void networksWhoseOutputsAreNotFiniteAreRefused() {
    Network network = RandomNetworks.network(14, Activation.RELU, false, 30, 20, 5);
    float[] inputs = RandomNetworks.inputs(14, 4, 30);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      float[][] weights = {network.weights()[0], network.weights()[1].clone()};
      weights[1][7] = bad;
      Network broken = new Network(network.architecture(), weights, null);
      String message =
          assertThrows(
                  RequestException.class,
                  () -> at(broken, inputs, new int[4], ExampleGradients::norms))
              .getMessage();
      assertTrue(message.contains("2×20 ReLU: expected finite outputs"), message);
      assertTrue(message.contains("example 0"), message);
    }
    assertEquals(0, DEVICE.liveBytes());
  }

  @Test
  void classesThatTheNetworkDoesNotTellApartAreRefused() {
    Network network = RandomNetworks.network(15, Activation.RELU, false, 30, 20, 5);
    String message =
        assertThrows(
                RequestException.class,
                () ->
                    at(
                        network,
                        RandomNetworks.inputs(15, 2, 30),
                        new int[] {4, 5},
                        ExampleGradients::norms))
            .getMessage();
    assertEquals(
        "gradients at example 1: expected one of the network's 5 classes, found class 5", message);
  }
}
