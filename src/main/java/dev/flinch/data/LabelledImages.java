package dev.flinch.data;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import java.util.Comparator;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * A split of a data set: images of one shape as bytes, and a class for each. Inputs are normalised
 * one by one as they leave: mean 0 and (population) standard deviation 1 over an image's d
 * components, so that ‖x‖ = √d; an image of one constant value becomes the zero vector (Novak et
 * al., §A.5).
 */
public final class LabelledImages {
  private final String name;
  private final ImageShape shape;
  private final int classes;
  private final int[] labels;
  private final IntFunction<byte[]> pixels;

  /**
   * Images that are all there.
   *
   * @param name how messages call this split, such as {@code mnist test}
   * @param pixels {@code [image][d]}, each byte unsigned, ordered as {@link ImageShape} says
   * @param labels a class in 0 … classes − 1 for each image
   */
  public LabelledImages(String name, ImageShape shape, int classes, byte[][] pixels, int[] labels) {
    this(name, shape, classes, labels, image -> pixels[image]);
    if (pixels.length != labels.length) {
      throw new IllegalArgumentException(
          "%s: %d images but %d labels".formatted(name, pixels.length, labels.length));
    }
    for (int i = 0; i < pixels.length; i++) {
      if (pixels[i].length != shape.size()) {
        throw new IllegalArgumentException(
            "%s: image %d has %d components of %d"
                .formatted(name, i, pixels[i].length, shape.size()));
      }
    }
  }

  private LabelledImages(
      String name, ImageShape shape, int classes, int[] labels, IntFunction<byte[]> pixels) {
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= classes) {
        throw new IllegalArgumentException(
            "%s: image %d has label %d of %d classes".formatted(name, i, labels[i], classes));
      }
    }
    this.name = name;
    this.shape = shape;
    this.classes = classes;
    this.labels = labels;
    this.pixels = pixels;
  }

  /**
   * Images that are made when they are first asked for, and kept from then on. Several threads may
   * ask.
   *
   * @param make from an index to d bytes, equal whenever it is called with an equal index
   */
  static LabelledImages lazily(
      String name, ImageShape shape, int classes, int[] labels, IntFunction<byte[]> make) {
    AtomicReferenceArray<byte[]> made = new AtomicReferenceArray<>(labels.length);
    return new LabelledImages(
        name,
        shape,
        classes,
        labels,
        image -> {
          byte[] bytes = made.get(image);
          if (bytes == null) {
            bytes = make.apply(image);
            made.set(image, bytes);
          }
          return bytes;
        });
  }

  public String name() {
    return name;
  }

  public ImageShape shape() {
    return shape;
  }

  public int classes() {
    return classes;
  }

  public int count() {
    return labels.length;
  }

  public int label(int image) {
    return labels[image];
  }

  /** All labels, in order; the caller's to keep. */
  public int[] labels() {
    return labels.clone();
  }

  /** The bytes of one image, not to be changed. */
  public byte[] pixels(int image) {
    return pixels.apply(image);
  }

  /** Writes the normalised image to {@code out} from {@code at} on. */
  public void normalised(int image, float[] out, int at) {
    byte[] bytes = pixels.apply(image);
    long sum = 0;
    long squares = 0;
    for (byte b : bytes) {
      int value = b & 0xff;
      sum += value;
      squares += (long) value * value;
    }
    double mean = (double) sum / bytes.length;
    double variance = (double) (squares * bytes.length - sum * sum) / bytes.length / bytes.length;
    double scale = variance > 0 ? 1 / Math.sqrt(variance) : 0;
    for (int i = 0; i < bytes.length; i++) {
      out[at + i] = (float) (((bytes[i] & 0xff) - mean) * scale);
    }
  }

  /** The normalised image, a new array of d components. */
  public float[] normalised(int image) {
    float[] out = new float[shape.size()];
    normalised(image, out, 0);
    return out;
  }

  /** The images at the given indices, in their order. */
  public LabelledImages subset(String subsetName, int[] indices) {
    for (int index : indices) {
      requireIndex(index);
    }
    int[] chosen = indices.clone();
    return new LabelledImages(
        subsetName,
        shape,
        classes,
        IntStream.of(chosen).map(this::label).toArray(),
        image -> pixels.apply(chosen[image]));
  }

  /** The first {@code n} images; refuses more than there are. */
  public LabelledImages first(int n) {
    if (n < 1 || n > count()) {
      throw new RequestException(
          "%s has %d images: expected to be asked for 1 to %d of them, found %d"
              .formatted(name, count(), count(), n));
    }
    return n == count() ? this : subset(name, IntStream.range(0, n).toArray());
  }

  /**
   * The first {@code n} images of each class, in the split's order; refuses more than a class has.
   */
  public LabelledImages firstOfEach(int n) {
    int[] have = new int[classes];
    IntStream.of(labels).forEach(label -> have[label]++);
    int fewest =
        IntStream.range(0, classes)
            .boxed()
            .min(Comparator.comparingInt(c -> have[c]))
            .orElseThrow();
    if (have[fewest] == 0) {
      throw new RequestException(
          "%s has no images of class %d: expected some of each where the first of each are asked for; ask for the first images of all classes"
              .formatted(name, fewest));
    }
    if (n < 1 || n > have[fewest]) {
      throw new RequestException(
          "%s has %d images of class %d: expected to be asked for 1 to %d of each class, found %d"
              .formatted(name, have[fewest], fewest, have[fewest], n));
    }
    return subset(name, indicesOfFirst(n));
  }

  /**
   * The indices of the first {@code n} images of each class, ascending; fewer of one with fewer.
   */
  public int[] indicesOfFirst(int n) {
    int[] taken = new int[classes];
    return IntStream.range(0, count()).filter(i -> taken[labels[i]]++ < n).toArray();
  }

  /**
   * The central {@code side} × {@code side} components of every channel (Novak et al., §A.5.5: 24
   * for CIFAR, d = 1728). Where the margins cannot be equal, the upper or left one is the smaller.
   */
  public LabelledImages crop(int side) {
    int largest = Math.min(shape.height(), shape.width());
    if (side < 1 || side > largest) {
      throw new RequestException(
          "crop of %s (%s): expected a side from 1 to %d, found %d"
              .formatted(name, shape, largest, side));
    }
    if (side == shape.height() && side == shape.width()) {
      return this;
    }
    ImageShape cropped = new ImageShape(shape.channels(), side, side);
    int top = (shape.height() - side) / 2;
    int left = (shape.width() - side) / 2;
    return lazily(
        name,
        cropped,
        classes,
        labels,
        image -> {
          byte[] whole = pixels.apply(image);
          byte[] part = new byte[cropped.size()];
          for (int row = 0; row < shape.channels() * side; row++) {
            int y = row / side * shape.height() + top + row % side;
            System.arraycopy(whole, y * shape.width() + left, part, row * side, side);
          }
          return part;
        });
  }

  /**
   * The same images, each with a class drawn uniformly in place of its own. The class depends on
   * the seed and the image's index alone, not on how many images there are.
   */
  public LabelledImages withRandomLabels(long seed) {
    int[] drawn =
        IntStream.range(0, count())
            .map(i -> RandomStreams.stream(seed, Purpose.LABELS, 0, i).nextInt(classes))
            .toArray();
    return new LabelledImages(name + " with random labels", shape, classes, drawn, pixels);
  }

  /** Refuses an index that is not of this split. */
  public void requireIndex(int image) {
    if (image < 0 || image >= count()) {
      throw new RequestException(
          "image %d of %s: expected an index i with 0 ≤ i < %d".formatted(image, name, count()));
    }
  }
}
