package dev.flinch.report;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * Class matrices of stiffness at some moments of training (Fort et al.), as heat maps side by side
 * in the same colours.
 */
public final class StiffnessMatricesFigure {
  private static final int MOST = 4;

  /** The side of a map; of more than two, less, but enough for ten classes' numbers. */
  private static final int SIDE = 430;

  private static final int SMALLER_SIDE = 350;
  private static final int MARGIN = 24;
  private static final int HEADER = 72;
  private static final int CAPTION = 28;
  private static final int GAP = 44;
  private static final int BAR_AT = 14;
  private static final int BAR = 92;

  private StiffnessMatricesFigure() {}

  /**
   * A moment of training.
   *
   * @param label what stands above its map, such as {@code epoch 10}
   * @param matrix {@code [class][class]}, mean cosines, null for those that are not defined
   */
  public record Moment(String label, Double[][] matrix) {}

  /** The figure of one to four moments. */
  public static Figure of(String title, List<Moment> moments) {
    if (moments.isEmpty() || moments.size() > MOST) {
      throw new IllegalArgumentException(
          "expected 1 to %d moments, found %d".formatted(MOST, moments.size()));
    }
    Double[][][] matrices = moments.stream().map(Moment::matrix).toArray(Double[][][]::new);
    double top =
        HeatMap.top(Arrays.stream(matrices).flatMap(Arrays::stream).toArray(Double[][]::new));
    int side = moments.size() <= 2 ? SIDE : SMALLER_SIDE;
    int up = HEADER + CAPTION;
    int left = MARGIN + HeatMap.LEFT;
    int barLeft = left + moments.size() * side + (moments.size() - 1) * GAP + BAR_AT;
    int width = barLeft + BAR + MARGIN;
    int height = up + side + HeatMap.BELOW + MARGIN / 2;
    boolean undefined =
        Arrays.stream(matrices)
            .flatMap(Arrays::stream)
            .flatMap(Arrays::stream)
            .anyMatch(Objects::isNull);
    return new Figure(
        g -> {
          g.setPaint(Color.WHITE);
          g.fill(new Rectangle2D.Double(0, 0, width, height));
          Style.text(g, title, Style.TITLE, Style.INK, MARGIN, 34);
          Style.text(
              g,
              "Cosine between loss gradients, by class" + (undefined ? "; grey: no pairs." : "."),
              Style.SMALL,
              Style.QUIET,
              MARGIN,
              56);
          for (int i = 0; i < moments.size(); i++) {
            int at = left + i * (side + GAP);
            HeatMap map = new HeatMap(matrices[i], top, i == 0 ? "class" : "", "class");
            Style.text(g, moments.get(i).label(), Style.TEXT, Style.INK, at, HEADER + CAPTION - 10);
            map.draw(g, at, up, side);
            if (i == moments.size() - 1) {
              map.bar("mean cosine").draw(g, barLeft, up, side);
            }
          }
        },
        width,
        height,
        2);
  }
}
