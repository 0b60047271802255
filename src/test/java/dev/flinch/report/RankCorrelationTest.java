package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RankCorrelationTest {
  @Test
  void tiesCountAsInAHandExample() {
    double[] x = {1, 2, 2, 3, 5};
    double[] y = {1, 3, 4, 3, 2};
    // Pairs of (x, y) = A(1,1) B(2,3) C(2,4) D(3,3) E(5,2):
    // AB+ AC+ AD+ AE+ BC tied in x, BD tied in y, BE− CD− CE− DE−: 4 − 4 = 0.
    assertEquals(0, RankCorrelation.kendallTauB(x, y));
    y[4] = 5;
    // Now AE+ BE+ CE+ DE+ and CD−: 7 − 1 = 6, of 9 pairs told apart by x and 9 by y.
    assertEquals(6.0 / 9, RankCorrelation.kendallTauB(x, y), 1e-15);
  }

  @Test
  void orderedAndReversedValuesReachTheEnds() {
    double[] x = {0.1, 3, 20, 1e9};
    assertEquals(1, RankCorrelation.kendallTauB(x, new double[] {-4, -3, 0, 1}));
    assertEquals(-1, RankCorrelation.kendallTauB(x, new double[] {4, 3, 2, 1}));
  }

  @Test
  void constantsAndSingleValuesHaveNone() {
    assertEquals(Double.NaN, RankCorrelation.kendallTauB(new double[] {1, 2}, new double[] {3, 3}));
    assertEquals(Double.NaN, RankCorrelation.kendallTauB(new double[] {1}, new double[] {3}));
  }
}
