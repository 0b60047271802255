package dev.flinch.report;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.IntervalMarker;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleAnchor;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.TextAnchor;
import org.jfree.data.Range;

/**
 * Stiffness within and between classes along training (Fort et al.), a colour and a marker for each
 * choice of pairs; below it the losses. Where the test loss rises after its lowest value, that zone
 * is shaded in both panels.
 */
public final class StiffnessCourseFigure {
  private static final int WIDTH = 800;
  private static final int PLOT = 520;
  private static final int GAP = 18;
  private static final Color ZONE = Style.pale(Style.colour(4), 0.15);
  private static final String ZONE_NAME = "overfitting";

  /** A zone wider than this part of the axis has its name inside. */
  private static final double WIDE = 0.16;

  private static final int TEST_MARKER = 4;

  /** Hollow. */
  private static final int TRAIN_MARKER = 10;

  private StiffnessCourseFigure() {}

  /**
   * How stiffness went along training, for one choice of pairs. All arrays have a value for each
   * epoch; NaN is for what is not defined.
   *
   * @param label of its pairs, such as {@code train-test}
   * @param epoch ≥ 0, ascending; may be fractional
   * @param trainLoss mean cross-entropy, in nats
   * @param testLoss mean cross-entropy, in nats
   * @param within mean cosine of pairs within a class
   * @param between mean cosine of pairs between classes
   * @param betweenInSuperClass mean cosine of pairs between classes of one super-class; null where
   *     there are no super-classes
   * @throws IllegalArgumentException if an array has another length, or if an epoch is negative or
   *     before another
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
      for (int i = 0; i < epoch.length; i++) {
        double least = i == 0 ? 0 : epoch[i - 1];
        if (!(epoch[i] >= least && epoch[i] <= Double.MAX_VALUE)) {
          throw new IllegalArgumentException(
              "%s: expected an epoch of at least %s, found %s".formatted(label, least, epoch[i]));
        }
      }
    }

    private Stream<double[]> stiffness() {
      return Stream.of(within, between, betweenInSuperClass).filter(Objects::nonNull);
    }

    private Stream<double[]> losses() {
      return Stream.of(trainLoss, testLoss);
    }

    private boolean hasLossesOf(StiffnessCourse other) {
      return Arrays.equals(epoch, other.epoch)
          && Arrays.equals(trainLoss, other.trainLoss)
          && Arrays.equals(testLoss, other.testLoss);
    }
  }

  /**
   * From where the test loss is lowest to where the course ends.
   *
   * @param lowest test loss at its beginning
   * @param lastDefined epoch with the last test loss that is defined
   * @param last test loss there, which is above the lowest
   */
  private record Zone(
      String label,
      Color colour,
      double from,
      double to,
      double lowest,
      double lastDefined,
      double last) {
    String words() {
      return String.format(
          Locale.ROOT,
          "from %.3g at epoch %s to %.3g at %s",
          lowest,
          Setting.text(from),
          last,
          Setting.text(lastDefined));
    }
  }

  /** The figure; values that are not finite are gaps. */
  public static Figure of(String title, List<StiffnessCourse> courses) {
    // Courses of one network, which is the usual figure, share their losses.
    List<StiffnessCourse> networks = networks(courses);
    List<Zone> zones = zones(courses, networks);
    Epochs epochs =
        Epochs.of(courses.stream().flatMapToDouble(c -> Arrays.stream(c.epoch())).toArray());

    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(epochs.axis());
    plot.setGap(GAP);
    XYPlot upper = stiffness(courses, epochs, !zones.isEmpty());
    XYPlot lower = losses(courses, networks, epochs);
    plot.add(upper);
    plot.add(lower);
    Style.dress(plot);
    boolean one = networks.size() == 1;
    for (Zone zone : zones) {
      for (XYPlot panel : List.of(upper, lower)) {
        panel.addDomainMarker(
            new IntervalMarker(
                epochs.place(zone.from()),
                epochs.place(zone.to()),
                one ? ZONE : Style.pale(zone.colour(), 0.08),
                Style.THIN,
                null,
                null,
                1),
            Layer.BACKGROUND);
        panel.addDomainMarker(
            new ValueMarker(
                epochs.place(zone.from()), one ? Style.QUIET : zone.colour(), Style.DASHED),
            Layer.BACKGROUND);
      }
    }
    zones.stream()
        .min(Comparator.comparingDouble(Zone::from))
        .ifPresent(
            first ->
                name(upper, epochs.place(first.from()), epochs.place(first.to()), epochs.axis()));
    return Style.figure(
        title,
        subtitle(courses, one, zones, epochs),
        legend(courses, networks, zones),
        plot,
        WIDTH,
        PLOT);
  }

