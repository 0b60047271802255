package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.reference.RandomNetworks;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.Test;

class RocAreaTest {
  private record Sample(double[] scores, double[] others, boolean[] positive) {
    /** Scores of a few values, so that many are equal. */
    static Sample of(long seed, int n, int values) {
      UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BENCHMARK, 4, 0);
      double[] scores = new double[n];
      double[] others = new double[n];
      boolean[] positive = new boolean[n];
      for (int i = 0; i < n; i++) {
        positive[i] = i == 0 || i > 1 && random.nextDouble() < 0.3;
        scores[i] = random.nextInt(values) + (positive[i] ? values / 4 : 0);
        others[i] = scores[i] / 2 + random.nextInt(values);
      }
      return new Sample(scores, others, positive);
    }
  }

  /** Over all pairs of a positive and a negative. */
  private static double pairs(double[] scores, boolean[] positive) {
    double sum = 0;
    long count = 0;
    for (int i = 0; i < scores.length; i++) {
      for (int j = 0; j < scores.length; j++) {
        if (positive[i] && !positive[j]) {
          sum += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
          count++;
        }
      }
    }
    return sum / count;
  }

  @Test
  void itIsTheFractionOfPairsInOrderWithTiesForHalf() {
    RandomNetworks.forSeeds(
        30,
        seed -> {
          for (int n : new int[] {2, 3, 31, 200}) {
            for (int values : new int[] {1, 4, 1000}) {
              Sample s = Sample.of(seed, n, values);
              RocArea.Comparison both = RocArea.compare(s.scores, s.others, s.positive);
              assertEquals(pairs(s.scores, s.positive), both.first().area(), 1e-12);
              assertEquals(pairs(s.others, s.positive), both.second().area(), 1e-12);
              assertEquals(both.first().area() - both.second().area(), both.difference(), 1e-12);
              assertEquals(RocArea.of(s.scores, s.positive), both.first());
            }
          }
        });
  }

  @Test
  void itsEndsAreReachedAndItIsTurnedByTheSign() {
    boolean[] positive = {false, true, false, true, true};
    assertEquals(new RocArea(1, 0.0), RocArea.of(new double[] {1, 3, 2, 4, 5}, positive));
    assertEquals(new RocArea(0, 0.0), RocArea.of(new double[] {-1, -3, -2, -4, -5}, positive));
    assertEquals(new RocArea(0.5, 0.0), RocArea.of(new double[5], positive));
    assertEquals(
        1,
        RocArea.of(new double[] {1, Double.POSITIVE_INFINITY}, new boolean[] {false, true}).area());
  }

  @Test
  void onePositiveOrNegativeHasNoStandardError() {
    double[] scores = {1, 2, 3};
    assertNull(RocArea.of(scores, new boolean[] {false, true, false}).standardError());
    assertNull(RocArea.of(scores, new boolean[] {true, true, false}).standardError());
    assertNull(
        RocArea.compare(scores, scores, new boolean[] {true, true, false})
            .differenceStandardError());
  }

  @Test
  void withoutPositivesOrNegativesThereIsNoArea() {
    double[] scores = {1, 2};
    assertThrows(
        IllegalArgumentException.class, () -> RocArea.of(scores, new boolean[] {true, true}));
    assertThrows(
        IllegalArgumentException.class, () -> RocArea.of(scores, new boolean[] {false, false}));
    assertThrows(IllegalArgumentException.class, () -> RocArea.of(new double[0], new boolean[0]));
  }

  @Test
  void standardErrorsAreThoseOfABootstrap() {
    Sample s = Sample.of(3, 400, 40);
    RocArea.Comparison found = RocArea.compare(s.scores, s.others, s.positive);
    int draws = 1500;
    double[] first = new double[draws];
    double[] difference = new double[draws];
    int[] positives = IntStream.range(0, 400).filter(i -> s.positive[i]).toArray();
    int[] negatives = IntStream.range(0, 400).filter(i -> !s.positive[i]).toArray();
    for (int draw = 0; draw < draws; draw++) {
      UniformRandomProvider random = RandomStreams.stream(3, Purpose.BENCHMARK, 5, draw);
      int[] chosen =
          IntStream.range(0, 400)
              .map(
                  i ->
                      i < positives.length
                          ? positives[random.nextInt(positives.length)]
                          : negatives[random.nextInt(negatives.length)])
              .toArray();
      boolean[] positive = new boolean[400];
      Arrays.fill(positive, 0, positives.length, true);
      RocArea.Comparison of =
          RocArea.compare(pick(s.scores, chosen), pick(s.others, chosen), positive);
      first[draw] = of.first().area();
      difference[draw] = of.difference();
    }
    // A standard deviation of 1500 draws is known to 2%, and the two methods differ by about 1/m.
    assertEquals(1, deviation(first) / found.first().standardError(), 0.08);
    assertEquals(1, deviation(difference) / found.differenceStandardError(), 0.08);
  }

  private static double[] pick(double[] values, int[] chosen) {
    return Arrays.stream(chosen).mapToDouble(i -> values[i]).toArray();
  }

  private static double deviation(double[] values) {
    double mean = Arrays.stream(values).average().orElseThrow();
    return Math.sqrt(
        Arrays.stream(values).map(v -> (v - mean) * (v - mean)).sum() / (values.length - 1));
  }
}
