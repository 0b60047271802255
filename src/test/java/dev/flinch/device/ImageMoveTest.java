package dev.flinch.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.cpu.CpuDevice;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Moves of images against arrays that are turned, flipped and shifted step by step. */
public class ImageMoveTest {
  /** The moved image, made the long way: one step after the other, each a new array. */
  public static byte[] moved(byte[] image, ImageShape shape, ImageMove move) {
    byte[] out = image;
    for (int turn = 0; turn < move.quarterTurns(); turn++) {
      // Counter-clockwise the last column becomes the first row.
      out = map(out, shape, (y, x) -> new int[] {x, shape.width() - 1 - y});
    }
    if (move.flipHorizontally()) {
      out = map(out, shape, (y, x) -> new int[] {y, shape.width() - 1 - x});
    }
    if (move.flipVertically()) {
      out = map(out, shape, (y, x) -> new int[] {shape.height() - 1 - y, x});
    }
    for (int step = 0; step < Math.abs(move.right()); step++) {
      int from = move.right() > 0 ? shape.width() - 1 : 1;
      out = map(out, shape, (y, x) -> new int[] {y, (x + from) % shape.width()});
    }
    for (int step = 0; step < Math.abs(move.down()); step++) {
      int from = move.down() > 0 ? shape.height() - 1 : 1;
      out = map(out, shape, (y, x) -> new int[] {(y + from) % shape.height(), x});
    }
    return out;
  }

  /** Any move; quarter turns only where the image is square. */
  public static ImageMove any(SplittableRandom random, ImageShape shape) {
    int turns = shape.height() == shape.width() ? random.nextInt(4) : 0;
    return new ImageMove(
        random.nextInt(-128, 128),
        random.nextInt(-128, 128),
        random.nextBoolean(),
        random.nextBoolean(),
        turns);
  }

  @FunctionalInterface
  private interface From {
    int[] place(int y, int x);
  }

  private static byte[] map(byte[] image, ImageShape shape, From from) {
    byte[] out = new byte[image.length];
    for (int c = 0; c < shape.channels(); c++) {
      for (int y = 0; y < shape.height(); y++) {
        for (int x = 0; x < shape.width(); x++) {
          int[] place = from.place(y, x);
          out[(c * shape.height() + y) * shape.width() + x] =
              image[(c * shape.height() + place[0]) * shape.width() + place[1]];
        }
      }
    }
    return out;
  }

  /** Images of any bytes, the second of one value. */
  public static byte[][] images(SplittableRandom random, ImageShape shape, int count) {
    byte[][] images = new byte[count][shape.size()];
    for (int i = 0; i < count; i++) {
      if (i != 1) {
        random.nextBytes(images[i]);
      }
    }
    return images;
  }

  @ParameterizedTest
  @CsvSource({"1,1,1", "1,2,3", "3,5,5", "1,28,28", "2,1,7", "3,32,32"})
  void everyComponentComesFromWhereTheStepsTakeItFrom(int channels, int height, int width) {
    ImageShape shape = new ImageShape(channels, height, width);
    SplittableRandom random = new SplittableRandom(11);
    for (int trial = 0; trial < 50; trial++) {
      ImageMove move = any(random, shape);
      byte[] image = new byte[shape.size()];
      random.nextBytes(image);
      byte[] expected = moved(image, shape, move);
      for (int j = 0; j < image.length; j++) {
        assertEquals(
            expected[j],
            image[ImageMove.source(move.packed(), shape, j)],
            () -> "trial of seed 11: " + move);
      }
    }
  }

  @Test
  void anImageTurnedCounterClockwiseHasItsRightColumnOnTop() {
    ImageShape shape = new ImageShape(1, 2, 2);
    int packed = new ImageMove(0, 0, false, false, 1).packed();
    int[] from = IntStream.range(0, 4).map(j -> ImageMove.source(packed, shape, j)).toArray();
    assertArrayEquals(new int[] {1, 3, 0, 2}, from);
  }

  @Test
  void whatDoesNotFitIntoTheirBytesIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> new ImageMove(128, 0, false, false, 0));
    assertThrows(IllegalArgumentException.class, () -> new ImageMove(0, -129, false, false, 0));
    assertThrows(IllegalArgumentException.class, () -> new ImageMove(0, 0, false, false, 4));
  }

  @ParameterizedTest
  @CsvSource({"1,28,28", "3,5,7", "1,1,1"})
  void gatheredImagesHaveTheBitsOfTheSplitsOwnInputs(int channels, int height, int width) {
    ImageShape shape = new ImageShape(channels, height, width);
    int d = shape.size();
    SplittableRandom random = new SplittableRandom(12);
    byte[][] images = images(random, shape, 5);
    LabelledImages split = new LabelledImages("five", shape, 2, images, new int[5]);
    int[] indices = {4, 1, 0, 0, 3, 2};
    ImageMove[] moves = new ImageMove[indices.length];
    for (int i = 0; i < moves.length; i++) {
      moves[i] = any(random, shape);
    }
    try (CpuDevice device = new CpuDevice(1);
        Scope scope = new Scope(device)) {
      DeviceArray pixels = scope.allocate(ElementType.UINT8, 5L * d);
      for (int i = 0; i < 5; i++) {
        device.upload(images[i], 0, pixels, (long) i * d, d);
      }
      DeviceArray list = scope.ints(indices.length);
      device.upload(indices, 0, list, 0, indices.length);
      DeviceArray packed = scope.ints(indices.length);
      int[] bits = IntStream.range(0, moves.length).map(i -> moves[i].packed()).toArray();
      device.upload(bits, 0, packed, 0, bits.length);
      Matrix plain = scope.matrices(2, 3, d);
      Matrix moving = scope.matrices(2, 3, d);
      device.run(
          1,
          (lane, task) -> {
            lane.gatherImages(pixels, shape, list, null, 0, 3, plain);
            lane.gatherImages(pixels, shape, list, packed, 0, 3, moving);
          });
      float[] row = new float[d];
      for (int i = 0; i < indices.length; i++) {
        device.download(plain.data(), plain.start(i / 3, i % 3), row, 0, d);
        assertArrayEquals(split.normalised(indices[i]), row);
        // A moved image has the same mean and deviation.
        byte[] image = moved(images[indices[i]], shape, moves[i]);
        LabelledImages alone =
            new LabelledImages("one", shape, 2, new byte[][] {image}, new int[1]);
        device.download(moving.data(), moving.start(i / 3, i % 3), row, 0, d);
        assertArrayEquals(alone.normalised(0), row, () -> "seed 12");
      }
    }
  }
}
