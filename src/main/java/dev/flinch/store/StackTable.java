package dev.flinch.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/** Stacks in the database, and who has them, within transactions of the caller's. */
final class StackTable {
  private static final String HELD = "id = ? AND attempt = ? AND worker = ? AND state = 'running'";
  private static final String EXPIRED = "state = 'running' AND lease_millis <= ";

  private final Database database;

  StackTable(Database database) {
    this.database = database;
  }

  /** A stack that can be claimed. */
  record Candidate(long id, double cost, int attempt) {}

  /** The costliest stack that is open or whose lease has expired; nobody else gets it. */
  Optional<Candidate> costliest(Connection connection, long now) throws SQLException {
    String open = "state = 'open'";
    String expired = EXPIRED + now;
    // Two queries, since an index leads to the costliest of one state.
    Optional<Candidate> firstOpen = first(connection, open, "");
    Optional<Candidate> firstExpired = first(connection, expired, "");
    boolean expiredFirst =
        firstExpired.isPresent()
            && (firstOpen.isEmpty() || firstExpired.get().cost() > firstOpen.get().cost());
    Optional<Candidate> mine =
        first(connection, expiredFirst ? expired : open, database.skippingLocked());
    return mine.isPresent()
        ? mine
        : first(connection, expiredFirst ? open : expired, database.skippingLocked());
  }

  /**
   * A stack if it is open or its lease has expired; nobody else gets it. Whoever has it locked is
   * waited for: a transaction that is being undone holds it for a moment.
   */
  Optional<Candidate> claimable(Connection connection, long stack, long now) throws SQLException {
    return first(
        connection,
        "id = %d AND (state = 'open' OR %s%d)".formatted(stack, EXPIRED, now),
        database.awaitingLocked());
  }

