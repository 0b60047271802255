package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.configuration.FluentConfiguration;

/**
 * The tables of a store: migrations in SQL that SQLite and PostgreSQL both take. What has been
 * released stays as it is: a change is one more migration.
 *
 * @param migrations where their files are, as Flyway calls it
 * @param version that the last of them leads to
 */
record StoreSchema(String migrations, int version) {
  /** What this program reads and writes. */
  static final StoreSchema CURRENT = new StoreSchema("classpath:dev/flinch/store/migrations", 2);

  /** Where Flyway notes what it has done. */
  static final String HISTORY = "flinch_schema_history";

  /** What the first stores noted their version in; the tables are those of the first migration. */
  private static final String FIRST_HISTORY = "schema_version";

  /**
   * Brings a database to this program's version.
   *
   * @param create whether an empty one becomes a store
   * @throws RequestException if it holds something else, is of a later version, or is empty and is
   *     not to become a store
   */
  void open(Database database, Transactions transactions, boolean create) {
    // Most stores are of this version, which a look shows, without a lock and without Flyway.
    if (transactions.read(connection -> found(database, connection, create)) < version) {
      transactions.write(
          (connection, again) -> {
            database.lockTables(connection);
            if (found(database, connection, create) < version) {
              migrate(database, connection);
            }
            return null;
          });
    }
  }

  /** The version that a database has; 0 if it is empty. */
  private int found(Database database, Connection connection, boolean create) throws SQLException {
    List<String> tables = database.tables(connection);
    int found = 0;
    if (tables.contains(HISTORY)) {
      found =
          version(
              database,
              connection,
              "SELECT MAX(CAST(version AS INTEGER)) FROM " + HISTORY + " WHERE success");
    } else if (tables.contains(FIRST_HISTORY)) {
      found = version(database, connection, "SELECT version FROM " + FIRST_HISTORY);
      // Its tables are those of version 1, but Flyway has to take note.
      found = found == 1 ? 0 : found;
    } else if (!tables.isEmpty()) {
      throw new RequestException(
          "%s: expected results of a sweep, found a database of something else (table %s); name another %s"
              .formatted(database.name(), tables.get(0), database.kind()));
    } else if (!create) {
      throw new RequestException(
          "%s: expected results of a sweep, found an empty %s; begin the sweep first"
              .formatted(database.name(), database.kind()));
    }
    if (found > version) {
      throw new RequestException(
          "%s: expected results of schema version %d or earlier, found %d; use the version of Flinch that wrote it, or a later one"
              .formatted(database.name(), version, found));
    }
    return found;
  }

  private static int version(Database database, Connection connection, String query)
      throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery(query)) {
      if (!found.next() || found.getInt(1) < 1) {
        throw new RequestException(
            "%s: doesn't say which schema version it has; it is damaged: use a copy of it"
                .formatted(database.name()));
      }
      return found.getInt(1);
    }
  }

  /** Runs what is missing, in the transaction that holds the lock: all of it or nothing. */
  private void migrate(Database database, Connection connection) throws SQLException {
    boolean first = database.tables(connection).contains(FIRST_HISTORY);
    database.makeSchema(connection);
    BorrowedConnection borrowed = new BorrowedConnection(connection);
    FluentConfiguration configuration =
        Flyway.configure(StoreSchema.class.getClassLoader())
            .dataSource(borrowed)
            .locations(migrations)
            .failOnMissingLocations(true)
            .loggers("slf4j")
            .table(HISTORY)
            .schemas(database.schemas().toArray(String[]::new))
            .createSchemas(false)
            // What is there already is the first store's tables, or no table.
            .baselineOnMigrate(true)
            .baselineVersion(first ? "1" : "0");
    try {
      configuration.load().migrate();
    } catch (FlywayException e) {
      throw unwrapped(database, borrowed, e);
    }
    if (first) {
      try (Statement statement = connection.createStatement()) {
        statement.execute("DROP TABLE " + FIRST_HISTORY);
      }
    }
  }

  private static SQLException unwrapped(
      Database database, BorrowedConnection borrowed, FlywayException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql) {
        return database.isAftermath(sql) && borrowed.failure() != null ? borrowed.failure() : sql;
      }
    }
    throw new RequestException(
        "%s: its tables can't be brought to schema version %d: %s"
            .formatted(
                database.name(),
                CURRENT.version,
                e.getMessage().strip().lines().findFirst().orElse("")),
        e);
  }
}
