package dev.flinch.sensitivity;

import java.util.Arrays;

/**
 * A convex polygon in the coordinates of a plane, its corners counter-clockwise.
 *
 * @param x of each corner
 * @param y of each corner
 * @param edges what each edge, from its corner to the next one, lies on: 0 for the square's border,
 *     u + 1 for a knot of hidden unit u where the polygon is on its upper side, −(u + 1) where it
 *     is on its lower side; u counts the units of all hidden layers
 */
public record PlanePolygon(double[] x, double[] y, int[] edges) {
  /** Corners so near to a line, in units of the plane, are on it: slivers would be rounding. */
  private static final double ON_LINE = 1e-12;

  private static final double ROUNDING = 4e-15;

  /** The square that a region map shows. */
  static PlanePolygon square() {
    return new PlanePolygon(
        new double[] {-1, 1, 1, -1}, new double[] {-1, -1, 1, 1}, new int[] {0, 0, 0, 0});
  }

  /** How many corners it has. */
  public int corners() {
    return x.length;
  }

  /** Its area, in units of the plane squared. */
  public double area() {
    double twice = 0;
    for (int i = 0; i < x.length; i++) {
      int next = i + 1 == x.length ? 0 : i + 1;
      twice += (x[i] - x[0]) * (y[next] - y[0]) - (x[next] - x[0]) * (y[i] - y[0]);
    }
    return twice / 2;
  }

  /** How far a value of a x + b y + c may be from 0 for its corner to be on the line. */
  static double tolerance(double a, double b, double c) {
    return ON_LINE * Math.hypot(a, b) + ROUNDING * (Math.abs(a) + Math.abs(b) + Math.abs(c));
  }

  /** On which side of the line a x + b y + c = 0 this polygon is: 1, −1, or 0 for both. */
  int sideOf(double a, double b, double c) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < x.length; i++) {
      double value = a * x[i] + b * y[i] + c;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return side(low, high, tolerance(a, b, c));
  }

  /** The same from the lowest and the highest value at the corners. */
  static int side(double low, double high, double tolerance) {
    if (low < -tolerance && high > tolerance) {
      return 0;
    }
    return low + high > 0 ? 1 : -1;
  }

  /**
   * The part of this polygon on one side of a line that cuts it.
   *
   * @param side 1 where a x + b y + c &gt; 0, −1 for the other
   * @param edge what the cut is called
   */
  PlanePolygon part(int side, double a, double b, double c, int edge) {
    int n = x.length;
    double tolerance = tolerance(a, b, c);
    double[] values = new double[n];
    int[] signs = new int[n];
    for (int i = 0; i < n; i++) {
      values[i] = a * x[i] + b * y[i] + c;
      signs[i] = Math.abs(values[i]) <= tolerance ? 0 : values[i] > 0 ? side : -side;
    }
    double[] partX = new double[n + 2];
    double[] partY = new double[n + 2];
    int[] partEdges = new int[n + 2];
    int count = 0;
    for (int i = 0; i < n; i++) {
      int next = i + 1 == n ? 0 : i + 1;
      if (signs[i] >= 0) {
        partX[count] = x[i];
        partY[count] = y[i];
        partEdges[count++] = signs[i] == 0 && signs[next] < 0 ? edge : edges[i];
      }
      if (signs[i] * signs[next] < 0) {
        double fraction = values[i] / (values[i] - values[next]);
        partX[count] = x[i] + fraction * (x[next] - x[i]);
        partY[count] = y[i] + fraction * (y[next] - y[i]);
        partEdges[count++] = signs[i] > 0 ? edge : edges[i];
      }
    }
    return new PlanePolygon(
        Arrays.copyOf(partX, count), Arrays.copyOf(partY, count), Arrays.copyOf(partEdges, count));
  }
}