  private static List<StiffnessCourse> networks(List<StiffnessCourse> courses) {
    List<StiffnessCourse> networks = new ArrayList<>();
    for (StiffnessCourse course : courses) {
      if (networks.stream().noneMatch(course::hasLossesOf)) {
        networks.add(course);
      }
    }
    return networks;
  }

  private static List<Zone> zones(List<StiffnessCourse> courses, List<StiffnessCourse> networks) {
    return networks.stream()
        .map(n -> zone(n, Style.colour(courses.indexOf(n))))
        .filter(Objects::nonNull)
        .toList();
  }

  /** From the last of the epochs with the lowest test loss to the end; null if it rises no more. */
  private static Zone zone(StiffnessCourse course, Color colour) {
    double[] loss = course.testLoss();
    int lowest = -1;
    int risen = -1;
    for (int i = 0; i < loss.length; i++) {
      // Comparisons with NaN are false.
      if (lowest < 0 ? Double.isFinite(loss[i]) : loss[i] <= loss[lowest]) {
        lowest = i;
        risen = -1;
      } else if (lowest >= 0 && loss[i] > loss[lowest]) {
        risen = i;
      }
    }
    return risen < 0
        ? null
        : new Zone(
            course.label(),
            colour,
            course.epoch()[lowest],
            course.epoch()[loss.length - 1],
            loss[lowest],
            course.epoch()[risen],
            loss[risen]);
  }

  /** Names a zone at its upper edge, inside where there is room. */
  private static void name(XYPlot panel, double from, double to, ValueAxis axis) {
    // In what part of the axis it is, be this linear or logarithmic.
    Rectangle2D unit = new Rectangle2D.Double(0, 0, 1, 1);
    double start = axis.valueToJava2D(from, unit, RectangleEdge.BOTTOM);
    double end = axis.valueToJava2D(to, unit, RectangleEdge.BOTTOM);
    boolean inside = end - start > WIDE || start < WIDE;
    ValueMarker name = new ValueMarker(from, new Color(0, 0, 0, 0), Style.DASHED);
    name.setLabel(ZONE_NAME);
    name.setLabelFont(Style.TEXT);
    name.setLabelPaint(Style.INK);
    name.setLabelBackgroundColor(new Color(0, 0, 0, 0));
    name.setLabelAnchor(inside ? RectangleAnchor.TOP_RIGHT : RectangleAnchor.TOP_LEFT);
    name.setLabelTextAnchor(inside ? TextAnchor.TOP_LEFT : TextAnchor.TOP_RIGHT);
    panel.addDomainMarker(name, Layer.BACKGROUND);
  }

  /**
   * @param named whether a name stands at its upper edge
   */
  private static XYPlot stiffness(List<StiffnessCourse> courses, Epochs epochs, boolean named) {
    NumberAxis cosines =
        Style.linear(
            "mean cosine",
            DoubleStream.concat(
                DoubleStream.of(0),
                courses.stream()
                    .flatMap(StiffnessCourse::stiffness)
                    .flatMapToDouble(Arrays::stream)));
    if (named) {
      Range range = cosines.getRange();
      cosines.setRange(range.getLowerBound(), range.getUpperBound() + 0.06 * range.getLength());
    }
    CourseLines lines = new CourseLines(epochs::place, v -> v);
    for (int i = 0; i < courses.size(); i++) {
      StiffnessCourse course = courses.get(i);
      Color colour = Style.colour(i);
      lines.add(course.epoch(), course.within(), Style.LINE, i, colour);
      lines.add(course.epoch(), course.between(), Style.LINE_DASHED, i, colour);
      if (course.betweenInSuperClass() != null) {
        lines.add(course.epoch(), course.betweenInSuperClass(), Style.LINE_DOTTED, i, colour);
      }
    }
    XYPlot panel = lines.panel(cosines);
    Style.markZero(panel);
    return panel;
  }

