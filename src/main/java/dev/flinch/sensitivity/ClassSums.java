package dev.flinch.sensitivity;

import java.util.stream.IntStream;

/** Sums of stiffness over pairs of examples, by the classes of both. */
final class ClassSums {
  private final int classes;
  private final boolean within;
  private final int[] rowClasses;
  private final int[] columnClasses;
  private final double[][] cosines;
  private final double[][] signs;
  private final long[][] pairs;

  /**
   * Nothing yet.
   *
   * @param rowClasses the class of each example of the rows, {@code classes} for those to leave out
   * @param within whether pairs are within one set
   */
  ClassSums(int classes, int[] rowClasses, int[] columnClasses, boolean within) {
    this.classes = classes;
    this.within = within;
    this.rowClasses = rowClasses;
    this.columnClasses = columnClasses;
    this.cosines = new double[classes][classes];
    this.signs = new double[classes][classes];
    this.pairs = new long[classes][classes];
  }

  /** Sums of one row by the class of its columns. */
  private record RowSums(double[] cosines, long[] signs, long[] pairs) {}

  /** Adds a panel; rows are summed side by side, and then added in their order. */
  void add(ExamplePairs.Panel panel, float[] values) {
    RowSums[] rows =
        IntStream.range(panel.row(), panel.row() + panel.rows())
            .parallel()
            .mapToObj(i -> rowClasses[i] == classes ? null : row(panel, values, i))
            .toArray(RowSums[]::new);
    for (int k = 0; k < rows.length; k++) {
      if (rows[k] != null) {
        int a = rowClasses[panel.row() + k];
        for (int b = 0; b < classes; b++) {
          cosines[a][b] += rows[k].cosines[b];
          signs[a][b] += rows[k].signs[b];
          pairs[a][b] += rows[k].pairs[b];
        }
      }
    }
  }

  private RowSums row(ExamplePairs.Panel panel, float[] values, int i) {
    // The last place is for columns that are left out.
    double[] sums = new double[classes + 1];
    long[] signSums = new long[classes + 1];
    long[] counts = new long[classes + 1];
    int at = panel.at(i);
    for (int j = within ? i + 1 : 0; j < columnClasses.length; j++) {
      int b = columnClasses[j];
      float cosine = values[at + j];
      sums[b] += cosine;
      signSums[b] += cosine > 0 ? 1 : cosine < 0 ? -1 : 0;
      counts[b]++;
    }
    return new RowSums(sums, signSums, counts);
  }

  /** The mean cosines. */
  ClassStiffness cosine() {
    return ClassStiffness.of(bothWays(cosines), pairs());
  }

  /** The mean signs. */
  ClassStiffness sign() {
    return ClassStiffness.of(bothWays(signs), pairs());
  }

  /** How many pairs of each two classes there are; of pairs within one set, each counts once. */
  long[][] pairs() {
    long[][] all = new long[classes][classes];
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        all[a][b] = pairs[a][b] + (within && a != b ? pairs[b][a] : 0);
      }
    }
    return all;
  }

  /** A pair of two classes within one set stands where its first example's class has a row. */
  private double[][] bothWays(double[][] sums) {
    double[][] all = new double[classes][classes];
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        // In one order, so that the matrix is symmetric to the last bit.
        double one = sums[Math.min(a, b)][Math.max(a, b)];
        double other = sums[Math.max(a, b)][Math.min(a, b)];
        all[a][b] = !within || a == b ? sums[a][b] : one + other;
      }
    }
    return all;
  }
}
