package dev.flinch.report;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.store.Column;
import dev.flinch.store.Column.Kind;
import dev.flinch.store.Column.Role;
import dev.flinch.store.NetworkRow;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * How well measures order networks: Kendall's τ_b and Spearman's ρ between two columns, with 95%
 * intervals, over all networks and within each value of each factor.
 *
 * <p>Intervals are those of a percentile bootstrap ({@value #RESAMPLES} resamples). What is drawn
 * with replacement are settings with all their seeds, because networks that differ in their seed
 * alone are no independent observations. Where a resample would have more than {@value
 * #RESAMPLE_NETWORKS} networks, fewer settings are drawn, m of the n there are, and distances of
 * the percentiles from the estimate are multiplied by √(m/n), since both correlations spread as one
 * over the root of the number of settings (the m out of n bootstrap of Bickel, Götze and van Zwet,
 * <em>Resampling Fewer Than n Observations</em>, 1997). Equal rows in equal order have equal
 * intervals.
 */
public final class Correlations {
  /** What the gap is compared with. */
  public static final List<Column> MEASURES =
      List.of(Column.JACOBIAN_NORM, Column.TRANSITIONS, Column.PARAMETERS, Column.TRAIN_LOSS);

  static final int RESAMPLES = 500;
  static final int RESAMPLE_NETWORKS = 500;

  /** Fewer are too few to resample. */
  private static final int SETTINGS = 5;

  /** Numbers with more values than this are cut into ranges. */
  static final int VALUES = 12;

  private static final int RANGES = 5;

  /** Of each tail of a 95% interval. */
  private static final double TAIL = 0.025;

  /**
   * An estimate and its 95% interval; NaN where there is none, as for fewer than five settings.
   *
   * @param value −1 … 1
   */
  public record Interval(double value, double low, double high) {}

  /**
   * How two columns go together.
   *
   * @param measure what the gap is compared with
   * @param networks those that have both values
   */
  public record Association(Column measure, int networks, Interval kendall, Interval spearman) {}

  /**
   * Associations of the gap within some networks.
   *
   * @param factor null for all networks
   * @param value what they have in common, such as {@code relu} or {@code 0.001 … 0.02}; empty for
   *     all networks
   * @param networks all there are
   * @param associations one for each of {@link #MEASURES}
   */
  public record Group(Column factor, String value, int networks, List<Association> associations) {}

  private final List<NetworkRow> rows;

  /** Rows, those of one setting next to each other. */
  private final int[] order;

  /** Of each row. */
  private final int[] setting;

  private final Map<Column, double[]> values = new EnumMap<>(Column.class);
  private final Map<Column, int[]> ranks = new EnumMap<>(Column.class);

  private Correlations(List<NetworkRow> rows, List<Column> columns) {
    this.rows = List.copyOf(rows);
    Map<String, Integer> numbers = new HashMap<>();
    setting = new int[rows.size()];
    for (int i = 0; i < setting.length; i++) {
      String name = rows.get(i).text(Column.SETTING);
      setting[i] = numbers.computeIfAbsent(name == null ? "row " + i : name, n -> numbers.size());
    }
    order =
        IntStream.range(0, setting.length)
            .boxed()
            .sorted(Comparator.comparingInt(i -> setting[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    for (Column column : columns) {
      double[] numbersOf = rows.stream().mapToDouble(r -> r.number(column)).toArray();
      values.put(column, numbersOf);
      ranks.put(column, RankedPairs.denseRanks(numbersOf));
    }
  }

  /** Associations of the gap with each measure: of all networks first, then factor by factor. */
  public static List<Group> of(List<NetworkRow> rows) {
    List<Column> columns = Stream.concat(Stream.of(Column.GAP), MEASURES.stream()).toList();
    Correlations correlations = new Correlations(rows, columns);
    List<Part> parts = new ArrayList<>();
    parts.add(new Part(null, "", correlations.order));
    Column.of(Role.FACTOR).forEach(factor -> parts.addAll(correlations.parts(factor)));
    int measures = MEASURES.size();
    List<Association> all =
        IntStream.range(0, parts.size() * measures)
            .parallel()
            .mapToObj(
                i ->
                    correlations.associate(
                        MEASURES.get(i % measures), Column.GAP, parts.get(i / measures).members()))
            .toList();
    return IntStream.range(0, parts.size())
        .mapToObj(
            i ->
                new Group(
                    parts.get(i).factor(),
                    parts.get(i).value(),
                    parts.get(i).members().length,
                    all.subList(i * measures, (i + 1) * measures)))
        .toList();
  }

  /** How one column of numbers goes with another, over all networks that have both. */
  public static Association between(List<NetworkRow> rows, Column measure, Column other) {
    Correlations correlations = new Correlations(rows, List.of(measure, other));
    return correlations.associate(measure, other, correlations.order);
  }

  private record Part(Column factor, String value, int[] members) {}

  /** Networks by the values of a factor; nothing where it has fewer than two. */
  private List<Part> parts(Column factor) {
    boolean text = factor.kind() == Kind.TEXT;
    Map<Object, List<Integer>> byValue = new TreeMap<>();
    for (int i : order) {
      Object value = rows.get(i).get(factor);
      if (value != null) {
        byValue.computeIfAbsent(value, v -> new ArrayList<>()).add(i);
      }
    }
    if (byValue.size() < 2) {
      return List.of();
    }
    if (!text && byValue.size() > VALUES) {
      // A seed is a name, and ranges of names mean nothing.
      return factor == Column.SEED ? List.of() : ranges(factor, byValue);
    }
    return byValue.entrySet().stream()
        .map(e -> new Part(factor, label(e.getKey()), ints(e.getValue())))
        .toList();
  }

  /** About equally many networks in each range; equal values stay together. */
  private List<Part> ranges(Column factor, Map<Object, List<Integer>> byValue) {
    int all = byValue.values().stream().mapToInt(List::size).sum();
    List<Part> parts = new ArrayList<>();
    List<Object> range = new ArrayList<>();
    List<Integer> members = new ArrayList<>();
    int seen = 0;
    for (Map.Entry<Object, List<Integer>> entry : byValue.entrySet()) {
      range.add(entry.getKey());
      members.addAll(entry.getValue());
      seen += entry.getValue().size();
      if ((long) seen * RANGES >= (long) all * (parts.size() + 1)) {
        String first = label(range.get(0));
        String last = label(range.get(range.size() - 1));
        String value = first.equals(last) ? first : first + " … " + last;
        members.sort(Comparator.comparingInt(i -> setting[i]));
        parts.add(new Part(factor, value, ints(members)));
        range.clear();
        members.clear();
      }
    }
    return parts;
  }

  private static int[] ints(List<Integer> list) {
    return list.stream().mapToInt(Integer::intValue).toArray();
  }

  /** A value as people write it: three digits of a number that isn't whole. */
  static String label(Object value) {
    if (!(value instanceof Double number)) {
      return value.toString();
    }
    double size = Math.abs(number);
    if (size == 0 || size >= 1e-3 && size < 1e6) {
      BigDecimal rounded = new BigDecimal(number).round(new MathContext(3));
      return rounded.signum() == 0 ? "0" : rounded.stripTrailingZeros().toPlainString();
    }
    return String.format(Locale.ROOT, "%.2e", number)
        .replaceFirst("\\.?0*e", "e")
        .replaceFirst("e([-+])0", "e$1")
        .replace("e+", "e");
  }

  /**
   * @param members rows, those of one setting next to each other
   */
  private Association associate(Column x, Column y, int[] members) {
    double[] valuesX = values.get(x);
    double[] valuesY = values.get(y);
    int[] rows =
        Arrays.stream(members)
            .filter(i -> Double.isFinite(valuesX[i]) && Double.isFinite(valuesY[i]))
            .toArray();
    int[] ranksX = at(ranks.get(x), rows);
    int[] ranksY = at(ranks.get(y), rows);
    // Where each setting begins, and the end.
    int[] starts =
        IntStream.concat(
                IntStream.range(0, rows.length)
                    .filter(i -> i == 0 || setting[rows[i]] != setting[rows[i - 1]]),
                IntStream.of(rows.length))
            .toArray();
    RankedPairs pairs = new RankedPairs(rows.length);
    for (int i = 0; i < rows.length; i++) {
      pairs.add(ranksX[i], ranksY[i]);
    }
    pairs.correlate();
    double kendall = pairs.kendall();
    double spearman = pairs.spearman();

    int settings = starts.length - 1;
    int drawn =
        rows.length <= RESAMPLE_NETWORKS
            ? settings
            : (int) Math.max(2, (long) RESAMPLE_NETWORKS * settings / rows.length);
    double[] kendalls = new double[RESAMPLES];
    double[] spearmans = new double[RESAMPLES];
    RankedPairs resample = new RankedPairs(Math.min(rows.length, RESAMPLE_NETWORKS));
    for (int b = 0; b < RESAMPLES && settings >= SETTINGS; b++) {
      UniformRandomProvider random = RandomStreams.stream(0, Purpose.BOOTSTRAP, 0, b);
      resample.clear();
      for (int d = 0; d < drawn; d++) {
        int s = random.nextInt(settings);
        for (int i = starts[s]; i < starts[s + 1]; i++) {
          resample.add(ranksX[i], ranksY[i]);
        }
      }
      resample.correlate();
      kendalls[b] = resample.kendall();
      spearmans[b] = resample.spearman();
    }
    double scale = Math.sqrt((double) drawn / settings);
    return new Association(
        x,
        rows.length,
        interval(kendall, kendalls, scale, settings),
        interval(spearman, spearmans, scale, settings));
  }

  private static int[] at(int[] values, int[] places) {
    return Arrays.stream(places).map(i -> values[i]).toArray();
  }

  /** No interval for very few settings, nor where half the resamples have no correlation. */
  private static Interval interval(double value, double[] resamples, double scale, int settings) {
    double[] found = DoubleStream.of(resamples).filter(Double::isFinite).sorted().toArray();
    if (settings < SETTINGS || Double.isNaN(value) || found.length < RESAMPLES / 2) {
      return new Interval(value, Double.NaN, Double.NaN);
    }
    return new Interval(
        value,
        Math.max(-1, value + scale * (quantile(found, TAIL) - value)),
        Math.min(1, value + scale * (quantile(found, 1 - TAIL) - value)));
  }

  private static double quantile(double[] sorted, double share) {
    double place = share * (sorted.length - 1);
    int below = (int) place;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
  }
}
