package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How fast four writers' rows are in a server that syncs each commit to its disk. */
class PostgresSpeedTest {
  private static final Duration LEASE = Duration.ofSeconds(60);
  private static final int WRITERS = 4;
  private static final int NETWORKS = 25;

  /** As long as those of real sweeps. */
  private static final String CONFIGURATION = "{\"training\": \"a key and its value\"} ".repeat(60);

  /** A tenth of what it takes, so that a loaded machine passes. */
  @Test
  void rowsComeFastEnough() throws Exception {
    try (PostgresServer server = PostgresServer.start(true)) {
      double rate = rowsPerSecond(server, 80);
      assertTrue(rate > 100, rate + " rows/s");
    }
  }

  @Test
  @Tag("slow")
  void aThousandRowsASecondAreWritten() throws Exception {
    try (PostgresServer server = PostgresServer.start(true)) {
      rowsPerSecond(server, 80);
      double[] rates = new double[5];
      for (int i = 0; i < rates.length; i++) {
        rates[i] = rowsPerSecond(server, 400);
      }
      Arrays.sort(rates);
      System.out.println("rows/s of four writers: " + Arrays.toString(rates));
      assertTrue(rates[2] > 1000, Arrays.toString(rates));
    }
  }

  @Test
  @Tag("slow")
  void aLargePlanIsMadeInLessThanAMinute() {
    List<PlannedStack> stacks = new ArrayList<>();
    int all = 335_671;
    for (int at = 0; at < all; at += 64) {
      List<String> identities = new ArrayList<>();
      for (int n = at; n < Math.min(all, at + 64); n++) {
        identities.add(Sweeps.identity(n));
      }
      stacks.add(new PlannedStack(at, identities));
    }
    try (PostgresServer server = PostgresServer.start(true);
        ResultStore store = ResultStore.open(StoreLocation.of(server.newUrl()))) {
      long start = System.nanoTime();
      assertTrue(store.begin(Sweeps.HEADER, stacks, List.of()));
      double seconds = (System.nanoTime() - start) / 1e9;
      System.out.println("planned in %.1f s".formatted(seconds));
      assertEquals(all, store.counts().networks());
      assertTrue(seconds < 60, seconds + " s");
    }
  }

  private static double rowsPerSecond(PostgresServer server, int stacks) throws Exception {
    StoreLocation location = StoreLocation.of(server.newUrl());
    try (ResultStore store = ResultStore.open(location)) {
      store.begin(Sweeps.HEADER, Sweeps.stacks(stacks, NETWORKS), List.of());
      ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
      try {
        List<Callable<Integer>> writers = new ArrayList<>();
        for (int w = 0; w < WRITERS; w++) {
          String name = "writer " + w;
          writers.add(() -> finishAll(location, name));
        }
        long start = System.nanoTime();
        int rows = 0;
        for (Future<Integer> writer : threads.invokeAll(writers)) {
          rows += writer.get();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        assertEquals(stacks * NETWORKS, rows);
        assertEquals(rows, store.counts().done());
        return rows / seconds;
      } finally {
        threads.shutdownNow();
      }
    }
  }

  private static int finishAll(StoreLocation location, String name) {
    int rows = 0;
    try (ResultStore store = ResultStore.openExisting(location)) {
      Optional<Claim> claim;
      while ((claim = store.claim(name, LEASE)).isPresent()) {
        List<NetworkRow> done =
            Sweeps.done(claim.get()).stream()
                .map(row -> row.toBuilder().set(Column.CONFIGURATION, CONFIGURATION).build())
                .toList();
        assertTrue(store.finish(claim.get(), done));
        rows += claim.get().identities().size();
      }
    }
    return rows;
  }
}
