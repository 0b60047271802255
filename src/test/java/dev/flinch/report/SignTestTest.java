package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import org.junit.jupiter.api.Test;

class SignTestTest {
  @Test
  void largerSmallerAndEqualAreCounted() {
    SignTest test = SignTest.of(new double[] {1, 2, 3, 4, 5, 6}, new double[] {2, 3, 3, 5, 4, 7});
    assertEquals(new SignTest(4, 1, 1), test);
    assertThrows(IllegalArgumentException.class, () -> SignTest.of(new double[1], new double[2]));
  }

  /** Twice the tail in whole numbers: a sum of binomial coefficients over a power of two. */
  @Test
  void pValuesAreTheBinomialDistributions() {
    for (int n = 0; n <= 130; n++) {
      BigInteger coefficient = BigInteger.ONE;
      BigInteger tail = BigInteger.ZERO;
      for (int k = 0; 2 * k <= n; k++) {
        tail = tail.add(coefficient);
        coefficient =
            coefficient.multiply(BigInteger.valueOf(n - k)).divide(BigInteger.valueOf(k + 1));
        double expected =
            Math.min(
                1,
                new BigDecimal(tail.shiftLeft(1))
                    .divide(new BigDecimal(BigInteger.ONE.shiftLeft(n)), MathContext.DECIMAL64)
                    .doubleValue());
        // Sums of up to 130 logarithms, each to a few units of the last place.
        assertEquals(expected, new SignTest(k, n - k, 3).pValue(), 1e-12 * expected, n + ", " + k);
        assertEquals(expected, new SignTest(n - k, k, 0).pValue(), 1e-12 * expected, n + ", " + k);
      }
    }
  }

  @Test
  void pValuesTooSmallForDoublePrecisionHaveALogarithm() {
    SignTest test = new SignTest(0, 100_000, 0);
    assertEquals(0, test.pValue());
    assertEquals(-99_999 * Math.log10(2), test.log10PValue(), 1e-6);
    assertEquals("p = 2·10⁻³⁰¹⁰³", test.text());
  }

  @Test
  void pValuesHaveTwoDigitsOrAPower() {
    assertEquals("p = 1", new SignTest(3, 3, 0).text());
    assertEquals("p = 0.34", new SignTest(3, 7, 0).text());
    assertEquals("p = 0.021", new SignTest(1, 9, 0).text());
    assertEquals("p = 2·10⁻⁶", new SignTest(20, 0, 0).text());
  }
}
