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

  private static final int SMALLER_SIDE = 390;
  private static final int MARGIN = 24;
  private static final int HEADER = 72;
  private static final int CAPTION = 28;
  private static final int LINE = 18;
  private static final int GAP = 44;
  private static final int BAR_AT = 14;
  private static final int BAR = 92;

  private StiffnessMatricesFigure() {}

  /**
   * A moment of training.
   *
   * @param label what stands above its map, such as {@code epoch 10}
   * @param matrix {@code [class][class]}, mean cosines, null for those that are not defined
   * @throws IllegalArgumentException if the matrix is not square
   */
  public record Moment(String label, Double[][] matrix) {
    public Moment {
      for (Double[] row : matrix) {
        if (row.length != matrix.length) {
          throw new IllegalArgumentException(
              "%s: expected a square matrix, found a row of %d among %d rows"
                  .formatted(label, row.length, matrix.length));
        }
      }
    }
  }

  /**
   * The figure of one to four moments.
   *
   * @throws IllegalArgumentException for another number of them
   */
  public static Figure of(String title, List<Moment> moments) {
    if (moments.isEmpty() || moments.size() > MOST) {
      throw new IllegalArgumentException(
          "expected 1 to %d moments, found %d".formatted(MOST, moments.size()));
    }
    Double[][] rows =
        moments.stream().map(Moment::matrix).flatMap(Arrays::stream).toArray(Double[][]::new);
    boolean undefined = Arrays.stream(rows).flatMap(Arrays::stream).anyMatch(Objects::isNull);
    double top = HeatMap.top(rows);
    int side = moments.size() <= 2 ? SIDE : SMALLER_SIDE;
    List<List<String>> labels =
        moments.stream().map(m -> Style.wrapped(m.label(), Style.TEXT, side)).toList();
    int lines = labels.stream().mapToInt(List::size).max().orElseThrow();
    int up = HEADER + CAPTION + (lines - 1) * LINE;
    int left = MARGIN + HeatMap.LEFT;
    int barLeft = left + moments.size() * side + (moments.size() - 1) * GAP + BAR_AT;
    int width =
        Math.max(
            barLeft + BAR + MARGIN, (int) Math.ceil(Style.width(title, Style.TITLE)) + 2 * MARGIN);
    int height = up + side + HeatMap.BELOW + MARGIN / 2;
    return new Figure(
        g -> {
          g.setPaint(Color.WHITE);
          g.fill(new Rectangle2D.Double(0, 0, width, height));
          Style.text(g, title, Style.TITLE, Style.INK, MARGIN, 34);
          Style.text(
              g,
              "Mean cosine between loss gradients, by class."
                  + (moments.size() > 1 ? "  The same colours for all." : "")
                  + (undefined ? "  Grey: no pairs." : ""),
              Style.SMALL,
              Style.QUIET,
              MARGIN,
              56);
          for (int i = 0; i < moments.size(); i++) {
            int at = left + i * (side + GAP);
            List<String> label = labels.get(i);
            for (int line = 0; line < label.size(); line++) {
              int base = up - 10 - (label.size() - 1 - line) * LINE;
              Style.text(g, label.get(line), Style.TEXT, Style.INK, at, base);
            }
            HeatMap map = new HeatMap(moments.get(i).matrix(), top, i == 0 ? "class" : "", "class");
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
