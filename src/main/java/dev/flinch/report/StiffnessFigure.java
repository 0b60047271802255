package dev.flinch.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.AxisSpace;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.IntervalMarker;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleAnchor;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

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

  /** The greatest distance, of inputs that point away from each other. */
  private static final double FARTHEST = 2;

  private static final double SMALLEST_MARKER = 4;
  private static final double LARGEST_MARKER = 13;

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
    if (bins.isEmpty()) {
      return "Within classes: no pairs";
    }
    if (line.crossing() == null) {
      return "Within classes, against distance: no critical length";
    }
    return "Within classes, against distance: ξ = %s".formatted(number(line.crossing()))
        + (line.low() == null
            ? ""
            : line.high() == null
                ? " (95%%: from %s on)".formatted(number(line.low()))
                : " (95%%: %s to %s)".formatted(number(line.low()), number(line.high())));
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.3g", value);
  }

  private static XYPlot panel(List<Bin> bins, Line line) {
    double end = end(bins, line);
    NumberAxis distances = Style.linear("distance  (1 − cosine between inputs)");
    distances.setRange(0, end);
    boolean fitted = line.slope() != null;
    NumberAxis stiffness =
        Style.linear(
            "mean cosine",
            DoubleStream.concat(
                DoubleStream.of(0, fitted ? line.at(0) : 0, fitted ? line.at(end) : 0),
                bins.stream().mapToDouble(Bin::stiffness)));
    XYSeriesCollection series = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, true);
    renderer.setDrawOutlines(false);
    XYSeries drawn = new XYSeries("line");
    if (fitted) {
      drawn.add(0, line.at(0));
      drawn.add(end, line.at(end));
    }
    series.addSeries(drawn);
    renderer.setSeriesShapesVisible(0, false);
    renderer.setSeriesPaint(0, Style.colour(1));
    renderer.setSeriesStroke(0, Style.LINE);
    long most = bins.stream().mapToLong(Bin::pairs).max().orElse(1);
    for (Bin bin : bins) {
      XYSeries point = new XYSeries(series.getSeriesCount());
      point.add(bin.distance(), bin.stiffness());
      // Areas are as numbers of pairs, which are the weights of the line's fit.
      double size = LARGEST_MARKER * Math.sqrt((double) bin.pairs() / most);
      int index = series.getSeriesCount();
      renderer.setSeriesShape(index, Style.marker(0, Math.max(SMALLEST_MARKER, size)));
      renderer.setSeriesPaint(index, Style.colour(0));
      series.addSeries(point);
    }
    XYPlot plot = new XYPlot(series, distances, stiffness, renderer);
    Style.dress(plot);
    plot.setInsets(RectangleInsets.ZERO_INSETS);
    AxisSpace space = new AxisSpace();
    space.setLeft(AXIS);
    space.setBottom(HeatMap.BELOW);
    plot.setFixedRangeAxisSpace(space);
    plot.setFixedDomainAxisSpace(space);
    plot.addRangeMarker(new ValueMarker(0, Style.QUIET, Style.BAR), Layer.BACKGROUND);
    mark(plot, line, end);
    return plot;
  }

  /** Where the axis of distances ends: behind all bins, and the crossing if inputs are so far. */
  private static double end(List<Bin> bins, Line line) {
    double last = bins.stream().mapToDouble(Bin::distance).max().orElse(1);
    double crossing =
        line.crossing() == null || line.crossing() > FARTHEST
            ? 0
            : Math.max(line.crossing(), line.high() == null ? 0 : line.high());
    return Math.min(FARTHEST, 1.08 * Math.max(last, crossing));
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
