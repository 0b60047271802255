package dev.flinch.report;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYErrorRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Loss and misclassification of single points against the Jacobian norm there (Novak et al., Figure
 * 6), a colour for each network: points above, below the fraction of misclassified points among
 * those of about equal norm.
 */
public final class PointErrorFigure {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 660;
  private static final double MARKER = 7;

  /** More points than these, of all networks together, are thinned out. */
  private static final int MOST_POINTS = 3000;

  private PointErrorFigure() {}

  /**
   * One network.
   *
   * @param label its name in the legend
   * @param norms Jacobian norm of each point
   * @param crossEntropy loss of each point, in nats
   * @param bins in ascending order of their norms
   */
  public record Series(String label, double[] norms, double[] crossEntropy, List<Bin> bins) {}

  /**
   * Points of about equal norm.
   *
   * @param norm the norm that they stand for
   * @param fraction of them that is misclassified
   * @param low where its interval begins
   * @param high where its interval ends
   */
  public record Bin(double norm, double fraction, double low, double high) {}

  /** The figure; norms and losses of 0 stand at the lower ends. */
  public static Figure of(String title, List<Series> all) {
    int step = PointCloud.step(all.stream().mapToInt(n -> n.norms().length).sum(), MOST_POINTS);
    List<Series> networks =
        all.stream()
            .map(
                n ->
                    new Series(
                        n.label(),
                        PointCloud.every(n.norms(), step),
                        PointCloud.every(n.crossEntropy(), step),
                        n.bins()))
            .collect(Collectors.toList());
    LogScale norms =
        new LogScale(
            "Jacobian norm of the point  ‖∂ probabilities / ∂ input‖",
            networks.stream()
                .flatMapToDouble(
                    n ->
                        DoubleStream.concat(
                            Arrays.stream(n.norms()), n.bins().stream().mapToDouble(Bin::norm))));
    LogScale losses =
        new LogScale(
            "cross-entropy  (nats)",
            networks.stream().flatMapToDouble(n -> Arrays.stream(n.crossEntropy())));
    NumberAxis fractions = Style.linear("fraction misclassified");
    double highest =
        networks.stream().flatMap(n -> n.bins().stream()).mapToDouble(Bin::high).max().orElse(1);
    // Room for whole markers at 0 and 1.
    fractions.setRange(-0.02 * highest, Math.min(1.03, 1.06 * highest));

    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(norms);
    plot.setGap(18);
    plot.add(points(networks, norms, losses));
    plot.add(fractions(networks, norms, fractions));
    Style.dress(plot);
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < networks.size(); i++) {
      legend.add(
          Style.legendMarker(networks.get(i).label(), Style.marker(i, MARKER), Style.colour(i)));
    }
    return new Figure(Style.chart(title, subtitle(networks, step), legend, plot), WIDTH, HEIGHT);
  }

  private static XYPlot points(List<Series> networks, LogScale norms, LogScale losses) {
    XYSeriesCollection dots = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(false, true);
    renderer.setDrawOutlines(false);
    int drawn = networks.stream().mapToInt(n -> n.norms().length).sum();
    for (int i = 0; i < networks.size(); i++) {
      Series network = networks.get(i);
      XYSeries series = new XYSeries(i, false, true);
      for (int p = 0; p < network.norms().length; p++) {
        series.add(norms.place(network.norms()[p]), losses.place(network.crossEntropy()[p]), false);
      }
      dots.addSeries(series);
      renderer.setSeriesShape(i, Style.marker(0, PointCloud.diameter(drawn)));
      renderer.setSeriesPaint(i, Style.pale(Style.colour(i), PointCloud.opacity(drawn)));
    }
    XYPlot panel = new XYPlot(dots, null, losses, renderer);
    Style.dress(panel);
    return panel;
  }

  private static XYPlot fractions(List<Series> networks, LogScale norms, NumberAxis fractions) {
    XYIntervalSeriesCollection bins = new XYIntervalSeriesCollection();
    XYErrorRenderer bars = new XYErrorRenderer();
    bars.setDefaultShapesVisible(false);
    bars.setDrawXError(false);
    bars.setErrorStroke(Style.BAR);
    bars.setCapLength(6);
    XYLineAndShapeRenderer lines = new XYLineAndShapeRenderer(true, true);
    lines.setDrawSeriesLineAsPath(true);
    for (int i = 0; i < networks.size(); i++) {
      XYIntervalSeries series = new XYIntervalSeries(i, false, true);
      for (Bin bin : networks.get(i).bins()) {
        double x = norms.place(bin.norm());
        series.add(x, x, x, bin.fraction(), bin.low(), bin.high());
      }
      bins.addSeries(series);
      bars.setSeriesPaint(i, Style.pale(Style.colour(i), 0.55));
      lines.setSeriesPaint(i, Style.colour(i));
      lines.setSeriesStroke(i, Style.LINE);
      lines.setSeriesShape(i, Style.marker(i, MARKER));
    }
    XYPlot panel = new XYPlot(bins, null, fractions, bars);
    panel.setDataset(1, bins);
    panel.setRenderer(1, lines);
    Style.dress(panel);
    return panel;
  }

  private static String subtitle(List<Series> networks, int step) {
    String bins =
        networks.stream()
            .map(n -> n.bins().size())
            .distinct()
            .sorted()
            .map(String::valueOf)
            .collect(Collectors.joining(" or "));
    boolean zeros =
        networks.stream()
            .flatMapToDouble(
                n -> DoubleStream.concat(Arrays.stream(n.norms()), Arrays.stream(n.crossEntropy())))
            .anyMatch(v -> v <= 0);
    return "Above: %s.  Below: %s of equal counts at their medians, with 95%% intervals.%s"
        .formatted(
            PointCloud.words(step),
            bins.equals("1") ? "1 bin" : bins + " bins",
            zeros ? "  Zeros stand at the lower ends." : "");
  }
}
