package dev.flinch.sensitivity;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * Pairs of examples of one class, each with its stiffness and its distance. They are kept, eight
 * bytes each, since an interval needs resamples of the examples, which are resamples of all their
 * pairs.
 */
final class DistancePairs {
  private final boolean within;
  private final double binWidth;
  private final int bins;
  private final int[][] partners;
  private final int[] firstPartner;
  private final int columnCount;
  private final float[][] cosines;
  private final float[][] distances;

  /**
   * No pairs yet.
   *
   * @param classes how many there are
   * @param rowClasses the class of each example of the rows, {@code classes} for those to leave out
   * @param within whether pairs are within one set
   * @param binWidth of the distance, which is from 0 to 2
   */
  DistancePairs(
      int classes, int[] rowClasses, int[] columnClasses, boolean within, double binWidth) {
    this.within = within;
    this.binWidth = binWidth;
    this.bins = (int) Math.ceil(2 / binWidth);
    this.columnCount = columnClasses.length;
    int[][] members =
        IntStream.range(0, classes)
            .mapToObj(
                c ->
                    IntStream.range(0, columnClasses.length)
                        .filter(j -> columnClasses[j] == c)
                        .toArray())
            .toArray(int[][]::new);
    int rows = rowClasses.length;
    this.partners = new int[rows][];
    this.firstPartner = new int[rows];
    this.cosines = new float[rows][];
    this.distances = new float[rows][];
    int[] seen = new int[classes];
    for (int i = 0; i < rows; i++) {
      int c = rowClasses[i];
      partners[i] = c == classes ? new int[0] : members[c];
      // Members are in order: of pairs within one set, those after this example.
      firstPartner[i] = within && c < classes ? ++seen[c] : 0;
    }
  }

  private int pairs(int i) {
    return partners[i].length - firstPartner[i];
  }

  /**
   * Adds a panel.
   *
   * @param inputCosines the cosine between the inputs of each pair
   */
  void add(ExamplePairs.Panel panel, float[] stiffness, float[] inputCosines) {
    IntStream.range(panel.row(), panel.row() + panel.rows())
        .parallel()
        .forEach(
            i -> {
              int at = panel.at(i);
              int count = pairs(i);
              cosines[i] = new float[count];
              distances[i] = new float[count];
              for (int k = 0; k < count; k++) {
                int j = partners[i][firstPartner[i] + k];
                cosines[i][k] = stiffness[at + j];
                distances[i][k] = Math.max(0, Math.min(2, 1 - inputCosines[at + j]));
              }
            });
  }

  /** Sums of all pairs by bin, each as often as its two examples were drawn. */
  private final class Sums {
    final double[] cosines = new double[bins];
    final double[] signs = new double[bins];
    final double[] distances = new double[bins];
    final double[] pairs = new double[bins];

    /**
     * Of one resample.
     *
     * @param rowTimes how often each example of the rows is in it
     */
    Sums(int[] rowTimes, int[] columnTimes) {
      for (int i = 0; i < rowTimes.length; i++) {
        if (rowTimes[i] > 0) {
          addRow(i, rowTimes[i], columnTimes);
        }
      }
    }

    private void addRow(int i, int times, int[] columnTimes) {
      float[] stiffness = DistancePairs.this.cosines[i];
      float[] distance = DistancePairs.this.distances[i];
      double perDistance = 1 / binWidth;
      int[] columns = partners[i];
      int first = firstPartner[i];
      for (int k = 0; k < stiffness.length; k++) {
        int weight = times * columnTimes[columns[first + k]];
        float cosine = stiffness[k];
        int b = Math.min(bins - 1, (int) (distance[k] * perDistance));
        pairs[b] += weight;
        distances[b] += weight * (double) distance[k];
        cosines[b] += weight * (double) cosine;
        signs[b] += cosine > 0 ? weight : cosine < 0 ? -weight : 0;
      }
    }

    CriticalLength.Line line(double[] sums) {
      return CriticalLength.Line.fit(means(distances), means(sums), pairs);
    }

    /** NaN where there are no pairs. */
    double[] means(double[] sums) {
      return IntStream.range(0, bins).mapToDouble(b -> sums[b] / pairs[b]).toArray();
    }
  }

  /**
   * The curve of what was added, and its critical lengths.
   *
   * @param resamples how many resamples of the examples, with replacement, the intervals are of
   * @param seed of the resamples
   */
  DistanceStiffness stiffness(int resamples, long seed) {
    Sums all = new Sums(ones(partners.length), ones(columnCount));
    List<DistanceStiffness.Bin> found = new ArrayList<>();
    for (int b = 0; b < bins; b++) {
      if (all.pairs[b] > 0) {
        found.add(
            new DistanceStiffness.Bin(
                b * binWidth,
                Math.min(2, (b + 1) * binWidth),
                all.distances[b] / all.pairs[b],
                all.cosines[b] / all.pairs[b],
                all.signs[b] / all.pairs[b],
                (long) all.pairs[b]));
      }
    }
    CriticalLength.Line[] byCosine = new CriticalLength.Line[resamples];
    CriticalLength.Line[] bySign = new CriticalLength.Line[resamples];
    IntStream.range(0, resamples)
        .parallel()
        .forEach(
            r -> {
              UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BOOTSTRAP, 0, r);
              int[] rowTimes = times(random, partners.length);
              Sums sums = new Sums(rowTimes, within ? rowTimes : times(random, columnCount));
              byCosine[r] = sums.line(sums.cosines);
              bySign[r] = sums.line(sums.signs);
            });
    return new DistanceStiffness(
        found,
        CriticalLength.of(all.line(all.cosines), byCosine),
        CriticalLength.of(all.line(all.signs), bySign));
  }

  private static int[] ones(int n) {
    int[] ones = new int[n];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** How often each of n is among n drawn with replacement. */
  private static int[] times(UniformRandomProvider random, int n) {
    int[] times = new int[n];
    for (int k = 0; k < n; k++) {
      times[random.nextInt(n)]++;
    }
    return times;
  }
}
