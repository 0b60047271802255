package dev.flinch.sweep;

import dev.flinch.training.Optimizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Very many settings: for each factor the values that there are, and for each setting which of them
 * it has. Factors of one value take no room.
 */
final class Settings {
  private static final Factor[] FACTORS = Factor.values();

  private final List<List<Object>> values = new ArrayList<>();

  /** By value; null where nearly all values differ. */
  private final List<Map<Object, Integer>> numbers = new ArrayList<>();

  /** {@code [factor][setting]}; null while all settings have the first value. */
  private final int[][] columns = new int[FACTORS.length][];

  private int size;

  /**
   * @param factors those that take values of a distribution are not searched for equal ones
   */
  Settings(Map<Factor, FactorValues> factors) {
    for (Factor factor : FACTORS) {
      values.add(new ArrayList<>());
      numbers.add(factors.get(factor).isDistribution() ? null : new HashMap<>());
    }
  }

  int size() {
    return size;
  }

  void add(Setting setting) {
    for (Factor factor : FACTORS) {
      int f = factor.ordinal();
      int number = factor == Factor.SEED ? 0 : number(f, setting.get(factor));
      if (number > 0 && columns[f] == null) {
        columns[f] = new int[Math.max(16, size + 1)];
      }
      if (columns[f] != null) {
        if (size >= columns[f].length) {
          columns[f] = Arrays.copyOf(columns[f], 2 * size);
        }
        columns[f][size] = number;
      }
    }
    size++;
  }

  private int number(int factor, Object value) {
    List<Object> known = values.get(factor);
    Map<Object, Integer> ofValue = numbers.get(factor);
    Integer number = ofValue == null ? null : ofValue.get(value);
    if (number == null) {
      number = known.size();
      known.add(value);
      if (ofValue != null) {
        ofValue.put(value, number);
      }
    }
    return number;
  }

  Setting get(int setting) {
    Object[] row = new Object[FACTORS.length];
    for (Factor factor : FACTORS) {
      row[factor.ordinal()] = value(setting, factor);
    }
    return new Setting(row);
  }

  /** The value of one factor but the seed. */
  Object value(int setting, Factor factor) {
    int f = factor.ordinal();
    return factor == Factor.SEED
        ? null
        : values.get(f).get(columns[f] == null ? 0 : columns[f][setting]);
  }

  /** Whether there is more than one value of a factor, or settings without it. */
  boolean varies(Factor factor) {
    return columns[factor.ordinal()] != null
        || factor == Factor.SEED
        || values.get(Factor.OPTIMIZER.ordinal()).stream()
            .anyMatch(rule -> !factor.appliesWith((Optimizer) rule));
  }

  /** Whether networks of a setting have a factor. */
  boolean has(int setting, Factor factor) {
    if (factor.isOfLayers()) {
      return (factor == Factor.SHAPE) == (value(setting, Factor.SHAPE) != null);
    }
    return factor.appliesWith((Optimizer) value(setting, Factor.OPTIMIZER));
  }
}
