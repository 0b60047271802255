package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;
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

  /** Against the definitions: every pair compared, and Pearson's correlation of counted ranks. */
  @Test
  void sortingFindsWhatTheDefinitionsDo() {
    for (int n : new int[] {2, 3, 7, 8, 9, 16, 17, 33, 127, 500}) {
      for (int distinct : new int[] {2, 5, 1_000_000}) {
        UniformRandomProvider random = RandomStreams.stream(n, Purpose.BOOTSTRAP, 1, distinct);
        double[] x = new double[n];
        double[] y = new double[n];
        for (int i = 0; i < n; i++) {
          x[i] = random.nextInt(distinct) - 1;
          y[i] = random.nextBoolean() ? x[i] : random.nextInt(distinct) / 7.0;
        }
        String which = n + " pairs of " + distinct + " values";
        assertEquals(pairwise(x, y), RankCorrelation.kendallTauB(x, y), 1e-12, which);
        assertEquals(pearson(ranks(x), ranks(y)), RankCorrelation.spearmanRho(x, y), 1e-12, which);
      }
    }
  }

  private static double pairwise(double[] x, double[] y) {
    double balance = 0;
    double apartInX = 0;
    double apartInY = 0;
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < i; j++) {
        balance += Math.signum(x[i] - x[j]) * Math.signum(y[i] - y[j]);
        apartInX += Math.abs(Math.signum(x[i] - x[j]));
        apartInY += Math.abs(Math.signum(y[i] - y[j]));
      }
    }
    return balance / Math.sqrt(apartInX * apartInY);
  }

  private static double[] ranks(double[] values) {
    return Arrays.stream(values)
        .map(
            v ->
                Arrays.stream(values).filter(w -> w < v).count()
                    + Arrays.stream(values).filter(w -> w == v).count() / 2.0)
        .toArray();
  }

  private static double pearson(double[] x, double[] y) {
    double meanX = Arrays.stream(x).average().orElseThrow();
    double meanY = Arrays.stream(y).average().orElseThrow();
    double products = 0;
    double squaresX = 0;
    double squaresY = 0;
    for (int i = 0; i < x.length; i++) {
      products += (x[i] - meanX) * (y[i] - meanY);
      squaresX += (x[i] - meanX) * (x[i] - meanX);
      squaresY += (y[i] - meanY) * (y[i] - meanY);
    }
    return products / Math.sqrt(squaresX * squaresY);
  }

  @Test
  void hundredsOfThousandsTakeNoTime() {
    int n = 300_000;
    double[] x = IntStream.range(0, n).mapToDouble(i -> i * 48_271L % n).toArray();
    double[] y = Arrays.stream(x).map(v -> -v).toArray();
    assertTimeout(
        Duration.ofSeconds(10), () -> assertEquals(-1, RankCorrelation.kendallTauB(x, y), 1e-12));
    assertEquals(-1, RankCorrelation.spearmanRho(x, y), 1e-12);
  }
}