  private static XYPlot losses(
      List<StiffnessCourse> courses, List<StiffnessCourse> networks, Epochs epochs) {
    LogScale losses =
        new LogScale(
            "loss  (cross-entropy, nats)",
            networks.stream().flatMap(StiffnessCourse::losses).flatMapToDouble(Arrays::stream));
    CourseLines lines = new CourseLines(epochs::place, losses::place);
    for (StiffnessCourse network : networks) {
      Color colour = networks.size() == 1 ? Style.INK : Style.colour(courses.indexOf(network));
      lines.add(network.epoch(), network.trainLoss(), Style.BAR, TRAIN_MARKER, colour);
      lines.add(network.epoch(), network.testLoss(), Style.LINE, TEST_MARKER, colour);
    }
    return lines.panel(losses);
  }

  private static LegendItemCollection legend(
      List<StiffnessCourse> courses, List<StiffnessCourse> networks, List<Zone> zones) {
    LegendItemCollection legend =
        CourseLines.legend(courses.stream().map(StiffnessCourse::label).toList());
    if (courses.stream().anyMatch(c -> c.betweenInSuperClass() != null)) {
      legend.add(
          Style.legendStroke(
              "between classes of a super-class", Style.LINE_DOTTED, null, Style.QUIET));
    }
    Color losses = networks.size() == 1 ? Style.INK : Style.QUIET;
    legend.add(
        Style.legendStroke(
            "train loss", Style.BAR, Style.marker(TRAIN_MARKER, CourseLines.MARKER), losses));
    legend.add(
        Style.legendStroke(
            "test loss", Style.LINE, Style.marker(TEST_MARKER, CourseLines.MARKER), losses));
    return legend;
  }

  private static String subtitle(
      List<StiffnessCourse> courses, boolean one, List<Zone> zones, Epochs epochs) {
    long gaps =
        courses.stream()
            .flatMap(StiffnessCourse::stiffness)
            .flatMapToDouble(Arrays::stream)
            .filter(v -> !Double.isFinite(v))
            .count();
    String shaded =
        zones.stream()
            .map(z -> (one ? "" : "of " + z.label() + " ") + "rises " + z.words())
            .collect(Collectors.joining(", "));
    return "Above: cosine between loss gradients."
        + (zones.isEmpty() ? "" : "  Shaded, %s: test loss %s.".formatted(ZONE_NAME, shaded))
        + (epochs.zeros() ? "  Epoch 0 stands at the left end." : "")
        + (gaps > 0
            ? "  Gaps, not defined: %s.".formatted(Setting.count((int) gaps, "value"))
            : "");
  }

  /**
   * The axis of epochs.
   *
   * @param zeros whether epochs of 0 stand at its left end because it is logarithmic
   */
  private record Epochs(ValueAxis axis, boolean zeros) {
    /** Where half the epochs are below this part of the last one, the axis is logarithmic. */
    private static final double CROWDED = 0.1;

    private static final int FEW = 5;

    static Epochs of(double[] all) {
      double last = Arrays.stream(all).max().orElse(1);
      double[] after = Arrays.stream(all).filter(e -> e > 0).distinct().sorted().toArray();
      if (after.length >= FEW && after[after.length / 2] < CROWDED * last) {
        return new Epochs(
            new LogScale("epoch", Arrays.stream(all)), Arrays.stream(all).anyMatch(e -> e == 0));
      }
      NumberAxis axis = Style.linear("epoch");
      double end = last > 0 ? last : 1;
      // Room for whole markers at both ends.
      axis.setRange(-0.02 * end, 1.02 * end);
      return new Epochs(axis, false);
    }

    double place(double epoch) {
      return axis instanceof LogScale scale ? scale.place(epoch) : epoch;
    }
  }
}
