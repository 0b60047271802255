package dev.flinch.reference;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
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
    Network initial =
        Network.initial(new Architecture(List.of(units), activation, biases), seed, 1);
    for (int l = 0; biases && l < initial.biases().length; l++) {
      float[] bias = initial.biases()[l];
      RandomStreams.fillNormal(
          RandomStreams.stream(seed, Purpose.BENCHMARK, 1, l), 0.5, bias, 0, bias.length);
    }
    return initial;
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
