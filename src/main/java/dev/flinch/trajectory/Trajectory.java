package dev.flinch.trajectory;

/**
 * A closed curve z(t), t ∈ [0, period), whose every point is a combination of {@link #terms()} of a
 * few {@link #vectors()}.
 */
public interface Trajectory {
  /** The curve's name on the command line and in results: random, through or translation. */
  String kind();

  /** What the parameter is called in figures: θ or t. */
  String parameter();

  /** The length of the parameter's range. */
  double period();

  /** The vectors that points are combined of, {@code [vector][d]}, not to be changed. */
  double[][] vectors();

  /** How many vectors each point combines. */
  int terms();

  /**
   * Which vectors a point combines, and how.
   *
   * @param t the parameter, in [0, period)
   * @param indices takes {@link #terms()} indices of vectors from {@code at} on
   * @param coefficients takes as many factors from {@code at} on
   */
  void coordinates(double t, int[] indices, double[] coefficients, int at);

  /** The number d of components of a point. */
  default int dimension() {
    return vectors()[0].length;
  }

  /** The point z(t), a new array. */
  default double[] point(double t) {
    int[] indices = new int[terms()];
    double[] coefficients = new double[terms()];
    coordinates(t, indices, coefficients, 0);
    double[] point = new double[dimension()];
    for (int k = 0; k < terms(); k++) {
      double[] vector = vectors()[indices[k]];
      for (int j = 0; j < point.length; j++) {
        point[j] += coefficients[k] * vector[j];
      }
    }
    return point;
  }
}
