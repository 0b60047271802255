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
  private static final int MOST_POINTS = 3000;

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

  /**
   * The figure; norms and losses of 0 stand at the lower ends.
   *
   * @param network its name in the subtitle
   */
  public static Figure of(String title, String network, Points points, Curves curves) {
    int step = PointCloud.step(points.norms().length, MOST_POINTS);
    double[] drawnLosses = PointCloud.every(points.crossEntropy(), step);
    double[] drawnNorms = PointCloud.every(points.norms(), step);
    LogScale losses =
        new LogScale("cross-entropy of the point  (nats)", Arrays.stream(drawnLosses));
    double lowest = Arrays.stream(drawnNorms).filter(v -> v > 0).min().orElse(Double.MIN_NORMAL);
    LogScale norms =
        new LogScale(
            "Jacobian norm  ‖∂ probabilities / ∂ input‖",
            DoubleStream.concat(
                Arrays.stream(drawnNorms),
                DoubleStream.concat(
                        Arrays.stream(curves.lower()), Arrays.stream(curves.maximumEntropy()))
                    .filter(v -> v >= lowest / DEPTH)));

    XYSeriesCollection dots = new XYSeriesCollection();
    XYLineAndShapeRenderer shapes = new XYLineAndShapeRenderer(false, true);
    shapes.setDrawOutlines(false);
    LegendItemCollection legend = new LegendItemCollection();
    for (int kind = 0; kind < 2; kind++) {
      boolean wrong = kind == 1;
      Color colour = Style.colour(kind);
      XYSeries series = new XYSeries(kind, false, true);
      for (int i = 0; i < drawnNorms.length; i++) {
        if (points.misclassified()[i * step] == wrong) {
          series.add(losses.place(drawnLosses[i]), norms.place(drawnNorms[i]), false);
        }
      }
      dots.addSeries(series);
      shapes.setSeriesShape(kind, Style.marker(0, PointCloud.diameter(drawnNorms.length)));
      shapes.setSeriesPaint(kind, Style.pale(colour, PointCloud.opacity(drawnNorms.length)));
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
    line(
        lines,
        strokes,
        legend,
        losses,
        norms,
        curves,
        curves.maximumEntropy(),
        "maximum-entropy curve",
        4);
    line(lines, strokes, legend, losses, norms, curves, curves.lower(), "lower bound", 2);
    Style.dress(plot);
    boolean zeros =
        DoubleStream.concat(Arrays.stream(drawnNorms), Arrays.stream(drawnLosses))
            .anyMatch(v -> v <= 0);
    return new Figure(
        Style.chart(title, subtitle(network, zeros, curves, step), legend, plot), WIDTH, HEIGHT);
  }

  private static void line(
      XYSeriesCollection lines,
      XYLineAndShapeRenderer strokes,
      LegendItemCollection legend,
      LogScale losses,
      LogScale norms,
      Curves curves,
      double[] values,
      String label,
      int colour) {
    XYSeries series = new XYSeries(label, false, true);
    double low = norms.getRange().getLowerBound();
    IntStream.range(0, values.length)
        .filter(i -> values[i] >= low && losses.getRange().contains(curves.crossEntropy()[i]))
        .forEach(i -> series.add(curves.crossEntropy()[i], values[i], false));
    int index = lines.getSeriesCount();
    lines.addSeries(series);
    strokes.setSeriesPaint(index, Style.colour(colour));
    strokes.setSeriesStroke(index, Style.LINE);
    legend.add(Style.legendLine(label, Style.colour(colour)));
  }

  private static String subtitle(String network, boolean zeros, Curves curves, int step) {
    return String.format(
        Locale.ROOT,
        "%s.  Dots: %s.  Lines: for orthogonal logit gradients, all of their mean norm %.3g.%s",
        network,
        PointCloud.words(step),
        curves.logitGradientNorm(),
        zeros ? "  Zeros stand at the lower ends." : "");
  }
}