  private static Optional<Candidate> first(Connection connection, String condition, String lock)
      throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT id, cost, attempt FROM stack WHERE %s ORDER BY cost DESC, id LIMIT 1%s"
                    .formatted(condition, lock));
        ResultSet found = select.executeQuery()) {
      return found.next()
          ? Optional.of(new Candidate(found.getLong(1), found.getDouble(2), found.getInt(3)))
          : Optional.empty();
    }
  }

  /** Gives a worker a candidate, which is locked. */
  void take(Connection connection, Candidate stack, String worker, long until) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE stack SET state = 'running', attempt = attempt + 1, worker = ?,"
                + " lease_millis = ? WHERE id = ? AND attempt = ?")) {
      update.setString(1, worker);
      update.setLong(2, until);
      update.setLong(3, stack.id());
      update.setInt(4, stack.attempt());
      if (update.executeUpdate() != 1) {
        throw new IllegalStateException("stack %d changed while locked".formatted(stack.id()));
      }
    }
  }

  /** Whether a claim has its stack still. */
  boolean isHeld(Connection connection, Claim claim) throws SQLException {
    return exists(connection, HELD, claim);
  }

  /** Whether the stack is done by this very claim. */
  boolean isEndedBy(Connection connection, Claim claim) throws SQLException {
    return exists(connection, HELD.replace("running", "done"), claim);
  }

  /** Whether the stack is open, and this claim was its last. */
  boolean isReleasedBy(Connection connection, Claim claim) throws SQLException {
    return exists(connection, HELD.replace("running", "open"), claim);
  }

  private static boolean exists(Connection connection, String condition, Claim claim)
      throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement("SELECT 1 FROM stack WHERE " + condition);
        ResultSet found = bindHeld(select, 1, claim).executeQuery()) {
      return found.next();
    }
  }

  private static PreparedStatement bindHeld(PreparedStatement statement, int at, Claim claim)
      throws SQLException {
    statement.setLong(at, claim.stack());
    statement.setInt(at + 1, claim.attempt());
    statement.setString(at + 2, claim.worker());
    return statement;
  }

  /** Makes a claim last; false if it was lost. */
  boolean renew(Connection connection, Claim claim, long until) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE stack SET lease_millis = ? WHERE " + HELD)) {
      update.setLong(1, until);
      return bindHeld(update, 2, claim).executeUpdate() == 1;
    }
  }

  /** Ends a claim's hold; false if it was lost. */
  boolean end(Connection connection, Claim claim, String state) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE stack SET state = ?, lease_millis = NULL WHERE " + HELD)) {
      update.setString(1, state);
      return bindHeld(update, 2, claim).executeUpdate() == 1;
    }
  }

  /** So that what is left of a stack that was split doesn't count as finished by the claim. */
  void forgetWorker(Connection connection, long stack) throws SQLException {
    update(connection, "UPDATE stack SET worker = NULL WHERE id = " + stack);
  }

  /** The last number in use, which stays in use, so that none is ever given twice. */
  long last(Connection connection) throws SQLException {
    try (PreparedStatement select = connection.prepareStatement("SELECT MAX(id) FROM stack");
        ResultSet found = select.executeQuery()) {
      found.next();
      return found.getLong(1);
    }
  }

  /** Takes stacks that are open, in batches. */
  static PreparedStatement insertion(Connection connection) throws SQLException {
    return connection.prepareStatement(
        "INSERT INTO stack (id, cost, state, attempt) VALUES (?, ?, 'open', 0)");
  }

  static void addBatch(PreparedStatement insertion, long id, double cost) throws SQLException {
    insertion.setLong(1, id);
    insertion.setDouble(2, cost);
    insertion.addBatch();
  }

  void deleteIfEmpty(Connection connection, long stack) throws SQLException {
    update(
        connection,
        "DELETE FROM stack WHERE id = %d AND NOT EXISTS (SELECT 1 FROM network WHERE stack = %d)"
            .formatted(stack, stack));
  }

  private static void update(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.executeUpdate();
    }
  }

  /** Opens stacks that are done and have planned networks all the same. */
  void reopen(Connection connection) throws SQLException {
    update(
        connection,
        "UPDATE stack SET state = 'open' WHERE state = 'done' AND id IN"
            + " (SELECT stack FROM network WHERE status = 'planned')");
  }

  /** Opens the stacks of workers that are gone; how many. */
  int abandon(Connection connection, Predicate<String> gone) throws SQLException {
    int opened = 0;
    try (PreparedStatement open =
        connection.prepareStatement(
            "UPDATE stack SET state = 'open', lease_millis = NULL"
                + " WHERE state = 'running' AND worker = ?")) {
      for (String worker : workers(connection)) {
        if (gone.test(worker)) {
          open.setString(1, worker);
          opened += open.executeUpdate();
        }
      }
    }
    return opened;
  }

  private static List<String> workers(Connection connection) throws SQLException {
    List<String> workers = new ArrayList<>();
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT DISTINCT worker FROM stack WHERE state = 'running'");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        workers.add(found.getString(1));
      }
    }
    return workers;
  }

  List<UnfinishedStack> unfinished(Connection connection) throws SQLException {
    List<UnfinishedStack> stacks = new ArrayList<>();
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT id, cost FROM stack WHERE state <> 'done' ORDER BY cost DESC, id");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        stacks.add(new UnfinishedStack(found.getLong(1), found.getDouble(2)));
      }
    }
    return stacks;
  }

  boolean isDone(Connection connection, long stack) throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT 1 FROM stack WHERE state <> 'done' AND id = " + stack);
        ResultSet found = select.executeQuery()) {
      return !found.next();
    }
  }

  /** What some stacks cost together. */
  double cost(Connection connection, String which) throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement("SELECT SUM(cost) FROM stack WHERE " + which);
        ResultSet found = select.executeQuery()) {
      found.next();
      return found.getDouble(1);
    }
  }

  /**
   * How far they are.
   *
   * @param networks how many networks have which status
   */
  Counts counts(Connection connection, Map<String, Long> networks, long now) throws SQLException {
    Map<String, Long> stacks = new LinkedHashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement("SELECT state, COUNT(*) FROM stack GROUP BY state");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        stacks.put(found.getString(1), found.getLong(2));
      }
    }
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT COUNT(*), COUNT(DISTINCT worker) FROM stack"
                    + " WHERE state = 'running' AND lease_millis > "
                    + now);
        ResultSet found = select.executeQuery()) {
      found.next();
      long running = found.getLong(1);
      long done = stacks.getOrDefault("done", 0L);
      long all = stacks.values().stream().mapToLong(Long::longValue).sum();
      return new Counts(
          networks.getOrDefault("planned", 0L),
          networks.getOrDefault("done", 0L),
          networks.getOrDefault("diverged", 0L),
          networks.getOrDefault("failed", 0L),
          all - running - done,
          running,
          done,
          found.getLong(2));
    }
  }
}
