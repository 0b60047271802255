package dev.flinch.report;

import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.font.FontRenderContext;
import java.awt.geom.Point2D;
import java.awt.geom.Rectangle2D;
import java.util.List;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.axis.AxisSpace;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.PlotRenderingInfo;
import org.jfree.chart.plot.PlotState;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.ui.RectangleInsets;

/** Panels of equal size on a grid, row by row, under one title and legend. */
final class PanelGrid extends Plot {
  private static final long serialVersionUID = 1L;
  private static final int SINGLE_WIDTH = 800;
  private static final int SINGLE_HEIGHT = 560;
  private static final int CELL = 400;
  private static final int GAP = 14;

  /** What the chart has to the left and the right of its panels. */
  private static final int MARGINS = 34;

  /** Title, a line of subtitle, and the margins above and below. */
  private static final int HEADER = 64;

  private static final int LEGEND = 33;
  private static final int LINE = 17;
  private static final int ROW_TITLE = 30;
  private static final int LEFT = 64;
  private static final int BOTTOM = 52;
  private static final int RIGHT = 14;

  /**
   * One panel.
   *
   * @param heading what it is of; empty for nothing
   * @param caption what is said of it below that; empty for nothing
   */
  record Panel(String heading, String caption, XYPlot plot) {}

  private final int columns;
  private final transient List<String> rowTitles;
  private final transient List<Panel> panels;

  /**
   * @param rowTitles what stands above each row; empty for nothing
   */
  PanelGrid(int columns, List<String> rowTitles, List<Panel> panels) {
    this.columns = columns;
    this.rowTitles = rowTitles;
    this.panels = panels;
    for (Panel panel : panels) {
      AxisSpace space = new AxisSpace();
      space.setLeft(LEFT);
      space.setBottom(BOTTOM);
      space.setRight(RIGHT);
      panel.plot().setFixedRangeAxisSpace(space);
      panel.plot().setFixedDomainAxisSpace(space);
      panel.plot().setInsets(RectangleInsets.ZERO_INSETS);
    }
  }

  private int rows() {
    return (panels.size() + columns - 1) / columns;
  }

  /** The lines above a panel's data. */
  private int lines() {
    return panels.stream()
        .mapToInt(p -> (p.heading().isEmpty() ? 0 : 1) + (p.caption().isEmpty() ? 0 : 1))
        .max()
        .orElse(0);
  }

  /** The figure of these panels: a single one wide, several square. */
  Figure figure(String title, String subtitle, LegendItemCollection legend) {
    boolean single = panels.size() == 1;
    int width = single ? SINGLE_WIDTH : MARGINS + columns * CELL + (columns - 1) * GAP;
    double text = Style.SMALL.getStringBounds(subtitle, context()).getWidth();
    int wrapped = (int) Math.ceil(text / (width - 1.6 * MARGINS)) - 1;
    int row = CELL - LEFT - RIGHT + BOTTOM + lines() * LINE + 8;
    int rowTitle = rowTitles.isEmpty() ? 0 : ROW_TITLE;
    int height =
        (single
                ? SINGLE_HEIGHT
                : HEADER
                    + (legend.getItemCount() > 0 ? LEGEND : 0)
                    + rows() * (row + rowTitle)
                    + (rows() - 1) * GAP)
            + wrapped * (LINE - 2);
    return new Figure(Style.chart(title, subtitle, legend, this), width, height);
  }

  private static FontRenderContext context() {
    return new FontRenderContext(null, true, true);
  }

  @Override
  public String getPlotType() {
    return "panels";
  }

  @Override
  public void draw(
      Graphics2D g2, Rectangle2D area, Point2D anchor, PlotState state, PlotRenderingInfo info) {
    double rowTitle = rowTitles.isEmpty() ? 0 : ROW_TITLE;
    double width = (area.getWidth() - (columns - 1) * GAP) / columns;
    double height = (area.getHeight() - (rows() - 1) * GAP) / rows();
    for (int i = 0; i < panels.size(); i++) {
      Panel panel = panels.get(i);
      double left = area.getX() + i % columns * (width + GAP);
      double top = area.getY() + i / columns * (height + GAP);
      if (!rowTitles.isEmpty() && i % columns == 0) {
        text(g2, rowTitles.get(i / columns), Style.TEXT.deriveFont(Font.BOLD), left + 6, top + 18);
      }
      double at = top + rowTitle + LINE - 4;
      if (!panel.heading().isEmpty()) {
        text(g2, panel.heading(), Style.TEXT, left + LEFT, at);
        at += LINE;
      }
      if (!panel.caption().isEmpty()) {
        g2.setPaint(Style.QUIET);
        g2.setFont(Style.SMALL);
        g2.drawString(panel.caption(), (float) (left + LEFT), (float) at);
      }
      double above = rowTitle + lines() * LINE + (lines() > 0 ? 8 : 0);
      double wide = width - LEFT - RIGHT;
      double high = height - above - BOTTOM;
      if (panels.size() > 1) {
        wide = Math.min(wide, high);
        high = wide;
      }
      Rectangle2D place =
          new Rectangle2D.Double(left, top + above, LEFT + wide + RIGHT, high + BOTTOM);
      panel.plot().draw(g2, place, null, null, null);
    }
  }

  private static void text(Graphics2D g2, String text, Font font, double x, double y) {
    g2.setPaint(Style.INK);
    g2.setFont(font);
    g2.drawString(text, (float) x, (float) y);
  }
}
