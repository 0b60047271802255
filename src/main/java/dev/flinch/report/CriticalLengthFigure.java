package dev.flinch.report;

import java.util.Comparator;
import java.util.List;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYErrorRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * The dynamical critical length ξ against the learning rate (Fort et al.), a line for each moment
 * of training, with intervals.
 */
public final class CriticalLengthFigure {
  private static final int WIDTH = 800;
  private static final int PLOT = 420;
  private static final double MARKER = 9;

  /** How far apart points of one learning rate stand, as a part of the axis, if they are few. */
  private static final double APART = 0.009;

  /** How far apart the first and the last of many stand; the axis has such margins. */
  private static final double MOST_APART = 0.08;

  /** Bars are seen up to so many times the largest value. */
  private static final double FAR = 2;

  private CriticalLengthFigure() {}

  /**
   * A critical length.
   *
   * @param moment of training, which is its line's name in the legend
   * @param learningRate above 0
   * @param value NaN where there is none
   * @param low where its interval begins; NaN where that is not known
   * @param high where its interval ends; infinity where it does not, NaN where that is not known
   * @throws IllegalArgumentException if the learning rate is not finite and above 0
   */
  public record Point(String moment, double learningRate, double value, double low, double high) {
    public Point {
      if (!(learningRate > 0 && learningRate <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "expected a finite learning rate above 0, found " + learningRate);
      }
    }

    boolean defined() {
      return Double.isFinite(value);
    }

    /** Where its bar begins: at the point itself if nothing is known. */
    private double barLow() {
      return Double.isNaN(low) ? value : low;
    }

    private double barHigh() {
      return Double.isNaN(high) ? value : high;
    }
  }

  /** The figure; points without a value are counted and leave gaps. */
  public static Figure of(String title, List<Point> points) {
    List<String> moments = points.stream().map(Point::moment).distinct().toList();
    List<Point> defined = points.stream().filter(Point::defined).toList();
    LogScale rates = new LogScale("learning rate", rates(points));
    double highest = defined.stream().mapToDouble(Point::value).max().orElse(1);
    double end = FAR * highest;
    NumberAxis lengths =
        Style.linear(
            "critical length ξ  (1 − cosine between inputs)",
            DoubleStream.concat(
                DoubleStream.of(0, defined.isEmpty() ? 1 : 0),
                defined.stream()
                    .flatMapToDouble(
                        p ->
                            DoubleStream.of(
                                p.value(),
                                p.barLow(),
                                Math.max(p.value(), Math.min(end, p.barHigh()))))));
    double decades = Math.log10(rates.getUpperBound() / rates.getLowerBound());
    double apart = decades * Math.min(APART, MOST_APART / Math.max(1, moments.size()));

    XYIntervalSeriesCollection intervals = new XYIntervalSeriesCollection();
    XYErrorRenderer bars = new XYErrorRenderer();
    bars.setDefaultShapesVisible(false);
    bars.setDrawXError(false);
    bars.setErrorStroke(Style.BAR);
    bars.setCapLength(6);
    XYSeriesCollection values = new XYSeriesCollection();
    XYLineAndShapeRenderer lines = new XYLineAndShapeRenderer(true, true);
    lines.setDrawOutlines(false);
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < moments.size(); i++) {
      String moment = moments.get(i);
      // Those without a value break the line.
      List<Point> own =
          points.stream()
              .filter(p -> p.moment().equals(moment))
              .sorted(Comparator.comparingDouble(Point::learningRate))
              .toList();
      double shift = Math.pow(10, (i - (moments.size() - 1) / 2.0) * apart);
      XYIntervalSeries bar = new XYIntervalSeries(i, false, true);
      XYSeries line = new XYSeries(i, false, true);
      for (Point p : own) {
        double x = p.learningRate() * shift;
        line.add(x, p.defined() ? p.value() : Double.NaN);
        if (p.defined() && p.barLow() < p.barHigh()) {
          bar.add(
              x, x, x, p.value(), p.barLow(), Math.min(p.barHigh(), 2 * lengths.getUpperBound()));
        }
      }
      intervals.addSeries(bar);
      values.addSeries(line);
      bars.setSeriesPaint(i, Style.pale(Style.colour(i), 0.7));
      lines.setSeriesPaint(i, Style.colour(i));
      lines.setSeriesStroke(i, Style.LINE);
      lines.setSeriesShape(i, Style.marker(i, MARKER));
      // No line through several points of one learning rate.
      lines.setSeriesLinesVisible(i, rates(own).distinct().count() == own.size());
      legend.add(Style.legendStroke(moment, Style.LINE, Style.marker(i, MARKER), Style.colour(i)));
    }
    XYPlot plot = new XYPlot(intervals, rates, lengths, bars);
    plot.setDataset(1, values);
    plot.setRenderer(1, lines);
    Style.dress(plot);
    boolean beyond = defined.stream().anyMatch(p -> p.barHigh() > lengths.getUpperBound());
    return Style.figure(
        title,
        subtitle(points.size(), defined.size(), moments.size(), beyond),
        legend,
        plot,
        WIDTH,
        PLOT);
  }

  private static DoubleStream rates(List<Point> points) {
    return points.stream().mapToDouble(Point::learningRate);
  }

  private static String subtitle(int all, int defined, int moments, boolean beyond) {
    return "Bars: 95% intervals."
        + (beyond ? "  Those that reach the upper end go on beyond it." : "")
        + (moments > 1 ? "  Points of one learning rate stand side by side." : "")
        + (defined < all
            ? "  Left out, no critical length: %d of %d.".formatted(all - defined, all)
            : "");
  }
}
