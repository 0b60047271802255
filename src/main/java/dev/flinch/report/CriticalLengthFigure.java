package dev.flinch.report;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYErrorRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;

/**
 * The dynamical critical length ξ against the learning rate (Fort et al.), a line for each moment
 * of training, with intervals.
 */
public final class CriticalLengthFigure {
  private static final int WIDTH = 800;
  private static final int PLOT = 400;
  private static final double MARKER = 9;

  /** How far apart points of one learning rate stand, as a part of the axis. */
  private static final double APART = 0.012;

  private CriticalLengthFigure() {}

  /**
   * A critical length.
   *
   * @param moment of training, which is its line's name in the legend
   * @param learningRate above 0
   * @param value NaN where there is none
   * @param low where its interval begins; NaN where it is not known
   * @param high where its interval ends; NaN where it is not known
   */
  public record Point(String moment, double learningRate, double value, double low, double high) {
    public Point {
      if (!(learningRate > 0 && learningRate <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "expected a learning rate above 0, found " + learningRate);
      }
    }
  }

  /** The figure; points without a value are counted, not drawn. */
  public static Figure of(String title, List<Point> points) {
    List<String> moments = points.stream().map(Point::moment).distinct().toList();
    List<Point> drawn = points.stream().filter(p -> Double.isFinite(p.value())).toList();
    LogScale rates = new LogScale("learning rate", drawn.stream().mapToDouble(Point::learningRate));
    double decades = Math.log10(rates.getUpperBound() / rates.getLowerBound());
    NumberAxis lengths =
        Style.linear(
            "critical length ξ  (1 − cosine between inputs)",
            DoubleStream.concat(
                DoubleStream.of(0),
                drawn.stream()
                    .flatMapToDouble(p -> DoubleStream.of(p.value(), p.low(), p.high()))));
    XYIntervalSeriesCollection series = new XYIntervalSeriesCollection();
    XYErrorRenderer bars = new XYErrorRenderer();
    bars.setDefaultShapesVisible(false);
    bars.setDrawXError(false);
    bars.setErrorStroke(Style.BAR);
    bars.setCapLength(6);
    XYLineAndShapeRenderer lines = new XYLineAndShapeRenderer(true, true);
    lines.setDrawOutlines(false);
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < moments.size(); i++) {
      String moment = moments.get(i);
      double shift = Math.pow(10, (i - (moments.size() - 1) / 2.0) * APART * decades);
      XYIntervalSeries own = new XYIntervalSeries(i);
      for (Point p :
          drawn.stream().filter(p -> p.moment().equals(moment)).collect(Collectors.toList())) {
        double x = p.learningRate() * shift;
        own.add(
            x,
            x,
            x,
            p.value(),
            Double.isNaN(p.low()) ? p.value() : p.low(),
            Double.isNaN(p.high()) ? p.value() : p.high());
      }
      series.addSeries(own);
      bars.setSeriesPaint(i, Style.colour(i));
      lines.setSeriesPaint(i, Style.colour(i));
      lines.setSeriesStroke(i, Style.LINE);
      lines.setSeriesShape(i, Style.marker(i, MARKER));
      legend.add(Style.legendStroke(moment, Style.LINE, Style.marker(i, MARKER), Style.colour(i)));
    }
    XYPlot plot = new XYPlot(series, rates, lengths, bars);
    plot.setDataset(1, series);
    plot.setRenderer(1, lines);
    Style.dress(plot);
    return Style.figure(title, subtitle(points.size(), drawn.size()), legend, plot, WIDTH, PLOT);
  }

  private static String subtitle(int all, int drawn) {
    return "Bars: 95% intervals."
        + (drawn < all
            ? "  Left out, no critical length: %d of %d.".formatted(all - drawn, all)
            : "");
  }
}
