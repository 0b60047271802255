package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The tables of a store, in SQL that SQLite and PostgreSQL both take. What has been released stays
 * as it is: a change is one more migration.
 *
 * @param migrations statements that lead from version 0, an empty database, to 1, from 1 to 2, and
 *     so on
 */
record StoreSchema(List<List<String>> migrations) {
  /** What this program reads and writes. */
  static final StoreSchema CURRENT = new StoreSchema(List.of(first()));

  private static List<String> first() {
    return List.of(
        "CREATE TABLE schema_version (version INTEGER NOT NULL)",
        "INSERT INTO schema_version (version) VALUES (0)",
        """
        CREATE TABLE sweep (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          title TEXT NOT NULL,
          configuration TEXT NOT NULL,
          version TEXT NOT NULL,
          created_millis BIGINT NOT NULL)""",
        """
        CREATE TABLE data_checksum (
          name TEXT PRIMARY KEY,
          checksum TEXT NOT NULL)""",
        """
        CREATE TABLE stack (
          id INTEGER PRIMARY KEY,
          cost DOUBLE PRECISION NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('open', 'running', 'done')),
          attempt INTEGER NOT NULL,
          worker TEXT,
          lease_millis BIGINT)""",
        "CREATE INDEX stack_by_cost ON stack (state, cost DESC, id)",
        """
        CREATE TABLE network (
          position INTEGER PRIMARY KEY,
          stack INTEGER NOT NULL REFERENCES stack (id),
          %s)"""
            .formatted(
                Arrays.stream(Column.values())
                    .map(StoreSchema::declaration)
                    .collect(Collectors.joining(",\n  "))),
        "CREATE INDEX network_by_stack ON network (stack, position)",
        "CREATE INDEX network_by_status ON network (status)",
        """
        CREATE TABLE pair (
          position INTEGER PRIMARY KEY,
          name TEXT NOT NULL,
          left_label TEXT NOT NULL,
          right_label TEXT NOT NULL,
          left_identity TEXT NOT NULL,
          right_identity TEXT NOT NULL)""");
  }

  private static String declaration(Column column) {
    String type =
        switch (column.kind()) {
          case TEXT -> "TEXT";
          case INTEGER -> "BIGINT";
          case REAL -> "DOUBLE PRECISION";
        };
    String constraint =
        switch (column) {
          case IDENTITY -> " NOT NULL UNIQUE";
          case STATUS -> " NOT NULL CHECK (status IN ('planned', 'done', 'diverged', 'failed'))";
          default -> "";
        };
    return column.sqlName() + " " + type + constraint;
  }

  /** The version that the last migration leads to. */
  int version() {
    return migrations.size();
  }

  /**
   * Brings a database to this program's version, in the caller's transaction.
   *
   * @param tables those that are there
   * @throws RequestException if the database holds something else, or is of a later version
   */
  void migrate(Connection connection, List<String> tables, String file) throws SQLException {
    int found = 0;
    if (tables.contains("schema_version")) {
      found = version(connection, file);
    } else if (!tables.isEmpty()) {
      throw new RequestException(
          "%s: expected results of a sweep, found a database of something else (table %s); name another file"
              .formatted(file, tables.get(0)));
    }
    if (found > version()) {
      throw new RequestException(
          "%s: expected results of schema version %d or earlier, found %d; use the version of Flinch that wrote it, or a later one"
              .formatted(file, version(), found));
    }
    if (found == version()) {
      return;
    }
    try (Statement statement = connection.createStatement()) {
      for (List<String> step : migrations.subList(found, version())) {
        for (String sql : step) {
          statement.execute(sql);
        }
      }
    }
    try (PreparedStatement statement =
        connection.prepareStatement("UPDATE schema_version SET version = ?")) {
      statement.setInt(1, version());
      statement.executeUpdate();
    }
  }

  private static int version(Connection connection, String file) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery("SELECT version FROM schema_version")) {
      if (!found.next()) {
        throw new RequestException(
            "%s: doesn't say which schema version it has; it is damaged: use a copy of it"
                .formatted(file));
      }
      return found.getInt(1);
    }
  }
}
