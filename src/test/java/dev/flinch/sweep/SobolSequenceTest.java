package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.Test;

class SobolSequenceTest {
  private static double[][] points(int count, int dimensions, long seed) {
    SobolSequence sobol = new SobolSequence(dimensions, seed);
    double[][] points = new double[count][dimensions];
    for (int i = 0; i < count; i++) {
      for (int d = 0; d < dimensions; d++) {
        points[i][d] = sobol.coordinate(i, d);
      }
    }
    return points;
  }

  @Test
  void everyAxisHasOnePointInEachPart() {
    int dimensions = SobolSequence.MOST_DIMENSIONS;
    for (int parts : new int[] {1, 2, 32, 1024}) {
      double[][] points = points(parts, dimensions, 7);
      for (int d = 0; d < dimensions; d++) {
        boolean[] seen = new boolean[parts];
        for (double[] point : points) {
          int part = (int) (point[d] * parts);
          assertFalse(seen[part], "dimension %d, part %d of %d".formatted(d, part, parts));
          seen[part] = true;
        }
      }
    }
  }

  /** The first two dimensions are a (0, 2)-sequence: every box of area 2⁻ᵏ has one of 2ᵏ points. */
  @Test
  void planeOfTheFirstDimensionsHasOnePointInEachBox() {
    double[][] points = points(256, 2, 3);
    for (int k = 0; k <= 8; k++) {
      int wide = 1 << k;
      int high = 256 / wide;
      int[] count = new int[256];
      for (double[] point : points) {
        count[(int) (point[0] * wide) * high + (int) (point[1] * high)]++;
      }
      for (int box = 0; box < 256; box++) {
        assertEquals(1, count[box], "boxes of %d × %d".formatted(wide, high));
      }
    }
  }

  @Test
  void fillsSpaceMoreEvenlyThanRandomPoints() {
    for (int dimensions : new int[] {1, 3, 8}) {
      double[][] random = new double[500][dimensions];
      UniformRandomProvider stream = RandomStreams.stream(1, Purpose.BENCHMARK, 0, dimensions);
      for (double[] point : random) {
        for (int d = 0; d < dimensions; d++) {
          point[d] = stream.nextDouble();
        }
      }
      double ofSobol = discrepancy(points(500, dimensions, 5));
      double ofRandom = discrepancy(random);
      assertTrue(
          ofSobol < 0.7 * ofRandom,
          "%d dimensions: %s, random %s".formatted(dimensions, ofSobol, ofRandom));
    }
  }

  /** The L2 star discrepancy (Warnock 1972). */
  private static double discrepancy(double[][] points) {
    int n = points.length;
    int dimensions = points[0].length;
    double single = 0;
    double pairs = 0;
    for (double[] x : points) {
      double product = 1;
      for (double c : x) {
        product *= (1 - c * c) / 2;
      }
      single += product;
      for (double[] y : points) {
        double both = 1;
        for (int d = 0; d < dimensions; d++) {
          both *= 1 - Math.max(x[d], y[d]);
        }
        pairs += both;
      }
    }
    return Math.sqrt(Math.pow(3, -dimensions) - 2 * single / n + pairs / n / n);
  }

  @Test
  void shiftsAreKeyedAndDimensionsBounded() {
    assertEquals(points(9, 4, 1)[8][3], points(9, 4, 1)[8][3]);
    assertTrue(points(1, 1, 1)[0][0] != points(1, 1, 2)[0][0]);
    assertThrows(
        IllegalArgumentException.class,
        () -> new SobolSequence(SobolSequence.MOST_DIMENSIONS + 1, 1));
  }
}
