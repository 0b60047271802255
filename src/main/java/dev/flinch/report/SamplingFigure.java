package dev.flinch.report;

import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * How sampling counts transitions, by the number of points: crossings that fall between two points,
 * and those that rounding invents.
 */
public final class SamplingFigure {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 420;

  private SamplingFigure() {}

  /**
   * One density.
   *
   * @param missed crossings that no point sees
   * @param differences by how much the count by differences from exact references is off
   * @param wholes by how much the count by whole activations in float32 is off
   */
  public record Point(long points, long missed, long differences, long wholes) {}

  /** The figure; numbers of 0 stand at the lower end, and the sign of errors is left out. */
  public static Figure of(String title, long exact, List<Point> points) {
    LogScale densities =
        new LogScale("points on the trajectory", points.stream().mapToDouble(Point::points));
    LogScale errors =
        new LogScale(
            "transitions",
            points.stream()
                .flatMapToDouble(
                    p ->
                        DoubleStream.of(
                            p.missed(), Math.abs(p.differences()), Math.abs(p.wholes()))));
    XYSeriesCollection lines = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, true);
    LegendItemCollection legend = new LegendItemCollection();
    XYPlot plot = new XYPlot(lines, densities, errors, renderer);
    Style.dress(plot);
    add(lines, renderer, legend, errors, points, "missed between points", Point::missed);
    add(lines, renderer, legend, errors, points, "off in float32", Point::wholes);
    add(lines, renderer, legend, errors, points, "off in Flinch's sampling", Point::differences);
    return new Figure(
        Style.chart(
            title,
            "Of %,d crossings.  Numbers of 0 stand at the lower end.".formatted(exact),
            legend,
            plot),
        WIDTH,
        HEIGHT);
  }

  private static void add(
      XYSeriesCollection lines,
      XYLineAndShapeRenderer renderer,
      LegendItemCollection legend,
      LogScale errors,
      List<Point> points,
      String label,
      ToLongFunction<Point> value) {
    int index = lines.getSeriesCount();
    XYSeries line = new XYSeries(label, false, true);
    for (Point point : points) {
      line.add(point.points(), errors.place(Math.abs(value.applyAsLong(point))));
    }
    lines.addSeries(line);
    renderer.setSeriesPaint(index, Style.colour(index));
    renderer.setSeriesStroke(index, Style.LINE);
    legend.add(Style.legendLine(label, Style.colour(index)));
  }
}
