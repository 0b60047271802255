package dev.flinch.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GlyphsTest {
  @Test
  void theBytesOfASeedNeverChange() {
    DataSet glyphs = Glyphs.dataSet(Glyphs.DEFAULT_SEED);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = 0; i < 500; i++) {
      bytes.writeBytes(glyphs.train().pixels(i));
      bytes.writeBytes(glyphs.test().pixels(i));
    }
    assertEquals(
        "f9cd38dc6320b1af78694cdf643e303332c65315131f9ddff39876e36010c5e4",
        SmallFiles.sha256(bytes.toByteArray()));
  }

  @Test
  void aGlyphDependsOnSeedSplitAndIndexAlone() {
    DataSet one = Glyphs.dataSet(4);
    DataSet other = Glyphs.dataSet(4);
    byte[][] parallel =
        IntStream.range(0, 200)
            .parallel()
            .mapToObj(i -> one.train().pixels(i))
            .toArray(byte[][]::new);
    for (int i = 199; i >= 0; i--) {
      assertArrayEquals(other.train().pixels(i), parallel[i]);
    }
    assertFalse(Arrays.equals(one.train().pixels(0), one.test().pixels(0)));
    assertFalse(Arrays.equals(one.train().pixels(0), one.train().pixels(10)));
    assertFalse(Arrays.equals(one.train().pixels(0), Glyphs.dataSet(5).train().pixels(0)));
  }

  @Test
  void everyBeginningIsBalanced() {
    int[] labels = Glyphs.dataSet(0).train().labels();
    for (int i = 0; i < labels.length; i++) {
      assertEquals(i % 10, labels[i]);
    }
  }

  /** A linear rule tells them apart much better than chance, and far from perfectly. */
  @Test
  void theyAreNeitherTrivialNorHopeless() {
    DataSet glyphs = Glyphs.dataSet(Glyphs.DEFAULT_SEED);
    float[][] means = new float[10][784];
    for (int i = 0; i < 4000; i++) {
      float[] x = glyphs.train().normalised(i);
      float[] mean = means[glyphs.train().label(i)];
      for (int j = 0; j < 784; j++) {
        mean[j] += x[j] / 400;
      }
    }
    int right = 0;
    for (int i = 0; i < 1000; i++) {
      float[] x = glyphs.test().normalised(i);
      int nearest = 0;
      double least = Double.POSITIVE_INFINITY;
      for (int c = 0; c < 10; c++) {
        double square = 0;
        for (int j = 0; j < 784; j++) {
          square += (x[j] - means[c][j]) * (x[j] - means[c][j]);
        }
        if (square < least) {
          least = square;
          nearest = c;
        }
      }
      right += nearest == glyphs.test().label(i) ? 1 : 0;
    }
    assertTrue(right > 600 && right < 950, right + " of 1000 by the nearest mean");
  }
}
