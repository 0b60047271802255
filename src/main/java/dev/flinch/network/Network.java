package dev.flinch.network;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import java.util.stream.IntStream;

/**
 * One network's weights in the host's memory.
 *
 * @param architecture its shape
 * @param weights {@code [layer][out × in]}, row-major
 * @param biases {@code [layer][out]}, or null where the architecture has none
 */
public record Network(Architecture architecture, float[][] weights, float[][] biases) {
  public Network {
    requireShape("weights", weights, architecture, true);
    if (architecture.biases()) {
      requireShape("biases", biases, architecture, false);
    } else if (biases != null) {
      throw new IllegalArgumentException("biases for an architecture without: expected null");
    }
  }

  private static void requireShape(
      String what, float[][] values, Architecture architecture, boolean matrices) {
    for (int l = 0; l < architecture.depth(); l++) {
      long expected = (long) architecture.rows(l) * (matrices ? architecture.columns(l) : 1);
      if (values.length != architecture.depth() || values[l].length != expected) {
        throw new IllegalArgumentException(
            "%s of layer %d: expected %d values in %d layers, found %d in %d"
                .formatted(
                    what, l, expected, architecture.depth(), values[l].length, values.length));
      }
    }
  }

  /**
   * A network before training (Novak et al., §A.5): normal weights of mean 0 and variance g/n times
   * the square of {@code initScale}, n the fan-in and g the activation's gain; biases 0. The
   * numbers depend on the seed and the layer alone.
   */
  public static Network initial(Architecture architecture, long seed, double initScale) {
    int depth = architecture.depth();
    float[][] weights = new float[depth][];
    for (int l = 0; l < depth; l++) {
      int fanIn = architecture.columns(l);
      weights[l] = new float[Math.multiplyExact(architecture.rows(l), fanIn)];
      double deviation = initScale * Math.sqrt(architecture.activation().gain() / fanIn);
      RandomStreams.fillNormal(
          RandomStreams.stream(seed, Purpose.INITIAL_WEIGHTS, 0, l),
          deviation,
          weights[l],
          0,
          weights[l].length);
    }
    float[][] biases =
        architecture.biases()
            ? IntStream.range(0, depth)
                .mapToObj(l -> new float[architecture.rows(l)])
                .toArray(float[][]::new)
            : null;
    return new Network(architecture, weights, biases);
  }
}
