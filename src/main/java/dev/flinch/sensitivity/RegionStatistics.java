package dev.flinch.sensitivity;

import dev.flinch.trajectory.Plane;
import java.util.Arrays;

/**
 * What a region map says in numbers. Lengths are in the coordinates that the plane is drawn in,
 * where the map's side is 2 and the anchors are 0.8 from its centre.
 *
 * @param regions connected sets of pixels of one pattern, neighbours being left, right, above and
 *     below: the linear regions that the map sees
 * @param patterns different patterns; fewer than regions where a pattern comes back elsewhere
 * @param meanRegionPixels pixels of a region on average
 * @param anchorRadius pixels so near to an anchor count as at it
 * @param anchorDensities transitions per unit of length at each anchor: code changes between
 *     neighbouring pixels, over the distance of their centres
 * @param restDensity the same over the pixels that are at no anchor; NaN where there are none
 */
public record RegionStatistics(
    long regions,
    long patterns,
    double meanRegionPixels,
    double anchorRadius,
    double[] anchorDensities,
    double restDensity) {
  /** The radius of the disc around an anchor: an eighth of its distance from the centre. */
  public static final double ANCHOR_RADIUS = 0.1;

  public static RegionStatistics of(RegionMap map) {
    int size = map.size();
    double[] anchorTransitions = new double[3];
    double[] anchorSteps = new double[3];
    double restTransitions = 0;
    double restSteps = 0;
    for (int row = 0; row < size; row++) {
      for (int column = 0; column < size; column++) {
        int transitions = map.transitions()[row * size + column];
        int steps = map.steps(row, column);
        int at = anchorAt(Plane.x(column, size), Plane.y(row, size));
        if (at < 0) {
          restTransitions += transitions;
          restSteps += steps;
        } else {
          anchorTransitions[at] += transitions;
          anchorSteps[at] += steps;
        }
      }
    }
    double stepsPerUnit = size / 2.0;
    double[] densities = new double[3];
    Arrays.setAll(densities, i -> anchorTransitions[i] / anchorSteps[i] * stepsPerUnit);
    long regions = regions(map);
    return new RegionStatistics(
        regions,
        Arrays.stream(map.hashes()).distinct().count(),
        (double) map.hashes().length / regions,
        ANCHOR_RADIUS,
        densities,
        restTransitions / restSteps * stepsPerUnit);
  }

  private static int anchorAt(double x, double y) {
    for (int i = 0; i < 3; i++) {
      double[] anchor = Plane.anchor(i);
      if (Math.hypot(x - anchor[0], y - anchor[1]) <= ANCHOR_RADIUS) {
        return i;
      }
    }
    return -1;
  }

  /** Joins equal neighbours, and counts the sets that are left. */
  private static long regions(RegionMap map) {
    int size = map.size();
    long[] hashes = map.hashes();
    int[] parents = new int[hashes.length];
    Arrays.setAll(parents, i -> i);
    long regions = hashes.length;
    for (int i = 0; i < hashes.length; i++) {
      if (i % size > 0 && hashes[i] == hashes[i - 1]) {
        regions -= join(parents, i, i - 1);
      }
      if (i >= size && hashes[i] == hashes[i - size]) {
        regions -= join(parents, i, i - size);
      }
    }
    return regions;
  }

  /** 1 where two sets became one, else 0. */
  private static int join(int[] parents, int a, int b) {
    int rootOfA = root(parents, a);
    int rootOfB = root(parents, b);
    parents[Math.max(rootOfA, rootOfB)] = Math.min(rootOfA, rootOfB);
    return rootOfA == rootOfB ? 0 : 1;
  }

  private static int root(int[] parents, int i) {
    int at = i;
    while (parents[at] != at) {
      parents[at] = parents[parents[at]];
      at = parents[at];
    }
    return at;
  }
}
