package dev.flinch.network;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.device.Activation;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkTest {
  private static double meanOfPowers(float[] values, int power) {
    return IntStream.range(0, values.length)
        .mapToDouble(i -> Math.pow(values[i], power))
        .average()
        .orElseThrow();
  }

  @ParameterizedTest
  @CsvSource({"RELU, 2, 1", "RELU6, 2, 0.5", "HARD_SIGMOID, 2, 3", "TANH, 1, 1", "HARD_TANH, 1, 2"})
  void initialWeightsAreNormalWithTheVarianceOfTheirActivation(
      Activation activation, double gain, double initScale) {
    Architecture architecture = new Architecture(List.of(50, 2000, 40), activation, false);
    Network network = Network.initial(architecture, 17, initScale);
    assertNull(network.biases());
    for (int l = 0; l < 2; l++) {
      double variance = initScale * initScale * gain / architecture.columns(l);
      float[] w = network.weights()[l];
      // Five standard errors of each moment of n normal numbers: 1, √2, √15 and √96 over √n.
      double fiveErrors = 5 / Math.sqrt(w.length);
      assertEquals(0, meanOfPowers(w, 1) / Math.sqrt(variance), fiveErrors);
      assertEquals(1, meanOfPowers(w, 2) / variance, Math.sqrt(2) * fiveErrors);
      assertEquals(0, meanOfPowers(w, 3) / Math.pow(variance, 1.5), Math.sqrt(15) * fiveErrors);
      assertEquals(3, meanOfPowers(w, 4) / Math.pow(variance, 2), Math.sqrt(96) * fiveErrors);
    }
  }

  @Test
  void initialBiasesAreZeroAndLeaveTheWeightsAsTheyAre() {
    Network with = Network.initial(new Architecture(List.of(3, 5, 2), Activation.RELU, true), 4, 1);
    Network without =
        Network.initial(new Architecture(List.of(3, 5, 2), Activation.RELU, false), 4, 1);
    assertArrayEquals(without.weights(), with.weights());
    assertArrayEquals(new float[][] {new float[5], new float[2]}, with.biases());
  }

  @Test
  void initialWeightsDependOnSeedAndLayerAlone() {
    Network network =
        Network.initial(new Architecture(List.of(33, 31, 7, 2), Activation.TANH, false), 9, 1);
    Network again =
        Network.initial(new Architecture(List.of(33, 31, 7, 2), Activation.TANH, false), 9, 1);
    assertArrayEquals(network.weights(), again.weights());
    // Another first layer and a further last one leave layer 1 as it was.
    Network other =
        Network.initial(new Architecture(List.of(4, 31, 7, 2, 5), Activation.TANH, false), 9, 1);
    assertArrayEquals(network.weights()[1], other.weights()[1]);
    assertArrayEquals(network.weights()[2], other.weights()[2]);
    Network seed10 =
        Network.initial(new Architecture(List.of(33, 31, 7, 2), Activation.TANH, false), 10, 1);
    for (int l = 0; l < 3; l++) {
      assertFalse(Arrays.equals(network.weights()[l], seed10.weights()[l]), "layer " + l);
    }
    // Layers of one shape have numbers of their own.
    Network square =
        Network.initial(new Architecture(List.of(7, 7, 7), Activation.TANH, false), 9, 1);
    assertFalse(Arrays.equals(square.weights()[0], square.weights()[1]));
  }

  @Test
  void initScaleScalesTheSameNumbers() {
    Architecture architecture = new Architecture(List.of(11, 6, 3), Activation.RELU, false);
    float[] ones = Network.initial(architecture, 1, 1).weights()[0];
    float[] quarters = Network.initial(architecture, 1, 0.25).weights()[0];
    for (int i = 0; i < ones.length; i++) {
      assertEquals(ones[i] / 4, quarters[i]);
    }
  }

  @Test
  void weightsOfAnotherShapeAreRefused() {
    Architecture architecture = new Architecture(List.of(2, 3), Activation.RELU, false);
    for (float[][] weights : new float[][][] {{new float[5]}, {new float[6], new float[6]}}) {
      assertThrows(IllegalArgumentException.class, () -> new Network(architecture, weights, null));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new Network(architecture, new float[1][6], new float[1][3]));
  }
}
