package dev.flinch.report;

import dev.flinch.report.StiffnessFigure.Bin;
import dev.flinch.report.StiffnessFigure.Line;
import java.awt.Color;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Mean stiffness within classes against distance with fitted lines, as figures of one moment and of
 * several have it.
 */
final class DistancePanel {
  private static final double LARGEST_MARKER = 13;

  /** The greatest distance, of inputs that point away from each other. */
  static final double FARTHEST = 2;

  private DistancePanel() {}

  /**
   * What is drawn of one moment.
   *
   * @param marker of its bins
   * @param smallest size of a marker
   */
  record Drawn(
      List<Bin> bins, Line line, int marker, double smallest, Color binColour, Color lineColour) {}

  /** The axis of distances, which ends behind all bins, and crossings if inputs are so far. */
  static NumberAxis distances(List<Drawn> all) {
    double last =
        all.stream()
            .flatMap(drawn -> drawn.bins().stream())
            .mapToDouble(Bin::distance)
            .max()
            .orElse(1);
    double crossings =
        all.stream().map(Drawn::line).mapToDouble(DistancePanel::crossing).max().orElse(0);
    NumberAxis distances = Style.linear("distance  (1 − cosine between inputs)");
    distances.setRange(0, Math.min(FARTHEST, 1.08 * Math.max(last, crossings)));
    return distances;
  }

  private static double crossing(Line line) {
    return line.crossing() == null || farther(line)
        ? 0
        : Math.max(line.crossing(), line.high() == null ? 0 : line.high());
  }

  /** Whether a line crosses zero farther away than inputs can be. */
  static boolean farther(Line line) {
    return line.crossing() != null && line.crossing() > FARTHEST;
  }

  /**
   * The panel, with a line at zero; larger markers are of more pairs.
   *
   * @param distances the axis that {@link #distances} gives
   */
  static XYPlot plot(List<Drawn> all, NumberAxis distances) {
    double end = distances.getUpperBound();
    NumberAxis stiffness =
        Style.linear(
            "mean cosine",
            DoubleStream.concat(
                DoubleStream.of(0),
                all.stream()
                    .flatMapToDouble(
                        drawn ->
                            DoubleStream.concat(
                                drawn.line().slope() == null
                                    ? DoubleStream.empty()
                                    : DoubleStream.of(drawn.line().at(0), drawn.line().at(end)),
                                drawn.bins().stream().mapToDouble(Bin::stiffness)))));
    XYSeriesCollection series = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, true);
    renderer.setDrawOutlines(false);
    long most =
        all.stream().flatMap(drawn -> drawn.bins().stream()).mapToLong(Bin::pairs).max().orElse(1);
    for (Drawn drawn : all) {
      add(series, renderer, drawn, end, most);
    }
    XYPlot plot = new XYPlot(series, distances, stiffness, renderer);
    Style.dress(plot);
    Style.markZero(plot);
    return plot;
  }

  private static void add(
      XYSeriesCollection series,
      XYLineAndShapeRenderer renderer,
      Drawn drawn,
      double end,
      long most) {
    int index = series.getSeriesCount();
    XYSeries line = new XYSeries(index);
    if (drawn.line().slope() != null) {
      line.add(0, drawn.line().at(0));
      line.add(end, drawn.line().at(end));
    }
    series.addSeries(line);
    renderer.setSeriesShapesVisible(index, false);
    renderer.setSeriesPaint(index, drawn.lineColour());
    renderer.setSeriesStroke(index, Style.LINE);
    for (Bin bin : drawn.bins()) {
      index = series.getSeriesCount();
      XYSeries point = new XYSeries(index);
      point.add(bin.distance(), bin.stiffness());
      series.addSeries(point);
      // Areas are as numbers of pairs, which are the weights of the line's fit.
      double size = LARGEST_MARKER * Math.sqrt((double) bin.pairs() / most);
      renderer.setSeriesShape(
          index, Style.marker(drawn.marker(), Math.max(drawn.smallest(), size)));
      renderer.setSeriesPaint(index, drawn.binColour());
    }
  }

  /** The critical length in words, such as {@code ξ = 0.625 (95%: 0.590 to 0.660)}. */
  static String length(Line line) {
    if (line.crossing() == null) {
      return "no critical length";
    }
    return "ξ = %s".formatted(number(line.crossing()))
        + (line.low() == null
            ? ""
            : line.high() == null
                ? " (95%%: from %s on)".formatted(number(line.low()))
                : " (95%%: %s to %s)".formatted(number(line.low()), number(line.high())));
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, "%.3g", value);
  }
}
