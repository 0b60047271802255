package dev.flinch.device;

/**
 * Square windows of maps, side by side, each of which a pooling makes one pixel of. Pixels beyond
 * the last whole window of a row or column are in none.
 *
 * @param map ordered {@code [height][width][channels]}
 * @param side of a window
 */
public record PoolShape(ImageShape map, int side) {
  public PoolShape {
    if (side < 1 || side > Math.min(map.height(), map.width())) {
      throw new IllegalArgumentException(
          "expected windows within maps of %s, found %d × %d".formatted(map, side, side));
    }
  }

  /** The shape of what is left, ordered as the map. */
  public ImageShape pooled() {
    return new ImageShape(map.channels(), map.height() / side, map.width() / side);
  }
}
