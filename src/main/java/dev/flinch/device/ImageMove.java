package dev.flinch.device;

/**
 * How an image is moved when it is gathered, for augmentation (Novak et al., §A.5.3 and §A.5.4): in
 * this order turned, flipped, and shifted with wrap-around, every channel alike.
 *
 * @param right pixels to the right, −128 to 127
 * @param down pixels down, −128 to 127
 * @param flipHorizontally left and right swapped
 * @param flipVertically top and bottom swapped
 * @param quarterTurns counter-clockwise, 0 to 3
 */
public record ImageMove(
    int right, int down, boolean flipHorizontally, boolean flipVertically, int quarterTurns) {

  public ImageMove {
    if (right != (byte) right || down != (byte) down || quarterTurns != (quarterTurns & 3)) {
      throw new IllegalArgumentException(
          "a shift by (%d, %d) with %d quarter turns: expected shifts of a byte, turns from 0 to 3"
              .formatted(right, down, quarterTurns));
    }
  }

  /** The move as devices take it: a byte each of {@code right} and {@code down}, then the flags. */
  public int packed() {
    return right & 0xff
        | (down & 0xff) << 8
        | (flipHorizontally ? 1 << 16 : 0)
        | (flipVertically ? 1 << 17 : 0)
        | quarterTurns << 18;
  }

  /** Whether a packed move has a quarter turn, or two or three. */
  public static boolean turns(int packed) {
    return (packed >> 18 & 3) != 0;
  }

  /**
   * Where a component of a moved image comes from.
   *
   * @param packed the move; one that turns needs an image as high as wide
   * @param target place of the component in {@code [channels][height][width]}
   * @return its place in the image as it was
   */
  public static int source(int packed, ImageShape shape, int target) {
    int plane = shape.height() * shape.width();
    int y = Math.floorMod(target % plane / shape.width() - (byte) (packed >> 8), shape.height());
    int x = Math.floorMod(target % shape.width() - (byte) packed, shape.width());
    if ((packed & 1 << 16) != 0) {
      x = shape.width() - 1 - x;
    }
    if ((packed & 1 << 17) != 0) {
      y = shape.height() - 1 - y;
    }
    for (int turn = packed >> 18 & 3; turn > 0; turn--) {
      // Turned counter-clockwise, row y was column width − 1 − y.
      int row = x;
      x = shape.width() - 1 - y;
      y = row;
    }
    return target / plane * plane + y * shape.width() + x;
  }
}
