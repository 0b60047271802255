package dev.flinch.training;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.ImageMove;
import dev.flinch.device.ImageShape;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * How training images are moved at random before a network sees them: each anew in every epoch.
 * What networks are tested and measured on is never moved, their train accuracy included.
 */
public enum Augmentation {
  /** Images as they are. */
  NONE("none"),
  /**
   * Shifts of −4 to 4 pixels each way with wrap-around, and with probability ½ left and right
   * swapped (Novak et al., §A.5.4).
   */
  TRANSLATE_FLIP("translateFlip"),
  /**
   * The same, and with probability ½ top and bottom swapped, and 0 to 3 quarter turns (Novak et
   * al., §A.5.3); of square images only.
   */
  TRANSLATE_FLIP_TURN("translateFlipTurn");

  private static final int FARTHEST = 4;

  private final String label;

  Augmentation(String label) {
    this.label = label;
  }

  /** The name that users write and read. */
  @JsonValue
  public String label() {
    return label;
  }

  @Override
  public String toString() {
    return label;
  }

  /** Whether images of a shape can be moved so: a quarter turn needs them as high as wide. */
  public boolean suits(ImageShape shape) {
    return this != TRANSLATE_FLIP_TURN || shape.height() == shape.width();
  }

  /**
   * The moves of all examples in an epoch, whatever order they come in.
   *
   * @param seed the network's
   * @param epoch counted from 0
   * @return for each example what {@link ImageMove#packed} packs
   */
  int[] moves(long seed, int epoch, int examples) {
    int[] moves = new int[examples];
    if (this != NONE) {
      UniformRandomProvider stream = RandomStreams.stream(seed, Purpose.AUGMENTATION, epoch, 0);
      for (int i = 0; i < examples; i++) {
        moves[i] = move(stream).packed();
      }
    }
    return moves;
  }

  private ImageMove move(UniformRandomProvider stream) {
    int right = stream.nextInt(-FARTHEST, FARTHEST + 1);
    int down = stream.nextInt(-FARTHEST, FARTHEST + 1);
    boolean flipHorizontally = stream.nextBoolean();
    return this == TRANSLATE_FLIP
        ? new ImageMove(right, down, flipHorizontally, false, 0)
        : new ImageMove(right, down, flipHorizontally, stream.nextBoolean(), stream.nextInt(4));
  }
}
