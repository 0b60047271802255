package dev.flinch.store;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A process that takes part in a sweep, so that tests can have several and kill them. It prints a
 * line for each stack that it has finished. Arguments: what to do, where, its name, and the length
 * of leases in milliseconds.
 */
final class StoreProcess {
  private StoreProcess() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    StoreLocation place = StoreLocation.of(arguments[1]);
    String name = arguments[2];
    switch (arguments[0]) {
      case "begin" -> begin(place, name);
      case "work" -> work(place, name, Duration.ofMillis(Long.parseLong(arguments[3])));
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  /** Tests let processes go together. */
  private static void awaitStart() throws IOException {
    System.out.println("ready");
    System.in.read();
  }

  /** Begins a sweep of its own title. */
  private static void begin(StoreLocation place, String name) throws IOException {
    awaitStart();
    SweepHeader header =
        new SweepHeader(
            name, "{}", Sweeps.HEADER.dataChecksums(), "0.1.0", Sweeps.HEADER.created());
    try (ResultStore store = ResultStore.open(place)) {
      System.out.println(store.begin(header, Sweeps.stacks(50, 20), List.of()));
    }
  }

  /** Finishes stacks until all networks are; says which version of each row is its own. */
  private static void work(StoreLocation place, String name, Duration lease)
      throws IOException, InterruptedException {
    try (ResultStore store = ResultStore.openExisting(place)) {
      awaitStart();
      while (!store.counts().isComplete()) {
        Optional<Claim> claim = store.claim(name, lease);
        if (claim.isPresent()) {
          // The work itself, during which others have their turn.
          Thread.sleep(5);
          List<NetworkRow> rows =
              Sweeps.done(claim.get()).stream()
                  .map(row -> row.toBuilder().set(Column.DEVICE, name).build())
                  .toList();
          if (store.finish(claim.get(), rows)) {
            System.out.println("finished " + claim.get().stack());
          }
        }
      }
    }
  }
}
