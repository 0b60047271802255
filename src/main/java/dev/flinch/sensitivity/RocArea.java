package dev.flinch.sensitivity;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * The area under the receiver operating characteristic of a score that is to be higher for
 * positives: the probability that a random positive scores higher than a random negative, where
 * equal scores count half.
 *
 * @param area ½ for a score that tells nothing, 1 for one that tells all
 * @param standardError by the method of DeLong, DeLong and Clarke-Pearson, <em>Comparing the Areas
 *     under Two or More Correlated Receiver Operating Characteristic Curves</em>, 1988; null where
 *     there are fewer than two positives or negatives
 */
public record RocArea(double area, Double standardError) {

  /**
   * The areas of two scores of the same points.
   *
   * @param difference the first one's area less the second one's
   * @param differenceStandardError of the difference, which allows for both being of the same
   *     points; null where those of the areas are
   */
  public record Comparison(
      RocArea first, RocArea second, double difference, Double differenceStandardError) {}

  /**
   * How much each point adds.
   *
   * @param ofPositives for each positive the fraction of negatives below it
   * @param ofNegatives for each negative the fraction of positives above it
   */
  private record Components(double[] ofPositives, double[] ofNegatives) {
    RocArea area() {
      double area = Arrays.stream(ofPositives).average().orElseThrow();
      return new RocArea(
          area,
          ofPositives.length < 2 || ofNegatives.length < 2
              ? null
              : Math.sqrt(
                  variance(ofPositives) / ofPositives.length
                      + variance(ofNegatives) / ofNegatives.length));
    }

    Components minus(Components other) {
      return new Components(
          difference(ofPositives, other.ofPositives), difference(ofNegatives, other.ofNegatives));
    }

    private static double[] difference(double[] a, double[] b) {
      return IntStream.range(0, a.length).mapToDouble(i -> a[i] - b[i]).toArray();
    }

    private static double variance(double[] values) {
      double mean = Arrays.stream(values).average().orElseThrow();
      return DoubleStream.of(values).map(v -> (v - mean) * (v - mean)).sum() / (values.length - 1);
    }
  }

  /**
   * The area of one score, in time n log n.
   *
   * @param scores none of them NaN
   * @param positive whether each point is a positive; some are and some aren't
   * @throws IllegalArgumentException where all points are positive or none is: there is no area
   */
  public static RocArea of(double[] scores, boolean[] positive) {
    return components(scores, positive).area();
  }

  /** The areas of two scores, and their difference; as {@link #of}. */
  public static Comparison compare(double[] first, double[] second, boolean[] positive) {
    Components one = components(first, positive);
    Components other = components(second, positive);
    RocArea difference = one.minus(other).area();
    return new Comparison(one.area(), other.area(), difference.area(), difference.standardError());
  }

  private static Components components(double[] scores, boolean[] positive) {
    int n = scores.length;
    int positives = (int) IntStream.range(0, n).filter(i -> positive[i]).count();
    int negatives = n - positives;
    if (positives == 0 || negatives == 0) {
      throw new IllegalArgumentException(
          "expected positives and negatives, found %d and %d".formatted(positives, negatives));
    }
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> scores[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    double[] ofPoint = new double[n];
    int positivesBelow = 0;
    for (int from = 0, to; from < n; from = to) {
      int equalPositives = 0;
      for (to = from; to < n && scores[order[to]] == scores[order[from]]; to++) {
        equalPositives += positive[order[to]] ? 1 : 0;
      }
      int equalNegatives = to - from - equalPositives;
      int negativesBelow = from - positivesBelow;
      int positivesAbove = positives - positivesBelow - equalPositives;
      for (int i = from; i < to; i++) {
        ofPoint[order[i]] =
            positive[order[i]]
                ? (negativesBelow + equalNegatives / 2.0) / negatives
                : (positivesAbove + equalPositives / 2.0) / positives;
      }
      positivesBelow += equalPositives;
    }
    return new Components(
        IntStream.range(0, n).filter(i -> positive[i]).mapToDouble(i -> ofPoint[i]).toArray(),
        IntStream.range(0, n).filter(i -> !positive[i]).mapToDouble(i -> ofPoint[i]).toArray());
  }
}
