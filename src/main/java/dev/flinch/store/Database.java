package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;

/** All that is particular to a database. */
interface Database {
  /** What messages call it, and what its user may type again. */
  String name();

  /**
   * Makes ready what the database is in.
   *
   * @param create whether it may be made where there is none
   * @throws RequestException if it can't be there
   */
  void prepare(boolean create);

  /** A connection, on which a transaction is begun, and ended by {@link #commit}. */
  Connection connect(boolean create) throws SQLException;

  /** Begins a transaction that writes. */
  void begin(Connection connection) throws SQLException;

  /** Begins a transaction that reads, and sees what was there at its first statement. */
  void beginReading(Connection connection) throws SQLException;

  void commit(Connection connection) throws SQLException;

  /** Undoes a transaction after a failure, which may have undone it already. */
  void rollBack(Connection connection, Throwable failure);

  /** The time in milliseconds since 1970, by the one clock of all who share the database. */
  long now(Connection connection) throws SQLException;

  /**
   * What a query ends with to lock the row that it finds, and to pass over rows that are locked.
   */
  String skippingLocked();

  /** Waits until no other transaction numbers new stacks, and keeps others waiting. */
  void lockNumbers(Connection connection) throws SQLException;

  /** Waits until no other transaction makes or changes tables, and keeps others waiting. */
  void lockTables(Connection connection) throws SQLException;

  /** The names of all tables that a store could be in the way of. */
  List<String> tables(Connection connection) throws SQLException;

  /** Whether rows contradict each other, as in one identity planned twice. */
  boolean isContradiction(SQLException e);

  /** Whether a transaction was undone because of others at the same time. */
  boolean isConflict(SQLException e);

  /** Whether the server doesn't answer, which it may again after a while. */
  boolean isGone(SQLException e);

  /** How long to wait for a server that is gone. */
  Duration patience();

  /** The same where nothing has answered yet. */
  Duration firstPatience();

  /** What an error means, and what to do. */
  RequestException explained(SQLException e);
}
