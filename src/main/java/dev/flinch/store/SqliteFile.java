package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;
import org.sqlite.SQLiteOpenMode;

/**
 * All that is particular to SQLite: how its files are opened, its transactions, and what its errors
 * mean. Writers of several processes wait for each other, and readers for nobody (write-ahead log).
 *
 * @param lockPatience how long to wait for other processes
 * @param pragmas more of them, for every connection
 */
record SqliteFile(Path path, Duration lockPatience, List<String> pragmas) implements Database {
  /** Of everything that takes a lock; a million networks are planned in less. */
  static final Duration PATIENCE = Duration.ofMinutes(1);

  @Override
  public String name() {
    return path.toString();
  }

  @Override
  public String kind() {
    return "file";
  }

  @Override
  public void prepare(boolean create) {
    if (Files.isDirectory(path)) {
      throw new RequestException("%s: expected a file, found a folder".formatted(path));
    }
    if (create) {
      makeFolder();
    } else if (!Files.exists(path)) {
      throw new RequestException(
          "%s: there are no results of a sweep; name a sweep that was begun".formatted(path));
    }
  }

  private void makeFolder() {
    Path folder = path.toAbsolutePath().getParent();
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new RequestException(
          "%s: the folder %s can't be made; choose another".formatted(path, folder), e);
    }
  }

  @Override
  public Connection connect(boolean create) throws SQLException {
    SQLiteConfig config = new SQLiteConfig();
    config.setBusyTimeout(Math.toIntExact(lockPatience.toMillis()));
    if (!create) {
      config.resetOpenMode(SQLiteOpenMode.CREATE);
    }
    Connection connection = config.createConnection("jdbc:sqlite:" + path);
    try {
      prepare(connection);
      return connection;
    } catch (SQLException | RuntimeException e) {
      connection.close();
      throw e;
    }
  }

  private void prepare(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      enterWriteAheadLog(statement);
      // Rows are reported as done once they are committed, so a commit must outlive a loss of
      // power: FULL syncs the log at each. NORMAL would sync it at checkpoints alone, and a stack's
      // commit, after minutes of training, costs milliseconds.
      statement.execute("PRAGMA synchronous = FULL");
      statement.execute("PRAGMA foreign_keys = ON");
      statement.execute("PRAGMA cache_size = -131072");
      // After a large transaction the log gives its room back.
      statement.execute("PRAGMA journal_size_limit = 67108864");
      for (String pragma : pragmas) {
        statement.execute(pragma);
      }
    }
  }

  /** Of two processes that switch a new file at once, SQLite refuses one without waiting. */
  private void enterWriteAheadLog(Statement statement) throws SQLException {
    long end = System.nanoTime() + lockPatience.toNanos();
    while (true) {
      try (ResultSet mode = statement.executeQuery("PRAGMA journal_mode = WAL")) {
        if (!mode.getString(1).equalsIgnoreCase("wal")) {
          throw new RequestException(
              "%s: this file system lacks the shared memory that processes of a sweep need; use a folder on a local disk"
                  .formatted(path));
        }
        return;
      } catch (SQLException e) {
        if (!isBusy(e) || System.nanoTime() > end) {
          throw e;
        }
      }
      try {
        Thread.sleep(10);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted while opening " + path, e);
      }
    }
  }

  private static boolean isBusy(SQLException e) {
    return e instanceof SQLiteException s
        && primary(s.getResultCode()) == SQLiteErrorCode.SQLITE_BUSY;
  }

  /** Waits for transactions of other processes that write. */
  @Override
  public void begin(Connection connection) throws SQLException {
    execute(connection, "BEGIN IMMEDIATE");
  }

  @Override
  public void beginReading(Connection connection) throws SQLException {
    execute(connection, "BEGIN");
  }

  @Override
  public void commit(Connection connection) throws SQLException {
    execute(connection, "COMMIT");
  }

  @Override
  public void rollBack(Connection connection, Throwable failure) {
    try {
      execute(connection, "ROLLBACK");
    } catch (SQLException e) {
      failure.addSuppressed(e);
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  /** Processes of one machine have one clock. */
  @Override
  public long now(Connection connection) {
    return System.currentTimeMillis();
  }

  /** One transaction writes at a time, so what it finds is not locked. */
  @Override
  public String skippingLocked() {
    return "";
  }

  @Override
  public String awaitingLocked() {
    return "";
  }

  @Override
  public void lockNumbers(Connection connection) {
    // One transaction writes at a time.
  }

  @Override
  public void lockTables(Connection connection) {
    // One transaction writes at a time.
  }

  @Override
  public void makeSchema(Connection connection) {
    // Tables are in the file itself.
  }

  @Override
  public List<String> schemas() {
    return List.of();
  }

  @Override
  public List<String> tables(Connection connection) throws SQLException {
    List<String> names = new ArrayList<>();
    try (Statement statement = connection.createStatement();
        ResultSet found =
            statement.executeQuery(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")) {
      while (found.next()) {
        names.add(found.getString(1));
      }
    }
    return names;
  }

  @Override
  public boolean isContradiction(SQLException e) {
    return e instanceof SQLiteException s
        && primary(s.getResultCode()) == SQLiteErrorCode.SQLITE_CONSTRAINT;
  }

  /** Writers wait for each other. */
  @Override
  public boolean isConflict(SQLException e) {
    return false;
  }

  /** Transactions outlive their failures. */
  @Override
  public boolean isAftermath(SQLException e) {
    return false;
  }

  /** A file has no server; SQLite waits for locks by itself. */
  @Override
  public Duration patience(SQLException e, boolean answered) {
    return Duration.ZERO;
  }

  @Override
  public String reason(SQLException e) {
    return e.getMessage();
  }

  @Override
  public RequestException explained(SQLException e) {
    SQLiteErrorCode code =
        e instanceof SQLiteException s ? primary(s.getResultCode()) : SQLiteErrorCode.UNKNOWN_ERROR;
    String why =
        switch (code) {
          case SQLITE_FULL ->
              "no room on the disk; make room, and run the same command again: everything that was done before is kept";
          case SQLITE_BUSY, SQLITE_LOCKED ->
              "locked by another process for longer than %d s; end whatever holds it, and run the same command again"
                  .formatted(lockPatience.toSeconds());
          case SQLITE_CORRUPT ->
              "damaged (%s); go on with a copy of it, or save what sqlite3 FILE .recover finds"
                  .formatted(e.getMessage());
          case SQLITE_NOTADB ->
              "expected results of a sweep (an SQLite database), found something else; name another file";
          case SQLITE_CANTOPEN ->
              Files.exists(path)
                  ? "can't be opened; make sure that the file and its folder may be read and written"
                  : "can't be made; make sure that its folder may be written";
          case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH ->
              "can't be written, which reading needs too; change permissions, or copy it to a folder of yours";
          case SQLITE_IOERR ->
              "reading or writing failed (%s); check the disk and its room, and run the same command again: everything that was done before is kept"
                  .formatted(e.getMessage());
          default -> "the database refuses: " + e.getMessage();
        };
    return new RequestException("%s: %s".formatted(path, why), e);
  }

  /** The kind of an error, of which SQLite has many shades: its low eight bits. */
  private static SQLiteErrorCode primary(SQLiteErrorCode code) {
    return SQLiteErrorCode.getErrorCode(code.code & 0xff);
  }
}
