package dev.flinch.sensitivity;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Points of about equal Jacobian norm, and how many of them are misclassified.
 *
 * @param from the smallest norm
 * @param median of the norms
 * @param to the largest norm
 * @param points how many
 * @param misclassified how many of them
 * @param fraction of misclassified points, with its 95% interval
 */
public record NormBin(
    double from, double median, double to, int points, int misclassified, Proportion fraction) {

  /**
   * Bins of equal counts, in ascending order of their norms. Counts differ by one where the points
   * don't divide evenly, and by more where points of one norm would come into two bins: they all
   * stay in the lower one. So there are fewer bins where there are fewer norms.
   *
   * @param norms one or more, none of them NaN
   * @param bins how many, from 1
   */
  public static List<NormBin> equalCounts(double[] norms, boolean[] misclassified, int bins) {
    int n = norms.length;
    int[] order =
        IntStream.range(0, n)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> norms[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    List<NormBin> result = new ArrayList<>();
    int from = 0;
    for (int bin = 1; bin <= bins; bin++) {
      int to = Math.max(from, (int) ((long) n * bin / bins));
      while (to > from && to < n && norms[order[to]] == norms[order[to - 1]]) {
        to++;
      }
      if (to > from) {
        result.add(bin(norms, misclassified, order, from, to));
        from = to;
      }
    }
    return result;
  }

  private static NormBin bin(
      double[] norms, boolean[] misclassified, int[] order, int from, int to) {
    int wrong = 0;
    for (int i = from; i < to; i++) {
      wrong += misclassified[order[i]] ? 1 : 0;
    }
    int count = to - from;
    double median = (norms[order[from + (count - 1) / 2]] + norms[order[from + count / 2]]) / 2;
    return new NormBin(
        norms[order[from]],
        median,
        norms[order[to - 1]],
        count,
        wrong,
        Proportion.of(wrong, count));
  }
}
