package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.store.Sweeps.HandClock;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever workers do in whichever order, each network is in one stack, and its first row stays. A
 * plain model, which knows of leases only who holds which, says what each call is to answer.
 */
class StoreInvariantsTest {
  private static final long LEASE = 100;
  private static final int STACKS = 6;
  private static final int NETWORKS = 5;

  @TempDir private Path folder;

  private final HandClock clock = new HandClock();

  /** Who holds a stack, and until when others leave it alone. */
  private record Hold(Claim claim, long until) {}

  private final Map<Long, Hold> holds = new HashMap<>();

  /** Which claim's rows a stack ended with, while nobody has opened it again. */
  private final Map<Long, Claim> endings = new HashMap<>();

  /** Where each network was when it was claimed last. */
  private final Map<String, Long> stacks = new HashMap<>();

  private final Map<String, NetworkRow> rows = new HashMap<>();
  private final List<Claim> claims = new ArrayList<>();

  static Stream<Long> seeds() {
    return Stream.iterate(1L, s -> s + 1).limit(5);
  }

  StoreLocation location() {
    return StoreLocation.file(folder.resolve("results.sqlite"));
  }

  int steps() {
    return 150;
  }

  String jdbcUrl(StoreLocation location) {
    return "jdbc:sqlite:" + location.url();
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void eachNetworkIsInOneStackAndHasOneRow(long seed) throws SQLException {
    Random random = new Random(seed);
    StoreLocation location = location();
    try (ResultStore store = ResultStore.open(location, clock);
        Connection reading = DriverManager.getConnection(jdbcUrl(location))) {
      store.begin(Sweeps.HEADER, Sweeps.stacks(STACKS, NETWORKS), List.of());
      for (int step = 0; step < steps(); step++) {
        String said = "seed %d, step %d".formatted(seed, step);
        act(store, random, said);
        check(store, reading, said);
      }
    }
  }

  private void act(ResultStore store, Random random, String said) {
    int action = random.nextInt(12);
    if (action < 3 || claims.isEmpty()) {
      claim(store, random, said);
      return;
    }
    // Any claim that ever was, the latest more often.
    Claim claim =
        claims.get(Math.max(random.nextInt(claims.size()), random.nextInt(claims.size())));
    Hold hold = holds.get(claim.stack());
    boolean held = hold != null && hold.claim().equals(claim);
    switch (action) {
      case 3, 4 -> clock.advance(random.nextInt((int) LEASE));
      case 5 -> {
        assertEquals(held, store.renew(claim, Duration.ofMillis(LEASE)), said);
        if (held) {
          holds.put(claim.stack(), new Hold(claim, clock.millis() + LEASE));
        }
      }
      case 6, 7, 8 -> finish(store, claim, held, random, said);
      case 9 -> {
        assertEquals(held, store.split(claim, parts(claim, random)), said);
        drop(claim, held);
      }
      case 10 -> {
        assertEquals(held, store.release(claim), said);
        drop(claim, held);
      }
      default -> {
        long failed = rows.values().stream().filter(StoreInvariantsTest::isFailed).count();
        assertEquals(failed, store.retryFailed(), said);
        rows.values().stream()
            .filter(StoreInvariantsTest::isFailed)
            .forEach(row -> endings.remove(stacks.get(row.text(Column.IDENTITY))));
        rows.values().removeIf(StoreInvariantsTest::isFailed);
      }
    }
  }

  private void drop(Claim claim, boolean held) {
    if (held) {
      holds.remove(claim.stack());
    }
  }

  private static boolean isFailed(NetworkRow row) {
    return row.text(Column.STATUS).equals("failed");
  }

  private void claim(ResultStore store, Random random, String said) {
    store
        .claim("worker " + random.nextInt(3), Duration.ofMillis(LEASE))
        .ifPresent(
            claim -> {
              Hold before = holds.get(claim.stack());
              if (before != null && before.until() > clock.millis()) {
                throw new AssertionError(said + ": two hold stack " + claim.stack());
              }
              holds.put(claim.stack(), new Hold(claim, clock.millis() + LEASE));
              claims.add(claim);
              claim.identities().forEach(identity -> stacks.put(identity, claim.stack()));
            });
  }

  private void finish(ResultStore store, Claim claim, boolean held, Random random, String said) {
    List<NetworkRow> results =
        claim.identities().stream()
            .map(
                identity ->
                    random.nextInt(4) == 0
                        ? Sweeps.failed(identity)
                        : Sweeps.done(identity, random.nextInt()))
            .toList();
    boolean again = claim.equals(endings.get(claim.stack()));
    assertEquals(held || again, store.finish(claim, results), said);
    if (held) {
      results.forEach(row -> rows.put(row.text(Column.IDENTITY), row));
      endings.put(claim.stack(), claim);
    }
    drop(claim, held);
  }

  private static List<PlannedStack> parts(Claim claim, Random random) {
    int at = random.nextInt(claim.identities().size() + 1);
    return Stream.of(
            claim.identities().subList(0, at),
            claim.identities().subList(at, claim.identities().size()))
        .filter(part -> !part.isEmpty())
        .map(part -> new PlannedStack(random.nextInt(9), part))
        .toList();
  }

  private void check(ResultStore store, Connection reading, String said) throws SQLException {
    assertEquals(
        0,
        number(reading, "SELECT COUNT(*) FROM network WHERE stack NOT IN (SELECT id FROM stack)"),
        said);
    assertEquals(
        0,
        number(reading, "SELECT COUNT(*) FROM stack WHERE id NOT IN (SELECT stack FROM network)"),
        said);
    assertEquals(
        STACKS * NETWORKS, number(reading, "SELECT COUNT(DISTINCT identity) FROM network"), said);
    assertEquals(STACKS * NETWORKS, number(reading, "SELECT COUNT(*) FROM network"), said);
    // What is left to do can be claimed, and what can be claimed is left to do.
    assertEquals(
        number(reading, "SELECT COUNT(*) FROM stack WHERE state <> 'done'"),
        number(reading, "SELECT COUNT(DISTINCT stack) FROM network WHERE status = 'planned'"),
        said);
    Map<String, NetworkRow> found = new HashMap<>();
    store.forEachRow(null, row -> found.put(row.text(Column.IDENTITY), row));
    assertEquals(rows, found, said);
    Counts counts = store.counts();
    assertEquals(STACKS * NETWORKS, counts.networks(), said);
    assertEquals(rows.size(), counts.finished(), said);
    long live = holds.values().stream().filter(h -> h.until() > clock.millis()).count();
    assertEquals(live, counts.runningStacks(), said);
  }

  private static long number(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery(sql)) {
      assertTrue(found.next());
      return found.getLong(1);
    }
  }
}
