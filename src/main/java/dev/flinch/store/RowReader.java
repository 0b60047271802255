package dev.flinch.store;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Makes rows of what a query finds. Texts that recur in a column are one object. */
final class RowReader {
  private static final int MOST_SHARED = 1 << 16;

  private final List<Column> columns;
  private final Map<String, String> shared = new HashMap<>();

  /**
   * @param columns what the query selects, in its order
   */
  RowReader(Collection<Column> columns) {
    this.columns = List.copyOf(columns);
  }

  NetworkRow read(ResultSet found) throws SQLException {
    NetworkRow.Builder row = NetworkRow.builder();
    for (int i = 0; i < columns.size(); i++) {
      Column column = columns.get(i);
      Object value = found.getObject(i + 1);
      row.set(column, value instanceof String text && recurs(column) ? share(text) : value);
    }
    return row.build();
  }

  private static boolean recurs(Column column) {
    return switch (column) {
      case IDENTITY, CONFIGURATION, TRANSITIONS_PER_LAYER, STIFFNESS -> false;
      default -> true;
    };
  }

  private String share(String text) {
    if (shared.size() == MOST_SHARED) {
      shared.clear();
    }
    String first = shared.putIfAbsent(text, text);
    return first == null ? text : first;
  }
}
