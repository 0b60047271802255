package dev.flinch.report;

import java.awt.Color;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.CombinedDomainXYPlot;
import org.jfree.chart.plot.XYPlot;

/**
 * Stiffness within and between classes against the train loss, which falls from left to right as
 * training goes, a colour and a marker for each course of training, such as those of several
 * learning rates (Fort et al.); below it the dynamical critical length ξ.
 */
public final class StiffnessLossFigure {
  private static final int WIDTH = 800;
  private static final int UPPER = 300;
  private static final int LOWER = 200;
  private static final int GAP = 18;
  private static final int AXIS = 52;

  /** The axis has room for critical lengths beyond where inputs can be: how they change tells. */
  private static final double ROOM = 3 * DistancePanel.FARTHEST;

  /** Lines to longer critical lengths, which are far outside, are drawn as if they ended here. */
  private static final double MOST_LENGTH = 1000;

  private StiffnessLossFigure() {}

  /**
   * How stiffness went along one training. All arrays have a value for each moment, in the order of
   * training; NaN is for what is not defined.
   *
   * @param label its name in the legend, such as {@code rate 0.001}
   * @param trainLoss mean cross-entropy, in nats
   * @param within mean cosine of pairs within a class
   * @param between mean cosine of pairs between classes
   * @param criticalLength the distance at which stiffness crosses zero; null where stiffness was
   *     not measured against distance
   * @throws IllegalArgumentException if an array has another length than the losses
   */
  public record Course(
      String label,
      double[] trainLoss,
      double[] within,
      double[] between,
      double[] criticalLength) {
    public Course {
      for (double[] values : new double[][] {within, between, criticalLength}) {
        if (values != null && values.length != trainLoss.length) {
          throw new IllegalArgumentException(
              "%s: expected a value for each of %d losses, found %d"
                  .formatted(label, trainLoss.length, values.length));
        }
      }
    }

    /** The losses, NaN for those that a logarithmic axis has no place for. */
    private double[] places() {
      return Arrays.stream(trainLoss)
          .map(loss -> loss > 0 && loss <= Double.MAX_VALUE ? loss : Double.NaN)
          .toArray();
    }

    /** Those of some values whose losses have a place. */
    private DoubleStream placed(double[] values) {
      double[] places = places();
      List<Double> placed = new ArrayList<>();
      for (int i = 0; values != null && i < values.length; i++) {
        if (!Double.isNaN(places[i])) {
          placed.add(values[i]);
        }
      }
      return placed.stream().mapToDouble(v -> v);
    }
  }

  /**
   * The figure, without its lower panel if no course has critical lengths. Where the loss is not
   * finite and above 0, or a value is not finite, there is a gap.
   */
  public static Figure of(String title, List<Course> courses) {
    boolean lengths = courses.stream().map(Course::criticalLength).anyMatch(Objects::nonNull);
    LogScale losses =
        new LogScale(
            "train loss  (cross-entropy, nats)",
            courses.stream().map(Course::places).flatMapToDouble(Arrays::stream));
    losses.setInverted(true);
    CombinedDomainXYPlot plot = new CombinedDomainXYPlot(losses);
    plot.setGap(GAP);
    plot.add(stiffness(courses, losses), UPPER);
    if (lengths) {
      plot.add(lengths(courses, losses), LOWER);
    }
    Style.dress(plot);
    return Style.figure(
        title,
        subtitle(courses, lengths),
        CourseLines.legend(courses.stream().map(Course::label).toList()),
        plot,
        WIDTH,
        UPPER + (lengths ? GAP + LOWER : 0) + AXIS);
  }

  private static XYPlot stiffness(List<Course> courses, LogScale losses) {
    NumberAxis cosines =
        Style.linear(
            "mean cosine",
            DoubleStream.concat(
                DoubleStream.of(0),
                DoubleStream.concat(
                    placed(courses, Course::within), placed(courses, Course::between))));
    CourseLines lines = new CourseLines(losses::place, v -> v);
    for (int i = 0; i < courses.size(); i++) {
      Course course = courses.get(i);
      Color colour = Style.colour(i);
      lines.add(course.places(), course.within(), Style.LINE, i, colour);
      lines.add(course.places(), course.between(), Style.LINE_DASHED, i, colour);
    }
    XYPlot panel = lines.panel(cosines);
    Style.markZero(panel);
    return panel;
  }

  private static XYPlot lengths(List<Course> courses, LogScale losses) {
    double[] defined = placed(courses, Course::criticalLength).filter(Double::isFinite).toArray();
    NumberAxis lengths =
        Style.linear(
            "critical length ξ",
            DoubleStream.concat(
                DoubleStream.of(0, defined.length == 0 ? 1 : 0),
                Arrays.stream(defined).map(v -> Math.min(v, ROOM))));
    CourseLines lines = new CourseLines(losses::place, v -> Math.min(v, MOST_LENGTH));
    for (int i = 0; i < courses.size(); i++) {
      Course course = courses.get(i);
      if (course.criticalLength() != null) {
        lines.add(course.places(), course.criticalLength(), Style.LINE, i, Style.colour(i));
      }
    }
    return lines.panel(lengths);
  }

  private static DoubleStream placed(List<Course> courses, Function<Course, double[]> values) {
    return courses.stream().flatMapToDouble(c -> c.placed(values.apply(c)));
  }

  private static String subtitle(List<Course> courses, boolean lengths) {
    long farther =
        placed(courses, Course::criticalLength)
            .filter(v -> Double.isFinite(v) && v > DistancePanel.FARTHEST)
            .count();
    return (lengths
            ? "Above: cosine between loss gradients; below: the distance where it crosses zero within classes."
            : "Cosine between loss gradients.")
        + "  Loss falls to the right."
        + (farther > 0
            ? "  Farther than inputs can be, above 2: %s."
                .formatted(Setting.count((int) farther, "critical length"))
            : "")
        + gaps(courses);
  }

  private static String gaps(List<Course> courses) {
    int moments = undefined(courses.stream().map(Course::places).flatMapToDouble(Arrays::stream));
    int cosines =
        undefined(
            DoubleStream.concat(placed(courses, Course::within), placed(courses, Course::between)));
    int lengths = undefined(placed(courses, Course::criticalLength));
    String values =
        Stream.of(
                cosines == 0 ? null : Setting.count(cosines, "cosine"),
                lengths == 0 ? null : Setting.count(lengths, "critical length"))
            .filter(Objects::nonNull)
            .collect(Collectors.joining(", "));
    return (moments > 0
            ? "  Gaps, loss 0 or not finite: %s.".formatted(Setting.count(moments, "moment"))
            : "")
        + (values.isEmpty() ? "" : "  Gaps, not defined: %s.".formatted(values));
  }

  private static int undefined(DoubleStream values) {
    return (int) values.filter(v -> !Double.isFinite(v)).count();
  }
}
