package dev.flinch.report;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Networks that differ in their seed alone (Novak et al., §A.5).
 *
 * @param key their {@link Column#SETTING}, or a network's identity where it has none
 * @param networks one at least
 */
record Setting(String key, List<NetworkRow> networks) {
  /** The settings of some networks, in an order that tells nothing, which their hashes give. */
  static List<Setting> of(List<NetworkRow> rows) {
    Map<String, List<NetworkRow>> settings = new HashMap<>();
    for (int i = 0; i < rows.size(); i++) {
      String setting = rows.get(i).text(Column.SETTING);
      String identity = rows.get(i).text(Column.IDENTITY);
      settings
          .computeIfAbsent(
              setting != null ? setting : identity != null ? identity : "row " + i,
              key -> new ArrayList<>())
          .add(rows.get(i));
    }
    return settings.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .map(e -> new Setting(e.getKey(), e.getValue()))
        .toList();
  }

  /** Whether a network's training came to an end; one that did not counts for nothing. */
  static boolean finished(NetworkRow row) {
    String status = row.text(Column.STATUS);
    return !"planned".equals(status) && !"failed".equals(status);
  }

  /** Whether a network classifies all it was trained on. */
  static boolean accurate(NetworkRow row) {
    return row.number(Column.TRAIN_ACCURACY) >= 1;
  }

  boolean all(Predicate<NetworkRow> condition) {
    for (NetworkRow row : networks) {
      if (!condition.test(row)) {
        return false;
      }
    }
    return true;
  }

  /** The mean of a measure over the networks. */
  Estimate mean(Column measure) {
    double[] values = new double[networks.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = networks.get(i).number(measure);
    }
    return Estimate.of(values);
  }

  /** What the networks have in common: the value of a factor, null where it is not known. */
  Object factor(Column column) {
    return networks.get(0).get(column);
  }

  /** So many things of a name. */
  static String count(int number, String name) {
    return number == 1 ? "one " + name : String.format(Locale.ROOT, "%,d %ss", number, name);
  }

  /** A factor's value as figures write it. */
  static String text(Object value) {
    if (value == null) {
      return "not known";
    }
    return value instanceof Double number
        ? new BigDecimal(number, new MathContext(4)).stripTrailingZeros().toPlainString()
        : value.toString();
  }

  /** A factor's name as figures write it. */
  static String name(Column factor) {
    return factor == Column.DATASET ? "data set" : factor.sqlName().replace('_', ' ');
  }
}
