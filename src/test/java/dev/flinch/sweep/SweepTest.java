package dev.flinch.sweep;

import static dev.flinch.sweep.SmallNetworks.STACK_BYTES;
import static dev.flinch.sweep.SmallNetworks.SWEEP;
import static dev.flinch.sweep.SmallNetworks.assertSame;
import static dev.flinch.sweep.SmallNetworks.counts;
import static dev.flinch.sweep.SmallNetworks.metrics;
import static dev.flinch.sweep.SmallNetworks.rows;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.FailingDevice;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.experiment.NetworkResult;
import dev.flinch.experiment.Study;
import dev.flinch.experiment.StudyResult;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.store.Column;
import dev.flinch.store.Counts;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import dev.flinch.store.PlannedStack;
import dev.flinch.store.ResultStore;
import dev.flinch.store.StoreLocation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepTest {
  private static final Duration LEASE = Duration.ofSeconds(5);

  @TempDir static Path shared;
  private static Path configuration;
  private static Map<String, NetworkRow> undisturbed;

  @TempDir Path temporary;

  @BeforeAll
  static void sweepUndisturbed() throws IOException {
    configuration = Files.writeString(shared.resolve("sweep.json"), SWEEP);
    try (Device device = new CpuDevice(2)) {
      undisturbed = metrics(run(configuration, shared.resolve("undisturbed"), List.of(device)));
    }
    assertEquals(48, undisturbed.size());
  }

  private static StoreLocation run(Path configuration, Path folder, List<Device> devices) {
    return run(configuration, folder, devices, STACK_BYTES);
  }

  private static StoreLocation run(
      Path configuration, Path folder, List<Device> devices, long stackBytes) {
    return run(configuration, folder, devices, stackBytes, LEASE, Progress.NONE).folder().store();
  }

  static Sweep.Outcome run(
      Path configuration,
      Path folder,
      List<Device> devices,
      long stackBytes,
      Duration lease,
      Progress progress) {
    SweepConfiguration sweep = SweepConfiguration.load(configuration, List.of());
    Workshop workshop =
        new Workshop(stackBytes, Rate.ofProducts(1e11), devices.size(), Duration.ofMinutes(1));
    SweepFolder place = new SweepFolder(folder);
    return Sweep.run(
        SweepPlan.of(sweep, workshop),
        place,
        place.store(),
        shared == null ? Path.of("no-data-directory") : shared,
        new LocalEngine(devices),
        new Sweep.Options(lease, false, true),
        progress);
  }

  private Path written(String from, String to) throws IOException {
    assertTrue(SWEEP.contains(from), from);
    return Files.writeString(temporary.resolve("changed.json"), SWEEP.replace(from, to));
  }

  /** The same without trajectories, along which a walk takes much memory of its own. */
  private Path writtenInShort(String from, String to) throws IOException {
    String text = Files.readString(written(from, to));
    return Files.writeString(
        temporary.resolve("short.json"),
        text.replaceFirst("\"trajectories\": \\[.*\\]", "\"trajectories\": []"));
  }

  @Test
  void everyNetworkIsWhatAStudyOfItAloneComesTo() throws IOException {
    List<NetworkRow> some =
        undisturbed.values().stream().filter(r -> r.get(Column.SEED).equals(2L)).toList();
    assertEquals(16, some.size());
    try (Device device = new CpuDevice(2)) {
      for (NetworkRow row : some.subList(0, 4)) {
        Path file = temporary.resolve(row.text(Column.IDENTITY) + ".json");
        Files.writeString(file, row.text(Column.CONFIGURATION));
        StudyResult study =
            Study.run(
                Configuration.load(file, List.of()),
                device,
                shared,
                temporary.resolve(row.text(Column.IDENTITY)),
                false,
                Progress.NONE);
        NetworkResult alone = study.networks().get(0);
        assertEquals(alone.generalizationGap(), row.get(Column.GAP));
        assertEquals(alone.jacobianNorm().mean(), row.get(Column.JACOBIAN_NORM));
        assertEquals(alone.train().crossEntropy(), row.get(Column.TRAIN_LOSS));
        assertEquals(alone.steps(), row.get(Column.STEPS));
        assertEquals(
            (double) alone.trajectories().get(0).transitions().total(),
            row.get(Column.TRANSITIONS));
      }
    }
  }

  @Test
  void aRowSaysWhatWasChosenAndWhatComputedIt() {
    for (NetworkRow row : undisturbed.values()) {
      assertEquals("done", row.text(Column.STATUS));
      assertEquals("glyphs", row.text(Column.DATASET));
      assertEquals(200, row.number(Column.TRAIN_IMAGES));
      assertNotNull(row.text(Column.VERSION));
      assertEquals(16, row.number(Column.STEPS));
      assertEquals(
          row.number(Column.TRAIN_ACCURACY) - row.number(Column.TEST_ACCURACY),
          row.number(Column.GAP));
    }
    Set<Object> settings =
        undisturbed.values().stream()
            .map(row -> row.get(Column.SETTING))
            .collect(Collectors.toSet());
    assertEquals(16, settings.size(), "48 networks, three seeds each");
  }

  @Test
  void weightsAreThoseThatWereMeasured() {
    NetworkRow row = undisturbed.values().iterator().next();
    Path file =
        shared.resolve("undisturbed/weights/%s.safetensors".formatted(row.text(Column.IDENTITY)));
    Network network = NetworkFile.read(file, Optional.of(Activation.RELU), Optional.empty());
    try (Device device = new CpuDevice(2)) {
      Measurement measured =
          Measurement.of(
              network,
              new Measurement.Request(
                  "glyphs", shared, Split.TEST, 100, null, EnumSet.allOf(Quantity.class)),
              device,
              Progress.NONE);
      assertEquals(row.get(Column.TEST_ACCURACY), measured.accuracy());
      assertEquals(row.get(Column.TEST_LOSS), measured.crossEntropy());
    }
  }

  @Test
  void networksOfEveryKindAreTrainedAndMeasuredAndPaired() throws IOException {
    Path kinds =
        Files.writeString(
            temporary.resolve("kinds.json"),
            """
            {
              "title": "networks of every kind",
              "data": {"train": 100, "test": 50},
              "training": {"stop": {"epochs": 2}},
              "measures": {
                "jacobian": {"count": 10},
                "trajectories": [{"kind": "translation", "points": 64, "bins": 4}]
              },
              "factors": {
                "dataset": "glyphs", "depth": [2, 3], "width": [4, 8],
                "activation": ["ReLU", "ReLU6", "HardTanh", "HardSigmoid", "Tanh"],
                "initScale": {"uniform": [0.5, 2]}, "learningRate": {"logUniform": [0.001, 0.01]},
                "optimizer": ["SGD", "Momentum", "Adam", "RMSProp"],
                "batchSize": [20, 50], "biases": [true, false], "seed": [1, 2]
              },
              "sampling": {"method": "sobol", "settings": 10, "seed": 3},
              "pairs": [
                {"name": "labels", "left": {"labels": "true"}, "right": {"labels": "random"}},
                {"name": "augmentation", "left": {"augmentation": "none"},
                  "right": {"augmentation": "translateFlip"}},
                {"name": "batch", "left": {"optimizer": "Momentum"},
                  "right": {"optimizer": "L-BFGS"}}
              ]
            }
            """);
    Path folder = temporary.resolve("sweep");
    StoreLocation location;
    try (Device device = new CpuDevice(2)) {
      location = run(kinds, folder, List.of(device), 1L << 24);
    }
    Map<String, NetworkRow> rows = metrics(location);
    rows.values()
        .forEach(
            row -> {
              assertEquals("done", row.text(Column.STATUS), row.text(Column.ERROR));
              assertNotNull(row.get(Column.JACOBIAN_NORM));
              assertNotNull(row.get(Column.TRANSITIONS));
            });
    try (ResultStore store = ResultStore.openExisting(location)) {
      List<Pair> pairs = store.pairs();
      assertEquals(60, pairs.size());
      for (Pair pair : pairs) {
        NetworkRow left = rows.get(pair.left());
        NetworkRow right = rows.get(pair.right());
        assertEquals(left.get(Column.SEED), right.get(Column.SEED));
        assertEquals(left.get(Column.WIDTH), right.get(Column.WIDTH));
        assertNotEquals(left.get(Column.SETTING), right.get(Column.SETTING));
      }
    }
    SweepReport.Written written = SweepReport.write(folder);
    assertEquals(rows.size(), written.networks());
    assertTrue(Files.readString(written.page()).contains("networks of every kind"));
  }

  @Test
  void severalDevicesShareTheWork() {
    List<Device> devices = List.of(new CpuDevice(1), new CpuDevice(1), new CpuDevice(1));
    Path folder = temporary.resolve("sweep");
    assertSame(undisturbed, metrics(run(configuration, folder, devices)));
    devices.forEach(
        device -> {
          assertEquals(0, device.liveBytes());
          device.close();
        });
  }

  @Test
  void aSweepThatHasEndedIsLeftAsItIs() throws IOException {
    Path folder = shared.resolve("undisturbed");
    List<NetworkRow> before = rows(new SweepFolder(folder).store());
    try (Device device = FailingDevice.lostAfter(new CpuDevice(1), 0)) {
      run(configuration, folder, List.of(device));
    }
    assertEquals(before, rows(new SweepFolder(folder).store()));
  }

  @Test
  void stacksThatDontFitAreSplitWithTheSameResults() throws IOException {
    Path large = writtenInShort("\"batchSize\": 50", "\"batchSize\": 200");
    try (Device cpu = new CpuDevice(1)) {
      StoreLocation whole = run(large, temporary.resolve("whole"), List.of(cpu), 1L << 24);
      // Images take 0.9 MB, a stack of 12 some 9 MB in training.
      Device small = FailingDevice.withMemory(cpu, 5_000_000);
      StoreLocation split = run(large, temporary.resolve("split"), List.of(small), 1L << 24);
      assertTrue(counts(split).doneStacks() > counts(whole).doneStacks(), "none was split");
      assertSame(metrics(whole), metrics(split));
    }
  }

  @Test
  void aNetworkThatFitsNowhereFailsAndTheOthersDont() throws IOException {
    Path wide = writtenInShort("\"width\": [4, 8]", "\"width\": [4, 1000]");
    StoreLocation done;
    try (Device cpu = new CpuDevice(1)) {
      Device small = FailingDevice.withMemory(cpu, 5_000_000);
      done = run(wide, temporary.resolve("sweep"), List.of(small));
    }
    for (NetworkRow row : rows(done)) {
      boolean fits = row.number(Column.WIDTH) == 4;
      assertEquals(fits ? "done" : "failed", row.text(Column.STATUS), row.text(Column.ERROR));
      if (!fits) {
        assertTrue(row.text(Column.ERROR).contains("memory by itself"), row.text(Column.ERROR));
      }
    }
    assertEquals(24, counts(done).failed());
  }

  @Test
  void aNetworkThatDivergesIsMarkedAndItsNeighboursDontNotice() throws IOException {
    Path wild = written("[0.01, 0.1]", "[0.01, 1e30]");
    StoreLocation done;
    try (Device device = new CpuDevice(2)) {
      done = run(wild, temporary.resolve("sweep"), List.of(device));
    }
    for (NetworkRow row : rows(done)) {
      if (row.number(Column.LEARNING_RATE) == 0.01) {
        NetworkRow same = undisturbed.get(row.text(Column.IDENTITY));
        assertEquals(same.get(Column.GAP), row.get(Column.GAP));
        assertEquals(same.get(Column.JACOBIAN_NORM), row.get(Column.JACOBIAN_NORM));
      } else {
        assertEquals("diverged", row.text(Column.STATUS));
        assertEquals(null, row.get(Column.GAP));
      }
    }
    assertEquals(24, counts(done).diverged());
  }

  @Test
  void aLostDeviceLeavesItsStackToOthers() {
    Path folder = temporary.resolve("sweep");
    try (Device cpu = new CpuDevice(2)) {
      Device lost = FailingDevice.lostAfter(cpu, 100);
      assertThrows(DeviceLostException.class, () -> run(configuration, folder, List.of(lost)));
      Counts counts = counts(new SweepFolder(folder).store());
      assertEquals(0, counts.runningStacks());
      assertFalse(counts.isComplete());
      assertSame(undisturbed, metrics(run(configuration, folder, List.of(cpu))));
    }
  }

  @Test
  void aConfigurationThatChangedIsRefusedNamingTheKeys() throws IOException {
    Path changed = written("\"epochs\": 4", "\"epochs\": 5");
    try (Device device = new CpuDevice(1)) {
      String message =
          assertThrows(
                  RequestException.class,
                  () -> run(changed, shared.resolve("undisturbed"), List.of(device)))
              .getMessage();
      assertTrue(message.contains("factors.epochs: was 4, is 5"), message);
      assertTrue(message.contains("--out"), message);
    }
  }

  @Test
  void dataThatDontAllowWhatIsAskedAreRefusedBeforeAnythingBegins() throws IOException {
    Path large = written("\"test\": 100", "\"test\": 100000");
    Path folder = temporary.resolve("sweep");
    try (Device device = new CpuDevice(1)) {
      assertThrows(RequestException.class, () -> run(large, folder, List.of(device)));
    }
    assertFalse(Files.exists(folder));
  }

  @Test
  void aFullDiskLosesNothing() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs the device that is always full");
    Path folder = temporary.resolve("sweep");
    // Checkpoints are written beside the database, which has tests of its own for this.
    Files.createDirectories(folder.resolve("checkpoints"));
    SweepConfiguration sweep = SweepConfiguration.load(configuration, List.of());
    Workshop workshop = new Workshop(STACK_BYTES, Rate.ofProducts(1e11), 1, Duration.ofMinutes(1));
    List<Path> blocked = new ArrayList<>();
    for (PlannedStack stack : SweepPlan.of(sweep, workshop).stacks()) {
      Path checkpoint = new SweepFolder(folder).checkpoint(stack.identities());
      blocked.add(checkpoint.resolveSibling(checkpoint.getFileName() + ".part"));
    }
    Path last = blocked.get(blocked.size() - 1);
    Files.createSymbolicLink(last, full);
    try (Device device = new CpuDevice(2)) {
      String message =
          assertThrows(RequestException.class, () -> run(configuration, folder, List.of(device)))
              .getMessage();
      assertTrue(message.contains("No space left"), message);
      assertTrue(message.contains("same command"), message);
      Counts counts = counts(new SweepFolder(folder).store());
      assertEquals(0, counts.runningStacks());
      assertTrue(counts.done() > 0);
      Files.deleteIfExists(last);
      assertSame(undisturbed, metrics(run(configuration, folder, List.of(device))));
    }
  }

  @Test
  void checkpointsAreGoneOnceTheirStackIsDone() throws IOException {
    try (var files = Files.list(shared.resolve("undisturbed/checkpoints"))) {
      assertEquals(List.of(), files.toList());
    }
  }

  @Test
  void processesThatAreKilledLoseNothing() throws Exception {
    killAtRandomMoments(3);
  }

  @Test
  @Tag("slow")
  void twentyProcessesThatAreKilledOneAfterTheOtherLoseNothing() throws Exception {
    killAtRandomMoments(20);
  }

  private void killAtRandomMoments(int times) throws Exception {
    Path folder = temporary.resolve("sweep");
    UniformRandomProvider random = RandomStreams.stream(1, Purpose.BENCHMARK, times, 0);
    long done = 0;
    for (int i = 0; i < times; i++) {
      Process process = process(folder, 60).start();
      try (BufferedReader lines = output(process)) {
        assertEquals(SweepProcess.BEGUN, lines.readLine(), "process " + i);
        process.waitFor(random.nextInt(400), TimeUnit.MILLISECONDS);
        process.destroyForcibly().waitFor();
      }
      long now = counts(new SweepFolder(folder).store()).done();
      assertTrue(now >= done, "what was done stays done");
      done = now;
    }
    try (Device device = new CpuDevice(2)) {
      assertSame(undisturbed, metrics(run(configuration, folder, List.of(device))));
    }
  }

  @Test
  void twoProcessesShareASweep() throws Exception {
    Path folder = temporary.resolve("sweep");
    Process one = process(folder, 60).start();
    Process other = process(folder, 60).start();
    for (Process process : List.of(one, other)) {
      try (BufferedReader lines = output(process)) {
        assertTrue(lines.lines().toList().contains(SweepProcess.ENDED));
      }
      assertEquals(0, process.waitFor());
    }
    assertSame(undisturbed, metrics(new SweepFolder(folder).store()));
  }

  private static BufferedReader output(Process process) {
    return new BufferedReader(
        new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  private static ProcessBuilder process(Path folder, int lease) {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-modules",
            "jdk.incubator.vector",
            "-Djava.awt.headless=true",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            SweepProcess.class.getName(),
            configuration.toString(),
            folder.toString(),
            String.valueOf(lease))
        .redirectError(ProcessBuilder.Redirect.INHERIT);
  }
}
