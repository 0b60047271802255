package dev.flinch.report;

import java.awt.Color;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Jacobian norm of single points against their loss, between what orthogonal logit gradients of one
 * norm M allow (Novak et al., Figure App. 11): the lower bound, and the curve of maximum entropy.
 */
public final class PointBoundsFigure {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 560;
  private static final double DOT = 3;
  private static final int MOST_POINTS = 6000;

  /** The curves reach below the points by no more than this. */
  private static final double DEPTH = 10;

  private PointBoundsFigure() {}

  /** What was measured, a value for each point. */
  public record Points(double[] crossEntropy, double[] norms, boolean[] misclassified) {}

  /**
   * What is expected.
   *
   * @param crossEntropy ascending, where the curves are known
   * @param logitGradientNorm M
   */
  public record Curves(
      double[] crossEntropy, double[] lower, double[] maximumEntropy, double logitGradientNorm) {}

  /** The figure; norms and losses of 0 stand at the lower ends. */
  public static Figure of(String title, Points points, Curves curves) {
    LogScale losses =
        new LogScale("cross-entropy of the point  (nats)", Arrays.stream(points.crossEntropy()));
    double lowest =
        Arrays.stream(points.norms()).filter(v -> v > 0).min().orElse(Double.MIN_NORMAL);
    LogScale norms =
        new LogScale(
            "Jacobian norm  ‖∂ probabilities / ∂ input‖",
            DoubleStream.concat(
                Arrays.stream(points.norms()),
                DoubleStream.concat(
                        Arrays.stream(curves.lower()), Arrays.stream(curves.maximumEntropy()))
                    .filter(v -> v >= lowest / DEPTH)));

    XYSeriesCollection dots = new XYSeriesCollection();
    XYLineAndShapeRenderer shapes = new XYLineAndShapeRenderer(false, true);
    LegendItemCollection legend = new LegendItemCollection();
    int step = Thinning.step(points.norms().length, MOST_POINTS);
    for (int kind = 0; kind < 2; kind++) {
      boolean wrong = kind == 1;
      Color colour = Style.colour(kind);
      XYSeries series = new XYSeries(kind, false, true);
      for (int i = 0; i < points.norms().length; i += step) {
        if (points.misclassified()[i] == wrong) {
          series.add(losses.place(points.crossEntropy()[i]), norms.place(points.norms()[i]), false);
        }
      }
      dots.addSeries(series);
      shapes.setSeriesShape(kind, Style.marker(0, DOT));
      shapes.setSeriesPaint(kind, Style.pale(colour, 0.4));
      legend.add(
          Style.legendMarker(
              wrong ? "misclassified" : "classified correctly", Style.marker(0, 9), colour));
    }
    XYPlot plot = new XYPlot(dots, losses, norms, shapes);
    XYSeriesCollection lines = new XYSeriesCollection();
    XYLineAndShapeRenderer strokes = new XYLineAndShapeRenderer(true, false);
    strokes.setDrawSeriesLineAsPath(true);
    plot.setDataset(1, lines);
    plot.setRenderer(1, strokes);
    line(lines, strokes, legend, norms, curves, curves.maximumEntropy(), "maximum entropy", 4);
    line(lines, strokes, legend, norms, curves, curves.lower(), "lower bound", 2);
    Style.dress(plot);
    return new Figure(
        Style.chart(title, subtitle(points, curves, step), legend, plot), WIDTH, HEIGHT);
  }

  private static void line(
      XYSeriesCollection lines,
      XYLineAndShapeRenderer strokes,
      LegendItemCollection legend,
      LogScale norms,
      Curves curves,
      double[] values,
      String label,
      int colour) {
    XYSeries series = new XYSeries(label, false, true);
    double low = norms.getRange().getLowerBound();
    IntStream.range(0, values.length)
        .filter(i -> values[i] >= low)
        .forEach(i -> series.add(curves.crossEntropy()[i], values[i], false));
    int index = lines.getSeriesCount();
    lines.addSeries(series);
    strokes.setSeriesPaint(index, Style.colour(colour));
    strokes.setSeriesStroke(index, Style.LINE);
    legend.add(Style.legendLine(label, Style.colour(colour)));
  }

  private static String subtitle(Points points, Curves curves, int step) {
    boolean zeros =
        DoubleStream.concat(Arrays.stream(points.norms()), Arrays.stream(points.crossEntropy()))
            .anyMatch(v -> v <= 0);
    return String.format(
        Locale.ROOT,
        "Dots: %s of %,d.  Lines: for orthogonal logit gradients of norm M = %.3g, their mean.%s",
        Thinning.words(step),
        points.norms().length,
        curves.logitGradientNorm(),
        zeros ? "  Zeros stand at the lower ends." : "");
  }
}
