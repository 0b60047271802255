package dev.flinch.report;

/**
 * One network of {@link GapFigure}.
 *
 * @param group what networks are averaged by, such as their architecture's title
 * @param labels what the network was taught, such as {@code true} or {@code random}
 * @param gap train accuracy − test accuracy
 * @param jacobianNorm mean Jacobian norm
 */
public record NetworkPoint(String group, String labels, double gap, double jacobianNorm) {
  boolean isFinite() {
    return Double.isFinite(gap) && Double.isFinite(jacobianNorm);
  }
}
