package dev.flinch.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.util.List;
import org.jfree.chart.axis.AxisSpace;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.IntervalMarker;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleAnchor;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.chart.ui.TextAnchor;

/**
 * Stiffness of one network (Fort et al.): the class matrix as a heat map, and beside it mean
 * stiffness within classes against distance, with its line and the critical length.
 */
public final class StiffnessFigure {
  private static final int SIDE = 430;
  private static final int MARGIN = 24;
  private static final int HEADER = 72;
  private static final int CAPTION = 28;
  private static final int BAR_AT = 14;
  private static final int BAR = 92;
  private static final int GAP = 26;
  private static final int AXIS = 64;
  private static final int RIGHT = 470;

  private static final double SMALLEST_MARKER = 4;

  private StiffnessFigure() {}

  /**
   * The class matrix.
   *
   * @param values {@code [row][column]}, null for those that are not defined
   */
  public record Matrix(Double[][] values, String rowLabel, String columnLabel) {}

  /** Pairs of about one distance: their mean distance and mean stiffness. */
  public record Bin(double distance, double stiffness, long pairs) {}

  /**
   * The line through bins, and where it crosses zero.
   *
   * @param slope null, as is the intercept, where there is no line
   * @param crossing null where there is none
   * @param low where its interval begins; null where it is not known
   * @param high where its interval ends; null where it does not
   */
  public record Line(Double slope, Double intercept, Double crossing, Double low, Double high) {
    double at(double distance) {
      return intercept + slope * distance;
    }
  }

  /** The figure. */
  public static Figure of(String title, String subtitle, Matrix matrix, List<Bin> bins, Line line) {
    int left = MARGIN + HeatMap.LEFT;
    int right = left + SIDE + BAR_AT + BAR + GAP;
    int width = right + AXIS + RIGHT + MARGIN;
    int height = HEADER + CAPTION + SIDE + HeatMap.BELOW + MARGIN / 2;
    HeatMap map =
        new HeatMap(
            matrix.values(), HeatMap.top(matrix.values()), matrix.rowLabel(), matrix.columnLabel());
    return new Figure(
        g -> {
          g.setPaint(Color.WHITE);
          g.fill(new Rectangle2D.Double(0, 0, width, height));
          Style.text(g, title, Style.TITLE, Style.INK, MARGIN, 34);
          Style.text(g, subtitle, Style.SMALL, Style.QUIET, MARGIN, 56);
          int top = HEADER + CAPTION;
          caption(
              g,
              "Cosine between loss gradients, by class"
                  + (undefined(matrix) ? "; grey: no pairs" : ""),
              left);
          map.draw(g, left, top, SIDE);
          map.bar("mean cosine").draw(g, left + SIDE + BAR_AT, top, SIDE);
          caption(g, caption(bins, line), right + AXIS);
          // A plot puts back what it found, which may not be nothing.
          g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
          panel(bins, line)
              .draw(
                  g,
                  new Rectangle2D.Double(right, top, AXIS + RIGHT, SIDE + HeatMap.BELOW),
                  null,
                  null,
                  null);
        },
        width,
        height,
        2);
  }

  private static boolean undefined(Matrix matrix) {
    for (Double[] row : matrix.values()) {
      for (Double value : row) {
        if (value == null) {
          return true;
        }
      }
    }
    return false;
  }

  private static void caption(Graphics2D g, String text, double left) {
    Style.text(g, text, Style.TEXT, Style.INK, left, HEADER + CAPTION - 10);
  }

  private static String caption(List<Bin> bins, Line line) {
    return bins.isEmpty()
        ? "Within classes: no pairs"
        : "Within classes, against distance: " + DistancePanel.length(line);
  }

  private static XYPlot panel(List<Bin> bins, Line line) {
    List<DistancePanel.Drawn> drawn =
        List.of(
            new DistancePanel.Drawn(
                bins, line, 0, SMALLEST_MARKER, Style.colour(0), Style.colour(1)));
    NumberAxis distances = DistancePanel.distances(drawn);
    XYPlot plot = DistancePanel.plot(drawn, distances);
    plot.setInsets(RectangleInsets.ZERO_INSETS);
    AxisSpace space = new AxisSpace();
    space.setLeft(AXIS);
    space.setBottom(HeatMap.BELOW);
    plot.setFixedRangeAxisSpace(space);
    plot.setFixedDomainAxisSpace(space);
    mark(plot, line, distances.getUpperBound());
    return plot;
  }

  private static void mark(XYPlot plot, Line line, double end) {
    if (line.crossing() == null || line.crossing() > end) {
      return;
    }
    if (line.low() != null) {
      plot.addDomainMarker(
          new IntervalMarker(
              line.low(),
              line.high() == null ? end : Math.min(end, line.high()),
              Style.pale(Style.colour(1), 0.15)),
          Layer.BACKGROUND);
    }
    ValueMarker crossing = new ValueMarker(line.crossing(), Style.colour(1), Style.DASHED);
    crossing.setLabel("ξ");
    crossing.setLabelFont(Style.TITLE);
    crossing.setLabelPaint(Style.INK);
    crossing.setLabelBackgroundColor(new Color(0, 0, 0, 0));
    crossing.setLabelAnchor(RectangleAnchor.TOP_LEFT);
    crossing.setLabelTextAnchor(TextAnchor.TOP_RIGHT);
    plot.addDomainMarker(crossing, Layer.BACKGROUND);
  }
}
