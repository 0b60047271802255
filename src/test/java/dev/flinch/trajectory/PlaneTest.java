package dev.flinch.trajectory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import org.junit.jupiter.api.Test;

class PlaneTest {
  private static final int D = 11;

  private static float[] anchor(long seed) {
    return RandomNetworks.inputs(seed, 1, D);
  }

  private static final Plane PLANE = Plane.through(anchor(1), anchor(2), anchor(3));

  @Test
  void anchorsAreDrawnWhereThePaperHasThem() {
    double[][] places = {{-0.69, 0.4}, {0.69, 0.4}, {0, -0.8}};
    for (int i = 0; i < 3; i++) {
      assertArrayEquals(places[i], Plane.anchor(i), 0.005);
      double[] at = Plane.anchor(i);
      assertArrayEquals(
          Reference.doubles(anchor(i + 1)), PLANE.point(at[0], at[1]), 1e-12, "anchor " + i);
    }
  }

  @Test
  void coordinatesAreThoseOfTheDefinitionTurned() {
    // (s, t) and (x, y) differ by an orthogonal map, and (s, t) is scaled by 1/0.8.
    double[] factors = new double[3];
    for (int i = 0; i < 100; i++) {
      double x = Math.sin(i);
      double y = Math.cos(3 * i + 1);
      Plane.coordinates(x, y, factors, 0);
      assertEquals(1, factors[0]);
      assertEquals(Math.hypot(x, y), 0.8 * Math.hypot(factors[1], factors[2]), 1e-12);
    }
  }

  @Test
  void pixelsAreCentredAndTheFirstIsTheUpperLeft() {
    for (int size : new int[] {1, 2, 3, 1024}) {
      assertEquals(-1 + 1.0 / size, Plane.x(0, size));
      assertEquals(1 - 1.0 / size, Plane.y(0, size));
      assertEquals(1 - 1.0 / size, Plane.x(size - 1, size), 1e-12);
      assertEquals(-1 + 1.0 / size, Plane.y(size - 1, size), 1e-12);
    }
  }

  @Test
  void equalAnchorsAndPointsOnALineAreRefused() {
    float[] a = anchor(1);
    float[] b = anchor(2);
    assertThrows(RequestException.class, () -> Plane.through(a, b, a.clone()));
    assertThrows(RequestException.class, () -> Plane.through(b, a, a.clone()));
    float[] between = new float[D];
    for (int j = 0; j < D; j++) {
      between[j] = 0.3f * a[j] + 0.7f * b[j];
    }
    RequestException e = assertThrows(RequestException.class, () -> Plane.through(a, between, b));
    assertTrue(e.getMessage().contains("line"), e.getMessage());
  }
}
