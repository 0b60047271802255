package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.store.Sweeps.HandClock;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store promises to the workers of one sweep. */
class ResultStoreTest {
  private static final Duration LEASE = Duration.ofSeconds(60);

  @TempDir private Path folder;
  private final HandClock clock = new HandClock();

  /** The same during a test. */
  StoreLocation location() {
    return StoreLocation.file(folder.resolve("results.sqlite"));
  }

  private ResultStore open() {
    return ResultStore.open(location(), clock);
  }

  private ResultStore begun(List<PlannedStack> stacks) {
    ResultStore store = open();
    assertTrue(store.begin(Sweeps.HEADER, stacks, List.of()));
    return store;
  }

  @Test
  void aSweepIsBegunOnce() {
    Pair pair = new Pair("labels", "true", "random", Sweeps.identity(0), Sweeps.identity(1));
    try (ResultStore store = open()) {
      assertEquals(Optional.empty(), store.header());
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(2, 3), List.of(pair, pair)));
      assertFalse(store.begin(Sweeps.HEADER, Sweeps.stacks(4, 4), List.of(pair)));
    }
    try (ResultStore store = ResultStore.openExisting(location())) {
      assertEquals(Optional.of(Sweeps.HEADER), store.header());
      assertEquals(List.of(pair, pair), store.pairs());
      assertEquals(new Counts(6, 0, 0, 0, 2, 0, 0, 0), store.counts());
      assertEquals(List.of(), store.rows());
    }
  }

  @Test
  void anIdentityIsPlannedOnce() {
    PlannedStack stack = new PlannedStack(1, List.of(Sweeps.identity(0)));
    try (ResultStore store = open()) {
      List<PlannedStack> twice = List.of(stack, stack);
      assertThrows(
          IllegalArgumentException.class, () -> store.begin(Sweeps.HEADER, twice, List.of()));
      assertEquals(Optional.empty(), store.header());
      assertEquals(0, store.counts().networks());
    }
  }

  @Test
  void theCostliestStackComesFirst() {
    try (ResultStore store = begun(Sweeps.stacks(3, 2))) {
      Claim first = store.claim("a", LEASE).orElseThrow();
      assertEquals(List.of(Sweeps.identity(4), Sweeps.identity(5)), first.identities());
      assertEquals(1, first.attempt());
      assertEquals(2, store.claim("b", LEASE).orElseThrow().stack());
      assertEquals(1, store.claim("b", LEASE).orElseThrow().stack());
      assertEquals(Optional.empty(), store.claim("c", LEASE));
      assertEquals(new Counts(6, 0, 0, 0, 0, 3, 0, 2), store.counts());
    }
  }

  @Test
  void rowsComeBackAsTheyWereWritten() {
    try (ResultStore store = begun(Sweeps.stacks(2, 2))) {
      Claim costly = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.finish(costly, Sweeps.done(costly)));
      Claim cheap = store.claim("a", LEASE).orElseThrow();
      List<NetworkRow> rows =
          List.of(Sweeps.failed(cheap.identities().get(0)), Sweeps.done(cheap.identities().get(1)));
      assertTrue(store.finish(cheap, rows));

      List<NetworkRow> all = new ArrayList<>(rows);
      all.addAll(Sweeps.done(costly));
      assertEquals(all, store.rows());
      assertEquals(new Counts(0, 3, 0, 1, 0, 0, 2, 0), store.counts());
      assertTrue(store.counts().isComplete());
    }
  }

  @Test
  void aConditionChoosesRowsAndColumnsAreThoseAskedFor() {
    try (ResultStore store = begun(Sweeps.stacks(1, 3))) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      List<NetworkRow> rows = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        rows.add(Sweeps.done(claim.identities().get(i), i));
      }
      store.finish(claim, rows);
      List<NetworkRow> found = new ArrayList<>();
      store.forEachRow(EnumSet.of(Column.GAP), Condition.of("seed >= 1"), found::add);
      assertEquals(2, found.size());
      assertEquals(rows.get(1).get(Column.GAP), found.get(0).get(Column.GAP));
      assertEquals(EnumSet.of(Column.GAP, Column.SEED), found.get(0).present().keySet());
    }
  }

  @Test
  void anExpiredLeaseIsTakenOverAndTheLateWorkerWritesNothing() {
    try (ResultStore store = begun(Sweeps.stacks(1, 2))) {
      Claim late = store.claim("a", LEASE).orElseThrow();
      clock.advance(LEASE.toMillis() - 1);
      assertEquals(Optional.empty(), store.claim("b", LEASE));
      assertTrue(store.renew(late, LEASE));
      clock.advance(LEASE.toMillis());
      assertEquals(new Counts(2, 0, 0, 0, 1, 0, 0, 0), store.counts());
      Claim taken = store.claim("b", LEASE).orElseThrow();
      assertEquals(late.identities(), taken.identities());
      assertEquals(2, taken.attempt());

      assertFalse(store.renew(late, LEASE));
      assertFalse(store.release(late));
      assertFalse(store.finish(late, Sweeps.done(late)));
      assertFalse(store.split(late, parts(late)));
      assertEquals(List.of(), store.rows());

      List<NetworkRow> rows = taken.identities().stream().map(Sweeps::failed).toList();
      assertTrue(store.finish(taken, rows));
      assertFalse(store.finish(late, Sweeps.done(late)));
      assertEquals(rows, store.rows());
    }
  }

  private static List<PlannedStack> parts(Claim claim) {
    return claim.identities().stream().map(i -> new PlannedStack(1, List.of(i))).toList();
  }

  @Test
  void aLateWorkerMayFinishWhatNobodyTookOver() {
    try (ResultStore store = begun(Sweeps.stacks(1, 1))) {
      Claim late = store.claim("a", LEASE).orElseThrow();
      clock.advance(10 * LEASE.toMillis());
      assertTrue(store.finish(late, Sweeps.done(late)));
    }
  }

  @Test
  void finishingTwiceWritesOnce() {
    try (ResultStore store = begun(Sweeps.stacks(1, 2))) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.finish(claim, Sweeps.done(claim)));
      assertTrue(store.finish(claim, claim.identities().stream().map(Sweeps::failed).toList()));
      assertEquals(Sweeps.done(claim), store.rows());
    }
  }

  @Test
  void rowsOfOtherNetworksAreRefused() {
    try (ResultStore store = begun(Sweeps.stacks(1, 2))) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      List<NetworkRow> rows = Sweeps.done(claim);
      List<List<NetworkRow>> wrong =
          List.of(
              List.of(),
              rows.subList(0, 1),
              List.of(rows.get(0), rows.get(0)),
              List.of(rows.get(0), Sweeps.done("another")),
              List.of(rows.get(0), rows.get(1).toBuilder().set(Column.STATUS, "planned").build()));
      for (List<NetworkRow> some : wrong) {
        assertThrows(IllegalArgumentException.class, () -> store.finish(claim, some));
      }
      assertThrows(
          IllegalArgumentException.class, () -> store.split(claim, parts(claim).subList(0, 1)));
      assertTrue(store.finish(claim, rows));
    }
  }

  @Test
  void partsOfAStackAreClaimedByThemselves() {
    try (ResultStore store = begun(Sweeps.stacks(1, 4))) {
      Claim whole = store.claim("a", LEASE).orElseThrow();
      List<String> all = whole.identities();
      assertTrue(
          store.split(
              whole,
              List.of(
                  new PlannedStack(1, all.subList(0, 1)), new PlannedStack(3, all.subList(1, 4)))));
      assertFalse(store.renew(whole, LEASE));
      assertFalse(store.finish(whole, Sweeps.done(whole)));
      Claim costly = store.claim("a", LEASE).orElseThrow();
      assertEquals(all.subList(1, 4), costly.identities());
      assertEquals(all.subList(0, 1), store.claim("a", LEASE).orElseThrow().identities());
      assertTrue(store.finish(costly, Sweeps.done(costly)));
      assertEquals(new Counts(1, 3, 0, 0, 0, 1, 1, 1), store.counts());
    }
  }

  @Test
  void aReleasedStackIsOpenAgain() {
    try (ResultStore store = begun(Sweeps.stacks(1, 1))) {
      Claim claim = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.release(claim));
      assertFalse(store.renew(claim, LEASE));
      assertEquals(2, store.claim("b", LEASE).orElseThrow().attempt());
    }
  }

  @Test
  void failedNetworksAreTriedAgainAndTheOthersOfTheirStackKept() {
    try (ResultStore store = begun(Sweeps.stacks(2, 3))) {
      for (int i = 0; i < 2; i++) {
        Claim claim = store.claim("a", LEASE).orElseThrow();
        List<NetworkRow> rows = new ArrayList<>(Sweeps.done(claim));
        if (i == 0) {
          rows.set(1, Sweeps.failed(claim.identities().get(1)));
        }
        store.finish(claim, rows);
      }
      assertEquals(1, store.retryFailed());
      assertEquals(0, store.retryFailed());
      assertEquals(new Counts(1, 5, 0, 0, 1, 0, 1, 0), store.counts());
      Claim again = store.claim("a", LEASE).orElseThrow();
      assertEquals(List.of(Sweeps.identity(4)), again.identities());
      assertTrue(store.finish(again, Sweeps.done(again)));
      assertEquals(6, store.counts().done());
    }
  }

  @Test
  void aStackThatWasSplitAfterFailuresIsNotFinishedByItsOldClaim() {
    try (ResultStore store = begun(Sweeps.stacks(1, 3))) {
      Claim first = store.claim("a", LEASE).orElseThrow();
      List<NetworkRow> rows = new ArrayList<>(Sweeps.done(first));
      rows.set(0, Sweeps.failed(first.identities().get(0)));
      rows.set(1, Sweeps.failed(first.identities().get(1)));
      store.finish(first, rows);
      store.retryFailed();
      Claim again = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.split(again, parts(again)));
      assertFalse(store.finish(again, Sweeps.done(again)));
      assertEquals(1, store.rows().size());
    }
  }

  @Test
  void aStackIsClaimedByItsNumberUnlessItIsHeldOrDone() {
    try (ResultStore store = begun(Sweeps.stacks(3, 2))) {
      Claim second = store.claim(2, "a", LEASE).orElseThrow();
      assertEquals(2, second.stack());
      assertEquals(store.planned(2), second.identities());
      assertEquals(Optional.empty(), store.claim(2, "b", LEASE));
      clock.advance(LEASE.toMillis());
      Claim taken = store.claim(2, "b", LEASE).orElseThrow();
      assertEquals(2, taken.attempt());
      assertFalse(store.isDone(2));
      assertTrue(store.finish(taken, Sweeps.done(taken)));
      assertTrue(store.isDone(2));
      assertEquals(List.of(), store.planned(2));
      assertEquals(Optional.empty(), store.claim(2, "b", LEASE));
      assertEquals(Optional.empty(), store.claim(99, "b", LEASE));
    }
  }

  @Test
  void unfinishedStacksAreThoseOpenOrRunningCostliestFirst() {
    try (ResultStore store = begun(Sweeps.stacks(4, 2))) {
      Claim costliest = store.claim("a", LEASE).orElseThrow();
      Claim next = store.claim("a", LEASE).orElseThrow();
      assertTrue(store.finish(next, Sweeps.done(next)));
      assertEquals(
          List.of(new UnfinishedStack(4, 4), new UnfinishedStack(2, 2), new UnfinishedStack(1, 1)),
          store.unfinished());
      assertTrue(store.split(costliest, parts(costliest)));
      assertTrue(store.isDone(4));
      assertEquals(
          List.of(2L, 1L, 5L, 6L), store.unfinished().stream().map(UnfinishedStack::id).toList());
    }
  }

  @Test
  void stacksOfWorkersThatAreGoneAreOpenAtOnce() {
    try (ResultStore store = begun(Sweeps.stacks(3, 1))) {
      Claim gone = store.claim("gone", LEASE).orElseThrow();
      store.claim("alive", LEASE).orElseThrow();
      assertEquals(1, store.abandon("gone"::equals));
      assertEquals(0, store.abandon("gone"::equals));
      assertFalse(store.renew(gone, LEASE));
      assertEquals(gone.stack(), store.claim("b", LEASE).orElseThrow().stack());
    }
  }
}
