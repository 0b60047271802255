package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** What a store says of files that it can't use, and that it harms none. */
class StoreFailuresTest {
  private static final Duration LEASE = Duration.ofSeconds(60);

  @TempDir private Path folder;

  private Path file() {
    return folder.resolve("results.sqlite");
  }

  private StoreLocation location() {
    return StoreLocation.file(file());
  }

  private static void refuses(Executable opening, String... said) {
    String message = assertThrows(RequestException.class, opening).getMessage();
    for (String part : said) {
      assertTrue(message.contains(part), message);
    }
  }

  /** What another program does to the file. */
  private void change(String... sql) throws SQLException {
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = connection.createStatement()) {
      for (String s : sql) {
        statement.execute(s);
      }
    }
  }

  @Test
  void whatIsNotThereIsNotMade() {
    refuses(() -> ResultStore.openExisting(location()), file().toString(), "name a sweep");
    assertFalse(Files.exists(file()));
  }

  @Test
  void anEmptyFileBecomesAStore() throws IOException {
    Files.createFile(file());
    refuses(() -> ResultStore.openExisting(location()), "empty file");
    try (ResultStore store = ResultStore.open(location())) {
      assertEquals(Optional.empty(), store.header());
    }
    ResultStore.openExisting(location()).close();
  }

  @Test
  void missingFoldersAreMade() {
    Path deep = folder.resolve("runs").resolve("sweep").resolve("results.sqlite");
    ResultStore.open(StoreLocation.file(deep)).close();
    assertTrue(Files.exists(deep));
  }

  @Test
  void laterVersionsAreLeftAlone() throws SQLException, IOException {
    ResultStore.open(location()).close();
    change("UPDATE flinch_schema_history SET version = '99'");
    byte[] before = Files.readAllBytes(file());
    refuses(() -> ResultStore.open(location()), file().toString(), "found 99", "a later one");
    refuses(() -> ResultStore.openExisting(location()), "found 99");
    assertEquals(List.of(), differences(before));
  }

  /** Bytes that are others now, beside SQLite's counters of changes. */
  private List<Integer> differences(byte[] before) throws IOException {
    byte[] after = Files.readAllBytes(file());
    assertEquals(before.length, after.length);
    List<Integer> differences = new ArrayList<>();
    for (int i = 100; i < before.length; i++) {
      if (before[i] != after[i]) {
        differences.add(i);
      }
    }
    return differences;
  }

  @Test
  void otherFilesAreLeftAlone() throws IOException, SQLException {
    String text = "not a database, but a text of some length\n".repeat(50);
    Files.writeString(file(), text);
    refuses(() -> ResultStore.open(location()), file().toString(), "expected results of a sweep");
    refuses(() -> ResultStore.openExisting(location()), "expected results of a sweep");
    assertEquals(text, Files.readString(file()));

    Files.delete(file());
    change("CREATE TABLE bookmark (url TEXT)");
    refuses(() -> ResultStore.open(location()), "something else (table bookmark)");
  }

  @Test
  void foldersAndPlacesThatCannotBeWrittenAreRefused() throws IOException {
    refuses(() -> ResultStore.open(StoreLocation.file(folder)), "found a folder");
    refuses(() -> ResultStore.openExisting(StoreLocation.file(folder)), "found a folder");
    Path text = Files.writeString(folder.resolve("text"), "a file");
    refuses(
        () -> ResultStore.open(StoreLocation.file(text.resolve("results.sqlite"))),
        "choose another");
    // Nobody makes files there, root included.
    refuses(
        () -> ResultStore.open(StoreLocation.file(Path.of("/proc/self/results.sqlite"))),
        "/proc/self");
  }

  @Test
  void whatAnotherProcessHoldsTooLongIsSaidSo() throws SQLException {
    ResultStore.open(location()).close();
    SqliteFile impatient = new SqliteFile(file(), Duration.ofMillis(200), List.of());
    try (ResultStore store = ResultStore.open(location(), impatient, Clock.systemUTC(), false);
        Connection other = DriverManager.getConnection("jdbc:sqlite:" + file());
        Statement statement = other.createStatement()) {
      statement.execute("BEGIN IMMEDIATE");
      refuses(() -> store.claim("a", LEASE), file().toString(), "locked by another process");
      assertEquals(List.of(), store.rows());
      statement.execute("ROLLBACK");
      assertEquals(Optional.empty(), store.claim("a", LEASE));
    }
  }

  @Test
  void aFullDiskLosesNothingThatWasDone() {
    List<String> done = new ArrayList<>();
    try (ResultStore store = ResultStore.open(location())) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(200, 10), List.of()));
    }
    // SQLite fails as on a full disk where a file would have more pages than it may.
    SqliteFile small =
        new SqliteFile(file(), Duration.ofSeconds(1), List.of("PRAGMA max_page_count = 250"));
    try (ResultStore store = ResultStore.open(location(), small, Clock.systemUTC(), false)) {
      refuses(
          () -> {
            while (true) {
              Claim claim = store.claim("a", LEASE).orElseThrow();
              assertTrue(store.finish(claim, Sweeps.done(claim)));
              done.addAll(claim.identities());
            }
          },
          file().toString(),
          "no room",
          "make room, and run the same command again");
      // The store is of use still.
      assertEquals(done.size(), store.rows().size());
      assertEquals(1, store.counts().runningStacks());
    }
    assertTrue(done.size() > 100, "done " + done.size());
    try (ResultStore store = ResultStore.open(location(), Clock.offset(Clock.systemUTC(), LEASE))) {
      assertEquals(done.size(), store.rows().size());
      while (!store.counts().isComplete()) {
        Claim claim = store.claim("b", LEASE).orElseThrow();
        assertTrue(store.finish(claim, Sweeps.done(claim)));
      }
      assertEquals(
          2000, store.rows().stream().map(row -> row.text(Column.IDENTITY)).distinct().count());
    }
  }

  @Test
  void aPlanThatFindsNoRoomIsNotBegun() {
    SqliteFile small =
        new SqliteFile(file(), Duration.ofSeconds(1), List.of("PRAGMA max_page_count = 100"));
    try (ResultStore store = ResultStore.open(location(), small, Clock.systemUTC(), true)) {
      refuses(
          () -> store.begin(Sweeps.HEADER, Sweeps.stacks(1000, 20), List.of()),
          "no room",
          "make room");
      assertEquals(Optional.empty(), store.header());
    }
    try (ResultStore store = ResultStore.open(location())) {
      assertEquals(0, store.counts().networks());
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(1000, 20), List.of()));
    }
  }

  @Test
  void aDamagedFileIsSaidSo() throws IOException {
    try (ResultStore store = ResultStore.open(location())) {
      store.begin(Sweeps.HEADER, Sweeps.stacks(500, 20), List.of());
    }
    try (RandomAccessFile bytes = new RandomAccessFile(file().toFile(), "rw")) {
      byte[] garbage = new byte[4096];
      Arrays.fill(garbage, (byte) 0x5a);
      for (long page = 20; page * 4096 < bytes.length(); page++) {
        bytes.seek(page * 4096);
        bytes.write(garbage);
      }
    }
    try (ResultStore store = ResultStore.openExisting(location())) {
      refuses(
          () -> {
            while (true) {
              Claim claim = store.claim("a", LEASE).orElseThrow();
              store.finish(claim, Sweeps.done(claim));
            }
          },
          file().toString(),
          "damaged");
    }
  }
}
