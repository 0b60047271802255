package dev.flinch.data;

/** The shape of an image; its components are ordered {@code [channels][height][width]}. */
public record ImageShape(int channels, int height, int width) {
  /** The number d of components. */
  public int size() {
    return channels * height * width;
  }
}
