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
  /** Resamples whose sums are made side by side: few enough for their counts to stay in cache. */
  private static final int WIDTH = 32;

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

  /**
   * Sums of all pairs by bin in some resamples side by side, each pair as often as both of its
   * examples were drawn; {@code [bin][resample]}.
   */
  private final class Sums {
    private final int width;
    private final double[] pairs;
    private final double[] distances;
    private final double[] cosines;
    private final double[] signs;

    /**
     * Of some resamples.
     *
     * @param rowTimes {@code [example of the rows][resample]}: how often it was drawn
     * @param columnTimes the same of the columns
     * @param width how many resamples
     */
    Sums(double[] rowTimes, double[] columnTimes, int width) {
      this(width);
      Sums ofRow = new Sums(width);
      boolean[] touched = new boolean[bins];
      for (int i = 0; i < partners.length; i++) {
        ofRow.addRow(i, columnTimes, touched);
        for (int b = 0; b < bins; b++) {
          if (touched[b]) {
            touched[b] = false;
            take(ofRow, b, rowTimes, i * width);
          }
        }
      }
    }

    private Sums(int width) {
      this.width = width;
      pairs = new double[bins * width];
      distances = new double[bins * width];
      cosines = new double[bins * width];
      signs = new double[bins * width];
    }

    /** Loops over resamples are innermost, for the processor's vectors. */
    private void addRow(int i, double[] columnTimes, boolean[] touched) {
      float[] stiffness = DistancePairs.this.cosines[i];
      float[] distanceOf = DistancePairs.this.distances[i];
      int[] columns = partners[i];
      int first = firstPartner[i];
      double perDistance = 1 / binWidth;
      for (int k = 0; k < stiffness.length; k++) {
        double cosine = stiffness[k];
        double sign = Math.signum(cosine);
        double distance = distanceOf[k];
        int bin = Math.min(bins - 1, (int) (distance * perDistance));
        touched[bin] = true;
        int to = bin * width;
        int from = columns[first + k] * width;
        for (int r = 0; r < width; r++) {
          double times = columnTimes[from + r];
          pairs[to + r] += times;
          distances[to + r] += times * distance;
          cosines[to + r] += times * cosine;
          signs[to + r] += times * sign;
        }
      }
    }

    /** Moves a row's sums of a bin here. */
    private void take(Sums ofRow, int bin, double[] rowTimes, int timesAt) {
      for (int r = 0; r < width; r++) {
        int at = bin * width + r;
        double times = rowTimes[timesAt + r];
        pairs[at] += times * ofRow.pairs[at];
        distances[at] += times * ofRow.distances[at];
        cosines[at] += times * ofRow.cosines[at];
        signs[at] += times * ofRow.signs[at];
        ofRow.pairs[at] = 0;
        ofRow.distances[at] = 0;
        ofRow.cosines[at] = 0;
        ofRow.signs[at] = 0;
      }
    }

    /** A mean of a bin in a resample; NaN where it has no pairs. */
    double mean(double[] sums, int bin, int resample) {
      return sums[bin * width + resample] / pairs[bin * width + resample];
    }

    CriticalLength.Line line(double[] sums, int resample) {
      double[] x = new double[bins];
      double[] y = new double[bins];
      double[] weights = new double[bins];
      for (int b = 0; b < bins; b++) {
        x[b] = mean(distances, b, resample);
        y[b] = mean(sums, b, resample);
        weights[b] = pairs[b * width + resample];
      }
      return CriticalLength.Line.fit(x, y, weights);
    }
  }

  /**
   * The curve of what was added, and its critical lengths.
   *
   * @param resamples how many resamples of the examples, with replacement, the intervals are of
   * @param seed of the resamples
   */
  DistanceStiffness stiffness(int resamples, long seed) {
    Sums all = new Sums(ones(partners.length), ones(columnCount), 1);
    List<DistanceStiffness.Bin> found = new ArrayList<>();
    for (int b = 0; b < bins; b++) {
      if (all.pairs[b] > 0) {
        found.add(
            new DistanceStiffness.Bin(
                b * binWidth,
                Math.min(2, (b + 1) * binWidth),
                all.mean(all.distances, b, 0),
                all.mean(all.cosines, b, 0),
                all.mean(all.signs, b, 0),
                (long) all.pairs[b]));
      }
    }
    CriticalLength.Line[] byCosine = new CriticalLength.Line[resamples];
    CriticalLength.Line[] bySign = new CriticalLength.Line[resamples];
    IntStream.range(0, (resamples + WIDTH - 1) / WIDTH)
        .parallel()
        .forEach(
            group -> {
              int first = group * WIDTH;
              int width = Math.min(WIDTH, resamples - first);
              double[] rowTimes = new double[partners.length * width];
              double[] columnTimes = within ? rowTimes : new double[columnCount * width];
              for (int r = 0; r < width; r++) {
                UniformRandomProvider random =
                    RandomStreams.stream(seed, Purpose.BOOTSTRAP, 0, first + r);
                draw(random, rowTimes, r, width);
                if (!within) {
                  draw(random, columnTimes, r, width);
                }
              }
              Sums sums = new Sums(rowTimes, columnTimes, width);
              for (int r = 0; r < width; r++) {
                byCosine[first + r] = sums.line(sums.cosines, r);
                bySign[first + r] = sums.line(sums.signs, r);
              }
            });
    return new DistanceStiffness(
        found,
        CriticalLength.of(all.line(all.cosines, 0), byCosine),
        CriticalLength.of(all.line(all.signs, 0), bySign));
  }

  private static double[] ones(int n) {
    double[] ones = new double[n];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** Counts how often each of n is among n drawn with replacement. */
  private static void draw(UniformRandomProvider random, double[] times, int resample, int width) {
    int n = times.length / width;
    for (int k = 0; k < n; k++) {
      times[random.nextInt(n) * width + resample]++;
    }
  }
}
