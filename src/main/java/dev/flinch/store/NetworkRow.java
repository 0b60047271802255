package dev.flinch.store;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;

/** One network's values, a String, Long, Double or null in each {@link Column}. Immutable. */
public final class NetworkRow {
  private static final Column[] COLUMNS = Column.values();

  private final Object[] values;

  private NetworkRow(Object[] values) {
    this.values = values;
  }

  /** Builds a row, a column at a time. */
  public static final class Builder {
    private final Object[] values = new Object[COLUMNS.length];

    /**
     * @param value of the column's kind; integers of any width and null are taken too, and a number
     *     that is not finite as null
     * @throws IllegalArgumentException for another kind of value
     */
    public Builder set(Column column, Object value) {
      values[column.ordinal()] = converted(column, value);
      return this;
    }

    public NetworkRow build() {
      return new NetworkRow(values.clone());
    }
  }

  private static Object converted(Column column, Object value) {
    return switch (column.kind()) {
      case TEXT -> value == null ? null : require(column, value, String.class);
      case INTEGER -> value == null ? null : require(column, value, Number.class).longValue();
      case REAL -> {
        double number =
            value == null ? Double.NaN : require(column, value, Number.class).doubleValue();
        yield Double.isFinite(number) ? (Object) number : null;
      }
    };
  }

  private static <T> T require(Column column, Object value, Class<T> type) {
    if (!type.isInstance(value)) {
      throw new IllegalArgumentException(
          "%s: expected %s, found %s".formatted(column.sqlName(), column.kind(), value));
    }
    return type.cast(value);
  }

  /** A row with nothing in it. */
  public static Builder builder() {
    return new Builder();
  }

  /** A builder that begins with this row's values. */
  public Builder toBuilder() {
    Builder builder = new Builder();
    System.arraycopy(values, 0, builder.values, 0, values.length);
    return builder;
  }

  /** The value of a column: String, Long, Double or null. */
  public Object get(Column column) {
    return values[column.ordinal()];
  }

  /** A column of text, or null. */
  public String text(Column column) {
    return (String) get(column);
  }

  /** A column of numbers; NaN where there is none. */
  public double number(Column column) {
    return get(column) instanceof Number number ? number.doubleValue() : Double.NaN;
  }

  /** Those columns that have a value. */
  public Map<Column, Object> present() {
    Map<Column, Object> present = new EnumMap<>(Column.class);
    for (Column column : COLUMNS) {
      if (get(column) != null) {
        present.put(column, get(column));
      }
    }
    return present;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof NetworkRow row && Arrays.equals(values, row.values);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    return present().toString();
  }
}
