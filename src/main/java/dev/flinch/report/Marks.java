package dev.flinch.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.IntSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jfree.chart.annotations.AbstractXYAnnotation;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.PlotRenderingInfo;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleEdge;

/**
 * Means with pale error bars both ways, of a panel. The more of them a panel has, the smaller they
 * are. Where a figure has more than 20,000, they are semi-transparent dots without error bars.
 * Dots, and more than 5,000 marks of a panel, are an image in an SVG, whose reader would be slow to
 * draw them one by one.
 */
final class Marks extends AbstractXYAnnotation {
  private static final long serialVersionUID = 1L;
  private static final int MOST_WITH_BARS = 20_000;
  private static final int MOST_AS_SHAPES = 5_000;
  private static final int MOST_OUTLINED = 400;
  private static final int FEW = 150;
  private static final double LARGEST = 8;
  private static final double SMALLEST = 1.6;
  private static final double MOST_OPACITY = 0.7;
  private static final double LEAST_OPACITY = 0.3;
  private static final int PIXELS_PER_UNIT = 2;

  /** A mean of two quantities. */
  record Mark(Estimate x, Estimate y, Color colour) {}

  /**
   * How many marks there are, which their looks go by, alike in all panels.
   *
   * @param inFigure of all panels
   * @param inPanel of the panel with the most
   */
  record Crowd(int inFigure, int inPanel) {
    /** The crowd of panels with so many marks each. */
    static Crowd of(IntStream panels) {
      IntSummaryStatistics marks = panels.summaryStatistics();
      return new Crowd((int) marks.getSum(), Math.max(0, marks.getMax()));
    }

    boolean dots() {
      return inFigure > MOST_WITH_BARS;
    }

    private boolean outlined() {
      return inPanel <= MOST_OUTLINED;
    }

    /** The diameter of a mark. */
    private double size() {
      double size = LARGEST * Math.pow((double) FEW / inPanel, 0.3);
      return Math.max(SMALLEST, Math.min(LARGEST, size));
    }

    /** The more dots, the more of them lie upon each other. */
    private double opacity() {
      double opacity = LEAST_OPACITY * Math.sqrt(20_000.0 / inPanel);
      return dots() ? Math.max(LEAST_OPACITY, Math.min(MOST_OPACITY, opacity)) : 1;
    }
  }

  private final transient List<Mark> marks;
  private final transient Crowd crowd;

  private Marks(List<Mark> marks, Crowd crowd) {
    this.marks = marks;
    this.crowd = crowd;
  }

  /**
   * A panel of marks; the renderer's data lie above them.
   *
   * @param marks in the order that they are drawn in
   */
  static XYPlot plot(ValueAxis x, ValueAxis y, List<Mark> marks, Crowd crowd) {
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, false);
    XYPlot plot = new XYPlot(null, x, y, renderer);
    Style.dress(plot);
    renderer.addAnnotation(new Marks(marks, crowd), Layer.BACKGROUND);
    return plot;
  }

  @Override
  public void draw(
      Graphics2D g2,
      XYPlot plot,
      Rectangle2D area,
      ValueAxis xAxis,
      ValueAxis yAxis,
      int rendererIndex,
      PlotRenderingInfo info) {
    Axis x = new Axis(xAxis, area, RectangleEdge.BOTTOM);
    Axis y = new Axis(yAxis, area, RectangleEdge.LEFT);
    if (marks.size() <= MOST_AS_SHAPES && !crowd.dots()) {
      draw(g2, x, y);
      return;
    }
    int left = (int) Math.floor(area.getMinX());
    int top = (int) Math.floor(area.getMinY());
    int width = (int) Math.ceil(area.getMaxX()) - left;
    int height = (int) Math.ceil(area.getMaxY()) - top;
    BufferedImage image =
        new BufferedImage(
            width * PIXELS_PER_UNIT, height * PIXELS_PER_UNIT, BufferedImage.TYPE_INT_ARGB);
    Graphics2D pixels = image.createGraphics();
    pixels.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    pixels.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    pixels.scale(PIXELS_PER_UNIT, PIXELS_PER_UNIT);
    pixels.translate(-left, -top);
    draw(pixels, x, y);
    pixels.dispose();
    g2.drawImage(image, left, top, width, height, null);
  }

  private void draw(Graphics2D g2, Axis x, Axis y) {
    if (!crowd.dots()) {
      bars(g2, x, y);
    }
    double size = crowd.size();
    double opacity = crowd.opacity();
    for (Mark mark : marks) {
      Shape shape =
          new Ellipse2D.Double(
              x.at(mark.x().mean()) - size / 2, y.at(mark.y().mean()) - size / 2, size, size);
      g2.setPaint(Style.pale(mark.colour(), opacity));
      g2.fill(shape);
      if (crowd.outlined()) {
        g2.setPaint(Color.WHITE);
        g2.setStroke(Style.THIN);
        g2.draw(shape);
      }
    }
  }

  /** One path a colour. */
  private void bars(Graphics2D g2, Axis x, Axis y) {
    Map<Color, Path2D> paths = new LinkedHashMap<>();
    for (Mark mark : marks) {
      Path2D path = paths.computeIfAbsent(mark.colour(), colour -> new Path2D.Double());
      if (mark.x().standardError() > 0) {
        double height = y.at(mark.y().mean());
        path.append(
            new Line2D.Double(x.at(mark.x().low()), height, x.at(mark.x().high()), height), false);
      }
      if (mark.y().standardError() > 0) {
        double place = x.at(mark.x().mean());
        path.append(
            new Line2D.Double(place, y.at(mark.y().low()), place, y.at(mark.y().high())), false);
      }
    }
    g2.setStroke(crowd.outlined() ? Style.BAR : Style.THIN);
    paths.forEach(
        (colour, path) -> {
          if (path.getPathIterator(new AffineTransform()).isDone()) {
            return;
          }
          g2.setPaint(Style.pale(colour, 0.4));
          g2.draw(path);
        });
  }

  /** Places along an axis, zeros on a logarithmic one at its lower end. */
  private record Axis(ValueAxis axis, Rectangle2D area, RectangleEdge edge) {
    double at(double value) {
      double held = axis instanceof LogScale scale ? scale.place(value) : value;
      return axis.valueToJava2D(held, area, edge);
    }
  }
}
