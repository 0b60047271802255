package dev.flinch.report;

import dev.flinch.report.Marks.Crowd;
import dev.flinch.report.Marks.Mark;
import dev.flinch.report.PanelGrid.Panel;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.awt.Color;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.jfree.chart.LegendItemCollection;
import org.jfree.chart.annotations.XYLineAnnotation;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.data.Range;

/**
 * Networks that differ in one factor alone (Novak et al., Figure 4): a row for each factor, with
 * generalization gap, Jacobian norm and transitions of one side against the other's. A mark is a
 * pair of settings, each side's mean over seeds with its standard error. Only pairs whose networks
 * all classify everything they were trained on are drawn, but for pairs that differ in
 * augmentation: trained on moved images, few networks do (§A.5.4). Each panel says how many marks
 * lie above the diagonal and how many below, and the p-value of their {@link SignTest}.
 */
public final class PairFigure {
  private static final Map<Column, String> MEASURES =
      new TreeMap<>(
          Map.of(
              Column.GAP,
              "generalization gap",
              Column.JACOBIAN_NORM,
              "mean Jacobian norm",
              Column.TRANSITIONS,
              "transitions along a trajectory"));

  private final List<Row> rows;
  private final String leftOut;

  private PairFigure(List<Row> rows, String leftOut) {
    this.rows = rows;
    this.leftOut = leftOut;
  }

  /** Two settings: those of their networks that are paired. */
  record Sides(Setting left, Setting right) {
    boolean accurate() {
      return left.all(Setting::accurate) && right.all(Setting::accurate);
    }

    private boolean differIn(Column factor) {
      return !Objects.equals(left.factor(factor), right.factor(factor));
    }
  }

  /** Pairs of one factor and two values, with what axes say of the values. */
  record Row(String name, String left, String right, List<Sides> sides) {
    Comparison comparison(Column measure) {
      List<Estimate> left = new ArrayList<>();
      List<Estimate> right = new ArrayList<>();
      for (Sides side : sides) {
        Estimate x = side.left().mean(measure);
        Estimate y = side.right().mean(measure);
        if (Double.isFinite(x.mean()) && Double.isFinite(y.mean())) {
          left.add(x);
          right.add(y);
        }
      }
      return new Comparison(left, right, sides.size() - left.size());
    }
  }

  /**
   * A measure of pairs of settings.
   *
   * @param unmeasured pairs with no value on one side or both
   */
  record Comparison(List<Estimate> left, List<Estimate> right, int unmeasured) {
    SignTest signTest() {
      return SignTest.of(
          left.stream().mapToDouble(Estimate::mean).toArray(),
          right.stream().mapToDouble(Estimate::mean).toArray());
    }

    private DoubleStream values(Function<Estimate, DoubleStream> of) {
      return DoubleStream.concat(
          left.stream().flatMapToDouble(of), right.stream().flatMapToDouble(of));
    }
  }

  /** The figure of some pairs; those that it leaves out are counted in the subtitle. */
  public static Figure of(String title, List<NetworkRow> networks, List<Pair> pairs) {
    return of(networks, pairs).figure(title);
  }

  /** What the figure has. */
  static PairFigure of(List<NetworkRow> networks, List<Pair> pairs) {
    Map<String, NetworkRow> byIdentity = new HashMap<>();
    networks.stream()
        .filter(Setting::finished)
        .forEach(row -> byIdentity.put(row.text(Column.IDENTITY), row));
    Map<String, Map<String, List<Pair>>> factors = new LinkedHashMap<>();
    int unfinished = 0;
    for (Pair pair : pairs) {
      NetworkRow left = byIdentity.get(pair.left());
      NetworkRow right = byIdentity.get(pair.right());
      if (left == null || right == null) {
        unfinished++;
      } else {
        factors
            .computeIfAbsent(
                String.join("\n", pair.name(), pair.leftLabel(), pair.rightLabel()),
                key -> new TreeMap<>())
            .computeIfAbsent(setting(left) + "\n" + setting(right), key -> new ArrayList<>())
            .add(pair);
      }
    }
    List<Row> rows = new ArrayList<>();
    int inaccurate = 0;
    for (Map<String, List<Pair>> settings : factors.values()) {
      List<Sides> sides = new ArrayList<>();
      for (List<Pair> members : settings.values()) {
        Sides both =
            new Sides(
                side(members, Pair::left, byIdentity), side(members, Pair::right, byIdentity));
        if (both.accurate() || both.differIn(Column.AUGMENTATION)) {
          sides.add(both);
        } else {
          inaccurate += members.size();
        }
      }
      if (!sides.isEmpty()) {
        rows.add(row(settings.values().iterator().next().get(0), sides));
      }
    }
    List<String> reasons = new ArrayList<>();
    if (inaccurate > 0) {
      reasons.add(
          String.format(Locale.ROOT, "%,d of settings short of train accuracy 1", inaccurate));
    }
    if (unfinished > 0) {
      reasons.add(String.format(Locale.ROOT, "%,d not trained to the end", unfinished));
    }
    return new PairFigure(
        rows, reasons.isEmpty() ? "" : "Pairs left out: " + String.join(", ", reasons) + ".");
  }

  private static String setting(NetworkRow row) {
    String setting = row.text(Column.SETTING);
    return setting == null ? row.text(Column.IDENTITY) : setting;
  }

  /** The networks on one side of pairs of the same two settings. */
  private static Setting side(
      List<Pair> pairs, Function<Pair, String> side, Map<String, NetworkRow> byIdentity) {
    List<NetworkRow> networks = pairs.stream().map(side).distinct().map(byIdentity::get).toList();
    return new Setting(setting(networks.get(0)), networks);
  }

