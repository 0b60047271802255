package dev.flinch.trajectory;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.device.Curve;
import java.util.Arrays;

/** z(θ) = m + p cos(θ − θ₀) + q sin(θ − θ₀), θ in radians. */
public final class Ellipse implements Trajectory {
  private final String kind;
  private final double[][] vectors;
  private final Curve curve;

  private Ellipse(String kind, double[][] vectors, double start) {
    this.kind = kind;
    this.vectors = vectors;
    this.curve = Curve.ellipse(start);
  }

  /**
   * A zero-centred ellipse u cos θ + v sin θ with u, v ~ N(0, I) (Novak et al., §A.5.2).
   *
   * @param dimension components of a point
   */
  public static Ellipse random(int dimension, long seed) {
    double[][] vectors = new double[3][dimension];
    for (int axis = 0; axis < 2; axis++) {
      float[] values = new float[dimension];
      RandomStreams.fillNormal(
          RandomStreams.stream(seed, Purpose.TRAJECTORY, 0, axis), 1, values, 0, dimension);
      for (int j = 0; j < dimension; j++) {
        vectors[1 + axis][j] = values[j];
      }
    }
    return new Ellipse("random", vectors, 0);
  }

  /**
   * The ellipse through three points that meets a, b and c at θ = π/3, π and 5π/3 (Novak et al.,
   * Figure 2 and §A.5.2).
   */
  public static Ellipse through(float[] a, float[] b, float[] c) {
    if (Arrays.equals(a, b) || Arrays.equals(b, c) || Arrays.equals(a, c)) {
      throw new RequestException(
          "the ellipse needs three different points: two of its anchors are the same image");
    }
    double[][] vectors = new double[3][a.length];
    for (int j = 0; j < a.length; j++) {
      vectors[0][j] = ((double) a[j] + b[j] + c[j]) / 3;
      vectors[1][j] = (2.0 * a[j] - b[j] - c[j]) / 3;
      vectors[2][j] = ((double) b[j] - c[j]) / Math.sqrt(3);
    }
    return new Ellipse("through", vectors, Math.PI / 3);
  }

  @Override
  public String kind() {
    return kind;
  }

  @Override
  public String parameter() {
    return "θ";
  }

  @Override
  public Curve curve() {
    return curve;
  }

  @Override
  public double[][] vectors() {
    return vectors;
  }
}
