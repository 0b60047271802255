package dev.flinch.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;

/** Networks in the database, within transactions of the caller's. */
final class NetworkTable {
  private static final List<Column> FINISHED_COLUMNS =
      Arrays.stream(Column.values()).filter(c -> c != Column.IDENTITY).toList();

  /** So many rows are fetched from a server at once. */
  private static final int FETCHED = 1000;

  private final Database database;

  NetworkTable(Database database) {
    this.database = database;
  }

  /** Takes networks that are planned, in batches. */
  static PreparedStatement insertion(Connection connection) throws SQLException {
    return connection.prepareStatement(
        "INSERT INTO network (position, stack, identity, status) VALUES (?, ?, ?, 'planned')");
  }

  static void addBatch(PreparedStatement insertion, long position, long stack, String identity)
      throws SQLException {
    insertion.setLong(1, position);
    insertion.setLong(2, stack);
    insertion.setString(3, identity);
    insertion.addBatch();
  }

  /** A stack's networks without a row, in order of the plan. */
  List<String> planned(Connection connection, long stack) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT identity FROM network WHERE stack = ? AND status = 'planned'"
                + " ORDER BY position")) {
      select.setLong(1, stack);
      List<String> identities = new ArrayList<>();
      try (ResultSet found = select.executeQuery()) {
        while (found.next()) {
          identities.add(found.getString(1));
        }
      }
      return identities;
    }
  }

  /** Writes what came of a claim's networks. */
  void write(Connection connection, Claim claim, List<NetworkRow> rows) throws SQLException {
    String assignments =
        FINISHED_COLUMNS.stream().map(c -> c.sqlName() + " = ?").collect(Collectors.joining(", "));
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE network SET %s WHERE identity = ? AND stack = ? AND status = 'planned'"
                .formatted(assignments))) {
      for (NetworkRow row : rows) {
        int at = 1;
        for (Column column : FINISHED_COLUMNS) {
          bind(update, at++, column, row.get(column));
        }
        update.setString(at++, row.text(Column.IDENTITY));
        update.setLong(at, claim.stack());
        update.addBatch();
      }
      List<String> identities = rows.stream().map(row -> row.text(Column.IDENTITY)).toList();
      requireWritten(update.executeBatch(), identities, claim);
    }
  }

  /** Missing values have types too, so that all rows of a batch are one statement. */
  private static void bind(PreparedStatement statement, int at, Column column, Object value)
      throws SQLException {
    int type =
        switch (column.kind()) {
          case TEXT -> Types.VARCHAR;
          case INTEGER -> Types.BIGINT;
          case REAL -> Types.DOUBLE;
        };
    if (value == null) {
      statement.setNull(at, type);
    } else {
      statement.setObject(at, value);
    }
  }

  /** Moves planned networks of a claim to another stack. */
  void move(Connection connection, Claim claim, List<String> identities, long stack)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE network SET stack = ? WHERE identity = ? AND stack = ?"
                + " AND status = 'planned'")) {
      for (String identity : identities) {
        update.setLong(1, stack);
        update.setString(2, identity);
        update.setLong(3, claim.stack());
        update.addBatch();
      }
      requireWritten(update.executeBatch(), identities, claim);
    }
  }

  private void requireWritten(int[] written, List<String> identities, Claim claim) {
    for (int i = 0; i < written.length; i++) {
      if (written[i] != 1) {
        throw new IllegalArgumentException(
            "%s: network %s is not a planned one of stack %d"
                .formatted(database.name(), identities.get(i), claim.stack()));
      }
    }
  }

  /** Whether a network is in another stack than a claim's. */
  boolean isElsewhere(Connection connection, Claim claim, String identity) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT 1 FROM network WHERE identity = ? AND stack <> ?")) {
      select.setString(1, identity);
      select.setLong(2, claim.stack());
      try (ResultSet found = select.executeQuery()) {
        return found.next();
      }
    }
  }

  /** Plans failed networks again, with nothing in their rows; how many. */
  int retryFailed(Connection connection) throws SQLException {
    String cleared =
        FINISHED_COLUMNS.stream()
            .filter(c -> c != Column.STATUS)
            .map(c -> c.sqlName() + " = NULL")
            .collect(Collectors.joining(", "));
    try (PreparedStatement plan =
        connection.prepareStatement(
            "UPDATE network SET status = 'planned', %s WHERE status = 'failed'"
                .formatted(cleared))) {
      return plan.executeUpdate();
    }
  }

  /** How many networks have which status. */
  Map<String, Long> counts(Connection connection) throws SQLException {
    Map<String, Long> networks = new LinkedHashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement("SELECT status, COUNT(*) FROM network GROUP BY status");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        networks.put(found.getString(1), found.getLong(2));
      }
    }
    return networks;
  }

  /**
   * Goes through finished networks in order of the plan, some of them in memory at a time.
   *
   * @param after the position behind which to begin
   * @param consumer takes positions and rows
   */
  void read(
      Connection connection, Set<Column> columns, long after, BiConsumer<Long, NetworkRow> consumer)
      throws SQLException {
    String names = columns.stream().map(Column::sqlName).collect(Collectors.joining(", "));
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT %s, position FROM network WHERE status <> 'planned' AND position > ? ORDER BY position"
                .formatted(names))) {
      select.setFetchSize(FETCHED);
      select.setLong(1, after);
      try (ResultSet found = select.executeQuery()) {
        RowReader reader = new RowReader(columns);
        while (found.next()) {
          consumer.accept(found.getLong(columns.size() + 1), reader.read(found));
        }
      }
    }
  }
}
