package dev.flinch.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * A panel's lines through the moments of training, in their order, with gaps where values are not
 * finite.
 */
final class CourseLines {
  static final double MARKER = 7;

  /** Markers that a line has at most, if it has no gaps. */
  private static final int MOST_MARKERS = 25;

  private final DoubleUnaryOperator across;
  private final DoubleUnaryOperator up;
  private final XYSeriesCollection series = new XYSeriesCollection();
  private final XYLineAndShapeRenderer renderer = new Spaced();

  /**
   * @param across where finite values are drawn along the lower axis
   * @param up where finite values are drawn along the axis at the left
   */
  CourseLines(DoubleUnaryOperator across, DoubleUnaryOperator up) {
    this.across = across;
    this.up = up;
    renderer.setDrawOutlines(false);
    renderer.setDrawSeriesLineAsPath(true);
  }

  /** Adds the line of some values against others; where one of the two is not finite is a gap. */
  void add(double[] against, double[] values, BasicStroke stroke, int marker, Color colour) {
    int index = series.getSeriesCount();
    XYSeries line = new XYSeries(index, false, true);
    for (int i = 0; i < against.length; i++) {
      boolean drawn = Double.isFinite(against[i]) && Double.isFinite(values[i]);
      line.add(
          drawn ? across.applyAsDouble(against[i]) : Double.NaN,
          drawn ? up.applyAsDouble(values[i]) : Double.NaN,
          false);
    }
    series.addSeries(line);
    renderer.setSeriesPaint(index, colour);
    renderer.setSeriesStroke(index, stroke);
    renderer.setSeriesShape(index, Style.marker(marker, MARKER));
  }

  /** The panel of the lines, whose lower axis is that of the plot it is put in. */
  XYPlot panel(ValueAxis values) {
    XYPlot panel = new XYPlot(series, null, values, renderer);
    Style.dress(panel);
    return panel;
  }

  /** A colour and a marker for each course, and the strokes of stiffness. */
  static LegendItemCollection legend(List<String> courses) {
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < courses.size(); i++) {
      legend.add(
          Style.legendStroke(courses.get(i), Style.LINE, Style.marker(i, MARKER), Style.colour(i)));
    }
    legend.add(Style.legendStroke("within classes", Style.LINE, null, Style.QUIET));
    legend.add(Style.legendStroke("between classes", Style.LINE_DASHED, null, Style.QUIET));
    return legend;
  }

  /** Markers at some of many points, and at all that no line reaches. */
  private final class Spaced extends XYLineAndShapeRenderer {
    private static final long serialVersionUID = 1L;

    @Override
    public boolean getItemShapeVisible(int line, int item) {
      int step = 1 + (series.getItemCount(line) - 1) / MOST_MARKERS;
      return item % step == 0 || !defined(line, item - 1) && !defined(line, item + 1);
    }

    private boolean defined(int line, int item) {
      return item >= 0
          && item < series.getItemCount(line)
          && !Double.isNaN(series.getYValue(line, item));
    }
  }
}
