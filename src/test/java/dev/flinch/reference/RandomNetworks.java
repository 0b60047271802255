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
import java.util.function.LongConsumer;
import java.util.stream.LongStream;

/** Random networks and inputs by seed, and failures that name the seed. */
public final class RandomNetworks {
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
