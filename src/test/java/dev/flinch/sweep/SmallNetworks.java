package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.flinch.store.Column;
import dev.flinch.store.Counts;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A sweep that takes seconds, and what came of it, wherever it was carried out. */
public final class SmallNetworks {
  /** The configuration of 48 networks. */
  public static final String SWEEP =
      """
      {
        "title": "48 small networks",
        "data": {"train": 200, "test": 100},
        "training": {"stop": {"epochs": 4}, "checkpointSeconds": 0},
        "measures": {
          "jacobian": {"count": 20},
          "trajectories": [{"kind": "random", "points": 1000, "bins": 10}]
        },
        "factors": {
          "dataset": "glyphs", "depth": [2, 3], "width": [4, 8], "learningRate": [0.01, 0.1],
          "batchSize": 50, "labels": ["true", "random"], "seed": {"linear": [1, 3]}
        }
      }
      """;

  /** Stacks of one or two networks: many, so that there is much to interrupt. */
  public static final long STACK_BYTES = 300_000;

  private SmallNetworks() {}

  /** Every finished network. */
  public static List<NetworkRow> rows(StoreLocation location) {
    try (ResultStore store = ResultStore.openExisting(location)) {
      return store.rows();
    }
  }

  /** How far the sweep is. */
  public static Counts counts(StoreLocation location) {
    try (ResultStore store = ResultStore.openExisting(location)) {
      return store.counts();
    }
  }

  /** Everything of finished networks but how long they took and where, by identity. */
  public static Map<String, NetworkRow> metrics(StoreLocation location) {
    Map<String, NetworkRow> metrics = new TreeMap<>();
    for (NetworkRow row : rows(location)) {
      NetworkRow twin =
          metrics.put(
              row.text(Column.IDENTITY),
              row.toBuilder().set(Column.SECONDS, null).set(Column.DEVICE, null).build());
      assertNull(twin, "a network has one row");
    }
    return metrics;
  }

  /** The same networks with the same numbers; a failure says which differ first. */
  public static void assertSame(Map<String, NetworkRow> expected, Map<String, NetworkRow> found) {
    assertEquals(expected.keySet(), found.keySet());
    expected.forEach(
        (identity, row) -> {
          if (!row.equals(found.get(identity))) {
            assertEquals(row.present().toString(), found.get(identity).present().toString());
          }
        });
  }
}
