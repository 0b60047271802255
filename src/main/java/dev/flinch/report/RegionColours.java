package dev.flinch.report;

import java.util.Arrays;

/**
 * Colours of patterns by their hashes: equal patterns have equal colours, in every map, but for
 * patterns that are neighbours and would look alike, which take the hash's next colours in turn.
 * Colours are of like strength in Oklab (Ottosson, 2020), where distances are those seen.
 */
final class RegionColours {
  /** Neighbours this far apart in Oklab are told apart at a glance. */
  static final double DISTINCT = 0.1;

  /** Colours that a pattern may have. */
  private static final int CHOICES = 24;

  private static final double[] LIGHTNESS = {0.60, 0.70, 0.80, 0.90};
  private static final double[] CHROMA = {0.10, 0.12, 0.11, 0.06};

  private final long[] patterns;
  private final byte[] choices;

  private RegionColours(long[] patterns, byte[] choices) {
    this.patterns = patterns;
    this.choices = choices;
  }

  /** The colours of a map's patterns, {@code [size × size]}. */
  static RegionColours of(int size, long[] hashes) {
    long[] patterns = Arrays.stream(hashes).distinct().sorted().toArray();
    int[] index = new int[hashes.length];
    for (int i = 0; i < index.length; i++) {
      index[i] =
          i > 0 && hashes[i] == hashes[i - 1]
              ? index[i - 1]
              : Arrays.binarySearch(patterns, hashes[i]);
    }
    long[] pairs = neighbours(size, index);
    byte[] choices = new byte[patterns.length];
    double[] colour = new double[3];
    double[] other = new double[3];
    int at = 0;
    for (int p = 0; p < patterns.length; p++) {
      int end = at;
      while (end < pairs.length && pairs[end] >>> 32 == p) {
        end++;
      }
      double farthest = -1;
      for (int choice = 0; choice < CHOICES && farthest < DISTINCT; choice++) {
        oklab(patterns[p], choice, colour);
        double nearest = Double.POSITIVE_INFINITY;
        for (int i = at; i < end; i++) {
          int neighbour = (int) pairs[i];
          oklab(patterns[neighbour], choices[neighbour], other);
          nearest = Math.min(nearest, distance(colour, other));
        }
        if (nearest > farthest) {
          farthest = nearest;
          choices[p] = (byte) choice;
        }
      }
      at = end;
    }
    return new RegionColours(patterns, choices);
  }

  /** Each pair of neighbouring patterns once, the later pattern's index in its upper half. */
  private static long[] neighbours(int size, int[] index) {
    long[] pairs = new long[2 * index.length];
    int count = 0;
    for (int i = 0; i < index.length; i++) {
      if (i % size < size - 1 && index[i] != index[i + 1]) {
        pairs[count++] = pair(index[i], index[i + 1]);
      }
      if (i + size < index.length && index[i] != index[i + size]) {
        pairs[count++] = pair(index[i], index[i + size]);
      }
    }
    return Arrays.stream(pairs, 0, count).sorted().distinct().toArray();
  }

  private static long pair(int a, int b) {
    return (long) Math.max(a, b) << 32 | Math.min(a, b);
  }

  private static double distance(double[] a, double[] b) {
    return Math.sqrt(
        (a[0] - b[0]) * (a[0] - b[0])
            + (a[1] - b[1]) * (a[1] - b[1])
            + (a[2] - b[2]) * (a[2] - b[2]));
  }

  /** The colour of a pattern; its hash's first one where the pattern is not of the map. */
  int rgb(long hash) {
    int at = Arrays.binarySearch(patterns, hash);
    double[] colour = new double[3];
    oklab(hash, at < 0 ? 0 : choices[at], colour);
    return rgb(colour);
  }

  /** L, a and b of a hash's colour of that number. */
  private static void oklab(long hash, int choice, double[] out) {
    long mixed = mix(hash + choice * 0x9E3779B97F4A7C15L);
    int level = (int) (mixed & 3);
    double hue = (mixed >>> 11) * 0x1.0p-53 * 2 * Math.PI;
    out[0] = LIGHTNESS[level];
    out[1] = CHROMA[level] * Math.cos(hue);
    out[2] = CHROMA[level] * Math.sin(hue);
  }

  /** The finalizer of SplitMix64. */
  private static long mix(long value) {
    long mixed = (value ^ value >>> 30) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
    return mixed ^ mixed >>> 31;
  }

  private static int rgb(double[] lab) {
    double l = cube(lab[0] + 0.3963377774 * lab[1] + 0.2158037573 * lab[2]);
    double m = cube(lab[0] - 0.1055613458 * lab[1] - 0.0638541728 * lab[2]);
    double s = cube(lab[0] - 0.0894841775 * lab[1] - 1.2914855480 * lab[2]);
    int red = channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    int green = channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    int blue = channel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
    return red << 16 | green << 8 | blue;
  }

  private static double cube(double value) {
    return value * value * value;
  }

  /** A linear channel of sRGB as a byte. */
  private static int channel(double linear) {
    double clamped = Math.min(Math.max(linear, 0), 1);
    double encoded =
        clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * Math.pow(clamped, 1 / 2.4) - 0.055;
    return (int) Math.round(255 * encoded);
  }
}
