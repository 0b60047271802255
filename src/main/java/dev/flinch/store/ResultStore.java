package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * The results of a sweep, in a database that the processes of the sweep share: which networks there
 * are, in which stacks, who works on which, and a row for each network that is finished.
 *
 * <p>A stack is open, running under a lease, or done. A worker claims an open one, or one whose
 * lease has expired, and ends it by {@link #finish}, {@link #split} or {@link #release}. Each is
 * one transaction: what it did outlives the process and a loss of power once it returns, and if it
 * throws, nothing was done. A lease that has expired still holds until another worker claims the
 * stack.
 *
 * <p>Where a server stops, every method waits for it and goes on when it is back, up to the
 * location's patience; an operation whose end the server could not tell is done once all the same.
 *
 * <p>Threads may share a store. All methods throw {@link RequestException} where the database can't
 * be read or written: no room, locked for too long, damaged, gone; the message says what to do.
 */
public final class ResultStore implements AutoCloseable {
  private static final Set<String> ENDS = Set.of("done", "diverged", "failed");

  private final StoreLocation location;
  private final Database database;
  private final LeaseClock clock;
  private final Transactions transactions;
  private final SweepTable sweep = new SweepTable();
  private final StackTable stacks;
  private final NetworkTable networks;

  /** What leases are measured by. */
  @FunctionalInterface
  private interface LeaseClock {
    long millis(Connection connection) throws SQLException;
  }

  /** Which stack to claim. */
  @FunctionalInterface
  private interface Choice {
    Optional<StackTable.Candidate> at(Connection connection, long now) throws SQLException;
  }

  private ResultStore(StoreLocation location, Database database, LeaseClock clock, boolean create) {
    this.location = location;
    this.database = database;
    this.clock = clock;
    this.transactions = new Transactions(database, create, location.hasAnswered() && !create);
    this.stacks = new StackTable(database);
    this.networks = new NetworkTable(database);
  }

  /**
   * Opens a store; makes it, with its folder or schema, where there is none.
   *
   * @throws RequestException if something else is there, or a store of a later version
   */
  public static ResultStore open(StoreLocation location) {
    Database database = location.database();
    return open(location, database, database::now, true);
  }

  /**
   * Opens a store that is there.
   *
   * @throws RequestException also if there is none
   */
  public static ResultStore openExisting(StoreLocation location) {
    Database database = location.database();
    return open(location, database, database::now, false);
  }

  /**
   * The same as {@link #open(StoreLocation)} with a clock of the caller's.
   *
   * @param clock what leases are measured by
   */
  static ResultStore open(StoreLocation location, Clock clock) {
    return open(location, location.database(), clock, true);
  }

  static ResultStore open(StoreLocation location, Database database, Clock clock, boolean create) {
    return open(location, database, connection -> clock.millis(), create);
  }

  private static ResultStore open(
      StoreLocation location, Database database, LeaseClock clock, boolean create) {
    database.prepare(create);
    ResultStore store = new ResultStore(location, database, clock, create);
    try {
      StoreSchema.CURRENT.open(database, store.transactions, create);
      return store;
    } catch (RuntimeException e) {
      try {
        store.close();
      } catch (RuntimeException closing) {
        e.addSuppressed(closing);
      }
      throw e;
    }
  }

  /** Where it is. */
  public StoreLocation location() {
    return location;
  }

  /** What the sweep is; empty before {@link #begin}. */
  public Optional<SweepHeader> header() {
    return transactions.read(sweep::header);
  }

  /**
   * Begins a sweep: all its networks are planned, in open stacks.
   *
   * @param stacks gone through again where a server went away
   * @return false, and nothing written, if the store has a sweep already; of several processes that
   *     begin at once, one does
   * @throws IllegalArgumentException if an identity stands in two places
   */
  public boolean begin(SweepHeader header, Iterable<PlannedStack> stacks, Iterable<Pair> pairs) {
    return transactions.write(
        (connection, again) -> {
          if (!sweep.insert(connection, header)) {
            return again && sweep.header(connection).equals(Optional.of(header));
          }
          try {
            sweep.plan(connection, stacks);
          } catch (SQLException e) {
            if (database.isContradiction(e)) {
              throw new IllegalArgumentException("an identity stands twice in the plan", e);
            }
            throw e;
          }
          sweep.insertPairs(connection, pairs);
          return true;
        });
  }

  /**
   * Claims the costliest stack that is open or whose lease has expired.
   *
   * @param worker who claims it
   * @param lease how long others leave it alone
   * @return empty if there is none; others may still be running, and be given back
   */
  public Optional<Claim> claim(String worker, Duration lease) {
    return claim(stacks::costliest, worker, lease);
  }

  /**
   * Claims a stack, if it is open or its lease has expired.
   *
   * @param stack its number
   * @return empty if another worker has it, or it is done, or not there any more
   */
  public Optional<Claim> claim(long stack, String worker, Duration lease) {
    return claim((connection, now) -> stacks.claimable(connection, stack, now), worker, lease);
  }

  private Optional<Claim> claim(Choice choice, String worker, Duration lease) {
    AtomicReference<Claim> before = new AtomicReference<>();
    return transactions.write(
        (connection, again) -> {
          long now = clock.millis(connection);
          long until = now + lease.toMillis();
          if (before.get() != null && stacks.renew(connection, before.get(), until)) {
            return Optional.of(before.get());
          }
          Optional<StackTable.Candidate> candidate = choice.at(connection, now);
          if (candidate.isEmpty()) {
            return Optional.empty();
          }
          StackTable.Candidate found = candidate.get();
          stacks.take(connection, found, worker, until);
          before.set(
              new Claim(
                  found.id(),
                  worker,
                  networks.planned(connection, found.id()),
                  found.attempt() + 1));
          return Optional.of(before.get());
        });
  }

  /**
   * Makes a lease last from now on.
   *
   * @return false if it was lost: another worker has claimed the stack, or it has ended
   */
  public boolean renew(Claim claim, Duration lease) {
    return transactions.write(
        (connection, again) ->
            stacks.renew(connection, claim, clock.millis(connection) + lease.toMillis()));
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
    return transactions.write(
        (connection, again) -> {
          if (!stacks.end(connection, claim, "done")) {
            return stacks.isEndedBy(connection, claim);
          }
          networks.write(connection, claim, rows);
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

  /**
   * Divides a stack that cannot be worked on as a whole.
   *
   * @param parts the claim's networks, each in one part; they become open
   * @return false, and nothing changed, if the lease was lost
   * @throws IllegalArgumentException if the parts are not those networks
   */
  public boolean split(Claim claim, List<PlannedStack> parts) {
    requireAll(claim, parts.stream().flatMap(part -> part.identities().stream()).toList());
    return transactions.write(
        (connection, again) -> {
          database.lockNumbers(connection);
          if (!stacks.end(connection, claim, "done")) {
            // Networks leave a stack by being split, and nobody else has this one.
            return again
                && !claim.identities().isEmpty()
                && networks.isElsewhere(connection, claim, claim.identities().get(0));
          }
          stacks.forgetWorker(connection, claim.stack());
          long first = stacks.last(connection) + 1;
          try (PreparedStatement insertion = StackTable.insertion(connection)) {
            for (int i = 0; i < parts.size(); i++) {
              StackTable.addBatch(insertion, first + i, parts.get(i).cost());
            }
            insertion.executeBatch();
          }
          for (int i = 0; i < parts.size(); i++) {
            networks.move(connection, claim, parts.get(i).identities(), first + i);
          }
          stacks.deleteIfEmpty(connection, claim.stack());
          return true;
        });
  }

  /**
   * Gives a stack back unfinished: it is open again.
   *
   * @return false if the lease was lost
   */
  public boolean release(Claim claim) {
    return transactions.write(
        (connection, again) ->
            stacks.end(connection, claim, "open")
                || again && stacks.isReleasedBy(connection, claim));
  }

  /**
   * Plans failed networks again, with nothing in their rows; their stacks are open.
   *
   * @return how many
   */
  public int retryFailed() {
    AtomicInteger before = new AtomicInteger();
    return transactions.write(
        (connection, again) -> {
          int planned = networks.retryFailed(connection);
          // Stacks that are done have no planned networks but these.
          stacks.reopen(connection);
          return changed(before, again, planned);
        });
  }

  /**
   * Opens the stacks of workers that are known to be gone, without waiting for their leases.
   *
   * @param gone tells them by their names
   * @return how many stacks
   */
  public int abandon(Predicate<String> gone) {
    AtomicInteger before = new AtomicInteger();
    return transactions.write(
        (connection, again) -> changed(before, again, stacks.abandon(connection, gone)));
  }

  /** What an attempt changed; or the one before it, if that was done after all. */
  private static int changed(AtomicInteger before, boolean again, int changed) {
    return before.updateAndGet(earlier -> again && changed == 0 ? earlier : changed);
  }

  /** Stacks that are not done, the costliest first: open ones, and those with a worker. */
  public List<UnfinishedStack> unfinished() {
    return transactions.read(stacks::unfinished);
  }

  /** Identities of a stack's networks that have no row yet, in order of the plan. */
  public List<String> planned(long stack) {
    return transactions.read(connection -> networks.planned(connection, stack));
  }

  /** Whether a stack is done, or all its networks went to parts of it. */
  public boolean isDone(long stack) {
    return transactions.read(connection -> stacks.isDone(connection, stack));
  }

  /** What stacks that are not done will cost, in the unit of {@link PlannedStack#cost()}. */
  public double costLeft() {
    return transactions.read(connection -> stacks.cost(connection, "state <> 'done'"));
  }

  /** What a claimed stack costs, in the same unit. */
  public double cost(Claim claim) {
    return transactions.read(connection -> stacks.cost(connection, "id = " + claim.stack()));
  }

  /** How far the sweep is. */
  public Counts counts() {
    return transactions.read(
        connection ->
            stacks.counts(connection, networks.counts(connection), clock.millis(connection)));
  }

  /** Every finished network, in order of the plan. */
  public List<NetworkRow> rows() {
    List<NetworkRow> rows = new ArrayList<>();
    forEachRow(null, rows::add);
    return rows;
  }

  /**
   * Goes through the finished networks in order of the plan, as of one moment, without holding them
   * or keeping workers waiting. Where a server went away meanwhile, what follows is as of its
   * return.
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
    AtomicLong last = new AtomicLong();
    // A connection of its own: reading takes its time, and renewing leases must not wait for it.
    try (Transactions reading = new Transactions(database, false, true)) {
      reading.read(
          connection -> {
            networks.read(
                connection,
                read,
                last.get(),
                (position, row) -> {
                  last.set(position);
                  if (condition == null || condition.test(row)) {
                    consumer.accept(row);
                  }
                });
            return null;
          });
    }
  }

  /** Networks to compare, in order of the plan. */
  public List<Pair> pairs() {
    return transactions.read(sweep::pairs);
  }

  @Override
  public void close() {
    transactions.close();
  }
}
