package dev.flinch.sweep.spark;

import static dev.flinch.sweep.SmallNetworks.STACK_BYTES;
import static dev.flinch.sweep.SmallNetworks.SWEEP;
import static dev.flinch.sweep.SmallNetworks.assertSame;
import static dev.flinch.sweep.SmallNetworks.counts;
import static dev.flinch.sweep.SmallNetworks.metrics;
import static dev.flinch.sweep.SmallNetworks.rows;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Json;
import dev.flinch.store.Column;
import dev.flinch.store.Counts;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.PostgresServer;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.LocalEngine;
import dev.flinch.sweep.Rate;
import dev.flinch.sweep.Sweep;
import dev.flinch.sweep.SweepConfiguration;
import dev.flinch.sweep.SweepFolder;
import dev.flinch.sweep.SweepPlan;
import dev.flinch.sweep.Workshop;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sweeps on a cluster of two workers with a core each, and a PostgreSQL server. */
class SparkSweepTest {
  private static final Duration LEASE = Duration.ofSeconds(60);

  @TempDir static Path shared;
  private static SparkCluster cluster;
  private static PostgresServer server;
  private static Path configuration;
  private static Map<String, NetworkRow> undisturbed;

  /** Sixteen of the networks, which are measured sooner. */
  private static Path few;

  private static Map<String, NetworkRow> fewUndisturbed;

  @TempDir Path temporary;
  private final List<SparkCluster.Node> drivers = new ArrayList<>();

  @BeforeAll
  static void sweepUndisturbed() throws IOException {
    cluster = SparkCluster.start(shared.resolve("cluster"), 2);
    server = PostgresServer.shared();
    configuration = Files.writeString(shared.resolve("sweep.json"), SWEEP);
    undisturbed = metrics(locally(configuration, shared.resolve("undisturbed")));
    assertEquals(48, undisturbed.size());
    few = Files.writeString(shared.resolve("few.json"), few(SWEEP));
    fewUndisturbed = metrics(locally(few, shared.resolve("few")));
    assertEquals(16, fewUndisturbed.size());
  }

  private static String few(String sweep) {
    return sweep
        .replace("{\"linear\": [1, 3]}", "1")
        .replaceFirst("\"trajectories\": \\[.*\\]", "\"trajectories\": []");
  }

