package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The results of a sweep, in a file that the processes of the sweep share: which networks there
 * are, in which stacks, who works on which, and a row for each network that is finished.
 *
 * <p>A stack is open, running under a lease, or done. A worker claims an open one, or one whose
 * lease has expired, and ends it by {@link #finish}, {@link #split} or {@link #release}. Each is
 * one transaction: what it did outlives the process and a loss of power once it returns, and if it
 * throws, nothing was done. A lease that has expired still holds until another worker claims the
 * stack.
 *
 * <p>Threads may share a store. All methods throw {@link RequestException} where the file can't be
 * read or written: no room, locked for too long, damaged; the message says what to do.
 */
public final class ResultStore implements AutoCloseable {
  private static final List<Column> COLUMNS = List.of(Column.values());
  private static final List<Column> FINISHED_COLUMNS =
      COLUMNS.stream().filter(c -> c != Column.IDENTITY).toList();
  private static final Set<String> ENDS = Set.of("done", "diverged", "failed");
  private static final int BATCH = 1000;

  private static final String HELD = "id = ? AND attempt = ? AND worker = ? AND state = 'running'";

  private final StoreLocation location;
  private final Database file;
  private final Clock clock;
  private final Connection connection;

  private ResultStore(StoreLocation location, Database file, Clock clock, Connection connection) {
    this.location = location;
    this.file = file;
    this.clock = clock;
    this.connection = connection;
  }

  /** A step of a transaction. */
  @FunctionalInterface
  private interface Work<T> {
    T run() throws SQLException;
  }

  /** The same as {@link #open(StoreLocation)} of a file. */
  public static ResultStore open(Path file) {
    return open(StoreLocation.file(file));
  }

  /** The same as {@link #openExisting(StoreLocation)} of a file. */
  public static ResultStore openExisting(Path file) {
    return openExisting(StoreLocation.file(file));
  }

  /**
   * Opens a store; makes it, with its folder or schema, where there is none.
   *
   * @throws RequestException if something else is there, or a store of a later version
   */
  public static ResultStore open(StoreLocation location) {
    return open(location, location.database(), Clock.systemUTC(), true);
  }

  /**
   * Opens a store that is there.
   *
   * @throws RequestException also if there is none
   */
  public static ResultStore openExisting(StoreLocation location) {
    return open(location, location.database(), Clock.systemUTC(), false);
  }

  /**
   * The same as {@link #open(StoreLocation)} with a clock of the caller's.
   *
   * @param clock what leases are measured by
   */
  static ResultStore open(StoreLocation location, Clock clock) {
    return open(location, location.database(), clock, true);
  }

  /** The same as {@link #openExisting(StoreLocation)} with a clock of the caller's. */
  static ResultStore openExisting(StoreLocation location, Clock clock) {
    return open(location, location.database(), clock, false);
  }

  static ResultStore open(StoreLocation location, Database file, Clock clock, boolean create) {
    file.prepare(create);
    try {
      Connection connection = file.connect(create);
      ResultStore store = new ResultStore(location, file, clock, connection);
      try {
        store.migrate(create);
        return store;
      } catch (RuntimeException e) {
        store.close();
        throw e;
      }
    } catch (SQLException e) {
      throw file.explained(e);
    }
  }

  private void migrate(boolean create) {
    transaction(
        () -> {
          List<String> tables = file.tables(connection);
          if (!create && tables.isEmpty()) {
            throw new RequestException(
                "%s: expected results of a sweep, found an empty file; begin the sweep first"
                    .formatted(file.name()));
          }
          StoreSchema.CURRENT.migrate(connection, tables, file.name());
          return null;
        });
  }

  /** Where it is. */
  public StoreLocation location() {
    return location;
  }

  /** What the sweep is; empty before {@link #begin}. */
  public Optional<SweepHeader> header() {
    return query(
        () -> {
          Map<String, String> checksums = new LinkedHashMap<>();
          try (PreparedStatement select =
                  connection.prepareStatement(
                      "SELECT name, checksum FROM data_checksum ORDER BY name");
              ResultSet found = select.executeQuery()) {
            while (found.next()) {
              checksums.put(found.getString(1), found.getString(2));
            }
          }
          try (PreparedStatement select =
                  connection.prepareStatement(
                      "SELECT title, configuration, version, created_millis FROM sweep");
              ResultSet found = select.executeQuery()) {
            return found.next()
                ? Optional.of(
                    new SweepHeader(
                        found.getString(1),
                        found.getString(2),
                        checksums,
                        found.getString(3),
                        Instant.ofEpochMilli(found.getLong(4))))
                : Optional.empty();
          }
        });
  }

  /**
   * Begins a sweep: all its networks are planned, in open stacks.
   *
   * @return false, and nothing written, if the store has a sweep already; of several processes that
   *     begin at once, one does
   * @throws IllegalArgumentException if an identity stands in two places
   */
  public boolean begin(SweepHeader header, Iterable<PlannedStack> stacks, Iterable<Pair> pairs) {
    return transaction(
        () -> {
          if (!insertHeader(header)) {
            return false;
          }
          try {
            plan(stacks);
          } catch (SQLException e) {
            if (file.isContradiction(e)) {
              throw new IllegalArgumentException("an identity stands twice in the plan", e);
            }
            throw e;
          }
          insertPairs(pairs);
          return true;
        });
  }

  private boolean insertHeader(SweepHeader header) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO sweep (id, title, configuration, version, created_millis)"
                + " VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING")) {
      insert.setString(1, header.title());
      insert.setString(2, header.configuration());
      insert.setString(3, header.version());
      insert.setLong(4, header.created().toEpochMilli());
      if (insert.executeUpdate() == 0) {
        return false;
      }
    }
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO data_checksum (name, checksum) VALUES (?, ?)")) {
      for (Map.Entry<String, String> checksum : header.dataChecksums().entrySet()) {
        insert.setString(1, checksum.getKey());
        insert.setString(2, checksum.getValue());
        insert.executeUpdate();
      }
    }
    return true;
  }

  private void plan(Iterable<PlannedStack> stacks) throws SQLException {
    try (PreparedStatement stackInsert =
            connection.prepareStatement(
                "INSERT INTO stack (id, cost, state, attempt) VALUES (?, ?, 'open', 0)");
        PreparedStatement networkInsert =
            connection.prepareStatement(
                "INSERT INTO network (position, stack, identity, status)"
                    + " VALUES (?, ?, ?, 'planned')")) {
      int position = 0;
      int id = 0;
      for (PlannedStack stack : stacks) {
        stackInsert.setLong(1, ++id);
        stackInsert.setDouble(2, stack.cost());
        stackInsert.executeUpdate();
        for (String identity : stack.identities()) {
          networkInsert.setLong(1, ++position);
          networkInsert.setLong(2, id);
          networkInsert.setString(3, identity);
          networkInsert.addBatch();
          if (position % BATCH == 0) {
            networkInsert.executeBatch();
          }
        }
      }
      networkInsert.executeBatch();
    }
  }

  private void insertPairs(Iterable<Pair> pairs) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO pair"
                + " (position, name, left_label, right_label, left_identity, right_identity)"
                + " VALUES (?, ?, ?, ?, ?, ?)")) {
      int position = 0;
      for (Pair pair : pairs) {
        insert.setLong(1, ++position);
        insert.setString(2, pair.name());
        insert.setString(3, pair.leftLabel());
        insert.setString(4, pair.rightLabel());
        insert.setString(5, pair.left());
        insert.setString(6, pair.right());
        insert.addBatch();
        if (position % BATCH == 0) {
          insert.executeBatch();
        }
      }
      insert.executeBatch();
    }
  }

  /**
   * Claims the costliest stack that is open or whose lease has expired.
   *
   * @param worker who claims it
   * @param lease how long others leave it alone
   * @return empty if there is none; others may still be running, and be given back
   */
  public Optional<Claim> claim(String worker, Duration lease) {
    return transaction(
        () -> {
          long now = clock.millis();
          while (true) {
            Optional<Candidate> candidate = costliest(now);
            if (candidate.isEmpty()) {
              return Optional.empty();
            }
            Candidate found = candidate.get();
            if (take(found, worker, now + lease.toMillis())) {
              return Optional.of(
                  new Claim(found.id(), worker, identities(found.id()), found.attempt() + 1));
            }
          }
        });
  }

  /**
   * Claims a stack, if it is open or its lease has expired.
   *
   * @param stack its number
   * @return empty if another worker has it, or it is done, or not there any more
   */
  public Optional<Claim> claim(long stack, String worker, Duration lease) {
    return transaction(
        () -> {
          long now = clock.millis();
          Optional<Candidate> candidate =
              first(
                  "id = %d AND (state = 'open' OR state = 'running' AND lease_millis <= ?)"
                      .formatted(stack),
                  now);
          if (candidate.isEmpty() || !take(candidate.get(), worker, now + lease.toMillis())) {
            return Optional.empty();
          }
          return Optional.of(
              new Claim(stack, worker, identities(stack), candidate.get().attempt() + 1));
        });
  }

  /** Stacks that are not done, the costliest first: open ones, and those with a worker. */
  public List<UnfinishedStack> unfinished() {
    return query(
        () -> {
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
        });
  }

  /** Identities of a stack's networks that have no row yet, in order of the plan. */
  public List<String> planned(long stack) {
    return query(() -> identities(stack));
  }

  /** Whether a stack is done, or all its networks went to parts of it. */
  public boolean isDone(long stack) {
    return query(
        () -> {
          try (PreparedStatement select =
              connection.prepareStatement("SELECT 1 FROM stack WHERE id = ? AND state <> 'done'")) {
            select.setLong(1, stack);
            try (ResultSet found = select.executeQuery()) {
              return !found.next();
            }
          }
        });
  }

  private record Candidate(long id, double cost, int attempt) {}

  private Optional<Candidate> costliest(long now) throws SQLException {
    Optional<Candidate> open = first("state = 'open'", null);
    Optional<Candidate> expired = first("state = 'running' AND lease_millis <= ?", now);
    if (open.isEmpty() || expired.isEmpty()) {
      return open.or(() -> expired);
    }
    return expired.get().cost() > open.get().cost() ? expired : open;
  }

  private Optional<Candidate> first(String condition, Long now) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT id, cost, attempt FROM stack WHERE %s ORDER BY cost DESC, id LIMIT 1"
                .formatted(condition))) {
      if (now != null) {
        select.setLong(1, now);
      }
      try (ResultSet found = select.executeQuery()) {
        return found.next()
            ? Optional.of(new Candidate(found.getLong(1), found.getDouble(2), found.getInt(3)))
            : Optional.empty();
      }
    }
  }

  /** False if another process was faster, which databases with finer locks allow. */
  private boolean take(Candidate stack, String worker, long until) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE stack SET state = 'running', attempt = attempt + 1, worker = ?,"
                + " lease_millis = ? WHERE id = ? AND attempt = ? AND state <> 'done'")) {
      update.setString(1, worker);
      update.setLong(2, until);
      update.setLong(3, stack.id());
      update.setInt(4, stack.attempt());
      return update.executeUpdate() == 1;
    }
  }

  private List<String> identities(long stack) throws SQLException {
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

  /**
   * Makes a lease last from now on.
   *
   * @return false if it was lost: another worker has claimed the stack, or it has ended
   */
  public boolean renew(Claim claim, Duration lease) {
    return transaction(
        () -> {
          try (PreparedStatement update =
              connection.prepareStatement("UPDATE stack SET lease_millis = ? WHERE " + HELD)) {
            update.setLong(1, clock.millis() + lease.toMillis());
            return bindHeld(update, 2, claim).executeUpdate() == 1;
          }
        });
  }

  /** Ends a claim's hold; false if it was lost. */
  private boolean end(Claim claim, String state) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE stack SET state = ?, lease_millis = NULL WHERE " + HELD)) {
      update.setString(1, state);
      return bindHeld(update, 2, claim).executeUpdate() == 1;
    }
  }

  private static PreparedStatement bindHeld(PreparedStatement statement, int at, Claim claim)
      throws SQLException {
    statement.setLong(at, claim.stack());
    statement.setInt(at + 1, claim.attempt());
    statement.setString(at + 2, claim.worker());
    return statement;
  }

  /**
   * Writes what came of a stack, and ends it.
   *
   * @param rows one for each network of the claim: done, diverged or failed
   * @return true if the rows are there, also where this claim has written them before; false, and
   *     nothing written, if the lease was lost
   * @throws IllegalArgumentException for other rows than those of the claim
   */
  public boolean finish(Claim claim, List<NetworkRow> rows) {
    for (NetworkRow row : rows) {
      if (row.text(Column.STATUS) == null || !ENDS.contains(row.text(Column.STATUS))) {
        throw new IllegalArgumentException(
            "expected a network that is done, diverged or failed, found " + row);
      }
    }
    requireAll(claim, rows.stream().map(row -> row.text(Column.IDENTITY)).toList());
    return transaction(
        () -> {
          if (!end(claim, "done")) {
            return hasEnded(claim);
          }
          writeRows(claim, rows);
          return true;
        });
  }

  private static void requireAll(Claim claim, Collection<String> identities) {
    if (identities.size() != claim.identities().size()
        || !new HashSet<>(claim.identities()).equals(new HashSet<>(identities))) {
      throw new IllegalArgumentException(
          "expected the networks of stack %d, %s, each once; found %s"
              .formatted(claim.stack(), claim.identities(), identities));
    }
  }

  /** Whether the stack is done by this very claim. */
  private boolean hasEnded(Claim claim) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT id FROM stack WHERE id = ? AND attempt = ? AND worker = ?"
                + " AND state = 'done'")) {
      try (ResultSet found = bindHeld(select, 1, claim).executeQuery()) {
        return found.next();
      }
    }
  }

  private void writeRows(Claim claim, List<NetworkRow> rows) throws SQLException {
    String assignments =
        FINISHED_COLUMNS.stream().map(c -> c.sqlName() + " = ?").collect(Collectors.joining(", "));
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE network SET %s WHERE identity = ? AND stack = ? AND status = 'planned'"
                .formatted(assignments))) {
      for (NetworkRow row : rows) {
        int at = 1;
        for (Column column : FINISHED_COLUMNS) {
          update.setObject(at++, row.get(column));
        }
        update.setString(at++, row.text(Column.IDENTITY));
        update.setLong(at, claim.stack());
        requireWritten(update.executeUpdate(), row.text(Column.IDENTITY), claim);
      }
    }
  }

  private void requireWritten(int written, String identity, Claim claim) {
    if (written != 1) {
      throw new IllegalArgumentException(
          "%s: network %s is not a planned one of stack %d"
              .formatted(file.name(), identity, claim.stack()));
    }
  }

  /**
   * Divides a stack that cannot be worked on as a whole.
   *
   * @param parts the claim's networks, each in one part; they become open
   * @return false, and nothing changed, if the lease was lost
   * @throws IllegalArgumentException if the parts are not those networks
   */
  public boolean split(Claim claim, List<PlannedStack> parts) {
    requireAll(claim, parts.stream().flatMap(part -> part.identities().stream()).toList());
    return transaction(
        () -> {
          if (!end(claim, "done")) {
            return false;
          }
          forgetWorker(claim.stack());
          // The last number stays in use, so none is ever given twice.
          long id = lastStack();
          for (PlannedStack part : parts) {
            insertPart(claim, ++id, part);
          }
          try (PreparedStatement delete =
              connection.prepareStatement(
                  "DELETE FROM stack WHERE id = ? AND NOT EXISTS"
                      + " (SELECT 1 FROM network WHERE stack = ?)")) {
            delete.setLong(1, claim.stack());
            delete.setLong(2, claim.stack());
            delete.executeUpdate();
          }
          return true;
        });
  }

  /** So that what is left of a stack that was split doesn't count as finished by the claim. */
  private void forgetWorker(long stack) throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement("UPDATE stack SET worker = NULL WHERE id = ?")) {
      update.setLong(1, stack);
      update.executeUpdate();
    }
  }

  private long lastStack() throws SQLException {
    try (PreparedStatement select = connection.prepareStatement("SELECT MAX(id) FROM stack");
        ResultSet found = select.executeQuery()) {
      found.next();
      return found.getLong(1);
    }
  }

  private void insertPart(Claim claim, long id, PlannedStack part) throws SQLException {
    try (PreparedStatement insert =
            connection.prepareStatement(
                "INSERT INTO stack (id, cost, state, attempt) VALUES (?, ?, 'open', 0)");
        PreparedStatement update =
            connection.prepareStatement(
                "UPDATE network SET stack = ? WHERE identity = ? AND stack = ?"
                    + " AND status = 'planned'")) {
      insert.setLong(1, id);
      insert.setDouble(2, part.cost());
      insert.executeUpdate();
      for (String identity : part.identities()) {
        update.setLong(1, id);
        update.setString(2, identity);
        update.setLong(3, claim.stack());
        requireWritten(update.executeUpdate(), identity, claim);
      }
    }
  }

  /**
   * Gives a stack back unfinished: it is open again.
   *
   * @return false if the lease was lost
   */
  public boolean release(Claim claim) {
    return transaction(() -> end(claim, "open"));
  }

  /**
   * Plans failed networks again, with nothing in their rows; their stacks are open.
   *
   * @return how many
   */
  public int retryFailed() {
    String cleared =
        FINISHED_COLUMNS.stream()
            .filter(c -> c != Column.STATUS)
            .map(c -> c.sqlName() + " = NULL")
            .collect(Collectors.joining(", "));
    return transaction(
        () -> {
          try (PreparedStatement open =
                  connection.prepareStatement(
                      "UPDATE stack SET state = 'open' WHERE state = 'done' AND id IN"
                          + " (SELECT stack FROM network WHERE status = 'failed')");
              PreparedStatement plan =
                  connection.prepareStatement(
                      "UPDATE network SET status = 'planned', %s WHERE status = 'failed'"
                          .formatted(cleared))) {
            open.executeUpdate();
            return plan.executeUpdate();
          }
        });
  }

  /**
   * Opens the stacks of workers that are known to be gone, without waiting for their leases.
   *
   * @param gone tells them by their names
   * @return how many stacks
   */
  public int abandon(Predicate<String> gone) {
    return transaction(
        () -> {
          int opened = 0;
          try (PreparedStatement open =
              connection.prepareStatement(
                  "UPDATE stack SET state = 'open', lease_millis = NULL"
                      + " WHERE state = 'running' AND worker = ?")) {
            for (String worker : workers()) {
              if (gone.test(worker)) {
                open.setString(1, worker);
                opened += open.executeUpdate();
              }
            }
          }
          return opened;
        });
  }

  private List<String> workers() throws SQLException {
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

  /** What stacks that are not done will cost, in the unit of {@link PlannedStack#cost()}. */
  public double costLeft() {
    return query(() -> cost("state <> 'done'"));
  }

  /** What a claimed stack costs, in the same unit. */
  public double cost(Claim claim) {
    return query(() -> cost("id = " + claim.stack()));
  }

  private double cost(String which) throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement("SELECT SUM(cost) FROM stack WHERE " + which);
        ResultSet found = select.executeQuery()) {
      found.next();
      return found.getDouble(1);
    }
  }

  /** How far the sweep is. */
  public Counts counts() {
    return query(
        () -> {
          Map<String, Long> networks = new LinkedHashMap<>();
          try (PreparedStatement select =
                  connection.prepareStatement(
                      "SELECT status, COUNT(*) FROM network GROUP BY status");
              ResultSet found = select.executeQuery()) {
            while (found.next()) {
              networks.put(found.getString(1), found.getLong(2));
            }
          }
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
                      + " WHERE state = 'running' AND lease_millis > ?")) {
            select.setLong(1, clock.millis());
            try (ResultSet found = select.executeQuery()) {
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
        });
  }

  /** Every finished network, in order of the plan. */
  public List<NetworkRow> rows() {
    List<NetworkRow> rows = new ArrayList<>();
    forEachRow(null, rows::add);
    return rows;
  }

  /**
   * Goes through the finished networks in order of the plan, as of one moment, without holding them
   * or keeping workers waiting.
   *
   * @param condition which to take; null for all
   */
  public void forEachRow(Condition condition, Consumer<NetworkRow> consumer) {
    forEachRow(EnumSet.allOf(Column.class), condition, consumer);
  }

  /**
   * The same with some columns only, which is faster where others are long.
   *
   * @param columns those that rows have; more are read where the condition asks for them
   */
  public void forEachRow(Set<Column> columns, Condition condition, Consumer<NetworkRow> consumer) {
    Set<Column> read = EnumSet.copyOf(columns);
    if (condition != null) {
      read.addAll(condition.columns());
    }
    String names = read.stream().map(Column::sqlName).collect(Collectors.joining(", "));
    // A connection of its own: reading takes its time, and renewing leases must not wait for it.
    try (Connection reading = file.connect(false);
        PreparedStatement select =
            reading.prepareStatement(
                "SELECT %s FROM network WHERE status <> 'planned' ORDER BY position"
                    .formatted(names));
        ResultSet found = select.executeQuery()) {
      RowReader reader = new RowReader(read);
      while (found.next()) {
        NetworkRow row = reader.read(found);
        if (condition == null || condition.test(row)) {
          consumer.accept(row);
        }
      }
    } catch (SQLException e) {
      throw file.explained(e);
    }
  }

  /** Networks to compare, in order of the plan. */
  public List<Pair> pairs() {
    return query(
        () -> {
          List<Pair> pairs = new ArrayList<>();
          try (PreparedStatement select =
                  connection.prepareStatement(
                      "SELECT name, left_label, right_label, left_identity, right_identity"
                          + " FROM pair ORDER BY position");
              ResultSet found = select.executeQuery()) {
            while (found.next()) {
              pairs.add(
                  new Pair(
                      found.getString(1),
                      found.getString(2),
                      found.getString(3),
                      found.getString(4),
                      found.getString(5)));
            }
          }
          return pairs;
        });
  }

  /** Reads, all of it as of one moment. */
  private <T> T query(Work<T> work) {
    return atOnce(file::beginReading, work);
  }

  /** Writes all of it or nothing. */
  private <T> T transaction(Work<T> work) {
    return atOnce(file::begin, work);
  }

  /** How a transaction begins. */
  @FunctionalInterface
  private interface Beginning {
    void begin(Connection connection) throws SQLException;
  }

  private synchronized <T> T atOnce(Beginning beginning, Work<T> work) {
    try {
      beginning.begin(connection);
      try {
        T result = work.run();
        file.commit(connection);
        return result;
      } catch (SQLException | RuntimeException | Error e) {
        file.rollBack(connection, e);
        throw e;
      }
    } catch (SQLException e) {
      throw file.explained(e);
    }
  }

  @Override
  public synchronized void close() {
    try {
      connection.close();
    } catch (SQLException e) {
      throw file.explained(e);
    }
  }
}
