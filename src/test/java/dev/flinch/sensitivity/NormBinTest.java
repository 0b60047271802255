package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.reference.RandomNetworks;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.Test;

class NormBinTest {
  @Test
  void everyPointIsInOneBinAndBinsDontOverlap() {
    RandomNetworks.forSeeds(
        20,
        seed -> {
          UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BENCHMARK, 6, 0);
          for (int n : new int[] {1, 2, 9, 10, 11, 127, 1000}) {
            for (int values : new int[] {1, 5, 1_000_000}) {
              double[] norms = random.ints(n, 0, values).asDoubleStream().toArray();
              boolean[] wrong = new boolean[n];
              IntStream.range(0, n).forEach(i -> wrong[i] = random.nextDouble() < 0.2);
              for (int bins : new int[] {1, 3, 10}) {
                check(norms, wrong, NormBin.equalCounts(norms, wrong, bins), bins);
              }
            }
          }
        });
  }

  private static void check(double[] norms, boolean[] wrong, List<NormBin> bins, int asked) {
    assertTrue(bins.size() <= asked);
    double last = Double.NEGATIVE_INFINITY;
    int points = 0;
    for (NormBin bin : bins) {
      assertTrue(bin.from() > last, "no norm is in two bins");
      assertTrue(bin.from() <= bin.median() && bin.median() <= bin.to());
      int[] members =
          IntStream.range(0, norms.length)
              .filter(i -> norms[i] >= bin.from() && norms[i] <= bin.to())
              .toArray();
      assertEquals(members.length, bin.points());
      int errors = (int) IntStream.of(members).filter(i -> wrong[i]).count();
      assertEquals(errors, bin.misclassified());
      assertEquals(Proportion.of(errors, members.length), bin.fraction());
      last = bin.to();
      points += bin.points();
    }
    assertEquals(norms.length, points);
  }

  @Test
  void differentNormsMakeBinsOfEqualCounts() {
    double[] norms = IntStream.range(0, 103).mapToDouble(i -> (i * 37) % 103).toArray();
    List<NormBin> bins = NormBin.equalCounts(norms, new boolean[103], 10);
    assertEquals(10, bins.size());
    assertTrue(bins.stream().allMatch(bin -> bin.points() == 10 || bin.points() == 11));
    assertEquals(4.5, bins.get(0).median());
  }

  @Test
  void wilsonsIntervalsArePublishedOnes() {
    // Newcombe, Two-sided confidence intervals for the single proportion, 1998, Table I, method 3.
    assertInterval(81, 263, 0.2553, 0.3662);
    assertInterval(15, 148, 0.0624, 0.1605);
    assertInterval(0, 20, 0, 0.1611);
    assertInterval(1, 29, 0.0061, 0.1718);
    Proportion all = Proportion.of(20, 20);
    assertEquals(1, all.high());
    assertEquals(1 - 0.1611, all.low(), 5e-5);
    assertThrows(IllegalArgumentException.class, () -> Proportion.of(0, 0));
    assertThrows(IllegalArgumentException.class, () -> Proportion.of(3, 2));
  }

  private static void assertInterval(int k, int n, double low, double high) {
    Proportion found = Proportion.of(k, n);
    assertEquals((double) k / n, found.value());
    assertEquals(low, found.low(), 5e-5);
    assertEquals(high, found.high(), 5e-5);
  }
}
