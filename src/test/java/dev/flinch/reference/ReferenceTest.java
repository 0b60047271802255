package dev.flinch.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.DoubleSupplier;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReferenceTest {
  private static final Integer[] UNITS = {5, 7, 6, 3};
  private static final double STEP = 1e-6;

  /**
   * A central difference errs by about STEP² times a third derivative (of order 1 here) and 1e−16 /
   * STEP of rounding: 1e−8 leaves room for both, far below the derivatives' size.
   */
  private static final double TOLERANCE = 1e-8;

  /** 2 inputs, 2 ReLU units, 2 classes: small enough to work out on paper. */
  private static final Reference PAPER =
      Reference.of(
          new Network(
              new Architecture(List.of(2, 2, 2), Activation.RELU, true),
              new float[][] {{1, 2, -1, 1}, {1, -1, 2, 3}},
              new float[][] {{1, -2}, {0.5f, -0.5f}}));

  private static double centralDifference(double[] of, int i, DoubleSupplier f) {
    double before = of[i];
    of[i] = before + STEP;
    double up = f.getAsDouble();
    of[i] = before - STEP;
    double down = f.getAsDouble();
    of[i] = before;
    return (up - down) / (2 * STEP);
  }

  /** Inputs that keep every hidden unit away from its knots, where differences mean nothing. */
  private static List<double[]> inputsAwayFromKnots(Reference reference, long seed, int count) {
    int d = reference.architecture().inputs();
    float[] candidates = RandomNetworks.inputs(seed, 20 * count, d);
    List<double[]> inputs =
        IntStream.range(0, 20 * count)
            .mapToObj(i -> RandomNetworks.row(candidates, i, d))
            .filter(
                x -> {
                  double[][] z = reference.preActivations(x);
                  return Arrays.stream(z, 0, z.length - 1)
                      .flatMapToDouble(Arrays::stream)
                      // A unit that sees nothing but units at rest is at 0 wherever they rest.
                      .filter(v -> v != 0)
                      .map(
                          v ->
                              Math.min(
                                  Math.abs(v - reference.activation().low()),
                                  Math.abs(v - reference.activation().high())))
                      .allMatch(distance -> distance > 1e-4);
                })
            .limit(count)
            .toList();
    assertEquals(count, inputs.size(), "inputs away from knots");
    return inputs;
  }

  private static void overNetworks(Activation activation, BiConsumer<Reference, Long> promise) {
    RandomNetworks.forSeeds(
        6,
        seed ->
            promise.accept(
                Reference.of(RandomNetworks.network(seed, activation, seed % 2 == 1, UNITS)),
                seed));
    for (boolean biases : new boolean[] {false, true}) {
      for (Architecture architecture : RandomNetworks.convolutional(activation, biases)) {
        RandomNetworks.forSeeds(
            2,
            seed -> promise.accept(Reference.of(RandomNetworks.network(seed, architecture)), seed));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void jacobiansAreTheDerivativesOfLogitsAndProbabilities(Activation activation) {
    overNetworks(
        activation,
        (reference, seed) -> {
          for (double[] x : inputsAwayFromKnots(reference, seed, 3)) {
            double[][] a = reference.logitJacobian(x);
            double[][] j = reference.probabilityJacobian(x);
            for (int i = 0; i < x.length; i++) {
              for (int c = 0; c < a.length; c++) {
                int label = c;
                assertEquals(
                    centralDifference(x, i, () -> reference.logits(x)[label]), a[c][i], TOLERANCE);
                assertEquals(
                    centralDifference(x, i, () -> Reference.softmax(reference.logits(x))[label]),
                    j[c][i],
                    TOLERANCE);
              }
            }
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void gradientIsTheDerivativeOfTheMeanCrossEntropy(Activation activation) {
    overNetworks(
        activation,
        (reference, seed) -> {
          List<double[]> batch = inputsAwayFromKnots(reference, seed, 4);
          int[] labels = {0, 2, 1, 2};
          DoubleSupplier loss =
              () ->
                  IntStream.range(0, labels.length)
                      .mapToDouble(
                          n -> Reference.crossEntropy(reference.logits(batch.get(n)), labels[n]))
                      .average()
                      .orElseThrow();
          Reference.Gradient gradient = reference.gradient(batch, labels);
          assertEquals(loss.getAsDouble(), gradient.loss(), 1e-14);
          for (int l = 0; l < reference.weights().length; l++) {
            // Of large layers some weights of each row.
            int step = 1 + reference.weights()[l].length * reference.weights()[l][0].length / 80;
            for (int i = 0; i < reference.weights()[l].length; i++) {
              if (reference.architecture().biases()) {
                assertEquals(
                    centralDifference(reference.biases()[l], i, loss),
                    gradient.biases()[l][i],
                    TOLERANCE);
              }
              for (int k = i % step; k < reference.weights()[l][i].length; k += step) {
                assertEquals(
                    centralDifference(reference.weights()[l][i], k, loss),
                    gradient.weights()[l][i][k],
                    TOLERANCE);
              }
            }
          }
        });
  }

  @Test
  void agreesWithANetworkWorkedOutOnPaper() {
    double[] x = {1, 3};
    assertArrayEquals(
        new double[][] {{1 + 6 + 1, -1 + 3 - 2}, {8 + 0.5, 16 - 0.5}}, PAPER.preActivations(x));
    // The second unit stands on its knot, where slope and code are those below it.
    assertArrayEquals(new int[][] {{1, 0}}, PAPER.pattern(x));
    assertArrayEquals(new double[][] {{1, 2}, {2, 4}}, PAPER.logitJacobian(x));
    // f = (8.5, 15.5): σ₁ σ₂ (A₁ − A₂) = −s (1, 2), with s = e⁻⁷ / (1 + e⁻⁷)².
    double s = Math.exp(-7) / Math.pow(1 + Math.exp(-7), 2);
    double[][] j = PAPER.probabilityJacobian(x);
    assertArrayEquals(new double[] {-s, -2 * s}, j[0], 1e-18);
    assertArrayEquals(new double[] {s, 2 * s}, j[1], 1e-18);
    assertEquals(s * Math.sqrt(10), Reference.frobenius(j), 1e-17);
    // δ₂ = (p, −p) for label 1 with p = σ₁; δ₁ = (p − 2p, 0).
    double p = 1 / (1 + Math.exp(7));
    Reference.Gradient g = PAPER.gradient(List.of(x), new int[] {1});
    assertEquals(Math.log1p(Math.exp(-7)), g.loss(), 1e-17);
    assertArrayEquals(new double[] {8 * p, 0}, g.weights()[1][0], 1e-16);
    assertArrayEquals(new double[] {-8 * p, 0}, g.weights()[1][1], 1e-16);
    assertArrayEquals(new double[] {-p, -3 * p}, g.weights()[0][0], 1e-16);
    assertArrayEquals(new double[] {0, 0}, g.weights()[0][1]);
    assertArrayEquals(new double[] {p, -p}, g.biases()[1], 1e-17);
    assertArrayEquals(new double[] {-p, 0}, g.biases()[0], 1e-17);
  }

  @Test
  void aLinearNetworkHasItsMatrixAsJacobianAndOneRegion() {
    Network network = RandomNetworks.network(3, Activation.RELU, true, 4, 3);
    Reference reference = Reference.of(network);
    double[] x = {1, 2, 3, 4};
    for (int c = 0; c < 3; c++) {
      assertArrayEquals(
          RandomNetworks.row(network.weights()[0], c, 4), reference.logitJacobian(x)[c]);
    }
    Reference.Transitions t = reference.transitions(List.of(x, new double[4]), 2);
    assertEquals(0, t.total());
    assertEquals(1, t.regions());
    assertEquals(0, t.perLayer().length);
  }

  @Test
  void saturatedProbabilitiesKeepTheirDigits() {
    // Logits 0 and z: σ₁ = e⁻ᶻ to 16 digits, where 1 − σ₂ in doubles would be 0 from z = 37 on.
    for (double z : new double[] {40, 300, 700}) {
      assertEquals(1, Reference.crossEntropy(new double[] {0, z}, 1) / Math.exp(-z), 1e-12);
      assertEquals(z, Reference.crossEntropy(new double[] {0, z}, 0), 1e-12 * z);
      Reference reference =
          new Reference(
              Activation.RELU, new double[][][] {{{1}, {3}}}, new double[][] {{-1, z - 3}});
      double[][] j = reference.probabilityJacobian(new double[] {1});
      assertEquals(-2, j[0][0] / Math.exp(-z), 1e-12);
      assertEquals(2, j[1][0] / Math.exp(-z), 1e-12);
    }
    assertEquals(2000, Reference.crossEntropy(new double[] {1000, -1000}, 1));
    assertArrayEquals(new double[] {1, 0}, Reference.softmax(new double[] {1000, -1000}));
    assertArrayEquals(
        new double[] {0.25, 0.75}, Reference.softmax(new double[] {800, 800 + Math.log(3)}), 1e-12);
  }

  @Test
  void transitionsAreThoseCountedOnPaper() {
    // One unit z = x, then one unit of the same value + 7: only the first changes its code.
    Reference reference =
        new Reference(
            Activation.RELU6,
            new double[][][] {{{1}}, {{1}}, {{1}}},
            new double[][] {{0}, {7}, {0}});
    List<double[]> points =
        DoubleStream.of(-1, -2, 3, 8, -1, 0, 9).mapToObj(x -> new double[] {x}).toList();
    // Codes 0 0 1 2 0 0 2, and from the last point back to the first.
    Reference.Transitions t = reference.transitions(points, 3);
    assertEquals(1 + 1 + 2 + 2 + 2, t.total());
    assertArrayEquals(new long[] {8, 0}, t.perLayer());
    // ⌊3i/7⌋ of the seven steps: 0 0 0 1 1 2 2.
    assertArrayEquals(new long[] {0 + 1 + 1, 2 + 0, 2 + 2}, t.perBin());
    assertEquals(5, t.regions());
  }

  @Test
  void patternsOfABiasFreeReluNetworkIgnoreScale() {
    RandomNetworks.forSeeds(
        20,
        seed -> {
          Reference reference =
              Reference.of(RandomNetworks.network(seed, Activation.RELU, false, UNITS));
          double[] x = RandomNetworks.row(RandomNetworks.inputs(seed, 1, 5), 0, 5);
          double[] scaled = Arrays.stream(x).map(v -> 3 * v).toArray();
          assertTrue(Arrays.deepEquals(reference.pattern(x), reference.pattern(scaled)));
        });
  }

  @Test
  void optimizersTakeTheStepsThatAConstantGradientGives() {
    int steps = 7;
    double rate = 0.25;
    double[] g = {0.5, -2, 1e-3};
    double[][] w = new double[4][g.length];
    double[] velocity = new double[g.length];
    double[] m = new double[g.length];
    double[] v = new double[g.length];
    double[] meanSquare = {1, 1, 1};
    for (int t = 1; t <= steps; t++) {
      ReferenceOptimizer.sgd(w[0], g, rate);
      ReferenceOptimizer.momentum(w[1], g, velocity, rate);
      ReferenceOptimizer.adam(w[2], g, m, v, t, rate);
      ReferenceOptimizer.rmsProp(w[3], g, meanSquare, rate);
    }
    // The slots' closed forms: geometric sums.
    List<ToDoubleFunction<int[]>> sizes =
        List.of(
            it -> 1,
            it -> (1 - Math.pow(0.9, it[1])) / 0.1,
            it -> {
              double root = Math.sqrt(1 - Math.pow(0.999, it[1]));
              return root / (root * Math.abs(g[it[0]]) + 1e-8);
            },
            it -> {
              double decayed = Math.pow(0.9, it[1]);
              return 1 / Math.sqrt(decayed + (1 - decayed) * g[it[0]] * g[it[0]] + 1e-10);
            });
    for (int optimizer = 0; optimizer < 4; optimizer++) {
      for (int i = 0; i < g.length; i++) {
        double expected = 0;
        for (int t = 1; t <= steps; t++) {
          expected -= rate * g[i] * sizes.get(optimizer).applyAsDouble(new int[] {i, t});
        }
        assertEquals(
            expected, w[optimizer][i], 1e-12 * Math.abs(expected), "optimizer " + optimizer);
      }
    }
  }
}
