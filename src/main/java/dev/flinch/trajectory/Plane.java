package dev.flinch.trajectory;

import dev.flinch.base.RequestException;
import java.util.Arrays;

/**
 * A square of the plane through three points a, b and c (Novak et al., Figure 3), in the
 * coordinates that it is drawn in: x to the right and y upwards, both in [−1, 1].
 *
 * <p>With m = (a + b + c)/3, p = (2a − b − c)/3 and q = (b − c)/√3, the point at (s, t) is m + (s p
 * + t q)/0.8, so that each anchor has distance 0.8 from the centre. The drawing is turned, and seen
 * from the side from which a, b and c run clockwise: a stands at (−0.69, 0.4), b at (0.69, 0.4) and
 * c at (0, −0.8).
 */
public final class Plane {
  /** How far the anchors are from the centre. */
  public static final double ANCHOR_DISTANCE = 0.8;

  private static final double HALF_ROOT_3 = Math.sqrt(3) / 2;

  /** Of points on one line, rounded to float32, the squared sine of the axes' angle is less. */
  private static final double SMALLEST_SQUARED_SINE = 1e-12;

  private final double[][] vectors;

  private Plane(double[][] vectors) {
    this.vectors = vectors;
  }

  /**
   * The plane through three points of equally many components.
   *
   * @throws RequestException if two of them are equal, or all three are on a line
   */
  public static Plane through(float[] a, float[] b, float[] c) {
    if (Arrays.equals(a, b) || Arrays.equals(b, c) || Arrays.equals(a, c)) {
      throw new RequestException(
          "the plane needs three different points: two of its anchors are the same image");
    }
    double[][] vectors = new double[3][a.length];
    double pp = 0;
    double qq = 0;
    double pq = 0;
    for (int j = 0; j < a.length; j++) {
      double p = (2.0 * a[j] - b[j] - c[j]) / 3;
      double q = ((double) b[j] - c[j]) / Math.sqrt(3);
      vectors[0][j] = ((double) a[j] + b[j] + c[j]) / 3;
      vectors[1][j] = p;
      vectors[2][j] = q;
      pp += p * p;
      qq += q * q;
      pq += p * q;
    }
    if (!(pp * qq - pq * pq > SMALLEST_SQUARED_SINE * pp * qq)) {
      throw new RequestException(
          "the plane needs three points that are not on one line: its anchors are");
    }
    return new Plane(vectors);
  }

  /** m, p and q, {@code [3][d]}, not to be changed. */
  public double[][] vectors() {
    return vectors;
  }

  /** The number d of components of a point. */
  public int dimension() {
    return vectors[0].length;
  }

  /**
   * The factors of m, p and q in the point that is drawn at (x, y): an affine function of x and y.
   *
   * @param factors takes three numbers from {@code at} on
   */
  public static void coordinates(double x, double y, double[] factors, int at) {
    factors[at] = 1;
    factors[at + 1] = (-HALF_ROOT_3 * x + y / 2) / ANCHOR_DISTANCE;
    factors[at + 2] = (x / 2 + HALF_ROOT_3 * y) / ANCHOR_DISTANCE;
  }

  /** Where anchor 0 (a), 1 (b) or 2 (c) is drawn: x and y. */
  public static double[] anchor(int index) {
    return new double[][] {
          {-ANCHOR_DISTANCE * HALF_ROOT_3, ANCHOR_DISTANCE / 2},
          {ANCHOR_DISTANCE * HALF_ROOT_3, ANCHOR_DISTANCE / 2},
          {0, -ANCHOR_DISTANCE}
        }
        [index];
  }

  /** x of the centre of a pixel's column, 0 the leftmost of {@code size}. */
  public static double x(int column, int size) {
    return (2.0 * column + 1) / size - 1;
  }

  /** y of the centre of a pixel's row, 0 the uppermost of {@code size}. */
  public static double y(int row, int size) {
    return 1 - (2.0 * row + 1) / size;
  }

  /** The point that is drawn at (x, y), a new array. */
  public double[] point(double x, double y) {
    double[] factors = new double[3];
    coordinates(x, y, factors, 0);
    double[] point = new double[dimension()];
    for (int k = 0; k < 3; k++) {
      for (int j = 0; j < point.length; j++) {
        point[j] += factors[k] * vectors[k][j];
      }
    }
    return point;
  }
}
