package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import dev.flinch.base.RequestException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/** A server that stops and comes back, and one that doesn't. */
@Timeout(60)
class PostgresOutageTest {
  private static final Duration LEASE = Duration.ofSeconds(60);
  private static PostgresServer server;

  private final Logger logger = (Logger) LoggerFactory.getLogger(Outages.class);
  private final List<String> said = new CopyOnWriteArrayList<>();
  private final AppenderBase<ILoggingEvent> ear =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          said.add(event.getLevel() + " " + event.getFormattedMessage());
        }
      };

  @BeforeAll
  static void start() {
    server = PostgresServer.start();
  }

  @AfterAll
  static void end() {
    server.close();
  }

  @BeforeEach
  void listen() {
    ear.start();
    logger.addAppender(ear);
    logger.setLevel(Level.WARN);
    logger.setAdditive(false);
  }

  @AfterEach
  void leave() {
    logger.detachAppender(ear);
    logger.setLevel(null);
    logger.setAdditive(true);
  }

  private StoreLocation begun(int stacks, int networks) {
    StoreLocation location = StoreLocation.of(server.newUrl());
    try (ResultStore store = ResultStore.open(location)) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(stacks, networks), List.of()));
    }
    return location;
  }

  @Test
  void aServerThatIsGoneForASecondIsWaitedFor() throws Exception {
    goesOnAfter(Duration.ofMillis(1500), server::stop);
  }

  @Test
  void aServerThatIsKilledIsWaitedFor() throws Exception {
    goesOnAfter(
        Duration.ofMillis(300),
        () -> {
          try {
            server.kill();
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  @Test
  @Tag("slow")
  void aServerThatIsGoneForTenSecondsIsWaitedFor() throws Exception {
    goesOnAfter(Duration.ofSeconds(10), server::stop);
  }

  /** Four writers finish stacks the while; every network has one row in the end. */
  private void goesOnAfter(Duration outage, Runnable ending) throws Exception {
    int stacks = 120;
    StoreLocation location = begun(stacks, 5);
    Set<Long> finished = new HashSet<>();
    AtomicInteger count = new AtomicInteger();
    AtomicBoolean back = new AtomicBoolean();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<List<Long>>> writers = new ArrayList<>();
      for (int w = 0; w < 4; w++) {
        String name = "writer " + w;
        writers.add(threads.submit(() -> work(location, name, count, stacks / 3, back)));
      }
      while (count.get() < stacks / 3) {
        Thread.sleep(1);
      }
      ending.run();
      Thread.sleep(outage.toMillis());
      back.set(true);
      server.startAgain();
      for (Future<List<Long>> writer : writers) {
        for (long stack : writer.get()) {
          assertTrue(finished.add(stack), "two finished stack " + stack);
        }
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(stacks, finished.size());
    try (ResultStore store = ResultStore.openExisting(location)) {
      assertEquals(new Counts(0, 5L * stacks, 0, 0, 0, 0, stacks, 0), store.counts());
      assertEquals(5 * stacks, store.rows().size());
    }
    List<String> lost = said.stream().filter(s -> s.contains("doesn't answer")).toList();
    List<String> found = said.stream().filter(s -> s.contains("answers again after")).toList();
    assertEquals(1, lost.size(), said.toString());
    assertEquals(1, found.size(), said.toString());
    assertTrue(lost.get(0).startsWith("WARN " + location.url() + " doesn't answer ("));
    assertTrue(lost.get(0).endsWith("): waiting up to 120 s for it"), lost.get(0));
  }

  /** Pauses once there is enough to lose, so that all are in the middle when the server goes. */
  private static List<Long> work(
      StoreLocation location, String name, AtomicInteger count, int enough, AtomicBoolean back)
      throws InterruptedException {
    List<Long> finished = new ArrayList<>();
    try (ResultStore store = ResultStore.openExisting(location)) {
      while (true) {
        Optional<Claim> claim = store.claim(name, LEASE);
        if (claim.isEmpty()) {
          return finished;
        }
        if (count.get() >= enough && !back.get()) {
          Thread.sleep(20);
        }
        assertTrue(store.finish(claim.get(), Sweeps.done(claim.get())));
        finished.add(claim.get().stack());
        count.incrementAndGet();
      }
    }
  }

  @Test
  void aRestartThatNobodyNoticedIsNotSpokenOf() {
    StoreLocation location = begun(1, 2);
    try (ResultStore store = ResultStore.openExisting(location)) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      server.stop();
      server.startAgain();
      assertTrue(store.finish(claim, Sweeps.done(claim)));
    }
    assertEquals(List.of(), said);
  }

  @Test
  void aServerThatStaysAwayEndsItClearlyAndLosesNothing() {
    StoreLocation location = begun(3, 2).withPatience(Duration.ofSeconds(1));
    try (ResultStore store = ResultStore.openExisting(location)) {
      Claim first = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.finish(first, Sweeps.done(first)));
      Claim second = store.claim("a", LEASE).orElseThrow();
      server.stop();
      try {
        long start = System.nanoTime();
        RequestException e =
            assertThrows(RequestException.class, () -> store.finish(second, Sweeps.done(second)));
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertTrue(millis >= 1000 && millis < 4000, millis + " ms");
        assertEquals(
            location.url()
                + " has not answered for 1 s (connection refused); everything that was done"
                + " before is kept; run the same command again when it is back",
            e.getMessage());
        assertThrows(RequestException.class, store::rows);
        assertThrows(RequestException.class, () -> ResultStore.openExisting(location));
      } finally {
        server.startAgain();
      }
      assertTrue(store.finish(second, Sweeps.done(second)));
      assertEquals(4, store.rows().size());
    }
    assertEquals(1, said.stream().filter(s -> s.contains("waiting up to 1 s")).count());
  }

  @Test
  void readingGoesOnWhereItWas() {
    StoreLocation location = begun(1, 3000);
    try (ResultStore store = ResultStore.openExisting(location)) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.finish(claim, Sweeps.done(claim)));
      List<String> read = new ArrayList<>();
      store.forEachRow(
          null,
          row -> {
            read.add(row.text(Column.IDENTITY));
            if (read.size() == 1500) {
              server.stop();
              server.startAgain();
            }
          });
      assertEquals(claim.identities(), read);
    }
  }

  @Test
  void closingEndsTheWaiting() throws Exception {
    StoreLocation location = begun(1, 1);
    ResultStore store = ResultStore.openExisting(location);
    server.stop();
    try {
      ExecutorService thread = Executors.newSingleThreadExecutor();
      Future<Counts> waiting = thread.submit(store::counts);
      while (said.isEmpty()) {
        Thread.sleep(5);
      }
      long start = System.nanoTime();
      store.close();
      assertThrows(Exception.class, waiting::get);
      assertTrue(System.nanoTime() - start < 1_000_000_000L);
      assertFalse(said.isEmpty());
      thread.shutdown();
    } finally {
      server.startAgain();
    }
  }

  /** As behind a cable that was pulled: nothing says that nobody is there. */
  @Test
  void aServerThatSaysNothingIsNotWaitedForForEver() throws Exception {
    StoreLocation location = begun(1, 1).withPatience(Duration.ofSeconds(1));
    try (CuttingProxy network = new CuttingProxy(server.port());
        ResultStore store =
            ResultStore.open(
                StoreLocation.of(location.url().replace(":" + server.port(), ":" + network.port()))
                    .withPatience(Duration.ofSeconds(1)))) {
      network.hold(true);
      long start = System.nanoTime();
      RequestException e = assertThrows(RequestException.class, store::counts);
      assertTrue(System.nanoTime() - start < 10_000_000_000L);
      assertTrue(e.getMessage().contains("has not answered for 1 s (no answer in time)"));
      network.hold(false);
      assertEquals(1, store.counts().networks());
    }
  }
}
