package dev.flinch.device;

/** The shape of an image; its components are ordered {@code [channels][height][width]}. */
public record ImageShape(int channels, int height, int width) {
  /** The number d of components. */
  public int size() {
    return channels * height * width;
  }

  /** Such as {@code 3 × 32 × 32}. */
  @Override
  public String toString() {
    return channels + " × " + height + " × " + width;
  }
}
