package dev.flinch.report;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.util.function.DoubleToIntFunction;

/**
 * What values colours stand for: an upright bar with ticks and a label, 90 units wide with them.
 *
 * @param rgb the colour of a value from low to high
 */
record ColourBar(double low, double high, DoubleToIntFunction rgb, String label) {
  private static final int STEPS = 256;
  private static final int WIDTH = 14;

  void draw(Graphics2D g, double left, double up, double height) {
    for (int i = 0; i < STEPS; i++) {
      double y = up + height * (1 - (i + 1.0) / STEPS);
      g.setPaint(new Color(rgb.applyAsInt(low + (high - low) * (i + 0.5) / STEPS)));
      g.fill(new Rectangle2D.Double(left, y, WIDTH, height / STEPS + (i > 0 ? 0.5 : 0)));
    }
    g.setPaint(Style.INK);
    g.setStroke(Style.THIN);
    g.draw(new Rectangle2D.Double(left, up, WIDTH, height));
    double step = step(high - low);
    for (long i = (long) Math.ceil(low / step); i * step <= high; i++) {
      double y = up + height * (high - i * step) / (high - low);
      g.setPaint(Style.INK);
      g.draw(new Line2D.Double(left + WIDTH, y, left + WIDTH + 4, y));
      Style.text(g, number(i * step), Style.SMALL, Style.INK, left + WIDTH + 8, y + 4);
    }
    Style.upright(g, label, left + 70, up + height / 2);
  }

  /** The distance of ticks: 1, 2 or 5 times a power of ten, four to ten of them. */
  private static double step(double range) {
    double power = Math.pow(10, Math.floor(Math.log10(range / 4)));
    return range / 4 >= 5 * power ? 5 * power : range / 4 >= 2 * power ? 2 * power : power;
  }

  private static String number(double value) {
    return value == Math.rint(value)
        ? String.valueOf((long) value)
        : String.valueOf(Math.round(value * 1e6) / 1e6);
  }
}
