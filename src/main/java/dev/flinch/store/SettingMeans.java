package dev.flinch.store;

import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/** Means of measures over the networks of each setting, which differ in their seeds alone. */
public final class SettingMeans {
  private static final List<Column> FACTORS =
      Column.of(Column.Role.FACTOR).stream().filter(c -> c != Column.SEED).toList();
  private static final List<Column> MEASURES =
      Column.of(Column.Role.MEASURE).stream().filter(c -> c.kind() == Column.Kind.REAL).toList();

  private final Map<String, Gathered> settings = new LinkedHashMap<>();

  /**
   * What came of a setting.
   *
   * @param factors what was chosen, those that have a value
   * @param networks by their status
   * @param means of those measures that a network has; over the networks that have them
   */
  public record Setting(
      String setting,
      Map<Column, Object> factors,
      Map<String, Long> networks,
      Map<Column, Double> means) {

    /** Of any status. */
    public long count() {
      return networks.values().stream().mapToLong(Long::longValue).sum();
    }
  }

  private static final class Gathered {
    final Map<Column, Object> factors = new EnumMap<>(Column.class);
    final Map<String, Long> networks = new TreeMap<>();
    final double[] sums = new double[MEASURES.size()];
    final int[] counts = new int[MEASURES.size()];

    Setting setting(String name) {
      Map<Column, Double> means = new EnumMap<>(Column.class);
      for (int m = 0; m < sums.length; m++) {
        if (counts[m] > 0) {
          means.put(MEASURES.get(m), sums[m] / counts[m]);
        }
      }
      return new Setting(name, factors, networks, means);
    }
  }

  /** Adds a network; one without a setting is a setting by itself. */
  public void add(NetworkRow row) {
    String setting = row.text(Column.SETTING);
    Gathered gathered =
        settings.computeIfAbsent(
            setting == null ? row.text(Column.IDENTITY) : setting, s -> new Gathered());
    for (Column factor : FACTORS) {
      if (row.get(factor) != null) {
        gathered.factors.putIfAbsent(factor, row.get(factor));
      }
    }
    gathered.networks.merge(row.text(Column.STATUS), 1L, Long::sum);
    for (int m = 0; m < MEASURES.size(); m++) {
      double value = row.number(MEASURES.get(m));
      if (Double.isFinite(value)) {
        gathered.sums[m] += value;
        gathered.counts[m]++;
      }
    }
  }

  /** All settings, in the order in which they came. */
  public List<Setting> settings() {
    return settings.entrySet().stream().map(e -> e.getValue().setting(e.getKey())).toList();
  }

  /** Factors that differ between settings. */
  public static List<Column> varying(List<Setting> settings) {
    Map<Column, Object> first = new HashMap<>();
    settings.stream().limit(1).forEach(s -> first.putAll(s.factors()));
    return FACTORS.stream()
        .filter(
            c -> settings.stream().anyMatch(s -> !Objects.equals(s.factors().get(c), first.get(c))))
        .toList();
  }
}
