package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.ImageShape;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.reference.Reference;
import dev.flinch.training.Augmentation;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StudyTest {
  /** Eight networks in two stacks; every measure there is; a checkpoint after every epoch. */
  private static final String SMALL =
      """
      {
        "title": "small",
        "data": {"dataset": "glyphs", "train": 150, "validation": 20, "test": 60},
        "networks": {
          "shapes": [{"depth": 2, "width": 8}, {"hidden": [7, 5]}],
          "seeds": [1, 2]
        },
        "training": {
          "optimizer": "Adam", "learningRates": [0.01], "batchSize": 32,
          "labels": ["true", "random"], "stop": {"epochs": 4}, "checkpointSeconds": 0
        },
        "measures": {
          "jacobian": {"split": "test", "count": 50},
          "logitJacobian": {"split": "train"},
          "trajectories": [
            {"kind": "through", "anchors": "sameClass", "points": 3000, "bins": 7},
            {"kind": "translation", "image": 4, "points": 1000, "bins": 28, "jacobian": false},
            {"kind": "random", "points": 500, "bins": 10}
          ]
        }
      }
      """;

  private static final int NETWORKS = 8;

  @TempDir static Path shared;
  private static Path smallFile;
  private static Path undisturbed;
  private static CpuDevice device;

  @TempDir Path temporary;

  @BeforeAll
  static void runUndisturbed() throws IOException {
    device = new CpuDevice(2);
    smallFile = Files.writeString(shared.resolve("small.json"), SMALL);
    undisturbed = shared.resolve("undisturbed");
    StudyResult result = run(undisturbed, false, Progress.NONE);
    assertFalse(result.alreadyFinished());
    assertEquals(NETWORKS, result.networks().size());
  }

  @AfterAll
  static void everyBufferIsFree() {
    assertEquals(0, device.liveBytes());
    device.close();
  }

  private static StudyResult run(
      Path folder, boolean resume, Progress progress, String... overrides) {
    return Study.run(
        Configuration.load(smallFile, List.of(overrides)),
        device,
        shared,
        folder,
        resume,
        progress);
  }

  private static String refusal(Path folder, boolean resume, String... overrides) {
    return assertThrows(RequestException.class, () -> run(folder, resume, Progress.NONE, overrides))
        .getMessage();
  }

  /** Every file below a folder, but for provenance.json. */
  private static SortedMap<String, byte[]> files(Path folder) throws IOException {
    SortedMap<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        String name = folder.relativize(file).toString();
        if (!name.equals("provenance.json")) {
          files.put(name, Files.readAllBytes(file));
        }
      }
    }
    return files;
  }

  private static void assertSameAsUndisturbed(Path folder) throws IOException {
    SortedMap<String, byte[]> expected = files(undisturbed);
    SortedMap<String, byte[]> found = files(folder);
    assertEquals(expected.keySet(), found.keySet());
    expected.forEach((name, bytes) -> assertArrayEquals(bytes, found.get(name), name));
  }

  private static JsonNode json(Path file) throws IOException {
    return Configurations.MAPPER.readTree(Files.readAllBytes(file));
  }

  private static final class Interruption extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** Progress that throws at its n-th report. */
  private static Progress interruptAt(int report) {
    AtomicInteger reports = new AtomicInteger();
    return (task, done, total) -> {
      if (reports.incrementAndGet() == report) {
        throw new Interruption();
      }
    };
  }

  @Test
  void aRunFolderHoldsWhatWasAskedForAndNothingElse() throws IOException {
    assertEquals(
        Set.of(
            "config.json",
            "weights.safetensors",
            "history.csv",
            "metrics.json",
            "figures/gap.svg",
            "figures/gap.png",
            "figures/history.svg",
            "figures/history.png",
            "figures/trajectory-1-through.svg",
            "figures/trajectory-1-through.png",
            "figures/trajectory-2-translation.svg",
            "figures/trajectory-2-translation.png",
            "figures/trajectory-3-random.svg",
            "figures/trajectory-3-random.png"),
        files(undisturbed).keySet());
    JsonNode provenance = json(undisturbed.resolve("provenance.json"));
    assertTrue(provenance.path("flinch").asText().matches("\\d+\\.\\d+\\.\\d+.*"));
    assertEquals(device.description(), provenance.path("deviceDescription").asText());
    assertTrue(provenance.path("seconds").path("training").asDouble() > 0);
    assertFalse(provenance.path("finished").isMissingNode());
    assertEquals("[4,4]", provenance.path("stacks").toString());
  }

  @Test
  void theResolvedConfigurationRunsAgainToTheSameBytes() throws IOException {
    Study.run(
        Configuration.load(undisturbed.resolve("config.json"), List.of()),
        device,
        shared,
        temporary.resolve("again"),
        false,
        Progress.NONE);
    assertSameAsUndisturbed(temporary.resolve("again"));
  }

  @Test
  void metricsAreWhatTheWrittenWeightsMeasure() throws IOException {
    Path weights = undisturbed.resolve("weights.safetensors");
    List<NetworkResult> results = RunFolder.metrics(undisturbed).networks();
    assertEquals(
        results.stream().map(NetworkResult::id).sorted().toList(),
        NetworkFile.ids(weights).stream().sorted().toList());
    for (NetworkResult result : results) {
      Network network = NetworkFile.read(weights, Optional.empty(), Optional.of(result.id()));
      assertEquals(result.parameters(), network.architecture().parameters());
      Measurement all =
          Measurement.of(
              network,
              new Measurement.Request(
                  "glyphs",
                  shared,
                  Split.TEST,
                  60,
                  null,
                  EnumSet.of(Quantity.ACCURACY, Quantity.LOSS)),
              device,
              Progress.NONE);
      assertEquals(result.test().accuracy(), all.accuracy());
      assertNotNull(result.validation());
      assertEquals(result.test().crossEntropy(), all.crossEntropy(), 1e-6);
      Measurement first =
          Measurement.of(
              network,
              new Measurement.Request(
                  "glyphs", shared, Split.TEST, 50, null, EnumSet.of(Quantity.JACOBIAN)),
              device,
              Progress.NONE);
      assertEquals(result.jacobianNorm().mean(), first.jacobianNorm().mean(), 1e-6);
      assertEquals(
          result.train().accuracy() - result.test().accuracy(), result.generalizationGap());
      TrajectoryResult through = result.trajectories().get(0);
      TrajectoryResult measured =
          TrajectoryMeasurement.of(
                  network,
                  new TrajectoryMeasurement.Request(
                      Kind.THROUGH,
                      through.anchors(),
                      null,
                      1,
                      Method.AUTO,
                      3000,
                      7,
                      true,
                      false,
                      "glyphs",
                      shared,
                      null),
                  device,
                  Progress.NONE)
              .result();
      assertEquals(through.transitions().total(), measured.transitions().total());
      assertArrayEquals(through.transitions().perBin(), measured.transitions().perBin());
      assertEquals(through.regions(), measured.regions());
      assertArrayEquals(through.jacobianNorm().perBin(), measured.jacobianNorm().perBin(), 1e-6);
    }
  }

  /** Two networks, the first of which is mapped on two planes, the second on one. */
  private static final String[] MAPS = {
    "networks.shapes=[{\"hidden\":[7,5]}]",
    "training.labels=[\"true\"]",
    "measures={\"jacobian\":null,\"regions\":[{\"anchors\":\"sameClass\",\"size\":24},"
        + "{\"anchors\":[5,70,9],\"size\":17,\"layer\":1,\"before\":false,\"networks\":2}]}"
  };

  @Test
  void regionsAreThoseOfTheWrittenWeightsAndOfTheOnesTheyBeganWith() throws IOException {
    Path folder = temporary.resolve("maps");
    StudyResult study = run(folder, false, Progress.NONE, MAPS);
    Set<String> expected =
        new TreeSet<>(Set.of("config.json", "weights.safetensors", "history.csv", "metrics.json"));
    for (String figure :
        List.of("history", "regions-1-7_5-s1", "regions-2-7_5-s1", "regions-2-7_5-s2")) {
      expected.add("figures/" + figure + ".svg");
      expected.add("figures/" + figure + ".png");
    }
    assertEquals(expected, files(folder).keySet());

    Path weights = folder.resolve("weights.safetensors");
    for (NetworkResult result : RunFolder.metrics(folder).networks()) {
      assertEquals(
          result.seed() == 1 ? List.of(1, 2) : List.of(2),
          result.regions().stream().map(RegionResult::plane).toList(),
          result.id());
      Optional<String> id = Optional.of(result.id());
      Network network = NetworkFile.read(weights, Optional.empty(), id);
      for (RegionResult found : result.regions()) {
        boolean first = found.plane() == 1;
        RegionMeasurement measured =
            RegionMeasurement.of(
                network,
                first ? InitialWeights.of(weights, id, network.architecture()) : Optional.empty(),
                new RegionMeasurement.Request(
                    found.anchors(),
                    "glyphs",
                    shared,
                    null,
                    new RegionMeasurement.View(first ? 24 : 17, first ? "last" : "1", false)),
                device,
                Progress.NONE);
        assertEquals(first, found.before() != null);
        assertEquals(
            Json.text(measured.result().ofPlane(found.plane()).in(0)), Json.text(found.in(0)));
      }
    }
    List<String> lines = study.summary().lines().toList();
    assertTrue(
        lines.get(0).matches(".*density at images 1 +elsewhere 1 +density .* 2"), lines.get(0));
    assertTrue(lines.get(2).matches(".* [\\d.]+ +[\\d.]+ +[\\d.]+ ± .* ± [\\d.]+ *"), lines.get(2));
    String svg = Files.readString(folder.resolve("figures/regions-1-7_5-s1.svg"));
    assertTrue(svg.contains("small: 7–5 ReLU, true labels, seed 1"));
    assertTrue(svg.contains("Before training"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRunInterruptedWhileItMapsRegionsEndsAsIfItHadNotBeen(boolean oneIsDrawn)
      throws IOException {
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, MAPS);
    Path folder = temporary.resolve("maps");
    Path drawn = folder.resolve("figures/regions-1-7_5-s1.png");
    Progress interrupt =
        (task, done, total) -> {
          if (task.startsWith("region map of") && Files.exists(drawn) == oneIsDrawn) {
            throw new Interruption();
          }
        };
    assertThrows(Interruption.class, () -> run(folder, false, interrupt, MAPS));
    assertEquals(oneIsDrawn, Files.exists(drawn));
    assertFalse(Files.exists(folder.resolve("metrics.json")));
    run(folder, true, Progress.NONE, MAPS);
    assertEquals(files(whole).keySet(), files(folder).keySet());
    assertSameFiles(whole, folder);
  }

  @Test
  void networksThatDivergeHaveNoRegions() {
    StudyResult result =
        run(
            temporary.resolve("diverged"),
            false,
            Progress.NONE,
            Stream.concat(Stream.of(MAPS), Stream.of("training.learningRates=[1e30]"))
                .toArray(String[]::new));
    assertTrue(result.networks().stream().allMatch(n -> n.regions() == null));
  }

  @Test
  void trainAccuracyIsOverTheWholeSplitOnTheNetworksOwnLabels() throws IOException {
    Configuration study = Configuration.load(smallFile, List.of());
    StudyData data = StudyData.load(study, shared);
    Path weights = undisturbed.resolve("weights.safetensors");
    Set<String> teachings = new HashSet<>();
    for (NetworkResult result : RunFolder.metrics(undisturbed).networks()) {
      Network network = NetworkFile.read(weights, Optional.empty(), Optional.of(result.id()));
      var images =
          result.labels() == Labels.RANDOM
              ? data.splits().train().withRandomLabels(result.seed())
              : data.splits().train();
      teachings.add(Arrays.toString(images.labels()));
      int correct = 0;
      for (int i = 0; i < images.count(); i++) {
        correct += predicted(network, images.normalised(i)) == images.label(i) ? 1 : 0;
      }
      assertEquals((double) correct / images.count(), result.train().accuracy(), 1e-12);
    }
    // The true labels, and other random ones for each seed.
    assertEquals(3, teachings.size());
  }

  /** The class of the largest logit, in double precision. */
  private static int predicted(Network network, float[] input) {
    double[] logits = Reference.of(network).logits(Reference.doubles(input));
    return IntStream.range(0, logits.length)
        .boxed()
        .max(Comparator.comparingDouble(c -> logits[c]))
        .orElseThrow();
  }

  @Test
  void drawnAnchorsAreTrainedOnAndOfTheClassesAskedFor() {
    for (int seed = 1; seed <= 5; seed++) {
      for (String drawn : List.of("sameClass", "differentClasses")) {
        Configuration study =
            Configuration.load(
                smallFile,
                List.of(
                    "measures.trajectories=[{\"kind\": \"through\", \"anchors\": \"%s\", \"seed\": %d}]"
                        .formatted(drawn, seed),
                    "measures.regions=[{\"anchors\": \"%s\", \"seed\": %d}]"
                        .formatted(drawn, seed)));
        StudyData data = StudyData.load(study, shared);
        DataSet all = data.dataSet();
        List<Integer> anchors = data.courses().get(0).anchors();
        assertEquals(anchors, data.planes().get(0).anchors());
        Set<Integer> classes =
            anchors.stream().map(a -> all.train().label(a)).collect(Collectors.toSet());
        assertEquals(drawn.equals("sameClass") ? 1 : 3, classes.size(), "seed " + seed);
        for (int anchor : anchors) {
          byte[] image = all.train().pixels(anchor);
          assertTrue(
              IntStream.range(0, data.splits().train().count())
                  .anyMatch(i -> Arrays.equals(data.splits().train().pixels(i), image)),
              "seed " + seed);
        }
      }
    }
  }

  @Test
  void historyHasALineForEveryNetworkAndEpoch() throws IOException {
    List<String> lines = Files.readAllLines(undisturbed.resolve("history.csv"));
    assertEquals("network,epoch,step,loss,accuracy", lines.get(0));
    assertEquals(1 + NETWORKS * 4, lines.size());
    assertTrue(lines.get(1).matches("2x8-true-s1,1,5,[\\d.]+,0\\.\\d+"), lines.get(1));
    assertTrue(lines.get(4).startsWith("2x8-true-s1,4,20,"), lines.get(4));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 20, 21, 23, 40, 45, 60})
  void anInterruptedRunEndsAsIfItHadNotBeen(int report) throws IOException {
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(report)));
    StudyResult result = run(folder, true, Progress.NONE);
    assertFalse(result.alreadyFinished());
    assertSameAsUndisturbed(folder);
    assertEquals(1, json(folder.resolve("provenance.json")).path("interrupted").size());
  }

  @Test
  void killedProcessesLeaveARunThatEndsAsIfItHadNotBeen() throws Exception {
    Path folder = temporary.resolve("run");
    // In the first stack's training, in its measuring, and in the second's training.
    List<String> tasks = List.of("training 2.8 .*", "regions of .*", "training 7.5 .*");
    for (int i = 0; i < tasks.size(); i++) {
      Process process = process(folder, i > 0, tasks.get(i), i == 1 ? 1 : 9).start();
      try (BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        assertEquals(StudyProcess.HALTED, lines.readLine(), "process " + i);
        assertEquals(i == 2, Files.exists(folder.resolve("finished-0.safetensors")));
        assertTrue(refusal(folder, true).contains("another process is at work"));
      }
      process.destroyForcibly().waitFor();
      assertFalse(Files.exists(folder.resolve("metrics.json")));
      // As a process leaves them that is killed while it writes.
      Files.writeString(folder.resolve("checkpoint.safetensors.part"), "cut sho");
      Files.writeString(folder.resolve("provenance.json.part"), "{");
    }
    Process last = process(folder, true, "none", 0).start();
    assertEquals(0, last.waitFor());
    assertSameAsUndisturbed(folder);
    JsonNode provenance = json(folder.resolve("provenance.json"));
    assertEquals(tasks.size(), provenance.path("interrupted").size());
  }

  @Test
  void aDiskThatIsFullFromTheStartIsLeftAsItWas() throws Exception {
    assumeTrue(Files.exists(Path.of("/bin/bash")), "needs bash to limit the size of files");
    Path folder = temporary.resolve("run");
    ProcessBuilder java = process(folder, false, "none", 0);
    List<String> limited =
        new ArrayList<>(List.of("/bin/bash", "-c", "ulimit -f 0; exec \"$@\"", "bash"));
    limited.addAll(java.command());
    limited.add(5, "-XX:-UsePerfData");
    Process process =
        java.command(limited)
            .redirectError(ProcessBuilder.Redirect.PIPE)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(1, process.waitFor(), output);
    assertTrue(output.contains("config.json: cannot be written: File too large"), output);
    assertFalse(Files.exists(folder), output);
  }

  private static ProcessBuilder process(Path folder, boolean resume, String task, long done) {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-modules",
            "jdk.incubator.vector",
            "-Djava.awt.headless=true",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            StudyProcess.class.getName(),
            smallFile.toString(),
            folder.toString(),
            String.valueOf(resume),
            task,
            String.valueOf(done))
        .redirectError(ProcessBuilder.Redirect.INHERIT);
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 100_000})
  void resultsDontDependOnHowStacksAreSplit(long mostBytes) throws IOException {
    Path folder = temporary.resolve("split");
    Study.run(
        Configuration.load(smallFile, List.of()),
        device,
        shared,
        folder,
        false,
        Progress.NONE,
        mostBytes);
    assertTrue(json(folder.resolve("provenance.json")).path("stacks").size() > 2);
    assertSameAsUndisturbed(folder);
  }

  @Test
  void resumingKeepsTheStacksOfTheBeginning() throws IOException {
    Path folder = temporary.resolve("split");
    Configuration study = Configuration.load(smallFile, List.of());
    assertThrows(
        Interruption.class,
        () -> Study.run(study, device, shared, folder, false, interruptAt(50), 1));
    run(folder, true, Progress.NONE);
    assertEquals(NETWORKS, json(folder.resolve("provenance.json")).path("stacks").size());
    assertSameAsUndisturbed(folder);
  }

  private static void runOn(
      Device device, Path folder, boolean resume, Progress progress, String... overrides) {
    Study.run(
        Configuration.load(smallFile, List.of(overrides)),
        device,
        shared,
        folder,
        resume,
        progress);
  }

  private static List<Integer> stacks(Path folder) throws IOException {
    List<Integer> sizes = new ArrayList<>();
    json(folder.resolve("provenance.json")).path("stacks").forEach(s -> sizes.add(s.asInt()));
    return sizes;
  }

  /** A study whose training takes most of the memory: 1.2 million bytes for each network. */
  private static final String[] LARGE_BATCHES = {
    "data.train=400", "training.batchSize=400", "measures={}"
  };

  private static void assertSameFiles(Path expected, Path found) throws IOException {
    SortedMap<String, byte[]> files = files(found);
    files(expected).forEach((name, bytes) -> assertArrayEquals(bytes, files.get(name), name));
  }

  /** Progress that throws at the third report after a run's first stack was finished. */
  private static Progress interruptInTheSecondStack(Path folder) {
    AtomicInteger reports = new AtomicInteger();
    return (task, done, total) -> {
      if (Files.exists(folder.resolve("finished-0.safetensors"))
          && reports.incrementAndGet() == 3) {
        throw new Interruption();
      }
    };
  }

  @ParameterizedTest
  @CsvSource({"9, '4,4'", "6, '2,2,2,2'", "3.5, '1,1,1,1,1,1,1,1'"})
  void stacksThatDontFitTheMemoryAreSplitWithTheSameResults(double megabytes, String stacks)
      throws IOException {
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, LARGE_BATCHES);
    Path folder = temporary.resolve("small");
    Device small = FailingDevice.withMemory(device, (long) (1e6 * megabytes));
    runOn(small, folder, false, Progress.NONE, LARGE_BATCHES);
    assertEquals("[" + stacks.replace(",", ", ") + "]", stacks(folder).toString());
    assertSameFiles(whole, folder);
  }

  @Test
  void theStacksThatDidFitAreWrittenDownAndResumed() throws IOException {
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, LARGE_BATCHES);
    Path folder = temporary.resolve("small");
    Device small = FailingDevice.withMemory(device, 3_500_000);
    assertThrows(
        Interruption.class, () -> runOn(small, folder, false, interruptAt(7), LARGE_BATCHES));
    List<Integer> split = stacks(folder);
    assertEquals(List.of(1, 1, 2, 4), split);
    assertEquals(0, device.liveBytes());
    run(folder, true, Progress.NONE, LARGE_BATCHES);
    assertEquals(split, stacks(folder));
    assertSameFiles(whole, folder);
  }

  @Test
  void aRunGoesOnWithLessMemoryThanItBeganWith() throws IOException {
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, LARGE_BATCHES);
    Path folder = temporary.resolve("small");
    assertThrows(
        Interruption.class,
        () -> run(folder, false, interruptInTheSecondStack(folder), LARGE_BATCHES));
    assertTrue(Files.exists(folder.resolve("checkpoint.safetensors")));
    assertTrue(Files.exists(folder.resolve("finished-0.safetensors")));
    Device small = FailingDevice.withMemory(device, 3_500_000);
    runOn(small, folder, true, Progress.NONE, LARGE_BATCHES);
    assertEquals(List.of(4, 1, 1, 1, 1), stacks(folder));
    assertSameFiles(whole, folder);
  }

  @Test
  void finishedStacksThatChangeTheirNumbersAreNotMistakenForOthers() throws IOException {
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, LARGE_BATCHES);
    Path folder = temporary.resolve("small");
    assertThrows(
        Interruption.class,
        () -> run(folder, false, interruptInTheSecondStack(folder), LARGE_BATCHES));
    // As after deleting a damaged file, which the program then asks for.
    Files.move(folder.resolve("finished-0.safetensors"), folder.resolve("finished-1.safetensors"));
    Device small = FailingDevice.withMemory(device, 3_500_000);
    runOn(small, folder, true, Progress.NONE, LARGE_BATCHES);
    assertSameFiles(whole, folder);
  }

  @Test
  void whatDoesntFitByItselfIsRefusedWithWhatItNeedsAndWhatThereIs() {
    Device smaller = FailingDevice.withMemory(device, 2_500_000);
    String message =
        assertThrows(
                RequestException.class,
                () ->
                    runOn(
                        smaller, temporary.resolve("smaller"), false, Progress.NONE, LARGE_BATCHES))
            .getMessage();
    assertTrue(
        message.matches(
            "network 2x8-true-s1 doesn't fit .*training takes about 1,[0-9,]+ bytes .* bytes of memory needed, .* bytes free; .*"),
        message);
    Device none = FailingDevice.withMemory(device, 1000);
    message =
        assertThrows(
                RequestException.class,
                () -> runOn(none, temporary.resolve("none"), false, Progress.NONE))
            .getMessage();
    assertTrue(message.startsWith("the images don't fit"), message);
    assertEquals(0, device.liveBytes());
  }

  @Test
  void aLostDeviceLeavesACheckpointThatAnotherGoesOnFrom() throws IOException {
    Path folder = temporary.resolve("lost");
    String message;
    // A device of its own: what a lost one holds is nobody's to free.
    try (CpuDevice own = new CpuDevice(2)) {
      Device lost = FailingDevice.lostAfter(own, 60);
      message =
          assertThrows(DeviceLostException.class, () -> runOn(lost, folder, false, Progress.NONE))
              .getMessage();
    }
    assertTrue(message.startsWith("small card: fell off the bus"), message);
    assertTrue(message.contains(folder + " holds all work up to the last checkpoint"), message);
    assertTrue(message.contains("--resume"), message);
    assertTrue(Files.exists(folder.resolve("checkpoint.safetensors")));
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @Test
  void aFullDiskLeavesTheLastCheckpointToGoOnFrom() throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs the device that is always full");
    Path folder = temporary.resolve("run");
    AtomicInteger reports = new AtomicInteger();
    Progress fill =
        (task, done, total) -> {
          // After the checkpoint of the first epoch, which has five steps.
          if (reports.incrementAndGet() == 7) {
            assertTrue(Files.exists(folder.resolve("checkpoint.safetensors")));
            try {
              Files.createSymbolicLink(folder.resolve("checkpoint.safetensors.part"), full);
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          }
        };
    String message =
        assertThrows(RequestException.class, () -> run(folder, false, fill)).getMessage();
    assertTrue(message.contains("checkpoint.safetensors: cannot be written"), message);
    assertTrue(message.contains("No space left"), message);
    assertTrue(message.contains("--resume"), message);
    assertEquals(
        5, Checkpoint.read(folder.resolve("checkpoint.safetensors")).state().trainer().step());
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"weights.safetensors", "history.csv", "metrics.json"})
  void aDiskThatFillsUpAtTheEndLosesNothing(String file) throws IOException {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs the device that is always full");
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(1)));
    Files.createSymbolicLink(folder.resolve(file + ".part"), full);
    String message = refusal(folder, true);
    assertTrue(message.startsWith(folder.resolve(file) + ": cannot be written"), message);
    assertTrue(message.contains("--resume"), message);
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @Test
  void aFinishedRunSaysSoAndIsLeftAsItIs() throws IOException {
    SortedMap<String, byte[]> before = files(undisturbed);
    byte[] provenance = Files.readAllBytes(undisturbed.resolve("provenance.json"));
    StudyResult result = run(undisturbed, true, Progress.NONE);
    assertTrue(result.alreadyFinished());
    assertEquals(NETWORKS, result.networks().size());
    assertSameAsUndisturbed(undisturbed);
    assertEquals(before.keySet(), files(undisturbed).keySet());
    assertArrayEquals(provenance, Files.readAllBytes(undisturbed.resolve("provenance.json")));
  }

  @Test
  void aFolderThatExistsIsNeverOverwritten() throws IOException {
    String message = refusal(undisturbed, false);
    assertTrue(message.startsWith(undisturbed + ": exists already"), message);
    assertTrue(message.contains("--out") && message.contains("--resume"), message);
    Path empty = Files.createDirectory(temporary.resolve("empty"));
    assertTrue(refusal(empty, false).contains("exists already"));
    Path file = Files.createFile(temporary.resolve("file"));
    assertTrue(refusal(file, false).contains("exists already"));
  }

  @Test
  void onlyARunOfTheSameConfigurationIsResumed() throws IOException {
    assertTrue(refusal(temporary.resolve("none"), true).contains("nothing to resume"));
    Path foreign = Files.createDirectory(temporary.resolve("foreign"));
    Files.writeString(foreign.resolve("thesis.tex"), "precious");
    assertTrue(refusal(foreign, true).contains("expected a run folder"));
    assertEquals(Set.of("thesis.tex"), files(foreign).keySet());

    String message =
        refusal(undisturbed, true, "training.batchSize=31", "networks.seeds=[1,3]", "data.crop=20");
    assertEquals(
        List.of(
            "data.crop: was null, is 20",
            "networks.seeds[1]: was 2, is 3",
            "training.batchSize: was 32, is 31"),
        message.lines().filter(l -> l.startsWith("  ")).map(String::strip).toList());
  }

  @Test
  void oneProcessAtATimeWorksInAFolder() throws IOException {
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(8)));
    try (RunFolder held = RunFolder.open(folder)) {
      assertEquals(folder, held.path());
      assertTrue(refusal(folder, true).contains("another process is at work"));
    }
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @ParameterizedTest
  @CsvSource({"truncated", "flipped", "foreign"})
  void aDamagedCheckpointIsRefusedAndCanBeDeleted(String damage) throws IOException {
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(12)));
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    long length = Files.size(checkpoint);
    switch (damage) {
      case "truncated" -> {
        try (RandomAccessFile file = new RandomAccessFile(checkpoint.toFile(), "rw")) {
          file.setLength(length / 2);
        }
      }
      case "flipped" -> {
        try (RandomAccessFile file = new RandomAccessFile(checkpoint.toFile(), "rw")) {
          file.seek(length - 100);
          int before = file.read();
          file.seek(length - 100);
          file.write(before ^ 1);
        }
      }
      default ->
          Files.copy(
              undisturbed.resolve("weights.safetensors"),
              checkpoint,
              StandardCopyOption.REPLACE_EXISTING);
    }
    String message = refusal(folder, true);
    assertTrue(message.startsWith(checkpoint + ": "), message);
    assertTrue(message.contains("delete this file"), message);
    Files.delete(checkpoint);
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @Test
  void nothingIsWrittenForARequestThatCannotBeCarriedOut() throws IOException {
    Path folder = temporary.resolve("below").resolve("run");
    String message =
        refusal(
            folder,
            false,
            "data.train=null",
            "training.batchSize=59981",
            "measures.jacobian.split=train",
            "measures.jacobian.count=70000",
            "measures.trajectories=[{\"kind\":\"through\",\"anchors\":[1,2,60000]},"
                + "{\"kind\":\"translation\",\"image\":10000}]",
            "measures.regions=[{\"anchors\":[1,2,60001]}]");
    assertEquals(5, message.lines().filter(l -> l.startsWith("  ")).count(), message);
    assertTrue(message.contains("training.batchSize: expected ≤ 59980"), message);
    assertTrue(message.contains("measures.jacobian.count: expected ≤ 59980"), message);
    assertTrue(message.contains("measures.trajectories[0]: image 60000"), message);
    assertTrue(message.contains("measures.trajectories[1]: image 10000"), message);
    assertTrue(message.contains("measures.regions[0]: image 60001"), message);
    assertTrue(refusal(folder, false, "data.dataset=mnist").contains("flinch data fetch mnist"));
    assertTrue(refusal(folder, false, "data.validation=60000").contains("60000 images"));
    assertTrue(refusal(folder, false, "data.test=10001").contains("10000 images"));
    assertTrue(refusal(folder, false, "data.crop=29").contains("from 1 to 28"));
    assertTrue(
        refusal(folder, false, "networks.shapes=[{\"depth\":9,\"width\":60000}]").contains("-Xmx"));
    assertFalse(Files.exists(folder.getParent()));
  }

  @Test
  void aPlaceThatCannotBeWrittenToIsSaidClearly() throws IOException {
    Path file = Files.createFile(temporary.resolve("file"));
    String message = refusal(file.resolve("run"), false);
    assertTrue(message.contains("cannot be made"), message);
    assertTrue(message.contains("--out"), message);
  }

  @Test
  void aNetworkThatDivergesIsMarkedAndItsNeighboursDontNotice() throws IOException {
    Path folder = temporary.resolve("run");
    StudyResult result =
        run(
            folder,
            false,
            Progress.NONE,
            "training.optimizer=SGD",
            "training.learningRates=[0.05,1e30]");
    Path alone = temporary.resolve("alone");
    StudyResult calm =
        run(alone, false, Progress.NONE, "training.optimizer=SGD", "training.learningRates=[0.05]");
    List<NetworkResult> diverged =
        result.networks().stream().filter(n -> n.learningRate() > 1).toList();
    assertEquals(NETWORKS, diverged.size());
    for (NetworkResult network : diverged) {
      assertEquals("diverged", network.outcome());
      assertNull(network.test());
      assertNull(network.jacobianNorm());
    }
    List<NetworkResult> kept =
        result.networks().stream().filter(n -> n.learningRate() < 1).toList();
    for (int i = 0; i < NETWORKS; i++) {
      assertEquals(calm.networks().get(i).test(), kept.get(i).test());
      assertEquals(calm.networks().get(i).jacobianNorm(), kept.get(i).jacobianNorm());
    }
    String metrics = Files.readString(folder.resolve("metrics.json"));
    assertFalse(metrics.contains("NaN") || metrics.contains("Infinity"), metrics);
    assertTrue(result.summary().contains("2 (2 diverged)"), result.summary());
  }

  @Test
  void aRunOfDivergedNetworksAloneEndsToo() throws IOException {
    StudyResult result =
        run(temporary.resolve("run"), false, Progress.NONE, "training.learningRates=[1e30]");
    assertTrue(result.networks().stream().noneMatch(NetworkResult::isTrained));
  }

  @Test
  void aStudyOfOneNetworkWritesAPlainNetworkFile() throws IOException {
    Path folder = temporary.resolve("run");
    run(
        folder,
        false,
        Progress.NONE,
        "networks.seeds=[5]",
        "networks.shapes=[{\"depth\":2,\"width\":8}]",
        "training.labels=[\"true\"]",
        "networks.biases=true");
    Network network =
        NetworkFile.read(folder.resolve("weights.safetensors"), Optional.empty(), Optional.empty());
    assertEquals(List.of(784, 8, 10), network.architecture().units());
    assertTrue(network.architecture().biases());
  }

  @Test
  void theSummaryHasARowForEveryShapeAndTeaching() {
    List<String> lines = run(undisturbed, true, Progress.NONE).summary().lines().toList();
    assertEquals(2 + 4, lines.size());
    assertTrue(
        lines.get(0).matches("network +labels +networks +train accuracy +.*transitions 3"),
        lines.get(0));
    assertTrue(lines.get(2).matches("2×8 ReLU +true +2 +0\\.\\d{4} ± 0\\.\\d{4} .*"), lines.get(2));
    assertTrue(lines.get(5).startsWith("7–5 ReLU"), lines.get(5));
  }

  @Test
  void augmentedNetworksAreToldApartAndLeaveTheBitsOfTheOthersAlone() throws IOException {
    String both = "training.augmentations=[\"none\",\"translateFlip\"]";
    Path folder = temporary.resolve("both");
    // In the middle of training, with a checkpoint after every epoch.
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(13), both));
    StudyResult result = run(folder, true, Progress.NONE, both);
    assertEquals(2 * NETWORKS, result.networks().size());
    Path whole = temporary.resolve("whole");
    run(whole, false, Progress.NONE, both);
    assertSameFiles(whole, folder);

    for (NetworkResult expected : RunFolder.metrics(undisturbed).networks()) {
      NetworkResult plain =
          result.networks().stream().filter(n -> n.id().equals(expected.id())).findAny().get();
      assertEquals(Json.text(expected), Json.text(plain));
      NetworkResult moved =
          result.networks().stream()
              .filter(n -> n.id().equals(expected.id().replace("-s", "-translateflip-s")))
              .findAny()
              .get();
      assertEquals(Augmentation.TRANSLATE_FLIP, moved.augmentation());
      assertNotEquals(expected.train(), moved.train());
    }
    List<String> lines = result.summary().lines().toList();
    assertEquals(2 + 8, lines.size());
    assertTrue(lines.get(0).matches("network +labels +augmentation +networks .*"), lines.get(0));
    assertTrue(lines.get(3).matches("2×8 ReLU +true +translateFlip +2 .*"), lines.get(3));
    String gap = Files.readString(folder.resolve("figures/gap.svg"));
    assertTrue(gap.contains("true labels, translateFlip"), "no word of it in the figure");
  }

  @Test
  void studiesByLbfgsEndTheSameInterruptedAndHoweverTheirStacksAreSplit() throws IOException {
    Path file =
        Files.writeString(
            temporary.resolve("lbfgs.json"),
            SMALL
                .replace("\"Adam\", \"learningRates\": [0.01], \"batchSize\": 32", "\"L-BFGS\"")
                .replace("\"epochs\": 4", "\"epochs\": null, \"steps\": 12"));
    Configuration study = Configuration.load(file, List.of("measures.trajectories=[]"));
    Path whole = temporary.resolve("whole");
    StudyResult result = Study.run(study, device, shared, whole, false, Progress.NONE);
    assertEquals(NETWORKS, result.networks().size());
    for (NetworkResult network : result.networks()) {
      assertNull(network.learningRate());
      assertTrue(network.steps() > 0 && network.steps() <= 12, "" + network.steps());
      // Chance is log 10 = 2.3.
      assertTrue(network.train().crossEntropy() < 2, "" + network.train());
    }
    assertFalse(Files.readString(whole.resolve("metrics.json")).contains("learningRate"));
    Path interrupted = temporary.resolve("interrupted");
    assertThrows(
        Interruption.class,
        () -> Study.run(study, device, shared, interrupted, false, interruptAt(7)));
    Study.run(study, device, shared, interrupted, true, Progress.NONE);
    assertSameFiles(whole, interrupted);
    Path split = temporary.resolve("split");
    Study.run(study, device, shared, split, false, Progress.NONE, 1);
    assertSameFiles(whole, split);
  }

  @Test
  void quarterTurnsOfImagesThatAreNotSquareAreRefused() {
    List<String> problems = new ArrayList<>();
    List<Augmentation> all = List.of(Augmentation.values());
    StudyData.requireSuitable(all, new ImageShape(3, 32, 32), problems);
    assertEquals(List.of(), problems);
    StudyData.requireSuitable(all, new ImageShape(1, 28, 20), problems);
    assertEquals(
        List.of(
            "training.augmentations[2]: expected square images for translateFlipTurn, found images"
                + " of 1 × 28 × 20"),
        problems);
  }

  @Test
  void foldersAreNamedAfterTheConfiguration() {
    Path configuration = Path.of("configs", "a-name-that-nobody-has-run.json");
    Path expected = Path.of("runs", "a-name-that-nobody-has-run");
    assertEquals(expected, Study.defaultFolder(configuration, false));
    assertEquals(expected, Study.defaultFolder(configuration, true));
  }

  @Test
  void dataThatChangedSinceTheBeginningIsRefused() throws IOException {
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(8)));
    Path provenance = folder.resolve("provenance.json");
    Files.writeString(
        provenance,
        Files.readString(provenance)
            .replace("\"dataset\" : \"glyphs\"", "\"dataChecksums\" : {\"a\" : \"b\"}"));
    assertTrue(refusal(folder, true).contains("began with other data files"));
  }
}
