package dev.flinch.device;

/**
 * Where a square kernel looks at images: centred on each pixel in turn, with zeros beyond the
 * borders, so that there are as many positions as pixels. A convolution is the product of its
 * patches with its weights.
 *
 * @param image what is looked at
 * @param side of the kernel, odd
 * @param channelsFirst whether images are ordered {@code [channels][height][width]}, as those of
 *     data sets, else {@code [height][width][channels]}, as what convolutions write
 */
public record PatchShape(ImageShape image, int side, boolean channelsFirst) {
  public PatchShape {
    if (side < 1 || side % 2 == 0) {
      throw new IllegalArgumentException("expected a kernel of an odd side, found " + side);
    }
  }

  /** How many patches an image has: one around each pixel. */
  public int positions() {
    return image.height() * image.width();
  }

  /** Components of a patch, ordered {@code [side][side][channels]}. */
  public int size() {
    return side * side * image.channels();
  }
}
