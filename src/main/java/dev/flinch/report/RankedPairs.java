package dev.flinch.report;

import java.util.Arrays;

/**
 * Pairs of ranks, of which both rank correlations come in one go: the pairs are sorted by x, then
 * by y, and the exchanges that a merge sort by y makes are the discordant pairs (Knight, <em>A
 * Computer Method for Calculating Kendall's Tau with Ungrouped Data</em>, 1966). The memory is used
 * again for the next pairs, as a bootstrap needs it.
 */
final class RankedPairs {
  /** Runs this short are sorted by insertion. */
  private static final int SHORT = 8;

  /** x above y, then y above the place in that order. */
  private long[] keys;

  private long[] sorted;

  /** Twice the mean rank of each x less its mean, in the order of x. */
  private double[] deviationX;

  private int size;
  private double kendall;
  private double spearman;

  RankedPairs(int capacity) {
    keys = new long[capacity];
    sorted = new long[capacity];
    deviationX = new double[capacity];
  }

  /** 0 for the least value, equal numbers for equal values; NaN is the largest. */
  static int[] denseRanks(double[] values) {
    // Adding 0 makes −0 equal 0.
    double[] distinct = Arrays.stream(values).map(v -> v + 0.0).sorted().distinct().toArray();
    int[] ranks = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      ranks[i] = Arrays.binarySearch(distinct, values[i] + 0.0);
    }
    return ranks;
  }

  void clear() {
    size = 0;
  }

  /** One more pair; ranks are not negative. */
  void add(int x, int y) {
    if (size == keys.length) {
      int capacity = Math.max(16, 2 * size);
      keys = Arrays.copyOf(keys, capacity);
      sorted = new long[capacity];
      deviationX = new double[capacity];
    }
    keys[size++] = (long) x << Integer.SIZE | y;
  }

  int size() {
    return size;
  }

  double kendall() {
    return kendall;
  }

  double spearman() {
    return spearman;
  }

  /** Finds both correlations of the pairs there are. */
  void correlate() {
    int n = size;
    Arrays.sort(keys, 0, n);
    long tiedInX = 0;
    long tiedInBoth = 0;
    double squaresX = 0;
    for (int from = 0, to; from < n; from = to) {
      to = from + 1;
      int same = from;
      while (to < n && keys[to] >>> Integer.SIZE == keys[from] >>> Integer.SIZE) {
        if (keys[to] != keys[same]) {
          tiedInBoth += pairs(to - same);
          same = to;
        }
        to++;
      }
      tiedInBoth += pairs(to - same);
      tiedInX += pairs(to - from);
      double deviation = from + to - n;
      squaresX += deviation * deviation * (to - from);
      Arrays.fill(deviationX, from, to, deviation);
    }
    for (int i = 0; i < n; i++) {
      keys[i] = keys[i] << Integer.SIZE | i;
    }
    long discordant = sort(n);

    long tiedInY = 0;
    double squaresY = 0;
    double products = 0;
    for (int from = 0, to; from < n; from = to) {
      to = from + 1;
      while (to < n && keys[to] >>> Integer.SIZE == keys[from] >>> Integer.SIZE) {
        to++;
      }
      tiedInY += pairs(to - from);
      double deviation = from + to - n;
      squaresY += deviation * deviation * (to - from);
      for (int i = from; i < to; i++) {
        products += deviation * deviationX[(int) keys[i]];
      }
    }
    long all = pairs(n);
    kendall =
        (all - tiedInX - tiedInY + tiedInBoth - 2 * discordant)
            / Math.sqrt((double) (all - tiedInX) * (all - tiedInY));
    spearman = products / Math.sqrt(squaresX * squaresY);
  }

  private static long pairs(long n) {
    return n * (n - 1) / 2;
  }

  /** Sorts the keys by y and counts how many pairs stood the other way round. */
  private long sort(int n) {
    long exchanges = 0;
    for (int from = 0; from < n; from += SHORT) {
      int to = Math.min(n, from + SHORT);
      for (int i = from + 1; i < to; i++) {
        long key = keys[i];
        int place = i;
        while (place > from && keys[place - 1] > key) {
          keys[place] = keys[place - 1];
          place--;
        }
        keys[place] = key;
        exchanges += i - place;
      }
    }
    for (int width = SHORT; width < n; width *= 2) {
      for (int from = 0; from < n; from += 2 * width) {
        int middle = Math.min(n, from + width);
        exchanges += merge(from, middle, Math.min(n, from + 2 * width));
      }
      long[] other = keys;
      keys = sorted;
      sorted = other;
    }
    return exchanges;
  }

  private long merge(int from, int middle, int to) {
    long exchanges = 0;
    int left = from;
    int right = middle;
    for (int out = from; out < to; out++) {
      if (right == to || left < middle && keys[left] < keys[right]) {
        sorted[out] = keys[left++];
      } else {
        exchanges += middle - left;
        sorted[out] = keys[right++];
      }
    }
    return exchanges;
  }
}