  private static Row row(Pair pair, List<Sides> sides) {
    Sides first = sides.get(0);
    return new Row(
        pair.name(),
        label(pair.leftLabel(), first.left(), first),
        label(pair.rightLabel(), first.right(), first),
        sides);
  }

  /** What an axis says of a side, where the value's name alone says too little. */
  private static String label(String value, Setting side, Sides both) {
    if (value.contains(" ")) {
      return value;
    }
    if (both.differIn(Column.LABELS)) {
      return value + " labels";
    }
    if (both.differIn(Column.AUGMENTATION)) {
      return value.equals("none") ? "without augmentation" : "with augmentation";
    }
    if (both.differIn(Column.OPTIMIZER) && (fullBatch(both.left()) || fullBatch(both.right()))) {
      return value + (fullBatch(side) ? ", full batch" : ", mini-batch");
    }
    return value;
  }

  private static boolean fullBatch(Setting setting) {
    return setting.factor(Column.OPTIMIZER) instanceof String optimizer
        && optimizer.replace("-", "").equalsIgnoreCase("LBFGS");
  }

  boolean isEmpty() {
    return rows.isEmpty();
  }

  List<Row> rows() {
    return rows;
  }

  Figure figure(String title) {
    Map<Row, Map<Column, Comparison>> comparisons = new LinkedHashMap<>();
    for (Row row : rows) {
      Map<Column, Comparison> ofRow = new EnumMap<>(Column.class);
      MEASURES.keySet().forEach(measure -> ofRow.put(measure, row.comparison(measure)));
      comparisons.put(row, ofRow);
    }
    List<Comparison> all = comparisons.values().stream().flatMap(m -> m.values().stream()).toList();
    Crowd crowd = Crowd.of(all.stream().mapToInt(comparison -> comparison.left().size()));
    List<Panel> panels = new ArrayList<>();
    List<String> titles = new ArrayList<>();
    comparisons.forEach(
        (row, ofRow) -> {
          Color colour = Style.colour(titles.size());
          titles.add(
              row.name() + ":  " + Setting.count(row.sides().size(), "pair") + " of settings");
          ofRow.forEach(
              (measure, comparison) -> panels.add(panel(row, measure, comparison, colour, crowd)));
        });
    if (panels.isEmpty()) {
      Row none = new Row("", "", "", List.of());
      titles.add("no pairs");
      MEASURES
          .keySet()
          .forEach(m -> panels.add(panel(none, m, none.comparison(m), Style.INK, crowd)));
    }
    boolean zeros =
        comparisons.values().stream()
            .flatMap(ofRow -> ofRow.entrySet().stream())
            .filter(measured -> measured.getKey() != Column.GAP)
            .flatMapToDouble(e -> e.getValue().values(v -> DoubleStream.of(v.mean())))
            .anyMatch(v -> v <= 0);
    return new PanelGrid(MEASURES.size(), titles, panels)
        .figure(title, subtitle(zeros, crowd), new LegendItemCollection());
  }

  private static Panel panel(
      Row row, Column measure, Comparison comparison, Color colour, Crowd crowd) {
    ValueAxis xs = axis(row.left(), measure, comparison);
    ValueAxis ys = axis(row.right(), measure, comparison);
    List<Mark> marks = new ArrayList<>();
    for (int i = 0; i < comparison.left().size(); i++) {
      marks.add(new Mark(comparison.left().get(i), comparison.right().get(i), colour));
    }
    XYPlot plot = Marks.plot(xs, ys, marks, crowd);
    Range range = xs.getRange();
    plot.addAnnotation(
        new XYLineAnnotation(
            range.getLowerBound(),
            range.getLowerBound(),
            range.getUpperBound(),
            range.getUpperBound(),
            Style.DASHED,
            Style.INK));
    return new Panel(MEASURES.get(measure), caption(comparison), plot);
  }

  /** Both axes of a panel are alike. */
  private static ValueAxis axis(String label, Column measure, Comparison comparison) {
    return measure == Column.GAP
        ? Style.linear(label, comparison.values(e -> DoubleStream.of(e.low(), e.high())))
        : new LogScale(label, comparison.values(e -> DoubleStream.of(e.mean(), e.high())));
  }

  private static String caption(Comparison comparison) {
    if (comparison.left().isEmpty()) {
      return "not measured";
    }
    SignTest test = comparison.signTest();
    return String.format(Locale.ROOT, "%,d above, %,d below", test.above(), test.below())
        + (test.equal() > 0 ? String.format(Locale.ROOT, ", %,d on it", test.equal()) : "")
        + ",  "
        + test.text()
        + (comparison.unmeasured() > 0
            ? String.format(Locale.ROOT, ",  %,d unmeasured", comparison.unmeasured())
            : "");
  }

  private String subtitle(boolean zeros, Crowd crowd) {
    List<String> sentences = new ArrayList<>();
    sentences.add(
        crowd.dots()
            ? "Dots: means over seeds of two settings that differ in one factor."
            : "Marks: means over seeds, with standard errors, of two settings that differ in one"
                + " factor.");
    sentences.add("Above and below the diagonal; p of a two-sided sign test.");
    if (zeros) {
      sentences.add("Zeros stand at an axis's lower end.");
    }
    sentences.add(leftOut);
    return sentences.stream().filter(s -> !s.isEmpty()).collect(Collectors.joining("  "));
  }
}
