package dev.flinch.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Image;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import java.util.Locale;
import java.util.Objects;

/**
 * A matrix by classes in diverging colours, the class numbers on both axes, and its numbers in the
 * cells where there is room for them.
 *
 * @param values {@code [row][column]}, null for those that are not defined, which are grey
 * @param top of the colours, which are of −top to top
 * @param rowLabel empty for none
 */
record HeatMap(Double[][] values, double top, String rowLabel, String columnLabel) {
  /** Left of the cells, for the numbers of rows and their label. */
  static final int LEFT = 52;

  /** Below the cells, for the numbers of columns and their label. */
  static final int BELOW = 52;

  private static final Color UNDEFINED = new Color(0xC9, 0xC9, 0xC9);

  /** Cells narrower than this have no room for a number. */
  private static final double NARROWEST = 34;

  private static final int MOST_LABELS = 20;

  /** More rows are an image in an SVG, whose reader would be slow to draw them cell by cell. */
  private static final int MOST_AS_SHAPES = 40;

  /** The least top that holds all values of some matrices. */
  static double top(Double[][]... matrices) {
    double top =
        Arrays.stream(matrices)
            .flatMap(Arrays::stream)
            .flatMap(Arrays::stream)
            .filter(Objects::nonNull)
            .mapToDouble(Math::abs)
            .max()
            .orElse(0);
    return top > 0 ? top : 1;
  }

  /**
   * Draws it.
   *
   * @param left of the cells
   * @param up the upper edge of the cells
   * @param side of the square of cells
   */
  void draw(Graphics2D g, double left, double up, double side) {
    int n = values.length;
    double cell = side / n;
    if (n > MOST_AS_SHAPES) {
      image(g, left, up, side);
    } else {
      for (int a = 0; a < n; a++) {
        for (int b = 0; b < n; b++) {
          cell(g, values[a][b], left + b * cell, up + a * cell, cell);
        }
      }
    }
    g.setPaint(Style.INK);
    g.setStroke(Style.THIN);
    g.draw(new Rectangle2D.Double(left, up, side, side));
    int step = n <= MOST_LABELS ? 1 : 10;
    for (int c = 0; c < n; c += step) {
      String label = String.valueOf(c);
      double width = Style.width(label, Style.SMALL);
      double middle = (c + 0.5) * cell;
      Style.text(g, label, Style.SMALL, Style.INK, left - 6 - width, up + middle + 4);
      Style.text(g, label, Style.SMALL, Style.INK, left + middle - width / 2, up + side + 17);
    }
    if (!rowLabel.isEmpty()) {
      Style.upright(g, rowLabel, left - 34, up + side / 2);
    }
    double width = Style.width(columnLabel, Style.TEXT);
    Style.text(
        g, columnLabel, Style.TEXT, Style.INK, left + (side - width) / 2, up + side + BELOW - 12);
  }

  private void image(Graphics2D g, double left, double up, double side) {
    int[] rgb =
        Arrays.stream(values)
            .flatMap(Arrays::stream)
            .mapToInt(value -> colour(value).getRGB())
            .toArray();
    Image image = RegionFigure.enlarged(rgb, values.length);
    g.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
    AffineTransform place = AffineTransform.getTranslateInstance(left, up);
    place.scale(side / image.getWidth(null), side / image.getHeight(null));
    g.drawImage(image, place, null);
  }

  private Color colour(Double value) {
    return value == null ? UNDEFINED : new Color(Diverging.rgb(value / top));
  }

  private void cell(Graphics2D g, Double value, double left, double up, double cell) {
    g.setPaint(colour(value));
    // A little more than the cell, against seams.
    g.fill(new Rectangle2D.Double(left, up, cell + 0.3, cell + 0.3));
    if (cell >= NARROWEST) {
      String number = value == null ? "–" : number(value);
      boolean dark = value != null && Math.abs(value) > 0.65 * top;
      Style.text(
          g,
          number,
          Style.SMALL,
          dark ? Color.WHITE : Style.INK,
          left + (cell - Style.width(number, Style.SMALL)) / 2,
          up + cell / 2 + 4);
    }
  }

  private static String number(double value) {
    // Plus zero, which makes zero of a negative zero.
    return String.format(Locale.ROOT, "%.2f", Math.rint(100 * value) / 100 + 0.0);
  }

  /** What its colours stand for. */
  ColourBar bar(String label) {
    return new ColourBar(-top, top, value -> Diverging.rgb(value / top), label);
  }
}
