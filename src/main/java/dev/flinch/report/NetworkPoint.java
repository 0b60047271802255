package dev.flinch.report;

/**
 * One network of {@link GapFigure}.
 *
 * @param group what networks are averaged by, such as their architecture's title
 * @param teaching what the network was taught, such as {@code true labels}
 * @param gap train accuracy − test accuracy
 * @param jacobianNorm mean Jacobian norm
 */
public record NetworkPoint(String group, String teaching, double gap, double jacobianNorm) {
  boolean isFinite() {
    return Double.isFinite(gap) && Double.isFinite(jacobianNorm);
  }
}
