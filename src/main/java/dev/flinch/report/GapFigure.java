package dev.flinch.report;

import java.awt.Color;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYErrorRenderer;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYIntervalSeries;
import org.jfree.data.xy.XYIntervalSeriesCollection;

/**
 * Generalization gap against mean Jacobian norm (Novak et al., Figure 5): small pale markers for
 * networks, large ones for the mean of each group with standard errors both ways. Colour is the
 * teaching, shape is the group.
 */
public final class GapFigure {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 560;
  private static final double LARGE = 11;
  private static final double SMALL = 5.5;

  private GapFigure() {}

  /** The figure of some networks; those with a value that is not finite are counted, not drawn. */
  public static Figure of(String title, List<NetworkPoint> networks) {
    List<NetworkPoint> finite =
        networks.stream().filter(NetworkPoint::isFinite).collect(Collectors.toList());
    List<String> teachings = distinct(networks.stream().map(NetworkPoint::teaching).toList());
    List<String> groups = distinct(networks.stream().map(NetworkPoint::group).toList());

    LogScale norms =
        new LogScale(
            "mean Jacobian norm  ‖∂ probabilities / ∂ input‖  (per unit of normalised input)",
            finite.stream().mapToDouble(NetworkPoint::jacobianNorm));
    NumberAxis gaps = Style.linear("generalization gap  (train − test accuracy)");
    gaps.setAutoRangeIncludesZero(false);
    gaps.setAutoRangeMinimumSize(0.02);
    gaps.setLowerMargin(0.08);
    gaps.setUpperMargin(0.08);

    XYIntervalSeriesCollection single = new XYIntervalSeriesCollection();
    XYIntervalSeriesCollection means = new XYIntervalSeriesCollection();
    XYLineAndShapeRenderer dots = new XYLineAndShapeRenderer(false, true);
    XYErrorRenderer bars = new XYErrorRenderer();
    XYLineAndShapeRenderer markers = new XYLineAndShapeRenderer(false, true);
    bars.setDefaultShapesVisible(false);
    bars.setErrorStroke(Style.BAR);
    bars.setCapLength(6);
    markers.setDrawOutlines(true);
    markers.setUseOutlinePaint(true);
    markers.setDefaultOutlineStroke(Style.THIN);
    for (String group : groups) {
      for (String teaching : teachings) {
        List<NetworkPoint> members =
            finite.stream()
                .filter(p -> p.group().equals(group) && p.teaching().equals(teaching))
                .collect(Collectors.toList());
        if (members.isEmpty()) {
          continue;
        }
        XYIntervalSeries points = new XYIntervalSeries(group + ", " + teaching, false, true);
        for (NetworkPoint p : members) {
          double x = norms.place(p.jacobianNorm());
          points.add(x, x, x, p.gap(), p.gap(), p.gap());
        }
        Estimate x = Estimate.of(members.stream().mapToDouble(NetworkPoint::jacobianNorm));
        Estimate y = Estimate.of(members.stream().mapToDouble(NetworkPoint::gap));
        XYIntervalSeries mean = new XYIntervalSeries(group + ", " + teaching);
        mean.add(
            norms.place(x.mean()),
            norms.place(x.low()),
            norms.place(x.high()),
            y.mean(),
            y.low(),
            y.high());
        Color colour = Style.colour(teachings.indexOf(teaching));
        int series = means.getSeriesCount();
        int shape = groups.indexOf(group);
        dots.setSeriesShape(series, Style.marker(shape, SMALL));
        dots.setSeriesPaint(series, Style.pale(colour, 0.3));
        bars.setSeriesPaint(series, Style.pale(colour, 0.55));
        markers.setSeriesShape(series, Style.marker(shape, LARGE));
        markers.setSeriesPaint(series, colour);
        markers.setSeriesOutlinePaint(series, Color.WHITE);
        single.addSeries(points);
        means.addSeries(mean);
      }
    }
    XYPlot plot = new XYPlot(single, norms, gaps, dots);
    plot.setDataset(1, means);
    plot.setRenderer(1, bars);
    plot.setDataset(2, means);
    plot.setRenderer(2, markers);
    Style.dress(plot);

    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < teachings.size(); i++) {
      legend.add(Style.legendLine(teachings.get(i), Style.colour(i)));
    }
    for (int i = 0; i < groups.size(); i++) {
      legend.add(Style.legendMarker(groups.get(i), Style.marker(i, LARGE), Style.QUIET));
    }
    return new Figure(
        Style.chart(title, subtitle(finite, networks.size()), legend, plot), WIDTH, HEIGHT);
  }

  private static String subtitle(List<NetworkPoint> drawn, int all) {
    double tau =
        RankCorrelation.kendallTauB(
            drawn.stream().mapToDouble(NetworkPoint::jacobianNorm).toArray(),
            drawn.stream().mapToDouble(NetworkPoint::gap).toArray());
    long zeros = drawn.stream().filter(p -> p.jacobianNorm() <= 0).count();
    return "Large: mean ± standard error over seeds.  Small: networks.  "
        + (Double.isNaN(tau)
            ? "Too few different networks to rank."
            : String.format(
                Locale.ROOT, "Kendall's τ-b = %.2f over %d networks.", tau, drawn.size()))
        + (zeros > 0 ? "  Norms of 0 stand at the left end." : "")
        + (drawn.size() < all
            ? "  Left out, not finite: %d of %d networks.".formatted(all - drawn.size(), all)
            : "");
  }

  private static List<String> distinct(List<String> names) {
    return names.stream().distinct().collect(Collectors.toList());
  }
}
