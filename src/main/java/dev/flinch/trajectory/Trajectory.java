package dev.flinch.trajectory;

import dev.flinch.device.Curve;

/**
 * A closed curve z(t), t ∈ [0, period), whose every point combines a few {@link #vectors()} as its
 * {@link #curve()} says.
 */
public interface Trajectory {
  /** The curve's name on the command line and in results: random, through or translation. */
  String kind();

  /** What the parameter is called in figures: θ or t. */
  String parameter();

  /** How points are combined of vectors. */
  Curve curve();

  /** The vectors that points are combined of, {@code [vector][d]}, not to be changed. */
  double[][] vectors();

  /** The length of the parameter's range. */
  default double period() {
    return curve().period();
  }

  /** The number d of components of a point. */
  default int dimension() {
    return vectors()[0].length;
  }

  /** The point z(t), a new array. */
  default double[] point(double t) {
    int terms = curve().terms();
    int[] indices = new int[terms];
    double[] coefficients = new double[terms];
    curve().coordinates(t, indices, coefficients, 0);
    double[] point = new double[dimension()];
    for (int k = 0; k < terms; k++) {
      double[] vector = vectors()[indices[k]];
      for (int j = 0; j < point.length; j++) {
        point[j] += coefficients[k] * vector[j];
      }
    }
    return point;
  }
}
