package dev.flinch.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.IntervalMarker;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.Layer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;

/**
 * Stiffness within and between classes along training (Fort et al.), and below it the losses, with
 * the zone shaded in which the network overfits.
 */
public final class StiffnessCourseFigure {
  private static final int WIDTH = 800;
  private static final int PLOT = 500;
  private static final double MARKER = 7;

  private StiffnessCourseFigure() {}

  /**
   * How stiffness went along training, for one choice of pairs. All arrays but the last have one
   * length; NaN is for what is not defined.
   *
   * @param label of its pairs, such as {@code train-test}
   * @param epoch ascending, may be fractional
   * @param trainLoss mean cross-entropy, in nats
   * @param testLoss mean cross-entropy, in nats
   * @param within mean cosine of pairs within a class
   * @param between mean cosine of pairs between classes
   * @param betweenInSuperClass mean cosine of pairs between classes of one super-class, or null
   */
  public record StiffnessCourse(
      String label,
      double[] epoch,
      double[] trainLoss,
      double[] testLoss,
      double[] within,
      double[] between,
      double[] betweenInSuperClass) {
    public StiffnessCourse {
      for (double[] values :
          new double[][] {trainLoss, testLoss, within, between, betweenInSuperClass}) {
        if (values != null && values.length != epoch.length) {
          throw new IllegalArgumentException(
              "%s: expected a value for each of %d epochs, found %d"
                  .formatted(label, epoch.length, values.length));
        }
      }
    }

    private Stream<double[]> stiffness() {
      return Stream.of(within, between, betweenInSuperClass).filter(v -> v != null);
    }
  }

  /** The figure. */
  public static Figure of(String title, List<StiffnessCourse> courses) {
    NumberAxis epochs = Style.linear("epoch");
    double last = courses.stream().flatMapToDouble(c -> Arrays.stream(c.epoch())).max().orElse(1);
    epochs.setRange(-0.02 * last, 1.02 * last);
    NumberAxis cosines =
        Style.linear(
            "mean cosine",
            DoubleStream.concat(
                DoubleStream.of(0),
                courses.stream()
                    .flatMap(StiffnessCourse::stiffness)
                    .flatMapToDouble(Arrays::stream)));
    LogScale losses =
        new LogScale(
            "loss  (cross-entropy, nats)",
            courses.stream()
                .flatMap(c -> Stream.of(c.trainLoss(), c.testLoss()))
                .flatMapToDouble(Arrays::stream));
    LegendItemCollection legend = new LegendItemCollection();
    Lines stiffness = new Lines();
    Lines loss = new Lines();
    for (int i = 0; i < courses.size(); i++) {
      StiffnessCourse course = courses.get(i);
      Color colour = Style.colour(i);
      stiffness.add(course.epoch(), course.within(), colour, Style.LINE, i);
      stiffness.add(course.epoch(), course.between(), colour, Style.LINE_DASHED, i);
      if (course.betweenInSuperClass() != null) {
        stiffness.add(course.epoch(), course.betweenInSuperClass(), colour, Style.LINE_DOTTED, i);
      }
      legend.add(Style.legendStroke(course.label(), Style.LINE, Style.marker(i, MARKER), colour));
      loss.add(course.epoch(), placed(course.trainLoss(), losses), Style.QUIET, Style.LINE, 10);
      loss.add(course.epoch(), placed(course.testLoss(), losses), Style.INK, Style.LINE, 4);
    }
    legend.add(Style.legendStroke("within classes", Style.LINE, null, Style.INK));
    legend.add(Style.legendStroke("between classes", Style.LINE_DASHED, null, Style.INK));
    XYPlot upper = new XYPlot(stiffness.series, null, cosines, stiffness.renderer);
    XYPlot lower = new XYPlot(loss.series, null, losses, loss.renderer);
    upper.addRangeMarker(new ValueMarker(0, Style.QUIET, Style.BAR), Layer.BACKGROUND);
    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(epochs);
    plot.setGap(18);
    for (XYPlot panel : List.of(upper, lower)) {
      Style.dress(panel);
      plot.add(panel);
    }
    Style.dress(plot);
    courses.stream()
        .limit(1)
        .mapToDouble(c -> overfitting(c.epoch(), c.testLoss()))
        .filter(Double::isFinite)
        .forEach(
            from -> {
              for (XYPlot panel : List.of(upper, lower)) {
                panel.addDomainMarker(
                    new IntervalMarker(from, last, Style.pale(Style.colour(4), 0.15)),
                    Layer.BACKGROUND);
              }
            });
    return Style.figure(title, "Stiffness above, losses below.", legend, plot, WIDTH, PLOT);
  }

  private static double[] placed(double[] values, LogScale axis) {
    return Arrays.stream(values).map(axis::place).toArray();
  }

  /** The epoch of the lowest test loss, if it rises after it; else NaN. */
  private static double overfitting(double[] epoch, double[] testLoss) {
    int lowest = -1;
    boolean rises = false;
    for (int i = 0; i < epoch.length; i++) {
      if (lowest < 0 ? Double.isFinite(testLoss[i]) : testLoss[i] <= testLoss[lowest]) {
        lowest = i;
        rises = false;
      } else if (lowest >= 0 && testLoss[i] > testLoss[lowest]) {
        rises = true;
      }
    }
    return rises ? epoch[lowest] : Double.NaN;
  }

  /** The lines of a panel. */
  private static final class Lines {
    private final XYSeriesCollection series = new XYSeriesCollection();
    private final XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, true);

    void add(double[] epoch, double[] values, Color colour, BasicStroke stroke, int marker) {
      int index = series.getSeriesCount();
      XYSeries line = new XYSeries(index, false, true);
      for (int i = 0; i < epoch.length; i++) {
        line.add(epoch[i], Double.isFinite(values[i]) ? values[i] : Double.NaN);
      }
      series.addSeries(line);
      renderer.setDrawOutlines(false);
      renderer.setSeriesPaint(index, colour);
      renderer.setSeriesStroke(index, stroke);
      renderer.setSeriesShape(index, Style.marker(marker, MARKER));
    }
  }
}
