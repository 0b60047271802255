package dev.flinch.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.font.FontRenderContext;
import java.awt.geom.AffineTransform;
import java.awt.geom.Area;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.LegendItem;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.block.BlockBorder;
import org.jfree.chart.block.RectangleConstraint;
import org.jfree.chart.plot.DatasetRenderingOrder;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.ValueMarker;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.text.TextUtils;
import org.jfree.chart.title.LegendTitle;
import org.jfree.chart.title.TextTitle;
import org.jfree.chart.ui.HorizontalAlignment;
import org.jfree.chart.ui.Layer;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.data.Range;

/** How every figure looks: one place for colours, fonts, strokes and margins. */
final class Style {
  static final Color INK = new Color(0x26, 0x26, 0x26);
  static final Color QUIET = new Color(0x6B, 0x6B, 0x6B);
  private static final Color GRID = new Color(0xE8, 0xE8, 0xE8);

  /** Colours that colour-blind readers tell apart too (Okabe and Ito, 2008). */
  private static final List<Color> PALETTE =
      List.of(
          new Color(0x00, 0x72, 0xB2),
          new Color(0xD5, 0x5E, 0x00),
          new Color(0x00, 0x9E, 0x73),
          new Color(0xCC, 0x79, 0xA7),
          new Color(0xE6, 0x9F, 0x00),
          new Color(0x56, 0xB4, 0xE9));

  static final Font TEXT = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
  static final Font SMALL = TEXT.deriveFont(12f);
  static final Font TITLE = new Font(Font.SANS_SERIF, Font.BOLD, 16);

  private static final int OUTLINES = 7;

  /** A linear axis of values has no less, so that equal values have a place. */
  private static final double LEAST_RANGE = 0.02;

