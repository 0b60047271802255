package dev.flinch.data;

import dev.flinch.base.RequestException;
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
  private final byte[][] pixels;
  private final int[] labels;

  /**
   * @param name how messages call this split, such as {@code mnist test}
   * @param pixels {@code [image][d]}, each byte unsigned, ordered as {@link ImageShape} says
   * @param labels a class in 0 … classes − 1 for each image
   */
  public LabelledImages(String name, ImageShape shape, int classes, byte[][] pixels, int[] labels) {
    if (pixels.length != labels.length) {
      throw new IllegalArgumentException(
          "%s: %d images but %d labels".formatted(name, pixels.length, labels.length));
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= classes || pixels[i].length != shape.size()) {
        throw new IllegalArgumentException(
            "%s: image %d has label %d of %d classes and %d components of %d"
                .formatted(name, i, labels[i], classes, pixels[i].length, shape.size()));
      }
    }
    this.name = name;
    this.shape = shape;
    this.classes = classes;
    this.pixels = pixels;
    this.labels = labels;
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
    return pixels[image];
  }

  /** Writes the normalised image to {@code out} from {@code at} on. */
  public void normalised(int image, float[] out, int at) {
    byte[] bytes = pixels[image];
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
    return new LabelledImages(
        subsetName,
        shape,
        classes,
        IntStream.of(indices).mapToObj(i -> pixels[i]).toArray(byte[][]::new),
        IntStream.of(indices).map(i -> labels[i]).toArray());
  }

  /** The first {@code n} images. */
  public LabelledImages first(int n) {
    return n == count() ? this : subset(name, IntStream.range(0, n).toArray());
  }

  /** Refuses an index that is not of this split. */
  public void requireIndex(int image) {
    if (image < 0 || image >= count()) {
      throw new RequestException(
          "image %d of %s: expected an index from 0 to %d".formatted(image, name, count() - 1));
    }
  }
}
