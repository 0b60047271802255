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

  /** What tables are in, as users call it. */
  String kind();

  /**
   * Looks at where the database is to be.
   *
   * @param create whether what it is in may be made
   * @throws RequestException if it can't be there
   */
  void prepare(boolean create);

  /**
   * A connection without a transaction.
   *
   * @param create whether to make the database where there is none, if that takes nothing else
   */
  Connection connect(boolean create) throws SQLException;

  /** Begins a transaction that writes. */
  void begin(Connection connection) throws SQLException;

  /** Begins a transaction that reads, and sees what was there at its first statement. */
  void beginReading(Connection connection) throws SQLException;

  void commit(Connection connection) throws SQLException;

  /** Undoes a transaction after a failure, which may have undone it already. */
  void rollBack(Connection connection, Throwable failure);

  /** Milliseconds since 1970 by the one clock of all who share the database. */
  long now(Connection connection) throws SQLException;

  /**
   * What a query ends with to lock the row that it finds, and to pass over rows that are locked.
   */
  String skippingLocked();

  /** The same, but waiting for rows that are locked. */
  String awaitingLocked();

  /** Waits until no other transaction numbers new stacks, and keeps others waiting. */
  void lockNumbers(Connection connection) throws SQLException;

  /** Waits until no other transaction makes or changes tables, and keeps others waiting. */
  void lockTables(Connection connection) throws SQLException;

  /** The names of all tables beside which a store's would be, in order. */
  List<String> tables(Connection connection) throws SQLException;

  /** Makes what tables are in, if that is missing. */
  void makeSchema(Connection connection) throws SQLException;

  /** What tables are in; empty where nothing is between them and the database. */
  List<String> schemas();

  /** Whether rows contradict each other, as in one identity planned twice. */
  boolean isContradiction(SQLException e);

  /** Whether a transaction was undone because of others at the same time. */
  boolean isConflict(SQLException e);

  /** Whether an error only says that an earlier one has ended the transaction. */
  boolean isAftermath(SQLException e);

  /**
   * How long to try again after an error: zero unless the server is what is missing.
   *
   * @param answered whether it has answered before
   */
  Duration patience(SQLException e, boolean answered);

  /** An error in a few words, without what to do. */
  String reason(SQLException e);

  /** What an error means, and what to do. */
  RequestException explained(SQLException e);
}
