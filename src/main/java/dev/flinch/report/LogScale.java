package dev.flinch.report;

import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;
import org.jfree.chart.axis.AxisState;
import org.jfree.chart.axis.LogAxis;
import org.jfree.chart.axis.NumberTick;
import org.jfree.chart.axis.TickType;
import org.jfree.chart.axis.ValueTick;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.TextAnchor;

/**
 * A logarithmic axis that holds all values it is made for: zeros stand at its lower end. Decades
 * are named; over less than a decade, so are their multiples.
 */
final class LogScale extends LogAxis {
  private static final long serialVersionUID = 1L;
  private static final double MARGIN = 0.06;
  private static final double LEAST_DECADES = 0.5;

  /** Decades that double precision reaches both ways. */
  private static final double FARTHEST = 307;

  private static final int MOST_LABELS = 7;
  private static final int MOST_SUBDIVIDED = 4;

  private final double floor;

  /** An axis for the finite ones of the values, which are ≥ 0. */
  LogScale(String label, DoubleStream values) {
    super(label);
    double[] finite = values.filter(Double::isFinite).toArray();
    double[] logs = Arrays.stream(finite).filter(v -> v > 0).map(Math::log10).toArray();
    double low = Arrays.stream(logs).min().orElse(-0.5);
    double high = Arrays.stream(logs).max().orElse(0.5);
    double wanting = Math.max(0, LEAST_DECADES - (high - low)) / 2;
    double margin = MARGIN * (high - low + 2 * wanting);
    boolean zeros = logs.length < finite.length;
    low = Math.max(low - wanting - margin * (zeros ? 2 : 1), -FARTHEST);
    high = Math.min(high + wanting + margin, FARTHEST);
    floor = zeros ? Math.pow(10, low + margin / 2) : Math.pow(10, low);
    setRange(Math.pow(10, low), Math.pow(10, high));
  }

  /** Where a value is drawn: at the lower end if it is too small for this axis. */
  double place(double value) {
    return value < floor ? floor : value;
  }

  @Override
  public List<ValueTick> refreshTicks(
      Graphics2D g2, AxisState state, Rectangle2D dataArea, RectangleEdge edge) {
    double low = Math.log10(getRange().getLowerBound());
    double high = Math.log10(getRange().getUpperBound());
    double decades = high - low;
    int first = (int) Math.floor(low);
    int last = (int) Math.floor(high);
    int step = (int) Math.ceil(decades / MOST_LABELS);
    boolean plain = first >= -4 && last <= 3;
    List<ValueTick> ticks = new ArrayList<>();
    for (int decade = first; decade <= last; decade++) {
      for (int digit = 1; digit <= 9; digit++) {
        double value = digit * Math.pow(10, decade);
        boolean named =
            digit == 1 && Math.floorMod(decade, step) == 0
                || decades < 1
                || decades < 2 && (digit == 2 || digit == 5);
        if (getRange().contains(value) && (named || digit == 1 || decades < MOST_SUBDIVIDED)) {
          ticks.add(tick(value, named ? name(digit, decade, plain) : "", named, edge));
        }
      }
    }
    return ticks;
  }

  private static ValueTick tick(double value, String name, boolean major, RectangleEdge edge) {
    return new NumberTick(
        major ? TickType.MAJOR : TickType.MINOR,
        value,
        name,
        RectangleEdge.isTopOrBottom(edge) ? TextAnchor.TOP_CENTER : TextAnchor.CENTER_RIGHT,
        TextAnchor.CENTER,
        0);
  }

  private static String name(int digit, int decade, boolean plain) {
    if (plain) {
      return BigDecimal.valueOf(digit).scaleByPowerOfTen(decade).toPlainString();
    }
    return name(digit, decade);
  }

  /** Such as {@code 10⁻³} or {@code 2·10⁴}. */
  static String name(int digit, int decade) {
    String power = String.valueOf(decade).replace('-', '⁻');
    for (int i = 0; i <= 9; i++) {
      power = power.replace((char) ('0' + i), "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(i));
    }
    return (digit == 1 ? "" : digit + "·") + "10" + power;
  }
}
