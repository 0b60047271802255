package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Connections at the same time, each of which is a machine's to the server. */
@Timeout(60)
class PostgresConcurrencyTest {
  private static final Duration LEASE = Duration.ofSeconds(60);
  private static final int WRITERS = 4;

  private final ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
  private final String url = PostgresServer.shared().newUrl();

  @AfterEach
  void end() {
    threads.shutdownNow();
  }

  /** What one writer does with a connection of its own. */
  @FunctionalInterface
  private interface Work<T> {
    T run(ResultStore store, String name);
  }

  private <T> List<T> together(Work<T> work) throws Exception {
    List<Callable<T>> calls = new ArrayList<>();
    for (int w = 0; w < WRITERS; w++) {
      String name = "writer " + w;
      calls.add(
          () -> {
            try (ResultStore store = ResultStore.open(StoreLocation.of(url))) {
              return work.run(store, name);
            }
          });
    }
    List<T> results = new ArrayList<>();
    for (Future<T> future : threads.invokeAll(calls)) {
      results.add(future.get());
    }
    return results;
  }

  @Test
  void ofThoseThatOpenAndBeginTogetherOneBegins() throws Exception {
    List<Boolean> began =
        together((store, name) -> store.begin(Sweeps.HEADER, Sweeps.stacks(100, 20), List.of()));
    assertEquals(1, began.stream().filter(b -> b).count());
    try (ResultStore store = ResultStore.openExisting(StoreLocation.of(url))) {
      assertEquals(new Counts(2000, 0, 0, 0, 100, 0, 0, 0), store.counts());
    }
  }

  @Test
  void ofThoseThatMakeASchemaTogetherNoneFails() throws Exception {
    List<Callable<Boolean>> calls = new ArrayList<>();
    for (int w = 0; w < WRITERS; w++) {
      calls.add(
          () -> {
            ResultStore.open(StoreLocation.of(url + "&currentSchema=together")).close();
            return true;
          });
    }
    for (Future<Boolean> future : threads.invokeAll(calls)) {
      assertTrue(future.get());
    }
  }

  private void begin(int stacks, int networks) {
    try (ResultStore store = ResultStore.open(StoreLocation.of(url))) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(stacks, networks), List.of()));
    }
  }

  @Test
  void eachStackIsClaimedByOne() throws Exception {
    int stacks = 400;
    begin(stacks, 2);
    List<List<Claim>> claims =
        together(
            (store, name) -> {
              List<Claim> own = new ArrayList<>();
              Optional<Claim> claim;
              while ((claim = store.claim(name, LEASE)).isPresent()) {
                own.add(claim.get());
              }
              return own;
            });
    List<Claim> all = claims.stream().flatMap(List::stream).toList();
    assertEquals(stacks, all.size());
    assertEquals(stacks, new HashSet<>(all.stream().map(Claim::stack).toList()).size());
    assertTrue(all.stream().allMatch(claim -> claim.attempt() == 1));
    // Costs fall with time, but for neighbours that overtake each other.
    for (List<Claim> own : claims) {
      for (int i = 1; i < own.size(); i++) {
        assertTrue(own.get(i).stack() < own.get(i - 1).stack());
      }
    }
  }

  @Test
  void oneOfThoseWhoClaimTheSameStackGetsIt() throws Exception {
    begin(50, 2);
    List<List<Long>> claims =
        together(
            (store, name) -> {
              List<Long> own = new ArrayList<>();
              for (long stack = 1; stack <= 50; stack++) {
                if (store.claim(stack, name, LEASE).isPresent()) {
                  own.add(stack);
                }
              }
              return own;
            });
    List<Long> all = claims.stream().flatMap(List::stream).sorted().toList();
    assertEquals(50, all.size());
    assertEquals(50, new HashSet<>(all).size());
  }

  @Test
  void partsHaveNumbersOfTheirOwn() throws Exception {
    int stacks = 60;
    begin(stacks, 3);
    together(
        (store, name) -> {
          Optional<Claim> claim;
          while ((claim = store.claim(name, LEASE)).isPresent()) {
            Claim whole = claim.get();
            if (whole.identities().size() == 1) {
              assertTrue(store.finish(whole, Sweeps.done(whole)));
            } else {
              List<PlannedStack> parts =
                  whole.identities().stream().map(i -> new PlannedStack(1, List.of(i))).toList();
              assertTrue(store.split(whole, parts));
            }
          }
          return true;
        });
    try (ResultStore store = ResultStore.openExisting(StoreLocation.of(url))) {
      // A worker that found nothing may have left while others still had stacks to divide.
      Optional<Claim> left;
      while ((left = store.claim("last", LEASE)).isPresent()) {
        assertTrue(store.finish(left.get(), Sweeps.done(left.get())));
      }
      assertEquals(3 * stacks, store.rows().size());
      assertEquals(new Counts(0, 3 * stacks, 0, 0, 0, 0, 3 * stacks, 0), store.counts());
    }
  }

  @Test
  void countsAreAsOfOneMoment() throws Exception {
    int stacks = 100;
    begin(stacks, 4);
    Set<Long> wrong = new HashSet<>();
    together(
        (store, name) -> {
          if (name.equals("writer 0")) {
            Counts counts;
            do {
              counts = store.counts();
              if (counts.finished() != 4 * counts.doneStacks() || counts.networks() != 400) {
                wrong.add(counts.finished());
              }
            } while (!counts.isComplete());
            return true;
          }
          Optional<Claim> claim;
          while ((claim = store.claim(name, LEASE)).isPresent()) {
            assertTrue(store.finish(claim.get(), Sweeps.done(claim.get())));
          }
          return true;
        });
    assertEquals(Set.of(), wrong);
  }

  @Test
  void readingIsAsOfOneMomentAndKeepsNobodyWaiting() {
    begin(2, 1500);
    try (ResultStore store = ResultStore.open(StoreLocation.of(url))) {
      Claim first = store.claim(1, "a", LEASE).orElseThrow();
      assertTrue(store.finish(first, Sweeps.done(first)));
      List<NetworkRow> rows = new ArrayList<>();
      store.forEachRow(
          null,
          row -> {
            if (rows.isEmpty()) {
              Claim second = store.claim(2, "a", LEASE).orElseThrow();
              assertTrue(store.finish(second, Sweeps.done(second)));
            }
            rows.add(row);
          });
      assertEquals(Sweeps.done(first), rows);
      assertEquals(3000, store.rows().size());
    }
  }

  /** Clocks of machines differ, so the server's is the one. */
  @Test
  void leasesAreMeasuredByTheServersClock() throws Exception {
    begin(1, 1);
    try (ResultStore store = ResultStore.open(StoreLocation.of(url))) {
      store.claim("a", Duration.ofMillis(300)).orElseThrow();
      assertEquals(Optional.empty(), store.claim("b", LEASE));
      assertEquals(1, store.counts().runningStacks());
      Thread.sleep(350);
      assertEquals(0, store.counts().runningStacks());
      assertEquals(2, store.claim("b", LEASE).orElseThrow().attempt());
    }
  }
}
