package dev.flinch.network;

import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * The shape of a network: convolutional layers, or none, and fully connected ones behind them: h₀ =
 * x, zₗ = Wₗ hₗ₋₁ (+ bₗ), hₗ = φ(zₗ) for l &lt; L, logits z_L. In a convolutional layer Wₗ
 * multiplies the patch around each pixel, hₗ is max-pooled where asked for, and the same bias goes
 * to all pixels of a channel. Maps are ordered {@code [height][width][channels]}, but for the
 * input, which is ordered as images are.
 *
 * @param image the shape of inputs of convolutional layers; null where there are none
 * @param convolutions the first layers
 * @param units units of every level from the input to the logits, so L + 1 numbers; of a
 *     convolutional layer those before pooling
 * @param activation φ of all hidden layers
 * @param biases whether every layer adds a bias
 */
public record Architecture(
    ImageShape image,
    List<Convolution> convolutions,
    List<Integer> units,
    Activation activation,
    boolean biases) {
  public Architecture {
    convolutions = List.copyOf(convolutions);
    units = List.copyOf(units);
    if (units.size() < 2 || units.stream().anyMatch(n -> n < 1)) {
      throw new IllegalArgumentException(
          "expected at least an input and an output level of one unit or more, found " + units);
    }
    if ((image == null) != convolutions.isEmpty()
        || convolutions.size() > units.size() - 2
        || (image != null
            && !units.subList(0, convolutions.size() + 1).equals(maps(image, convolutions)))) {
      throw new IllegalArgumentException(
          "%s of images of %s don't write levels of %s units"
              .formatted(convolutions, image, units));
    }
  }

  /** A fully connected network. */
  public Architecture(List<Integer> units, Activation activation, boolean biases) {
    this(null, List.of(), units, activation, biases);
  }

  /**
   * A network whose first layers are convolutional.
   *
   * @param dense units of the fully connected levels behind them, down to the logits
   * @throws IllegalArgumentException if a window of a pooling is larger than its maps
   */
  public static Architecture convolutional(
      ImageShape image,
      List<Convolution> convolutions,
      List<Integer> dense,
      Activation activation,
      boolean biases) {
    List<Integer> units = new ArrayList<>(maps(image, convolutions));
    units.addAll(dense);
    return new Architecture(image, convolutions, units, activation, biases);
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

  /**
   * A convolution that images don't allow.
   *
   * @param layer which
   * @param part of it that is too large, {@code channels}, {@code kernel} or {@code pool}
   * @param most what is expected, such as {@code ≤ 7, the side of its maps of 16 × 7 × 7}
   * @param found the part's value
   */
  public record Misfit(int layer, String part, String most, int found) {}

  /**
   * The first of the convolutions that images of a shape don't allow: its pooling has windows
   * larger than its maps, or its maps or patches are more numbers than an array holds.
   */
  public static Optional<Misfit> misfit(ImageShape image, List<Convolution> convolutions) {
    ImageShape map = image;
    for (int l = 0; l < convolutions.size(); l++) {
      Convolution convolution = convolutions.get(l);
      long pixels = (long) map.height() * map.width();
      int side = Math.min(map.height(), map.width());
      long mostChannels = Integer.MAX_VALUE / pixels;
      double patches = (double) pixels * map.channels() * convolution.kernel();
      if (convolution.channels() > mostChannels) {
        String most = "≤ %d, for maps of at most 2^31 − 1 units".formatted(mostChannels);
        return Optional.of(new Misfit(l, "channels", most, convolution.channels()));
      }
      if (patches * convolution.kernel() > Integer.MAX_VALUE) {
        String most = "patches of at most 2^31 − 1 numbers in all of a map of %s".formatted(map);
        return Optional.of(new Misfit(l, "kernel", most, convolution.kernel()));
      }
      if (convolution.pool() > side) {
        String most = "≤ %d, the shorter side of its maps of %d × %d pixels";
        return Optional.of(
            new Misfit(
                l, "pool", most.formatted(side, map.height(), map.width()), convolution.pool()));
      }
      map =
          new ImageShape(
              convolution.channels(),
              map.height() / convolution.pool(),
              map.width() / convolution.pool());
    }
    return Optional.empty();
  }

  /** Units of the input and of what each convolutional layer writes. */
  private static List<Integer> maps(ImageShape image, List<Convolution> convolutions) {
    List<Integer> units = new ArrayList<>();
    ImageShape map = image;
    for (Convolution convolution : convolutions) {
      ImageShape written = new ImageShape(convolution.channels(), map.height(), map.width());
      units.add(written.size());
      map = new PoolShape(written, convolution.pool()).pooled();
    }
    if (image != null) {
      units.add(0, image.size());
    }
    return units;
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

  /** Whether layer {@code layer} (0 … depth − 1) is convolutional. */
  public boolean isConvolutional(int layer) {
    return layer < convolutions.size();
  }

  /** Whether any layer is. */
  public boolean isConvolutional() {
    return isConvolutional(0);
  }

  /** Rows of matrix {@code layer} (0 … depth − 1): units that it writes at one position. */
  public int rows(int layer) {
    return isConvolutional(layer) ? convolutions.get(layer).channels() : units.get(layer + 1);
  }

  /** Columns of matrix {@code layer} (0 … depth − 1): its fan-in. */
  public int columns(int layer) {
    return isConvolutional(layer) ? patches(layer).size() : unitsIn(layer);
  }

  /** How many times matrix {@code layer} is multiplied with something of an input. */
  public int positions(int layer) {
    return isConvolutional(layer) ? map(layer).height() * map(layer).width() : 1;
  }

  /** Units that layer {@code layer} reads: those of the layer below after pooling. */
  public int unitsIn(int layer) {
    return layer > 0 && isConvolutional(layer - 1) ? map(layer).size() : units.get(layer);
  }

  /** Units that layer {@code layer} writes: rows times positions. */
  public int unitsOut(int layer) {
    return units.get(layer + 1);
  }

  /** What a convolutional layer multiplies with its weights. */
  public PatchShape patches(int layer) {
    return new PatchShape(map(layer), convolutions.get(layer).kernel(), layer == 0);
  }

  /** Whether a layer's activations are pooled. */
  public boolean isPooled(int layer) {
    return isConvolutional(layer) && convolutions.get(layer).pool() > 1;
  }

  /** How a layer's activations are pooled that {@link #isPooled}. */
  public PoolShape pool(int layer) {
    ImageShape map = map(layer);
    Convolution convolution = convolutions.get(layer);
    return new PoolShape(
        new ImageShape(convolution.channels(), map.height(), map.width()), convolution.pool());
  }

  /** The shape of what layer {@code layer} reads, where the layers before are convolutional. */
  public ImageShape map(int layer) {
    ImageShape map = image;
    for (Convolution below : convolutions.subList(0, layer)) {
      map =
          new ImageShape(below.channels(), map.height() / below.pool(), map.width() / below.pool());
    }
    return map;
  }

  /** Hidden units of all hidden layers: the length of a pattern. */
  public long hiddenUnits() {
    return units.subList(1, depth()).stream().mapToLong(n -> n).sum();
  }

  /** The widest level that a forward pass writes. */
  public int widest() {
    return units.subList(1, depth() + 1).stream().mapToInt(n -> n).max().orElseThrow();
  }

  /** Numbers of an example's patches in layer {@code layer}; 0 for a fully connected one. */
  public int patchUnits(int layer) {
    return isConvolutional(layer) ? Math.multiplyExact(positions(layer), columns(layer)) : 0;
  }

  /** The most of any layer. */
  public int mostPatchUnits() {
    return IntStream.range(0, depth()).map(this::patchUnits).max().orElseThrow();
  }

  /** What a forward pass writes of one example: units of all levels but the input, and patches. */
  public long unitsOfPass() {
    return hiddenUnits()
        + classes()
        + IntStream.range(0, depth()).mapToLong(this::patchUnits).sum();
  }

  /** The number of weights and biases. */
  public long parameters() {
    return LongStream.range(0, depth())
        .map(l -> (long) rows((int) l) * (columns((int) l) + (biases ? 1 : 0)))
        .sum();
  }

  /** Multiplications and additions of layer {@code layer} in one forward pass. */
  public long flop(int layer) {
    return 2L * positions(layer) * rows(layer) * columns(layer);
  }

  /**
   * A short name such as {@code 3×100 ReLU}, the list of hidden widths where they differ, or {@code
   * conv 16/2–32/2–100 ReLU} with pooled maps of 16 and 32 channels.
   */
  public String title() {
    return title(convolutions, hidden(), activation, biases);
  }

  /** Units of the hidden layers that are fully connected. */
  public List<Integer> hidden() {
    return units.subList(1 + convolutions.size(), depth());
  }

  /** The {@link #title} of a network between whatever inputs and classes. */
  public static String title(
      List<Convolution> convolutions, List<Integer> hidden, Activation activation, boolean biases) {
    String shape =
        !convolutions.isEmpty()
            ? "conv "
                + Stream.concat(
                        convolutions.stream().map(Convolution::title),
                        hidden.stream().map(String::valueOf))
                    .collect(Collectors.joining("–"))
            : hidden.stream().distinct().count() == 1
                ? hidden.size() + 1 + "×" + hidden.get(0)
                : hidden.isEmpty()
                    ? "linear"
                    : hidden.stream().map(String::valueOf).collect(Collectors.joining("–"));
    return shape + " " + activation.label() + (biases ? " with biases" : "");
  }
}
