package dev.flinch.network;

import dev.flinch.device.Activation;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * The shape of a fully connected network: h₀ = x, zₗ = Wₗ hₗ₋₁ (+ bₗ), hₗ = φ(zₗ) for l &lt; L,
 * logits z_L.
 *
 * @param units units of every level from the input to the logits, so L + 1 numbers
 * @param activation φ of all hidden layers
 * @param biases whether every layer adds a bias
 */
public record Architecture(List<Integer> units, Activation activation, boolean biases) {
  public Architecture {
    units = List.copyOf(units);
    if (units.size() < 2 || units.stream().anyMatch(n -> n < 1)) {
      throw new IllegalArgumentException(
          "expected at least an input and an output level of one unit or more, found " + units);
    }
  }

  /** A bias-free network of {@code depth} weight matrices whose hidden layers share one width. */
  public static Architecture uniform(
      int inputs, int depth, int width, int classes, Activation activation) {
    return new Architecture(
        Stream.of(
                Stream.of(inputs),
                IntStream.range(1, depth).mapToObj(l -> width),
                Stream.of(classes))
            .flatMap(s -> s)
            .collect(Collectors.toList()),
        activation,
        false);
  }

  /** The number L of weight matrices. */
  public int depth() {
    return units.size() - 1;
  }

  public int inputs() {
    return units.get(0);
  }

  public int classes() {
    return units.get(depth());
  }

  /** Units of the level that matrix {@code layer} (0 … depth − 1) writes. */
  public int rows(int layer) {
    return units.get(layer + 1);
  }

  /** Units of the level that matrix {@code layer} (0 … depth − 1) reads: its fan-in. */
  public int columns(int layer) {
    return units.get(layer);
  }

  /** Hidden units of all hidden layers: the length of a pattern. */
  public long hiddenUnits() {
    return units.subList(1, depth()).stream().mapToLong(n -> n).sum();
  }

  /** The widest level that a forward pass writes. */
  public int widest() {
    return units.subList(1, depth() + 1).stream().mapToInt(n -> n).max().orElseThrow();
  }

  /** The number of weights and biases. */
  public long parameters() {
    return LongStream.range(0, depth())
        .map(l -> (long) rows((int) l) * (columns((int) l) + (biases ? 1 : 0)))
        .sum();
  }

  /** A short name such as {@code 3×100 ReLU}, or the list of hidden widths where they differ. */
  public String title() {
    List<Integer> hidden = units.subList(1, depth());
    String shape =
        hidden.stream().distinct().count() == 1
            ? depth() + "×" + hidden.get(0)
            : hidden.isEmpty()
                ? "linear"
                : hidden.stream().map(String::valueOf).collect(Collectors.joining("–"));
    return shape + " " + activation.label() + (biases ? " with biases" : "");
  }
}
