package dev.flinch.device;

/**
 * The shape of a closed curve z(t), t ∈ [0, period), whose every point combines a few of a list of
 * vectors: all that a device needs to know to place points on it by itself.
 *
 * @param shape how
 * @param vectors how many there are
 * @param start where an ellipse's cosine is 1, in radians
 */
public record Curve(Shape shape, int vectors, double start) {

  /** How a point combines vectors. */
  public enum Shape {
    /** v₀ + v₁ cos(t − start) + v₂ sin(t − start); the period is 2π. */
    ELLIPSE(3),
    /** (1 − f) vⱼ + f vⱼ₊₁ at t = j + f, around a closed polygon; the period is its corners. */
    POLYGON(2);

    private final int terms;

    Shape(int terms) {
      this.terms = terms;
    }
  }

  /** An ellipse about its first vector. */
  public static Curve ellipse(double start) {
    return new Curve(Shape.ELLIPSE, 3, start);
  }

  /** A polygon of the given number of corners. */
  public static Curve polygon(int corners) {
    return new Curve(Shape.POLYGON, corners, 0);
  }

  /** How many vectors each point combines. */
  public int terms() {
    return shape.terms;
  }

  /** The length of the parameter's range. */
  public double period() {
    return shape == Shape.ELLIPSE ? 2 * Math.PI : vectors;
  }

  /**
   * Which vectors a point combines, and how.
   *
   * @param t the parameter, in [0, period)
   * @param indices takes {@link #terms()} indices of vectors from {@code at} on
   * @param coefficients takes as many factors from {@code at} on
   */
  public void coordinates(double t, int[] indices, double[] coefficients, int at) {
    if (shape == Shape.ELLIPSE) {
      for (int k = 0; k < 3; k++) {
        indices[at + k] = k;
      }
      coefficients[at] = 1;
      coefficients[at + 1] = Math.cos(t - start);
      coefficients[at + 2] = Math.sin(t - start);
    } else {
      int whole = (int) t;
      indices[at] = whole % vectors;
      indices[at + 1] = (whole + 1) % vectors;
      coefficients[at] = 1 - (t - whole);
      coefficients[at + 1] = t - whole;
    }
  }
}
