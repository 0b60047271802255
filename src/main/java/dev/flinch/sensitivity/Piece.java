package dev.flinch.sensitivity;

import dev.flinch.device.Curve;
import dev.flinch.device.Curve.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * A part of a trajectory on which points are polynomials of degree two over a weight, as {@link
 * dev.flinch.device.RegionWalks} wants them: an arc of an ellipse, by t = tan((θ − middle) / 2), or
 * a part of a straight line between two corners, by t from the first of them.
 *
 * @param start its first parameter of the trajectory
 * @param end its last, which belongs to the next piece
 * @param origin the parameter of t = 0
 */
record Piece(Curve curve, double start, double end, double origin) {

  /**
   * A curve in pieces that follow each other.
   *
   * @param least how many there are at least
   */
  static List<Piece> cut(Curve curve, int least) {
    List<Piece> pieces = new ArrayList<>();
    boolean arcs = curve.shape() == Shape.ELLIPSE;
    int straight = arcs ? 1 : curve.vectors();
    // An arc has to be less than half of the ellipse.
    int parts = Math.max(arcs ? 4 : 1, (least + straight - 1) / straight);
    int count = straight * parts;
    for (int i = 0; i < count; i++) {
      double start = curve.period() * i / count;
      double end = curve.period() * (i + 1) / count;
      pieces.add(new Piece(curve, start, end, arcs ? (start + end) / 2 : i / parts));
    }
    return pieces;
  }

  boolean isArc() {
    return curve.shape() == Shape.ELLIPSE;
  }

  /** The piece's own parameter at one of the trajectory's. */
  double local(double parameter) {
    return isArc() ? Math.tan((parameter - origin) / 2) : parameter - origin;
  }

  /** The trajectory's parameter at one of the piece's own. */
  double global(double t) {
    return isArc() ? origin + 2 * Math.atan(t) : origin + t;
  }

  /**
   * How the curve's vectors combine to c₀, c₁ and c₂.
   *
   * @param indices takes three vectors for each
   * @param coefficients takes a factor for each of them
   */
  void polynomial(int[] indices, double[] coefficients, int at) {
    if (isArc()) {
      // With δ the angle from the middle: (1 + t²) cos δ = 1 − t², (1 + t²) sin δ = 2 t.
      double cos = Math.cos(origin - curve.start());
      double sin = Math.sin(origin - curve.start());
      double[] of = {1, cos, sin, 0, -2 * sin, 2 * cos, 1, -cos, -sin};
      for (int i = 0; i < 9; i++) {
        indices[at + i] = i % 3;
        coefficients[at + i] = of[i];
      }
    } else {
      int corner = (int) origin;
      double[] of = {1, 0, 0, -1, 1, 0, 0, 0, 0};
      for (int i = 0; i < 9; i++) {
        indices[at + i] = i % 3 == 1 ? (corner + 1) % curve.vectors() : corner;
        coefficients[at + i] = of[i];
      }
    }
  }
}
