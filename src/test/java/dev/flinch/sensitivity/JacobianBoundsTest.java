package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.reference.Reference;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JacobianBoundsTest {
  private static final double NORM = 3.5;

  /** J of probabilities σ whose logits have orthogonal gradients of norm M. */
  private static double[][] jacobian(double[] sigma, double norm) {
    double[][] j = new double[sigma.length][sigma.length];
    for (int i = 0; i < sigma.length; i++) {
      for (int c = 0; c < sigma.length; c++) {
        j[i][c] = norm * ((i == c ? sigma[i] : 0) - sigma[i] * sigma[c]);
      }
    }
    return j;
  }

  private static double norm(double[] row) {
    return Reference.frobenius(new double[][] {row});
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 100})
  void equallyProbableOtherClassesAttainTheLowerBoundAndNearlyTheCurve(int classes) {
    JacobianBounds bounds = new JacobianBounds(classes, NORM);
    for (double own : new double[] {1e-3, 0.1, 0.5, 0.9, 0.999}) {
      double[] sigma = new double[classes];
      Arrays.fill(sigma, (1 - own) / (classes - 1));
      sigma[0] = own;
      double[][] j = jacobian(sigma, NORM);
      double loss = -Math.log(own);
      assertEquals(norm(j[0]), bounds.lower(loss), 1e-12);
      // The curve has the upper bound of the class's row in the place of the row.
      double others = Math.sqrt(Math.pow(Reference.frobenius(j), 2) - Math.pow(norm(j[0]), 2));
      assertEquals(
          Math.hypot(others, bounds.rowUpper(loss)), bounds.maximumEntropy(loss), 1e-12 * NORM);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 10, 100})
  void aSingleOtherClassAttainsTheUpperBound(int classes) {
    JacobianBounds bounds = new JacobianBounds(classes, NORM);
    for (double own : new double[] {1e-3, 0.1, 0.5, 0.9, 0.999}) {
      double[] sigma = new double[classes];
      sigma[0] = own;
      sigma[classes - 1] = 1 - own;
      assertEquals(norm(jacobian(sigma, NORM)[0]), bounds.rowUpper(-Math.log(own)), 1e-12);
    }
  }

  @Test
  void withTwoClassesAllOfThemAreOneNumber() {
    JacobianBounds bounds = new JacobianBounds(2, NORM);
    for (double loss : new double[] {1e-9, 0.01, Math.log(2), 3, 20}) {
      double slope = Math.exp(-loss) * -Math.expm1(-loss);
      assertEquals(Math.sqrt(2) * NORM * slope, bounds.lower(loss), 1e-15);
      assertEquals(bounds.lower(loss), bounds.rowUpper(loss), 1e-15);
      // Two rows, one the negative of the other.
      assertEquals(2 * NORM * slope, bounds.maximumEntropy(loss), 1e-12 * NORM * slope);
    }
  }

  @Test
  void lossesOfAllButCertainClassesKeepTheirDigits() {
    JacobianBounds bounds = new JacobianBounds(10, NORM);
    for (double loss : new double[] {1e-20, 1e-100, 1e-300}) {
      assertEquals(Math.sqrt(10.0 / 9) * NORM * loss, bounds.lower(loss), 1e-12 * loss);
      assertEquals(Math.sqrt(2) * NORM * loss, bounds.rowUpper(loss), 1e-12 * loss);
      assertEquals(NORM * loss * Math.sqrt(2 + 2 / 9.0), bounds.maximumEntropy(loss), 1e-12 * loss);
      assertTrue(bounds.maximumEntropy(loss) > bounds.rowUpper(loss));
    }
    assertEquals(0, bounds.lower(0));
    assertEquals(0, bounds.maximumEntropy(0));
  }

  @Test
  void oneClassHasNoBounds() {
    assertThrows(IllegalArgumentException.class, () -> new JacobianBounds(1, NORM));
  }
}
