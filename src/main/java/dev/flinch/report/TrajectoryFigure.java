package dev.flinch.report;

import java.awt.Color;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.NumberTickUnit;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.DeviationRenderer;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleAnchor;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.xy.YIntervalSeries;
import org.jfree.data.xy.YIntervalSeriesCollection;

/**
 * Both measures along a closed trajectory (Novak et al., Figure 2): transitions per bin above,
 * Jacobian norm below, each the mean over networks with a pale band of one standard error.
 */
public final class TrajectoryFigure {
  private static final int WIDTH = 800;
  private static final int PANEL = 250;
  private static final int REST = 150;

  private TrajectoryFigure() {}

  /**
   * Networks that are averaged.
   *
   * @param label their name in the legend
   * @param transitions {@code [network][bin]}
   * @param jacobianNorm {@code [network][bin]}, ≥ 0, or null where not measured
   */
  public record Series(String label, double[][] transitions, double[][] jacobianNorm) {
    public Series {
      requireBins(label, transitions);
      if (jacobianNorm != null) {
        requireBins(label, jacobianNorm);
      }
    }

    private static void requireBins(String label, double[][] networks) {
      if (Arrays.stream(networks).mapToInt(bins -> bins.length).distinct().count() != 1) {
        throw new IllegalArgumentException(
            label + ": expected at least one network, and as many bins of each");
      }
    }
  }

  /** A point that the trajectory meets, at a value of its parameter. */
  public record Anchor(double at, String label) {}

  /**
   * The parameter of a trajectory, which starts at 0.
   *
   * @param end where it closes
   * @param thirds whether it is an angle, marked in thirds of π
   */
  public record Parameter(String label, double end, boolean thirds) {
    /** θ of an ellipse. */
    public static Parameter angle() {
      return new Parameter("θ  (radians)", 2 * Math.PI, true);
    }

    /** t of a translation loop of an image so many pixels wide. */
    public static Parameter shift(int width) {
      return new Parameter("t  (pixels to the right)", width, false);
    }

    private ValueAxis axis() {
      NumberAxis axis = Style.linear(label);
      axis.setRange(0, end);
      if (thirds) {
        axis.setTickUnit(
            new NumberTickUnit(Math.PI / 3) {
              private static final long serialVersionUID = 1L;

              @Override
              public String valueToString(double value) {
                return List.of("0", "π/3", "2π/3", "π", "4π/3", "5π/3", "2π")
                    .get((int) Math.round(value / (Math.PI / 3)));
              }
            });
      }
      return axis;
    }
  }

  /** The figure; values that are not finite are counted in the subtitle, not drawn. */
  public static Figure of(
      String title, Parameter parameter, List<Anchor> anchors, List<Series> series) {
    NumberAxis counts = Style.linear("transitions per bin");
    counts.setAutoRangeMinimumSize(1);
    counts.setUpperMargin(anchors.isEmpty() ? 0.06 : 0.16);
    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(parameter.axis());
    plot.setGap(18);
    List<List<Estimate>> transitions = estimates(series, Series::transitions);
    plot.add(panel(counts, v -> v, parameter, transitions));
    List<List<Estimate>> jacobians = estimates(series, Series::jacobianNorm);
    LogScale norms =
        new LogScale(
            "mean Jacobian norm per bin",
            jacobians.stream()
                .flatMap(List::stream)
                .flatMapToDouble(e -> DoubleStream.of(e.mean(), e.high())));
    if (jacobians.stream().anyMatch(bins -> !bins.isEmpty())) {
      plot.add(panel(norms, norms::place, parameter, jacobians));
    }
    Style.dress(plot);
    mark(anchors, plot.getSubplots());
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < series.size(); i++) {
      legend.add(Style.legendLine(series.get(i).label(), Style.colour(i)));
    }
    return new Figure(
        Style.chart(title, subtitle(series, transitions, jacobians), legend, plot),
        WIDTH,
        REST + PANEL * plot.getSubplots().size());
  }

  /** {@code [series][bin]}; no bins where a series has not been measured. */
  private static List<List<Estimate>> estimates(
      List<Series> series, Function<Series, double[][]> measure) {
    return series.stream()
        .map(measure)
        .map(
            networks ->
                IntStream.range(0, networks == null ? 0 : networks[0].length)
                    .mapToObj(bin -> Estimate.of(Arrays.stream(networks).mapToDouble(n -> n[bin])))
                    .collect(Collectors.toList()))
        .collect(Collectors.toList());
  }

  private static XYPlot panel(
      ValueAxis axis,
      DoubleUnaryOperator place,
      Parameter parameter,
      List<List<Estimate>> estimates) {
    YIntervalSeriesCollection lines = new YIntervalSeriesCollection();
    DeviationRenderer renderer = new DeviationRenderer(true, false);
    renderer.setAlpha(0.2f);
    for (int i = 0; i < estimates.size(); i++) {
      List<Estimate> bins = estimates.get(i);
      YIntervalSeries line = new YIntervalSeries(i);
      for (int bin = 0; bin < bins.size(); bin++) {
        Estimate estimate = bins.get(bin);
        if (Double.isFinite(estimate.mean())) {
          line.add(
              (bin + 0.5) * parameter.end() / bins.size(),
              place.applyAsDouble(estimate.mean()),
              place.applyAsDouble(estimate.low()),
              place.applyAsDouble(estimate.high()));
        }
      }
      lines.addSeries(line);
      renderer.setSeriesPaint(i, Style.colour(i));
      renderer.setSeriesFillPaint(i, Style.colour(i));
      renderer.setSeriesStroke(i, Style.LINE);
    }
    XYPlot panel = new XYPlot(lines, null, axis, renderer);
    Style.dress(panel);
    return panel;
  }

  /** Draws the anchors through all panels and names them in the upper one. */
  private static void mark(List<Anchor> anchors, List<XYPlot> panels) {
    for (XYPlot panel : panels) {
      for (Anchor anchor : anchors) {
        ValueMarker marker = new ValueMarker(anchor.at(), Style.QUIET, Style.DASHED);
        if (panel == panels.get(0)) {
          marker.setLabel(anchor.label());
          marker.setLabelFont(Style.TEXT);
          marker.setLabelPaint(Style.INK);
          marker.setLabelBackgroundColor(new Color(0, 0, 0, 0));
          marker.setLabelAnchor(RectangleAnchor.TOP_RIGHT);
          marker.setLabelTextAnchor(TextAnchor.TOP_LEFT);
        }
        panel.addDomainMarker(marker, Layer.BACKGROUND);
      }
    }
  }

  private static String subtitle(
      List<Series> series, List<List<Estimate>> transitions, List<List<Estimate>> jacobians) {
    String networks =
        series.stream()
            .map(s -> s.transitions().length)
            .distinct()
            .map(String::valueOf)
            .collect(Collectors.joining(" or "));
    List<Estimate> all =
        Stream.of(transitions, jacobians)
            .flatMap(List::stream)
            .flatMap(List::stream)
            .collect(Collectors.toList());
    int skipped = all.stream().mapToInt(Estimate::skipped).sum();
    boolean zeros =
        jacobians.stream().flatMap(List::stream).anyMatch(estimate -> estimate.mean() <= 0);
    return (networks.equals("1")
            ? "One network a line."
            : "Lines: mean over %s networks.  Bands: ± standard error.".formatted(networks))
        + (zeros ? "  Norms of 0 stand at the lower end." : "")
        + (skipped > 0 ? "  Left out, not finite: %d values.".formatted(skipped) : "");
  }
}
