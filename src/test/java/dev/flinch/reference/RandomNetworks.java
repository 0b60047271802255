package dev.flinch.reference;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.network.Network;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongConsumer;
import java.util.stream.LongStream;

/** Random networks and inputs by seed, and failures that name the seed. */
public final class RandomNetworks {
  /**
   * Units of networks: widths around vector lengths, layers that widen and narrow, first ones that
   * are narrower and wider than the input, depth 1.
   */
  public static final List<Integer[]> SHAPES =
      List.of(
          new Integer[] {5, 3},
          new Integer[] {40, 2, 2},
          new Integer[] {33, 31, 17, 10},
          new Integer[] {3, 127, 1, 5},
          new Integer[] {64, 16, 15, 33, 4});

  private RandomNetworks() {}

  /** Initial weights of §A.5; biases, where asked for, normal of standard deviation ½. */
  public static Network network(
      long seed, Activation activation, boolean biases, Integer... units) {
    return network(seed, new Architecture(List.of(units), activation, biases));
  }

  /** The same of any architecture. */
  public static Network network(long seed, Architecture architecture) {
    Network initial = Network.initial(architecture, seed, 1);
    for (int l = 0; architecture.biases() && l < initial.biases().length; l++) {
      float[] bias = initial.biases()[l];
      RandomStreams.fillNormal(
          RandomStreams.stream(seed, Purpose.BENCHMARK, 1, l), 0.5, bias, 0, bias.length);
    }
    return initial;
  }

  /**
   * Convolutional networks that differ in what convolutions may be: of channels that are no
   * multiple of anything, of kernels wider than their maps, with and without pooling, of maps that
   * windows don't fill, and with layers behind them.
   */
  public static List<Architecture> convolutional(Activation activation, boolean biases) {
    return List.of(
        Architecture.convolutional(
            new ImageShape(3, 7, 6),
            List.of(new Convolution(4, 3, 2), new Convolution(5, 3, 2)),
            List.of(6),
            activation,
            biases),
        Architecture.convolutional(
            new ImageShape(1, 6, 9),
            List.of(new Convolution(3, 5, 1), new Convolution(2, 1, 3), new Convolution(16, 3, 1)),
            List.of(7, 4),
            activation,
            biases),
        Architecture.convolutional(
            new ImageShape(2, 4, 4),
            List.of(new Convolution(16, 3, 2), new Convolution(17, 5, 2), new Convolution(9, 3, 1)),
            List.of(3),
            activation,
            biases));
  }

  /**
   * A network of ReLU without biases whose logits are some 100 apart: probabilities and errors go
   * down to 1e-43, whose squares no float32 holds.
   */
  public static Network saturated(long seed, Integer... units) {
    Network initial = network(seed, Activation.RELU, false, units);
    return scaled(initial, layer -> layer == units.length - 2 ? 30 : 1);
  }

  /** The same network with each layer's weights times a factor of their own. */
  public static Network scaled(Network network, IntToDoubleFunction factors) {
    float[][] weights = new float[network.weights().length][];
    for (int l = 0; l < weights.length; l++) {
      weights[l] = network.weights()[l].clone();
      for (int k = 0; k < weights[l].length; k++) {
        weights[l][k] *= (float) factors.applyAsDouble(l);
      }
    }
    return new Network(network.architecture(), weights, network.biases());
  }

  /** {@code count} standard normal inputs of {@code d} components: {@code [count × d]}. */
  public static float[] inputs(long seed, int count, int d) {
    float[] inputs = new float[count * d];
    RandomStreams.fillNormal(
        RandomStreams.stream(seed, Purpose.BENCHMARK, 2, 0), 1, inputs, 0, inputs.length);
    return inputs;
  }

  /** Row {@code i} of inputs that have {@code d} components, as the reference takes it. */
  public static double[] row(float[] inputs, int i, int d) {
    return Reference.doubles(Arrays.copyOfRange(inputs, i * d, (i + 1) * d));
  }

  /** Checks a promise for seeds 0 … count − 1; a failure names its seed. */
  public static void forSeeds(int count, LongConsumer promise) {
    LongStream.range(0, count)
        .forEach(
            seed -> {
              try {
                promise.accept(seed);
              } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("seed " + seed + ": " + e.getMessage(), e);
              }
            });
  }
}
