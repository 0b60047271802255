package dev.flinch.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.reference.Reference;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The benchmark's own arithmetic against that of all other tests. */
class PlainNetworkTest {
  private static final int INPUTS = 7;

  private static Network network(Activation activation) {
    return Network.initial(Architecture.uniform(INPUTS, 3, 11, 4, activation), 5, 2);
  }

  private static double[] point(int index) {
    return IntStream.range(0, INPUTS).mapToDouble(j -> Math.sin(1 + index + 2.5 * j)).toArray();
  }

  @ParameterizedTest
  @EnumSource
  void normsAndTransitionsAreThoseOfTheReference(Activation activation) {
    Reference reference = Reference.of(network(activation));
    PlainNetwork plain = new PlainNetwork(network(activation));
    long transitions = 0;
    for (int i = 0; i < 9; i++) {
      double expected = Reference.frobenius(reference.probabilityJacobian(point(i)));
      assertEquals(expected, plain.jacobianNorm(point(i)), 1e-12 * expected);
      transitions += plain.transitions(point(i), point((i + 1) % 9));
    }
    assertEquals(
        reference
            .transitions(IntStream.range(0, 9).mapToObj(PlainNetworkTest::point).toList(), 1)
            .total(),
        transitions);
  }

  @Test
  void aMomentumStepFollowsTheGradientAndThenItsMemory() {
    Network network = network(Activation.TANH);
    PlainNetwork plain = new PlainNetwork(network);
    double[][] batch = {point(1), point(2), point(3)};
    int[] labels = {0, 3, 1};
    Reference start = Reference.of(network);
    double[][][] first = start.gradient(List.of(batch), labels).weights();
    plain.momentumStep(batch, labels, 0.1);
    double[][][] moved = start.weights();
    for (int l = 0; l < moved.length; l++) {
      for (int i = 0; i < moved[l].length; i++) {
        for (int j = 0; j < moved[l][i].length; j++) {
          moved[l][i][j] -= 0.1 * first[l][i][j];
          assertEquals(moved[l][i][j], plain.weights(l)[i * moved[l][i].length + j], 1e-12);
        }
      }
    }
    double[][][] second =
        new Reference(Activation.TANH, moved, start.biases())
            .gradient(List.of(batch), labels)
            .weights();
    plain.momentumStep(batch, labels, 0.1);
    assertEquals(
        moved[2][1][4] - 0.1 * (0.9 * first[2][1][4] + second[2][1][4]),
        plain.weights(2)[11 + 4],
        1e-12);
  }

  @Test
  void anAnswerThatIsOffOrNoNumberIsRefused() {
    Job.require("answer", 100, 100.9, 0.01);
    assertThrows(WrongAnswerException.class, () -> Job.require("answer", 100, 101.1, 0.01));
    assertThrows(WrongAnswerException.class, () -> Job.require("answer", 100, Double.NaN, 0.01));
  }
}
