package dev.flinch.report;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/** Loss and train accuracy against epochs, a pale line for each network, coloured by teaching. */
public final class HistoryFigure {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 620;

  private HistoryFigure() {}

  /**
   * How the training of one network went.
   *
   * @param teaching what it was taught, such as {@code true labels}
   * @param loss mean cross-entropy after epoch i + 1
   * @param trainAccuracy train accuracy after epoch i + 1, 0 … 1
   */
  public record History(String teaching, double[] loss, double[] trainAccuracy) {}

  /** The figure; values that are not finite are counted in the subtitle, not drawn. */
  public static Figure of(String title, List<History> networks) {
    List<String> teachings =
        networks.stream().map(History::teaching).distinct().collect(Collectors.toList());
    LogScale losses =
        new LogScale(
            "loss  (cross-entropy, nats)",
            networks.stream().flatMapToDouble(n -> Arrays.stream(n.loss())));
    NumberAxis accuracies = Style.linear("train accuracy");
    accuracies.setRange(0, 1.03);
    NumberAxis epochs = Style.linear("epoch");
    epochs.setStandardTickUnits(NumberAxis.createIntegerTickUnits(Locale.ROOT));
    epochs.setAutoRangeMinimumSize(1);
    epochs.setLowerMargin(0);
    epochs.setUpperMargin(0.02);

    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(epochs);
    plot.setGap(18);
    plot.add(panel(losses, losses::place, networks, teachings, History::loss));
    plot.add(panel(accuracies, v -> v, networks, teachings, History::trainAccuracy));
    Style.dress(plot);
    LegendItemCollection legend = new LegendItemCollection();
    for (int i = 0; i < teachings.size(); i++) {
      legend.add(Style.legendLine(teachings.get(i), Style.colour(i)));
    }
    long skipped =
        networks.stream()
            .flatMapToDouble(
                n -> DoubleStream.concat(Arrays.stream(n.loss()), Arrays.stream(n.trainAccuracy())))
            .filter(v -> !Double.isFinite(v))
            .count();
    String subtitle =
        (networks.size() == 1
                ? "One network."
                : "A line for each of %d networks.".formatted(networks.size()))
            + (skipped > 0 ? "  Left out, not finite: %d values.".formatted(skipped) : "");
    return new Figure(Style.chart(title, subtitle, legend, plot), WIDTH, HEIGHT);
  }

  private static XYPlot panel(
      ValueAxis axis,
      DoubleUnaryOperator place,
      List<History> networks,
      List<String> teachings,
      Function<History, double[]> measure) {
    XYSeriesCollection lines = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, false);
    renderer.setDrawSeriesLineAsPath(true);
    double opacity = Math.min(1, Math.max(0.15, 1.6 / Math.sqrt(networks.size())));
    for (int i = 0; i < networks.size(); i++) {
      double[] values = measure.apply(networks.get(i));
      XYSeries line = new XYSeries(i, false, true);
      for (int epoch = 0; epoch < values.length; epoch++) {
        if (Double.isFinite(values[epoch])) {
          line.add(epoch + 1, place.applyAsDouble(values[epoch]), false);
        }
      }
      lines.addSeries(line);
      renderer.setSeriesPaint(
          i, Style.pale(Style.colour(teachings.indexOf(networks.get(i).teaching())), opacity));
      renderer.setSeriesStroke(i, Style.LINE);
    }
    XYPlot panel = new XYPlot(lines, null, axis, renderer);
    Style.dress(panel);
    return panel;
  }
}