  @AfterEach
  void endDrivers() {
    drivers.forEach(SparkCluster.Node::kill);
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  /** The same sweep without a cluster. */
  private static StoreLocation locally(Path configuration, Path folder) {
    return locally(configuration, folder, StoreLocation.file(folder.resolve("results.sqlite")));
  }

  /** The same, or the rest of it, in a store that may have some of it. */
  private static StoreLocation locally(Path configuration, Path folder, StoreLocation store) {
    try (Device device = new CpuDevice(2)) {
      Sweep.run(
          SweepPlan.of(
              SweepConfiguration.load(configuration, List.of()),
              new Workshop(STACK_BYTES, Rate.ofProducts(1e11), 1, Duration.ofMinutes(1))),
          new SweepFolder(folder),
          store,
          folder,
          new LocalEngine(List.of(device)),
          new Sweep.Options(LEASE, false, false),
          Progress.NONE);
    }
    return store;
  }

  /** A sweep on the cluster. */
  private final class Run {
    final SparkCluster.Driver driver = new SparkCluster.Driver(SparkSweep.class, cluster.url());
    final PostgresServer database;
    final String url;
    Path configuration = few;
    long stackBytes = STACK_BYTES;
    int patience = 60;
    Opener opener = Opener.REAL;
    private int runs;

    Run() {
      this(server);
    }

    Run(PostgresServer database) {
      this.database = database;
      String name = database.newDatabase();
      this.url = database.url(name, PostgresServer.ADMINISTRATOR);
      database.environment().forEach(driver::withEnvironment);
      userUrl = database.url(name, PostgresServer.USER);
    }

    final String userUrl;

    StoreLocation store() {
      return StoreLocation.of(url);
    }

    Path folder() {
      return temporary.resolve("sweep");
    }

    SparkCluster.Node start() throws IOException {
      SparkCluster.Node started =
          driver.start(
              temporary.resolve("driver-%d.log".formatted(runs++)),
              configuration,
              folder(),
              userUrl,
              stackBytes,
              LEASE.toSeconds(),
              patience,
              opener,
              "auto");
      drivers.add(started);
      return started;
    }

    /** Waits until it has ended. */
    String complete(SparkCluster.Node driver, int expected) {
      driver.process().onExit().join();
      String said = driver.text();
      assertEquals(expected, driver.process().exitValue(), said);
      return said;
    }

    String complete() throws IOException {
      return complete(start(), 0);
    }

    /** Waits until some of it is done. */
    void awaitBegun() {
      try (ResultStore store = SparkCluster.await(this::begun)) {
        SparkCluster.await(() -> store.counts().done() > 0 ? true : null);
      }
    }

    private ResultStore begun() {
      try {
        return ResultStore.openExisting(store());
      } catch (RequestException e) {
        return null;
      }
    }
  }

  /** The few networks, with something else about them. */
  private Path written(String from, String to) throws IOException {
    assertTrue(SWEEP.contains(from), from);
    return Files.writeString(temporary.resolve("changed.json"), few(SWEEP.replace(from, to)));
  }

  /** What Spark shows of an application, as it logs it. */
  private record Event(String kind, String json) {
    String value(String key) {
      Matcher found =
          Pattern.compile("\"%s\":\"?([^\",}]*(?:\\\\\"[^\",}]*)*)".formatted(key)).matcher(json);
      return found.find() ? found.group(1) : null;
    }
  }

  private static List<Event> events(Path folder) throws IOException {
    List<Event> events = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file :
          files
              .filter(Files::isRegularFile)
              .filter(file -> file.getFileName().toString().contains("app-"))
              .filter(file -> !file.getFileName().toString().endsWith(".crc"))
              .toList()) {
        for (String line : Files.readAllLines(file)) {
          if (line.startsWith("{")) {
            events.add(new Event(Json.tree(line).get("Event").asText(), line));
          }
        }
      }
    }
    return events;
  }

  @Test
  void theClusterAndLocalProcessesComeToTheSameNumbers() throws Exception {
    Path log = Files.createDirectories(temporary.resolve("events"));
    Run run = new Run();
    run.configuration = configuration;
    run.driver.withEventsIn(log);
    run.complete();
    assertSame(undisturbed, metrics(run.store()));

    List<Event> events = events(log);
    List<String> jobs =
        events.stream()
            .filter(event -> event.kind().equals("SparkListenerJobStart"))
            .map(event -> Json.tree(event.json()).at("/Properties").get("spark.job.description"))
            .filter(name -> name != null)
            .map(name -> name.asText())
            .toList();
    Set<String> names = new HashSet<>(jobs);
    assertEquals(jobs.size(), names.size(), "a stack is one job");
    Pattern name = Pattern.compile("stack \\d+: (\\d+) networks?, glyphs, [23]×[48], about .*");
    List<Matcher> named =
        jobs.stream().map(name::matcher).peek(match -> assertTrue(match.matches())).toList();
    assertEquals(48, named.stream().mapToInt(match -> Integer.parseInt(match.group(1))).sum());
    assertTrue(jobs.get(0).contains("3×8"), "the costliest first: " + jobs);
    assertTrue(jobs.get(jobs.size() - 1).contains("2×4"), "the cheapest last: " + jobs);
    Map<String, Long> tasks =
        events.stream()
            .filter(event -> event.kind().equals("SparkListenerTaskEnd"))
            .map(event -> Json.tree(event.json()).at("/Task Info/Executor ID").asText())
            .collect(Collectors.groupingBy(id -> id, Collectors.counting()));
    assertEquals(2, tasks.size(), "both workers: " + tasks);

    for (Path place : List.of(shared.resolve("cluster"), log, run.folder())) {
      assertNoSecrets(place);
    }

    assertSame(undisturbed, metrics(twoLocalProcesses()));
  }

  private StoreLocation twoLocalProcesses() throws Exception {
    String url = server.newUrl();
    Path folder = temporary.resolve("local");
    List<SparkCluster.Node> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      processes.add(
          SparkCluster.flinch(
              temporary.resolve("local-%d.log".formatted(i)),
              Map.of(),
              "sweep",
              configuration.toString(),
              "--out",
              folder.toString(),
              "--store",
              url,
              "--device",
              "cpu"));
    }
    for (SparkCluster.Node process : processes) {
      assertEquals(0, process.process().waitFor(), process.text());
    }
    return StoreLocation.of(url);
  }

  private static void assertNoSecrets(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (!file.toString().endsWith(".jar")) {
          String text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
          assertFalse(text.contains(server.password()), "a password in " + file);
        }
      }
    }
  }

  @Test
  void aClusterNeedsAStoreThatAllItsNodesReach() throws Exception {
    SparkCluster.Node command =
        SparkCluster.flinch(
            temporary.resolve("flinch.log"),
            Map.of(),
            "sweep",
            few.toString(),
            "--out",
            temporary.resolve("sweep").toString(),
            "--engine",
            "spark",
            "--master",
            cluster.url());
    assertEquals(2, command.process().waitFor(), command.text());
    assertTrue(command.text().contains("--store jdbc:postgresql:"), command.text());
    assertFalse(Files.exists(temporary.resolve("sweep")));
  }

  @Test
  void aStackThatTheHeapHasNoRoomForFailsAlone() throws Exception {
    Run run = new Run();
    run.configuration = narrowAndWide();
    run.opener = Opener.GREEDY;
    String said = run.complete();
    assertFalse(said.contains("Lost executor"), said);
    assertOneFailed(run, "Java heap space");
  }

  /** A network that fits anywhere, and one that the openers of devices have no room for. */
  private Path narrowAndWide() throws IOException {
    Path file = written("\"width\": [4, 8]", "\"width\": [4, 1000]");
    return Files.writeString(
        file,
        Files.readString(file)
            .replace("\"depth\": [2, 3]", "\"depth\": 2")
            .replace("\"labels\": [\"true\", \"random\"]", "\"labels\": \"true\"")
            .replace("[0.01, 0.1]", "0.01"));
  }

  private static void assertOneFailed(Run run, String reason) {
    List<NetworkRow> rows = rows(run.store());
    assertEquals(2, rows.size());
    for (NetworkRow row : rows) {
      boolean wide = row.number(Column.WIDTH) == 1000;
      assertEquals(wide ? "failed" : "done", row.text(Column.STATUS), row.text(Column.ERROR));
      assertTrue(!wide || row.text(Column.ERROR).contains(reason), row.text(Column.ERROR));
    }
  }

  @Test
  void aWorkerThatIsKilledLosesNothing() throws Exception {
    SparkCluster.Node doomed = cluster.addWorker();
    doomed.awaitText("Successfully registered with master");
    Run run = new Run();
    run.configuration = written("\"epochs\": 4", "\"epochs\": 40");
    SparkCluster.Node driver = run.start();
    run.awaitBegun();
    long begun = System.nanoTime();
    doomed.kill();
    run.complete(driver, 0);
    assertTrue(
        System.nanoTime() - begun < LEASE.toNanos() / 2,
        "the lease of a dead executor is given back before it expires");
    assertSame(
        metrics(locally(run.configuration, temporary.resolve("local"))), metrics(run.store()));
  }

  @Test
  void aDriverThatIsKilledIsResumed() throws Exception {
    Run run = new Run();
    SparkCluster.Node driver = run.start();
    run.awaitBegun();
    driver.kill();
    long done = counts(run.store()).done();
    assertTrue(done > 0 && done < 16, done + " done");
    run.complete();
    assertSame(fewUndisturbed, metrics(run.store()));
  }

  @Test
  void aDatabaseThatIsStoppedAndStartedAgainIsWaitedFor() throws Exception {
    try (PostgresServer restarting = PostgresServer.start()) {
      Run run = new Run(restarting);
      SparkCluster.Node driver = run.start();
      run.awaitBegun();
      restarting.stop();
      Thread.sleep(2000);
      restarting.startAgain();
      run.complete(driver, 0);
      assertSame(fewUndisturbed, metrics(run.store()));
    }
  }

  @Test
  void aDatabaseThatIsGoneEndsTheSweepInOneLineAndKeepsWhatIsDone() throws Exception {
    try (PostgresServer vanishing = PostgresServer.start()) {
      Run run = new Run(vanishing);
      run.patience = 1;
      SparkCluster.Node driver = run.start();
      run.awaitBegun();
      vanishing.stop();
      String said = run.complete(driver, 2);
      assertTrue(said.contains("refused: "), said);
      assertFalse(said.contains("\tat "), said);
      assertFalse(said.contains(vanishing.password()), said);
      vanishing.startAgain();
      assertTrue(counts(run.store()).done() > 0);
      locally(run.configuration, temporary.resolve("rest"), run.store());
      assertSame(fewUndisturbed, metrics(run.store()));
    }
  }

  @Test
  void aWrongPasswordIsRefusedInOneLineThatDoesNotShowIt() throws Exception {
    Run run = new Run();
    run.driver.withEnvironment("PGPASSWORD", "wrong-battery-7d41");
    String said = run.complete(run.start(), 2);
    assertEquals(1, said.lines().filter(line -> line.startsWith("refused: ")).count(), said);
    assertFalse(said.contains("\tat "), said);
    assertFalse(said.contains("wrong-battery"), said);
    assertFalse(cluster.everythingWritten().contains("wrong-battery"));
  }

  @Test
  @Tag("slow")
  void networksThatDivergeAndStacksThatDontFitAreWhatTheyAreLocally() throws Exception {
    Run run = new Run();
    run.configuration = written("[0.01, 0.1]", "[0.01, 1e30]");
    Files.writeString(
        run.configuration,
        Files.readString(run.configuration).replace("\"batchSize\": 50", "\"batchSize\": 200"));
    run.stackBytes = 1L << 24;
    run.opener = Opener.SMALL;
    run.complete();
    StoreLocation local = locally(run.configuration, temporary.resolve("local"));
    assertSame(metrics(local), metrics(run.store()));
    Counts counts = counts(run.store());
    assertTrue(counts.diverged() > 0 && counts.done() > 0, counts.toString());
    assertEquals(16, counts.diverged() + counts.done());
    assertTrue(counts.doneStacks() > 4, "none was split");
  }

  @Test
  void copiesOfATaskMakeNoSecondRows() throws Exception {
    Run run = new Run();
    run.configuration = written("\"epochs\": 4", "\"epochs\": 100");
    run.stackBytes = 1L << 24;
    Path log = Files.createDirectories(temporary.resolve("events"));
    run.driver
        .withEventsIn(log)
        .with("spark.speculation", "true")
        .with("spark.speculation.interval", "50ms")
        .with("spark.speculation.task.duration.threshold", "100ms");
    run.complete();
    assertEquals(16, metrics(run.store()).size());
    assertEquals(16, counts(run.store()).done());
    assertTrue(
        events(log).stream()
            .anyMatch(
                event ->
                    event.kind().equals("SparkListenerTaskStart")
                        && event.json().contains("\"Speculative\":true")),
        "Spark made no copy of a task");
  }

  @Test
  @Tag("slow")
  void aLostDeviceEndsTheSweepAndLeavesItsStacksToOthers() throws Exception {
    Run run = new Run();
    run.opener = Opener.LOST;
    String said = run.complete(run.start(), 2);
    assertTrue(said.contains("fell off the bus"), said);
    assertEquals(0, counts(run.store()).failed());
    locally(run.configuration, temporary.resolve("rest"), run.store());
    assertSame(fewUndisturbed, metrics(run.store()));
  }

  @Test
  @Tag("slow")
  void aStackThatExecutorsDieOfFailsAloneAndItsRowsSayWhy() throws Exception {
    Run run = new Run();
    run.configuration = narrowAndWide();
    run.opener = Opener.DEADLY;
    run.complete();
    assertOneFailed(run, "failed 4 times");
  }

  @Test
  void aTaskComputesOnTheCardThatSparkNames() throws Exception {
    Path script = executable("echo '{\"name\": \"gpu\", \"addresses\": [\"3\", \"5\"]}'", "cards");
    Path properties =
        Files.writeString(
            temporary.resolve("worker.properties"),
            """
            spark.worker.resource.gpu.amount=2
            spark.worker.resource.gpu.discoveryScript=%s
            """
                .formatted(script));
    try (SparkCluster cards = SparkCluster.start(temporary.resolve("cards-cluster"), 0)) {
      cards
          .addWorker("--cores", "2", "--properties-file", properties.toString())
          .awaitText("Successfully registered with master");
      Run run = new Run();
      run.configuration = written("\"epochs\": 4", "\"epochs\": 1");
      run.driver
          .with("spark.master", cards.url())
          .with("spark.executor.cores", "2")
          .with("spark.executor.resource.gpu.amount", "2")
          .with("spark.task.resource.gpu.amount", "1");
      run.opener = Opener.EMULATED;
      run.complete();
      Map<String, Integer> devices = new LinkedHashMap<>();
      rows(run.store())
          .forEach(
              row ->
                  devices.merge(row.text(Column.DEVICE).replaceFirst(": .*", ""), 1, Integer::sum));
      assertEquals(Set.of("cuda:3", "cuda:5"), devices.keySet());
    }
  }

  private Path executable(String command, String name) throws IOException {
    Path script = Files.writeString(temporary.resolve(name), "#!/bin/sh\n" + command + "\n");
    assertTrue(script.toFile().setExecutable(true));
    return script;
  }
}
