package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Transactions on a connection, one at a time. Where a server stops, each waits until it is back,
 * and is done again on another connection; whoever waits for longer than the database's patience
 * gives up. Threads may share it.
 */
final class Transactions implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Transactions.class);

  /** Between attempts, in milliseconds. */
  private static final long FIRST_PAUSE = 50;

  private static final long LONGEST_PAUSE = 1000;

  private final Database database;
  private final boolean create;
  private boolean answered;

  /** Null where there is none. */
  private Connection connection;

  private boolean closed;

  /** Reads, in a transaction. */
  @FunctionalInterface
  interface Reading<T> {
    T run(Connection connection) throws SQLException;
  }

  /** Writes, in a transaction. */
  @FunctionalInterface
  interface Writing<T> {
    /**
     * @param again whether it was tried before, and may have been done: a server can go after a
     *     commit and before it says so
     */
    T run(Connection connection, boolean again) throws SQLException;
  }

  /** How a transaction begins. */
  @FunctionalInterface
  private interface Beginning {
    void begin(Connection connection) throws SQLException;
  }

  /**
   * @param create whether the first connection may make the database
   * @param answered whether it is known to answer, so that waiting for it makes sense
   */
  Transactions(Database database, boolean create, boolean answered) {
    this.database = database;
    this.create = create;
    this.answered = answered;
  }

  /** Reads, all of it as of one moment; again from the start where the server went away. */
  <T> T read(Reading<T> work) {
    return atOnce(database::beginReading, (current, again) -> work.run(current));
  }

  /** Writes all of it or nothing. */
  <T> T write(Writing<T> work) {
    return atOnce(database::begin, work);
  }

  private synchronized <T> T atOnce(Beginning beginning, Writing<T> work) {
    boolean again = false;
    long missed = 0;
    // None before the second attempt: a server that was restarted meanwhile is back already.
    long pause = 0;
    while (true) {
      long tried = System.nanoTime();
      try {
        T result = once(beginning, work, again);
        answered = true;
        Outages.answered(database);
        return result;
      } catch (SQLException e) {
        if (database.isConflict(e)) {
          continue;
        }
        Duration patience = database.patience(e, answered);
        if (patience.isZero()) {
          throw database.explained(e);
        }
        disconnect();
        missed = again ? missed : System.nanoTime();
        again = true;
        Duration left = patience.minusNanos(System.nanoTime() - missed);
        if (left.toMillis() <= 0) {
          throw gone(e, patience);
        }
        if (pause > 0) {
          Outages.missed(database, e, tried, missed, patience);
          pause(Math.min(pause, left.toMillis()), e);
        }
        pause = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, 2 * pause));
      }
    }
  }

  private <T> T once(Beginning beginning, Writing<T> work, boolean again) throws SQLException {
    if (closed) {
      throw new IllegalStateException(database.name() + " is closed");
    }
    if (connection == null) {
      connection = database.connect(create && !answered);
    }
    Connection current = connection;
    beginning.begin(current);
    try {
      T result = work.run(current, again);
      database.commit(current);
      return result;
    } catch (SQLException | RuntimeException | Error e) {
      database.rollBack(current, e);
      throw e;
    }
  }

  private RequestException gone(SQLException e, Duration patience) {
    if (!answered) {
      return database.explained(e);
    }
    return new RequestException(
        "%s has not answered for %s (%s); everything that was done before is kept; run the same command again when it is back"
            .formatted(database.name(), Outages.seconds(patience), database.reason(e)),
        e);
  }

  /** Waits, while other threads may try, and may close. */
  private void pause(long millis, SQLException e) {
    try {
      wait(millis);
    } catch (InterruptedException interruption) {
      Thread.currentThread().interrupt();
      throw new RequestException(
          "%s: interrupted while waiting for the server (%s); everything that was done before is kept"
              .formatted(database.name(), database.reason(e)),
          e);
    }
  }

  /** Leaves a connection that is of no use any more. */
  private void disconnect() {
    if (connection != null) {
      try {
        connection.close();
      } catch (SQLException e) {
        LOG.debug("{}: closing a lost connection: {}", database.name(), database.reason(e));
      }
      connection = null;
    }
  }

  /** Ends the connection; threads that wait for the server end with an exception. */
  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
    if (connection != null) {
      try {
        connection.close();
      } catch (SQLException e) {
        if (database.patience(e, true).isZero()) {
          throw database.explained(e);
        }
      }
      connection = null;
    }
  }
}
