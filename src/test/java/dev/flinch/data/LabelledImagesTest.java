package dev.flinch.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LabelledImagesTest {
  /**
   * Component (c, y, x) of image i is a hash of all four, so that no two places agree by chance.
   */
  private static LabelledImages images(int count, ImageShape shape) {
    byte[][] pixels = new byte[count][shape.size()];
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < shape.size(); j++) {
        pixels[i][j] = (byte) ((i * 7919 + j) * 2654435761L >> 13);
      }
    }
    return new LabelledImages(
        "some", shape, 10, pixels, IntStream.range(0, count).map(i -> i % 10).toArray());
  }

  @Test
  void normalisedImagesHaveMeanZeroAndNormRootD() {
    LabelledImages images = images(5, new ImageShape(3, 5, 7));
    for (int i = 0; i < images.count(); i++) {
      float[] x = images.normalised(i);
      double sum = 0;
      double squares = 0;
      for (float component : x) {
        sum += component;
        squares += (double) component * component;
      }
      // Each of 105 components is rounded to float32 once.
      assertEquals(0, sum, 1e-5);
      assertEquals(Math.sqrt(105), Math.sqrt(squares), 1e-5);
      // The order of components is that of the bytes: an affine map with a positive slope.
      byte[] bytes = images.pixels(i);
      for (int j = 1; j < x.length; j++) {
        assertEquals(
            Integer.signum((bytes[j] & 0xff) - (bytes[j - 1] & 0xff)),
            (int) Math.signum(x[j] - x[j - 1]));
      }
    }
  }

  @Test
  void aConstantImageBecomesTheZeroVector() {
    byte[] grey = new byte[12];
    Arrays.fill(grey, (byte) 200);
    LabelledImages images =
        new LabelledImages("grey", new ImageShape(3, 2, 2), 2, new byte[][] {grey}, new int[] {1});
    assertArrayEquals(new float[12], images.normalised(0));
  }

  @ParameterizedTest
  @CsvSource({"3,32,32,24", "1,28,28,24", "2,7,9,4", "1,5,5,1", "3,6,8,6"})
  void aCropIsTheCentreOfEveryChannel(int channels, int height, int width, int side) {
    ImageShape shape = new ImageShape(channels, height, width);
    LabelledImages whole = images(3, shape);
    LabelledImages crop = whole.crop(side);
    assertEquals(new ImageShape(channels, side, side), crop.shape());
    assertArrayEquals(whole.labels(), crop.labels());
    for (int i = 0; i < 3; i++) {
      assertEquals(channels * side * side, crop.pixels(i).length);
      for (int c = 0; c < channels; c++) {
        for (int y = 0; y < side; y++) {
          for (int x = 0; x < side; x++) {
            int fromY = y + Math.floorDiv(height - side, 2);
            int fromX = x + Math.floorDiv(width - side, 2);
            assertEquals(
                whole.pixels(i)[(c * height + fromY) * width + fromX],
                crop.pixels(i)[(c * side + y) * side + x]);
          }
        }
      }
    }
  }

  @Test
  void aCropOfFullSizeIsTheSameAndALargerOneIsRefused() {
    LabelledImages images = images(1, new ImageShape(1, 6, 6));
    assertSame(images, images.crop(6));
    for (int side : new int[] {0, -1, 7}) {
      String message = assertThrows(RequestException.class, () -> images.crop(side)).getMessage();
      assertTrue(message.contains("from 1 to 6, found " + side), message);
    }
  }

  @Test
  void aRandomLabelDependsOnSeedAndIndexAlone() {
    LabelledImages many = images(1000, new ImageShape(1, 2, 2)).withRandomLabels(5);
    LabelledImages few = images(1000, new ImageShape(1, 2, 2)).first(37).withRandomLabels(5);
    assertArrayEquals(Arrays.copyOf(many.labels(), 37), few.labels());
    assertNotEquals(
        Arrays.toString(many.labels()),
        Arrays.toString(images(1000, new ImageShape(1, 2, 2)).withRandomLabels(6).labels()));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, -7})
  void randomLabelsAreUniformAndIndependentOfTheTrueOnes(long seed) {
    int n = 20_000;
    LabelledImages images = images(n, new ImageShape(1, 1, 2));
    LabelledImages random = images.withRandomLabels(seed);
    int[] counts = new int[10];
    int kept = 0;
    for (int i = 0; i < n; i++) {
      counts[random.label(i)]++;
      kept += random.label(i) == images.label(i) ? 1 : 0;
      assertSame(images.pixels(i), random.pixels(i));
    }
    // Each count is binomial (n, 1/10): five standard deviations are 212.
    double bound = 5 * Math.sqrt(n * 0.1 * 0.9);
    for (int count : counts) {
      assertEquals(n / 10.0, count, bound, "seed " + seed);
    }
    assertEquals(n / 10.0, kept, bound, "seed " + seed);
  }

  @Test
  void aSubsetKeepsTheOrderAskedFor() {
    LabelledImages images = images(20, new ImageShape(1, 2, 3));
    LabelledImages subset = images.subset("part", new int[] {17, 3, 3});
    assertEquals("part", subset.name());
    assertArrayEquals(new int[] {7, 3, 3}, subset.labels());
    assertArrayEquals(images.pixels(17), subset.pixels(0));
    assertArrayEquals(images.normalised(3), subset.normalised(2));
    assertThrows(RequestException.class, () -> images.subset("part", new int[] {20}));
  }

  @Test
  void imagesMadeLazilyAreMadeOnceAndOnlyWhenAskedFor() {
    List<Integer> made = new ArrayList<>();
    LabelledImages images =
        LabelledImages.lazily(
            "lazy",
            new ImageShape(1, 4, 4),
            2,
            new int[100],
            i -> {
              made.add(i);
              return new byte[16];
            });
    LabelledImages chosen = images.subset("part", new int[] {40, 8}).crop(2);
    assertEquals(List.of(), made);
    chosen.pixels(1);
    chosen.pixels(1);
    images.pixels(8);
    images.pixels(40);
    assertEquals(List.of(8, 40), made);
  }

  @Test
  void moreImagesThanThereAreOrNoneAreRefused() {
    LabelledImages images = images(3, new ImageShape(1, 2, 2));
    for (int n : new int[] {0, -1, 4}) {
      String message = assertThrows(RequestException.class, () -> images.first(n)).getMessage();
      assertTrue(message.contains("1 to 3") && message.contains("found " + n), message);
    }
    for (int index : new int[] {-1, 3}) {
      assertThrows(RequestException.class, () -> images.requireIndex(index));
    }
    images.requireIndex(2);
  }

  @Test
  void theFirstOfEachClassStandInTheSplitsOrder() {
    int[] labels = {2, 0, 0, 1, 2, 0, 1, 2};
    LabelledImages images =
        new LabelledImages("some", new ImageShape(1, 1, 2), 3, new byte[8][2], labels);
    assertArrayEquals(new int[] {2, 0, 1}, images.firstOfEach(1).labels());
    assertArrayEquals(new int[] {2, 0, 0, 1, 2, 1}, images.firstOfEach(2).labels());
    for (int n : new int[] {0, 3}) {
      String message =
          assertThrows(RequestException.class, () -> images.firstOfEach(n)).getMessage();
      assertTrue(message.contains("2 images of class 1") && message.contains("1 to 2"), message);
    }
    String message =
        assertThrows(RequestException.class, () -> images.first(3).firstOfEach(1)).getMessage();
    assertTrue(message.contains("some has no images of class 1"), message);
  }
}
