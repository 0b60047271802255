package dev.flinch.store;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Small sweeps to test stores with. */
final class Sweeps {
  static final SweepHeader HEADER =
      new SweepHeader(
          "a sweep",
          "{\"seed\": 1}",
          Map.of("train-images", "440fcabf", "test-images", "8d422c7b"),
          "0.1.0",
          Instant.parse("2026-11-21T18:00:00.123Z"));

  private Sweeps() {}

  /** A clock that goes when it is told to. */
  static final class HandClock extends Clock {
    private long millis = 1_000_000;

    void advance(long by) {
      millis += by;
    }

    @Override
    public long millis() {
      return millis;
    }

    @Override
    public Instant instant() {
      return Instant.ofEpochMilli(millis);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }

  /** As long as identities are, and as unordered. */
  static String identity(long index) {
    long mixed = (index + 1) * 0x9E3779B97F4A7C15L;
    return "%016x%016x".formatted(mixed ^ (mixed >>> 29), index);
  }

  /** Stacks of so many networks each; the first is the cheapest. */
  static List<PlannedStack> stacks(int count, int networks) {
    List<PlannedStack> stacks = new ArrayList<>();
    for (int s = 0; s < count; s++) {
      List<String> identities = new ArrayList<>();
      for (int n = 0; n < networks; n++) {
        identities.add(identity((long) s * networks + n));
      }
      stacks.add(new PlannedStack(s + 1, identities));
    }
    return stacks;
  }

  /** A row with a value in every column that a network has once it is done. */
  static NetworkRow done(String identity) {
    return done(identity, 7);
  }

  /** The same with a seed. */
  static NetworkRow done(String identity, long seed) {
    NetworkRow.Builder row = NetworkRow.builder();
    for (Column column : Column.values()) {
      row.set(
          column,
          switch (column.kind()) {
            case TEXT -> column.sqlName();
            case INTEGER -> (long) column.ordinal();
            case REAL -> column.ordinal() + 0.1;
          });
    }
    return row.set(Column.IDENTITY, identity)
        .set(Column.STATUS, "done")
        .set(Column.ERROR, null)
        .set(Column.SEED, seed)
        .build();
  }

  static NetworkRow failed(String identity) {
    return NetworkRow.builder()
        .set(Column.IDENTITY, identity)
        .set(Column.STATUS, "failed")
        .set(Column.ERROR, "no room")
        .build();
  }

  static List<NetworkRow> done(Claim claim) {
    return claim.identities().stream().map(Sweeps::done).toList();
  }
}
