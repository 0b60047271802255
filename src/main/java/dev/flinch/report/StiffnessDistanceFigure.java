package dev.flinch.report;

import dev.flinch.report.StiffnessFigure.Bin;
import dev.flinch.report.StiffnessFigure.Line;
import java.awt.Color;
import java.util.ArrayList;
import java.util.List;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.annotations.XYLineAnnotation;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.Layer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Mean stiffness within classes against distance at some moments of training (Fort et al.), a
 * colour and a marker for each, with the fitted lines; below, the critical lengths ξ and their
 * intervals, a row for each moment.
 */
public final class StiffnessDistanceFigure {
  private static final int WIDTH = 800;
  private static final int PANEL = 340;
  private static final int ROW = 20;
  private static final int GAP = 12;
  private static final int AXIS = 52;
  private static final double MARKER = 8;
  private static final double SMALLEST_MARKER = 6;

  private StiffnessDistanceFigure() {}

  /**
   * A moment of training.
   *
   * @param label its name in the legend, such as {@code epoch 10}
   * @param line of which all is null where there is none
   */
  public record Moment(String label, List<Bin> bins, Line line) {}

  /** The figure. */
  public static Figure of(String title, List<Moment> moments) {
    List<DistancePanel.Drawn> drawn = new ArrayList<>();
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < moments.size(); i++) {
      Moment moment = moments.get(i);
      Color colour = Style.colour(i);
      drawn.add(
          new DistancePanel.Drawn(
              moment.bins(), moment.line(), i, SMALLEST_MARKER, colour, colour));
      legend.add(
          Style.legendStroke(
              moment.label() + ": " + length(moment), Style.LINE, Style.marker(i, MARKER), colour));
    }
    NumberAxis distances = DistancePanel.distances(drawn);
    double end = distances.getUpperBound();
    XYPlot panel = DistancePanel.plot(drawn, distances);
    panel.setDomainAxis(null);
    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(distances);
    plot.setGap(GAP);
    plot.add(panel, PANEL);
    int height = PANEL;
    boolean marked = moments.stream().anyMatch(moment -> marked(moment.line(), end));
    if (marked) {
      int rows = ROW * (moments.size() + 1);
      plot.add(rows(moments, panel, end), rows);
      height += GAP + rows;
    }
    Style.dress(plot);
    return Style.figure(
        title,
        "Pairs within classes.  Points: pairs of about one distance, larger for more pairs; lines:"
            + " least squares."
            + (marked
                ? "  Below: the critical length ξ, where a line crosses zero, with its 95% interval."
                : ""),
        legend,
        plot,
        WIDTH,
        height + AXIS);
  }

  private static String length(Moment moment) {
    return moment.bins().isEmpty()
        ? "no pairs"
        : DistancePanel.length(moment.line())
            + (DistancePanel.farther(moment.line()) ? ", farther than inputs can be" : "");
  }

  private static boolean marked(Line line, double end) {
    return line.crossing() != null && line.crossing() <= end;
  }

  /** A row for each moment, from the top, and dashed lines from the crossings down to them. */
  private static XYPlot rows(List<Moment> moments, XYPlot panel, double end) {
    XYSeriesCollection bars = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, true);
    renderer.setDrawOutlines(false);
    for (int i = 0; i < moments.size(); i++) {
      Line line = moments.get(i).line();
      XYSeries crossing = new XYSeries(2 * i);
      XYSeries interval = new XYSeries(2 * i + 1);
      if (marked(line, end)) {
        crossing.add((double) line.crossing(), i);
        if (line.low() != null) {
          interval.add((double) line.low(), i);
          interval.add(line.high() == null ? end : Math.min(end, line.high()), i);
        }
      }
      bars.addSeries(crossing);
      bars.addSeries(interval);
      renderer.setSeriesShape(2 * i, Style.marker(i, MARKER));
      renderer.setSeriesPaint(2 * i, Style.colour(i));
      renderer.setSeriesShapesVisible(2 * i + 1, false);
      renderer.setSeriesPaint(2 * i + 1, Style.colour(i));
      renderer.setSeriesStroke(2 * i + 1, Style.LINE);
    }
    NumberAxis axis = Style.linear("ξ");
    axis.setInverted(true);
    axis.setRange(-1, moments.size());
    axis.setTickLabelsVisible(false);
    axis.setTickMarksVisible(false);
    axis.setLabelAngle(Math.PI / 2);
    XYPlot rows = new XYPlot(bars, null, axis, renderer);
    Style.dress(rows);
    rows.setRangeGridlinesVisible(false);
    double bottom = panel.getRangeAxis().getLowerBound();
    for (int i = 0; i < moments.size(); i++) {
      Line line = moments.get(i).line();
      if (marked(line, end)) {
        drop(panel, line.crossing(), 0, bottom, Style.colour(i));
        drop(rows, line.crossing(), axis.getLowerBound(), i, Style.colour(i));
      }
    }
    return rows;
  }

  private static void drop(XYPlot plot, double x, double from, double to, Color colour) {
    plot.getRenderer()
        .addAnnotation(
            new XYLineAnnotation(x, from, x, to, Style.DASHED, colour), Layer.BACKGROUND);
  }
}