  static final BasicStroke THIN = new BasicStroke(0.8f);
  static final BasicStroke LINE =
      new BasicStroke(1.8f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  static final BasicStroke LINE_DASHED =
      new BasicStroke(
          1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, new float[] {7, 4}, 0);
  static final BasicStroke LINE_DOTTED =
      new BasicStroke(
          1.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 10, new float[] {2, 3}, 0);
  static final BasicStroke BAR = new BasicStroke(1.2f);
  static final BasicStroke DASHED =
      new BasicStroke(
          0.8f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {4, 3}, 0);

  static {
    // Text that stands upright stays text in an SVG instead of turning into outlines.
    TextUtils.setUseDrawRotatedStringWorkaround(false);
  }

  private Style() {}

  static Color colour(int index) {
    return PALETTE.get(index % PALETTE.size());
  }

  static Color pale(Color colour, double opacity) {
    return new Color(
        colour.getRed(), colour.getGreen(), colour.getBlue(), (int) Math.round(255 * opacity));
  }

  /**
   * Markers of about equal size, centred at the origin: seven full ones, then seven hollow ones.
   */
  static Shape marker(int index, double size) {
    Shape full = scaled(outline(index % OUTLINES), size);
    if (index / OUTLINES % 2 == 0) {
      return full;
    }
    Area hollow = new Area(full);
    hollow.subtract(new Area(scaled(full, 0.5)));
    return hollow;
  }

  private static Shape scaled(Shape shape, double factor) {
    return AffineTransform.getScaleInstance(factor, factor).createTransformedShape(shape);
  }

  private static Shape outline(int index) {
    return switch (index) {
      case 0 -> new Ellipse2D.Double(-0.5, -0.5, 1, 1);
      case 1 -> new Rectangle2D.Double(-0.44, -0.44, 0.88, 0.88);
      case 2 -> polygon(3, -Math.PI / 2, 0.72, 0.72);
      case 3 -> polygon(4, 0, 0.64, 0.64);
      case 4 -> polygon(3, Math.PI / 2, 0.72, 0.72);
      case 5 -> polygon(5, -Math.PI / 2, 0.58, 0.58);
      default -> polygon(10, -Math.PI / 2, 0.72, 0.32);
    };
  }

  private static Shape polygon(int corners, double start, double even, double odd) {
    Path2D path = new Path2D.Double();
    for (int i = 0; i < corners; i++) {
      double angle = start + 2 * Math.PI * i / corners;
      double radius = i % 2 == 0 || even == odd ? even : odd;
      double x = radius * Math.cos(angle);
      double y = radius * Math.sin(angle);
      if (i == 0) {
        path.moveTo(x, y);
      } else {
        path.lineTo(x, y);
      }
    }
    path.closePath();
    return path;
  }

  /** A linear axis in the same numerals everywhere. */
  static NumberAxis linear(String label) {
    NumberAxis axis = new NumberAxis(label);
    axis.setStandardTickUnits(NumberAxis.createStandardTickUnits(Locale.ROOT));
    return axis;
  }

  /** A linear axis that holds the finite ones of some values, with a margin. */
  static NumberAxis linear(String label, DoubleStream values) {
    DoubleSummaryStatistics finite = values.filter(Double::isFinite).summaryStatistics();
    double low = finite.getCount() == 0 ? 0 : finite.getMin();
    double high = finite.getCount() == 0 ? 1 : finite.getMax();
    double margin = Math.max(0.08 * (high - low), (LEAST_RANGE - (high - low)) / 2);
    NumberAxis axis = linear(label);
    axis.setRange(low - margin, high + margin);
    return axis;
  }

  private static void dress(ValueAxis axis, RectangleInsets tickLabels) {
    axis.setTickLabelInsets(tickLabels);
    axis.setMinorTickMarksVisible(axis instanceof LogScale);
    axis.setLabelFont(TEXT);
    axis.setLabelPaint(INK);
    axis.setTickLabelFont(SMALL);
    axis.setTickLabelPaint(INK);
    axis.setAxisLinePaint(INK);
    axis.setAxisLineStroke(THIN);
    axis.setTickMarkPaint(INK);
    axis.setTickMarkStroke(THIN);
    axis.setTickMarkOutsideLength(4);
    axis.setMinorTickMarkOutsideLength(2);
    axis.setLabelInsets(new RectangleInsets(6, 6, 6, 6));
  }

  /** Gives a plot and its axes their looks; the room around tick labels thins them out. */
  static void dress(XYPlot plot) {
    plot.setBackgroundPaint(null);
    plot.setOutlineVisible(false);
    plot.setDomainGridlinesVisible(false);
    plot.setRangeGridlinePaint(GRID);
    plot.setRangeGridlineStroke(THIN);
    plot.setAxisOffset(RectangleInsets.ZERO_INSETS);
    plot.setDatasetRenderingOrder(DatasetRenderingOrder.FORWARD);
    if (plot.getRangeAxis() != null) {
      dress(plot.getRangeAxis(), new RectangleInsets(10, 6, 10, 6));
    }
    if (plot.getDomainAxis() != null) {
      dress(plot.getDomainAxis(), new RectangleInsets(3, 12, 2, 12));
    }
  }

  /** Draws a line at zero across a panel, behind its data. */
  static void markZero(XYPlot panel) {
    panel.addRangeMarker(new ValueMarker(0, QUIET, BAR), Layer.BACKGROUND);
  }

  static void text(Graphics2D g, String text, Font font, Color colour, double x, double y) {
    g.setFont(font);
    g.setPaint(colour);
    g.drawString(text, (float) x, (float) y);
  }

  /** Text that reads upwards, its middle at {@code middle}. */
  static void upright(Graphics2D g, String text, double x, double middle) {
    AffineTransform before = g.getTransform();
    g.translate(x, middle + width(text, TEXT) / 2);
    g.rotate(-Math.PI / 2);
    text(g, text, TEXT, INK, 0, 0);
    g.setTransform(before);
  }

  static double width(String text, Font font) {
    return font.getStringBounds(text, new FontRenderContext(null, true, true)).getWidth();
  }

  /** Lines of a text that are no wider than some width, where its words are not. */
  static List<String> wrapped(String text, Font font, double width) {
    List<String> lines = new ArrayList<>();
    String line = "";
    for (String word : text.split(" ")) {
      String longer = line.isEmpty() ? word : line + " " + word;
      if (!line.isEmpty() && width(longer, font) > width) {
        lines.add(line);
        longer = word;
      }
      line = longer;
    }
    lines.add(line);
    return lines;
  }

  static LegendItem legendLine(String label, Color colour) {
    return legendMarker(label, new Rectangle2D.Double(-9, -1.5, 18, 3), colour);
  }

  /** A stroke of its own pattern, with a marker on it or, where that is null, without. */
  static LegendItem legendStroke(String label, BasicStroke stroke, Shape marker, Color colour) {
    Area shape = new Area(stroke.createStrokedShape(new Line2D.Double(-14, 0, 14, 0)));
    if (marker != null) {
      shape.add(new Area(marker));
    }
    return legendMarker(label, shape, colour);
  }

  static LegendItem legendMarker(String label, Shape shape, Color colour) {
    LegendItem item = new LegendItem(label, null, null, null, shape, colour);
    item.setLabelFont(TEXT);
    item.setLabelPaint(INK);
    return item;
  }

  /** A chart of a plot under its title, its subtitle and one row of legend. */
  static JFreeChart chart(String title, String subtitle, LegendItemCollection items, Plot plot) {
    JFreeChart chart = new JFreeChart(null, null, plot, false);
    chart.setBackgroundPaint(Color.WHITE);
    chart.setPadding(new RectangleInsets(14, 12, 8, 22));
    chart.addSubtitle(line(title, TITLE, INK));
    chart.addSubtitle(line(subtitle, SMALL, QUIET));
    LegendTitle legend = new LegendTitle(() -> items);
    legend.setPosition(RectangleEdge.TOP);
    legend.setHorizontalAlignment(HorizontalAlignment.LEFT);
    legend.setFrame(BlockBorder.NONE);
    legend.setItemFont(TEXT);
    legend.setItemLabelPadding(new RectangleInsets(2, 4, 2, 14));
    legend.setPadding(new RectangleInsets(4, 4, 8, 0));
    chart.addSubtitle(legend);
    return chart;
  }

  /** A chart whose plot has some height, however high its title, subtitle and legend are. */
  static Figure figure(
      String title,
      String subtitle,
      LegendItemCollection items,
      Plot plot,
      int width,
      int plotHeight) {
    JFreeChart chart = chart(title, subtitle, items, plot);
    RectangleInsets padding = chart.getPadding();
    double inner = width - padding.getLeft() - padding.getRight();
    Graphics2D measuring = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB).createGraphics();
    measuring.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    measuring.setRenderingHint(
        RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
    RectangleConstraint constraint =
        new RectangleConstraint(new Range(0, inner), new Range(0, Integer.MAX_VALUE));
    double header = 0;
    for (int i = 0; i < chart.getSubtitleCount(); i++) {
      header += chart.getSubtitle(i).arrange(measuring, constraint).getHeight();
    }
    measuring.dispose();
    double height = padding.getTop() + header + plotHeight + padding.getBottom();
    return new Figure(chart, width, (int) Math.ceil(height));
  }

  private static TextTitle line(String text, Font font, Color colour) {
    TextTitle line = new TextTitle(text, font);
    line.setPaint(colour);
    line.setHorizontalAlignment(HorizontalAlignment.LEFT);
    line.setTextAlignment(HorizontalAlignment.LEFT);
    line.setPadding(new RectangleInsets(2, 6, 2, 0));
    return line;
  }
}
