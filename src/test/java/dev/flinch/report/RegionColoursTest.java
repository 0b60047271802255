package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RegionColoursTest {
  private static final int SIZE = 96;

  /** Patches of 1 to 8 pixels whose patterns come back here and there. */
  private static long[] patches() {
    long[] hashes = new long[SIZE * SIZE];
    for (int i = 0; i < hashes.length; i++) {
      long patch = i % SIZE / (1 + i / SIZE % 8) * 31 + i / SIZE / 3 * 7;
      hashes[i] = patch % 500 * 0x9E3779B97F4A7C15L;
    }
    return hashes;
  }

  /** L*, a*, b* of CIE 1976 from sRGB: another measure than the one that colours are chosen by. */
  private static double[] cielab(int rgb) {
    double[] linear = new double[3];
    for (int c = 0; c < 3; c++) {
      double v = (rgb >> 16 - 8 * c & 0xFF) / 255.0;
      linear[c] = v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    }
    double x = (0.4124 * linear[0] + 0.3576 * linear[1] + 0.1805 * linear[2]) / 0.9505;
    double y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    double z = (0.0193 * linear[0] + 0.1192 * linear[1] + 0.9505 * linear[2]) / 1.089;
    return new double[] {116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))};
  }

  private static double f(double t) {
    return t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16.0 / 116;
  }

  @Test
  void neighboursAreToldApart() {
    long[] hashes = patches();
    RegionColours colours = RegionColours.of(SIZE, hashes);
    double nearest = Double.POSITIVE_INFINITY;
    for (int i = 0; i < hashes.length - SIZE; i++) {
      for (int next : i % SIZE < SIZE - 1 ? new int[] {i + 1, i + SIZE} : new int[] {i + SIZE}) {
        if (hashes[i] != hashes[next]) {
          double[] a = cielab(colours.rgb(hashes[i]));
          double[] b = cielab(colours.rgb(hashes[next]));
          nearest =
              Math.min(nearest, Math.hypot(Math.hypot(a[0] - b[0], a[1] - b[1]), a[2] - b[2]));
        }
      }
    }
    // A difference of 2.3 is just noticeable.
    assertTrue(nearest > 5, "nearest " + nearest);
  }

  @Test
  void aPatternHasOneColourAndMostKeepTheirHashsOwn() {
    long[] hashes = patches();
    RegionColours colours = RegionColours.of(SIZE, hashes);
    Map<Long, Integer> own = new HashMap<>();
    for (long hash : hashes) {
      own.put(hash, RegionColours.of(1, new long[] {hash}).rgb(hash));
      assertEquals(colours.rgb(hash), RegionColours.of(SIZE, hashes.clone()).rgb(hash), "again");
      if (own.size() > 40) {
        break;
      }
    }
    long kept =
        own.entrySet().stream().filter(e -> colours.rgb(e.getKey()) == e.getValue()).count();
    assertTrue(kept > own.size() / 4, kept + " of " + own.size());
    assertNotEquals(colours.rgb(12345), colours.rgb(12346));
  }
}
