package dev.flinch.sweep;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;

/**
 * Points of a Sobol sequence in the unit cube: the first 2ᵏ of them have exactly one in each of the
 * 2ᵏ equal parts of every axis. Direction numbers are those of Joe and Kuo (<em>Constructing Sobol
 * Sequences with Better Two-Dimensional Projections</em>, 2008, new-joe-kuo-6). A random digital
 * shift, keyed by the seed, keeps that property.
 */
final class SobolSequence {
  private static final int BITS = 32;

  /** Of each dimension after the first: the polynomial's inner coefficients, then m₁, m₂, …. */
  private static final int[][] JOE_KUO = {
    {0, 1},
    {1, 1, 3},
    {1, 1, 3, 1},
    {2, 1, 1, 1},
    {1, 1, 1, 3, 3},
    {4, 1, 3, 5, 13},
    {2, 1, 1, 5, 5, 17},
    {4, 1, 1, 5, 5, 5},
    {7, 1, 1, 7, 11, 19},
    {11, 1, 1, 5, 1, 1},
    {13, 1, 1, 1, 3, 11},
    {14, 1, 3, 5, 5, 31},
    {1, 1, 3, 3, 9, 7, 49},
    {13, 1, 1, 1, 15, 21, 21},
    {16, 1, 3, 1, 13, 27, 49},
    {19, 1, 1, 1, 15, 7, 5},
    {22, 1, 3, 1, 15, 13, 25},
    {25, 1, 1, 5, 5, 19, 61},
    {1, 1, 3, 7, 11, 23, 15, 103},
    {4, 1, 3, 7, 13, 13, 15, 69}
  };

  static final int MOST_DIMENSIONS = JOE_KUO.length + 1;

  private final int[][] directions;
  private final int[] shift;

  SobolSequence(int dimensions, long seed) {
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS) {
      throw new IllegalArgumentException(
          "expected 1 to %d dimensions, found %d".formatted(MOST_DIMENSIONS, dimensions));
    }
    directions = new int[dimensions][];
    shift = new int[dimensions];
    for (int d = 0; d < dimensions; d++) {
      directions[d] = directions(d);
      shift[d] = RandomStreams.stream(seed, Purpose.SWEEP, 1, d).nextInt();
    }
  }

  private static int[] directions(int dimension) {
    int[] v = new int[BITS];
    if (dimension == 0) {
      for (int i = 0; i < BITS; i++) {
        v[i] = 1 << (BITS - 1 - i);
      }
      return v;
    }
    int[] numbers = JOE_KUO[dimension - 1];
    int degree = numbers.length - 1;
    for (int i = 0; i < BITS; i++) {
      if (i < degree) {
        v[i] = numbers[i + 1] << (BITS - 1 - i);
      } else {
        v[i] = v[i - degree] ^ (v[i - degree] >>> degree);
        for (int k = 1; k < degree; k++) {
          if ((numbers[0] >> (degree - 1 - k) & 1) == 1) {
            v[i] ^= v[i - k];
          }
        }
      }
    }
    return v;
  }

  /**
   * A coordinate of a point, in the open unit interval.
   *
   * @param point counted from 0, in Gray-code order
   */
  double coordinate(long point, int dimension) {
    int bits = shift[dimension];
    long gray = point ^ (point >>> 1);
    for (int i = 0; i < BITS && gray != 0; i++, gray >>>= 1) {
      if ((gray & 1) == 1) {
        bits ^= directions[dimension][i];
      }
    }
    return (Integer.toUnsignedLong(bits) + 0.5) / (1L << BITS);
  }
}
