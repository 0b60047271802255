package dev.flinch.sensitivity;

import dev.flinch.network.Architecture;

/**
 * Consecutive hidden layers whose units' codes make up a pattern.
 *
 * @param first the first of them, 0 the network's first hidden layer
 * @param last the last of them
 */
public record HiddenLayers(int first, int last) {
  public HiddenLayers {
    if (first < 0 || last < first) {
      throw new IllegalArgumentException("hidden layers %d to %d".formatted(first, last));
    }
  }

  /** All hidden layers of a network that has some. */
  public static HiddenLayers all(Architecture architecture) {
    return new HiddenLayers(0, architecture.depth() - 2);
  }

  /** The last hidden layer of a network that has one. */
  public static HiddenLayers last(Architecture architecture) {
    return one(architecture.depth() - 2);
  }

  /** A single layer, 0 the first. */
  public static HiddenLayers one(int layer) {
    return new HiddenLayers(layer, layer);
  }

  /** Whether a hidden layer is one of them. */
  public boolean contains(int layer) {
    return first <= layer && layer <= last;
  }

  /** Refuses layers that a network does not have. */
  void requireOf(Architecture architecture) {
    if (last > architecture.depth() - 2) {
      throw new IllegalArgumentException(
          "hidden layers %d to %d of %s".formatted(first, last, architecture));
    }
  }

  /** Units of the hidden layers before {@code layer}: the place of its first unit in a pattern. */
  static long firstUnit(Architecture architecture, int layer) {
    return architecture.units().subList(1, layer + 1).stream().mapToLong(n -> n).sum();
  }
}
