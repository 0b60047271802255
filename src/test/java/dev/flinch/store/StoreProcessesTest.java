package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Processes share a store: each stack is one's, and a death loses nothing. */
@Timeout(120)
class StoreProcessesTest {
  @TempDir private Path folder;
  private final List<Process> processes = new ArrayList<>();

  @AfterEach
  void endProcesses() throws InterruptedException {
    for (Process process : processes) {
      process.destroyForcibly().waitFor();
    }
  }

  /** The same during a test. */
  StoreLocation location() {
    return StoreLocation.file(folder.resolve("results.sqlite"));
  }

  /** How many processes are killed in a row. */
  int kills() {
    return 6;
  }

  /** That the database finds itself in order. */
  void assertUndamaged() throws SQLException {
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + location().url());
        Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery("PRAGMA integrity_check")) {
      assertEquals("ok", found.getString(1));
    }
  }

  private Process start(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                StoreProcess.class.getName(),
                arguments[0],
                location().url()));
    command.addAll(List.of(arguments).subList(1, arguments.length));
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    processes.add(process);
    return process;
  }

  /** Lets processes go together once all are there. */
  private static List<BufferedReader> release(List<Process> processes) throws IOException {
    List<BufferedReader> outputs = new ArrayList<>();
    for (Process process : processes) {
      BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
      assertEquals("ready", output.readLine());
      outputs.add(output);
    }
    for (Process process : processes) {
      process.getOutputStream().write('\n');
      process.getOutputStream().flush();
    }
    return outputs;
  }

  private void begin(int stacks, int networks) {
    try (ResultStore store = ResultStore.open(location())) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(stacks, networks), List.of()));
    }
  }

  @Test
  void ofProcessesThatBeginTogetherOneDoes() throws IOException {
    List<Process> together = List.of(start("begin", "a"), start("begin", "b"), start("begin", "c"));
    List<String> said = new ArrayList<>();
    for (BufferedReader output : release(together)) {
      said.add(output.readLine());
    }
    assertEquals(1, said.stream().filter("true"::equals).count(), said.toString());
    assertEquals(2, said.stream().filter("false"::equals).count(), said.toString());
    try (ResultStore store = ResultStore.openExisting(location())) {
      assertEquals(
          List.of("a", "b", "c").get(said.indexOf("true")), store.header().orElseThrow().title());
      assertEquals(new Counts(1000, 0, 0, 0, 50, 0, 0, 0), store.counts());
    }
  }

  @Test
  void everyStackIsFinishedByOneProcess() throws IOException, SQLException {
    begin(150, 3);
    List<String> finished = new ArrayList<>();
    List<Process> workers = List.of(start("work", "a", "60000"), start("work", "b", "60000"));
    for (BufferedReader output : release(workers)) {
      List<String> own = output.lines().toList();
      assertTrue(own.size() > 0, "one did everything");
      finished.addAll(own);
    }
    Set<String> all = new HashSet<>();
    for (int s = 1; s <= 150; s++) {
      all.add("finished " + s);
    }
    assertEquals(150, finished.size());
    assertEquals(all, new HashSet<>(finished));
    assertSound(new Counts(0, 450, 0, 0, 0, 0, 150, 0));
  }

  @Test
  void aKilledProcessLosesNothingAndLeavesNothingTwice()
      throws IOException, InterruptedException, SQLException {
    begin(400, 5);
    Set<String> finished = new HashSet<>();
    for (int kill = 0; kill < kills(); kill++) {
      Process worker = start("work", "killed " + kill, "300");
      BufferedReader output = release(List.of(worker)).get(0);
      for (int i = 0; i < 7 + 5 * kill; i++) {
        String line = output.readLine();
        assertTrue(finished.add(line), line);
      }
      // In the middle of whatever it is doing.
      worker.toHandle().destroyForcibly();
      output.lines().forEach(line -> assertTrue(finished.add(line), line));
      // The last finish may have been told to nobody.
      try (ResultStore store = ResultStore.openExisting(location())) {
        long done = store.counts().doneStacks();
        assertTrue(done - finished.size() >= 0, done + " of " + finished.size());
        assertEquals(5 * done, store.rows().size());
        assertTrue(store.counts().openStacks() + store.counts().runningStacks() + done == 400);
      }
      assertSound(null);
    }
    Process last = start("work", "last", "300");
    release(List.of(last)).get(0).lines().forEach(line -> assertTrue(finished.add(line), line));
    assertTrue(last.waitFor(10, TimeUnit.SECONDS));
    assertTrue(finished.size() >= 400 - kills(), "told of " + finished.size());
    assertSound(new Counts(0, 2000, 0, 0, 0, 0, 400, 0));
  }

  /** The database is in order, and every network is there once. */
  private void assertSound(Counts expected) throws SQLException {
    assertUndamaged();
    try (ResultStore store = ResultStore.openExisting(location())) {
      List<NetworkRow> rows = store.rows();
      assertEquals(
          rows.size(), rows.stream().map(row -> row.text(Column.IDENTITY)).distinct().count());
      for (NetworkRow row : rows) {
        assertEquals(
            Sweeps.done(row.text(Column.IDENTITY)),
            row.toBuilder().set(Column.DEVICE, "device").build());
      }
      if (expected != null) {
        assertEquals(expected, store.counts());
      }
    }
  }
}
