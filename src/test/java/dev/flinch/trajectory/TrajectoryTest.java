package dev.flinch.trajectory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import dev.flinch.reference.RandomNetworks;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class TrajectoryTest {
  private static final int D = 12;

  private static double[] anchor(long seed) {
    return RandomNetworks.row(RandomNetworks.inputs(seed, 1, D), 0, D);
  }

  private static float[] floats(double[] values) {
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) values[i];
    }
    return out;
  }

  @Test
  void ellipseMeetsItsThreeAnchorsAThirdOfATurnApart() {
    Trajectory ellipse = Ellipse.through(floats(anchor(1)), floats(anchor(2)), floats(anchor(3)));
    for (int k = 0; k < 3; k++) {
      assertArrayEquals(
          anchor(k + 1), ellipse.point(Math.PI / 3 + k * 2 * Math.PI / 3), 1e-6, "anchor " + k);
    }
  }

  @Test
  void ellipseThroughEqualAnchorsIsRefused() {
    float[] a = floats(anchor(1));
    float[] b = floats(anchor(2));
    assertThrows(RequestException.class, () -> Ellipse.through(a, b, a.clone()));
  }

  @Test
  void randomEllipseIsCentredAndItsAxesAreStandardNormal() {
    Trajectory ellipse = Ellipse.random(20_000, 7);
    double[] u = ellipse.point(0);
    double[] v = ellipse.point(Math.PI / 2);
    double[] opposite = ellipse.point(Math.PI);
    for (double[] axis : new double[][] {u, v}) {
      assertEquals(0, Arrays.stream(axis).average().orElseThrow(), 0.03);
      assertEquals(1, Arrays.stream(axis).map(x -> x * x).average().orElseThrow(), 0.05);
    }
    for (int j = 0; j < u.length; j++) {
      assertEquals(-u[j], opposite[j], 1e-9);
    }
  }

  @Test
  void translationLoopShiftsEveryChannelRightAndWrapsAround() {
    ImageShape shape = new ImageShape(2, 2, 3);
    double[] image = anchor(5);
    Trajectory loop = new TranslationLoop(shape, floats(image));
    assertEquals(3, loop.period());
    double[] shiftedByTwo = new double[D];
    double[] shiftedByOne = new double[D];
    for (int row = 0; row < 4; row++) {
      for (int column = 0; column < 3; column++) {
        shiftedByOne[3 * row + (column + 1) % 3] = image[3 * row + column];
        shiftedByTwo[3 * row + (column + 2) % 3] = image[3 * row + column];
      }
    }
    assertArrayEquals(shiftedByTwo, loop.point(2), 1e-7);
    double[] between = new double[D];
    for (int j = 0; j < D; j++) {
      between[j] = 0.75 * shiftedByOne[j] + 0.25 * shiftedByTwo[j];
    }
    assertArrayEquals(between, loop.point(1.25), 1e-7);
    double[] last = loop.point(2.5);
    for (int j = 0; j < D; j++) {
      assertEquals((shiftedByTwo[j] + image[j]) / 2, last[j], 1e-7, "the loop closes");
    }
  }
}
