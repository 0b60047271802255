package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.sensitivity.StiffnessSettings;
import dev.flinch.training.DeviceExamples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Stiffness that a study measures as its networks train. */
class StudyStiffnessTest {
  private static final int PER_CLASS = 4;

  /** Four networks in two stacks, five steps an epoch; a checkpoint after every epoch. */
  private static final String SMALL =
      """
      {
        "title": "small",
        "data": {"dataset": "glyphs", "train": 150, "test": 130},
        "networks": {
          "shapes": [{"depth": 2, "width": 8}, {"hidden": [7, 5]}],
          "seeds": [1, 2]
        },
        "training": {
          "optimizer": "Adam", "learningRates": [0.01], "batchSize": 32,
          "labels": ["random"],
          "stop": {"epochs": 4, "trainAccuracy": null}, "checkpointSeconds": 0
        },
        "measures": {
          "jacobian": null,
          "stiffness": {"every": 3, "perClass": 4, "pairs": ["train-test"]}
        }
      }
      """;

  private static final int NETWORKS = 4;
  private static final List<Long> STEPS = List.of(0L, 3L, 6L, 9L, 12L, 15L, 18L, 20L);

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
    assertEquals(NETWORKS, run(undisturbed, false, Progress.NONE).networks().size());
  }

  @AfterAll
  static void everyBufferIsFree() {
    assertEquals(0, device.liveBytes());
    device.close();
  }

  private static StudyResult run(
      Path folder, boolean resume, Progress progress, String... overrides) {
    return Study.run(load(overrides), device, shared, folder, resume, progress);
  }

  private static Configuration load(String... overrides) {
    return Configuration.load(smallFile, List.of(overrides));
  }

  private static List<NetworkResult> results() {
    return RunFolder.metrics(undisturbed).networks();
  }

  private static String refusal(String... overrides) {
    return assertThrows(
            RequestException.class, () -> StudyData.load(load(overrides), shared), "not refused")
        .getMessage();
  }

  private static List<Long> steps(NetworkResult network) {
    return network.stiffness().stream().map(StiffnessRecord::step).toList();
  }

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

  private static void assertSameFiles(Path expected, Path found) throws IOException {
    SortedMap<String, byte[]> files = files(found);
    assertEquals(files(expected).keySet(), files.keySet());
    files(expected).forEach((name, bytes) -> assertArrayEquals(bytes, files.get(name), name));
  }

  private static final class Interruption extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static Progress interruptAt(int report) {
    AtomicInteger reports = new AtomicInteger();
    return (task, done, total) -> {
      if (reports.incrementAndGet() == report) {
        throw new Interruption();
      }
    };
  }

  @Test
  void recordsAreOfTheBeginningOfEverySoManyStepsAndOfTheEnd() {
    for (NetworkResult network : results()) {
      assertEquals(STEPS, steps(network), network.id());
      assertNotNull(network.lastStiffness().stiffness().get(0).cosine().within());
      for (StiffnessRecord record : network.stiffness()) {
        assertEquals(record.step() / 5.0, record.epoch());
        assertEquals(1, record.stiffness().size());
        OfPairs of = record.stiffness().get(0);
        assertEquals(Pairs.TRAIN_TEST, of.pairs());
        assertArrayEquals(new int[] {10 * PER_CLASS, 10 * PER_CLASS}, of.examples());
        assertNull(of.cosine().betweenWithinSuperClasses());
      }
      StiffnessRecord last = network.lastStiffness();
      assertEquals(20, last.step());
      assertEquals(network.train(), last.train());
      assertEquals(network.test(), last.test());
    }
  }

  @Test
  void withoutASayingItIsMeasuredAfterEveryEpochAndNotTwiceAtTheEnd() throws IOException {
    StudyResult result =
        run(
            temporary.resolve("run"),
            false,
            Progress.NONE,
            "training.learningRates=[5e-4]",
            "measures.stiffness={\"perClass\":2,\"distance\":false}");
    for (NetworkResult network : result.networks()) {
      assertEquals(List.of(0L, 5L, 10L, 15L, 20L), steps(network));
      OfPairs of = network.lastStiffness().stiffness().get(0);
      assertEquals(Pairs.TRAIN_TRAIN, of.pairs());
      assertNull(of.distance());
      assertNull(of.criticalLength());
    }
    String header = result.summary().lines().findFirst().orElseThrow();
    assertTrue(header.matches(".*stiffness within +between *"), header);
    String svg = againstLoss("run");
    assertTrue(svg.contains(">rate 5e-4<"));
    assertFalse(svg.contains("critical length"));
  }

  /** The figure of the first group of a run. */
  private String againstLoss(String run) throws IOException {
    return Files.readString(
        temporary.resolve(run).resolve("figures/stiffness-loss-2x8-relu-random-labels.svg"));
  }

  /** The images and labels that a network is measured at, chosen without the code under test. */
  private static Stiffness.Examples chosen(
      LabelledImages images, int[] labels, DeviceExamples uploaded) {
    return new Stiffness.Examples(
        uploaded.inputs(), IntStream.of(first(images)).map(i -> labels[i]).toArray());
  }

  private static int[] first(LabelledImages images) {
    List<Integer> chosen = new ArrayList<>();
    for (int i = 0; i < images.count(); i++) {
      int label = images.label(i);
      if (chosen.stream().filter(c -> images.label(c) == label).count() < PER_CLASS) {
        chosen.add(i);
      }
    }
    return chosen.stream().mapToInt(i -> i).toArray();
  }

  /** Taught the data's labels and random ones. */
  @Test
  void aRecordIsTheStiffnessOfTheNetworkAsItIsAfterSoManySteps() {
    String[] both = {
      "networks.shapes=[{\"hidden\":[7,5]}]", "training.labels=[\"true\",\"random\"]"
    };
    String[] asked = {
      both[0], both[1], "measures.stiffness.pairs=[\"train-train\",\"train-test\",\"test-test\"]"
    };
    StudyResult whole = run(temporary.resolve("whole"), false, Progress.NONE, asked);
    StudyData data = StudyData.load(load(asked), shared);
    LabelledImages train = data.splits().train();
    LabelledImages test = data.splits().test();
    try (DeviceExamples ofTrain = new DeviceExamples(device, train.subset("some", first(train)));
        DeviceExamples ofTest = new DeviceExamples(device, test.subset("some", first(test)))) {
      for (int step : new int[] {6, 20}) {
        Path folder = temporary.resolve("cut" + step);
        String[] cut = {both[0], both[1], "training.stop.steps=" + step, "measures.stiffness=null"};
        StudyResult alone = run(folder, false, Progress.NONE, cut);
        for (int n = 0; n < NETWORKS; n++) {
          NetworkResult along = whole.networks().get(n);
          StiffnessRecord record =
              along.stiffness().stream().filter(r -> r.step() == step).findFirst().orElseThrow();
          assertEquals(alone.networks().get(n).train(), record.train(), along.id());
          assertEquals(alone.networks().get(n).test(), record.test(), along.id());
          Path weights = folder.resolve("weights.safetensors");
          Optional<String> id = Optional.of(along.id());
          int[] taught =
              along.labels() == Labels.RANDOM
                  ? train.withRandomLabels(along.seed()).labels()
                  : train.labels();
          assertSame(
              NetworkFile.read(weights, Optional.empty(), id),
              chosen(train, taught, ofTrain),
              chosen(test, test.labels(), ofTest),
              record.stiffness(),
              step == 20);
        }
      }
    }
  }

  private static void assertSame(
      Network network,
      Stiffness.Examples train,
      Stiffness.Examples test,
      List<OfPairs> found,
      boolean detailed) {
    StiffnessSettings settings = new StiffnessSettings(false, true, 0.05, 1000, 0);
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      assertEquals(
          List.of(Pairs.TRAIN_TRAIN, Pairs.TRAIN_TEST, Pairs.TEST_TEST),
          found.stream().map(OfPairs::pairs).toList());
      assertSame(
          Stiffness.within(stack, 0, train, settings, Progress.NONE), found.get(0), detailed);
      assertSame(
          Stiffness.between(stack, 0, train, test, settings, Progress.NONE),
          found.get(1),
          detailed);
      assertSame(Stiffness.within(stack, 0, test, settings, Progress.NONE), found.get(2), detailed);
    }
  }

  private static void assertSame(Stiffness expected, OfPairs found, boolean detailed) {
    assertEquals(expected.cosine().within(), found.cosine().within());
    assertEquals(expected.cosine().between(), found.cosine().between());
    assertEquals(expected.sign().within(), found.sign().within());
    assertEquals(expected.sign().between(), found.sign().between());
    assertArrayEquals(expected.zeroGradients(), found.zeroGradients());
    assertEquals(expected.distance().cosine().value(), found.criticalLength().value());
    assertEquals(expected.distance().cosine().low(), found.criticalLength().interval()[0]);
    assertEquals(expected.distance().cosine().undefined(), found.criticalLength().undefined());
    assertEquals(expected.distance().sign().slope(), found.signCriticalLength().slope());
    if (detailed) {
      assertArrayEquals(expected.cosine().classMatrix(), found.cosine().classMatrix());
      assertArrayEquals(expected.sign().classMatrix(), found.sign().classMatrix());
      assertEquals(expected.distance().bins(), found.distance());
    }
  }

  @Test
  void matricesAndBinsAreKeptOfThreeMomentsAlone() {
    boolean between = false;
    for (NetworkResult network : results()) {
      List<StiffnessRecord> records = network.stiffness();
      double lowest =
          records.stream().mapToDouble(r -> r.test().crossEntropy()).min().orElseThrow();
      for (int i = 0; i < records.size(); i++) {
        boolean best = records.get(i).test().crossEntropy() == lowest;
        boolean kept = i == 0 || i == records.size() - 1 || best;
        between |= best && i > 0 && i < records.size() - 1;
        for (OfPairs of : records.get(i).stiffness()) {
          assertEquals(kept, of.cosine().classMatrix() != null, network.id() + " " + i);
          assertEquals(kept, of.sign().classMatrix() != null);
          assertEquals(kept, of.distance() != null);
          assertNotNull(of.criticalLength());
        }
      }
    }
    assertTrue(between, "networks of random labels have their lowest test loss early");
  }

  @Test
  void measuringLeavesTrainingAlone() throws IOException {
    Path without = temporary.resolve("without");
    run(without, false, Progress.NONE, "measures.stiffness=null");
    for (String file : List.of("weights.safetensors", "history.csv")) {
      assertArrayEquals(
          Files.readAllBytes(without.resolve(file)),
          Files.readAllBytes(undisturbed.resolve(file)),
          file);
    }
    assertFalse(Files.exists(without.resolve("stiffness.csv")));
    assertFalse(Files.readString(without.resolve("metrics.json")).contains("stiffness"));
    assertFalse(Files.readString(without.resolve("config.json")).contains("stiffness"));
  }

  /** Within measurements, and between them; in both stacks. */
  @ParameterizedTest
  @ValueSource(ints = {1, 14, 40, 53, 68})
  void anInterruptedRunEndsAsIfItHadNotBeen(int report) throws IOException {
    Path folder = temporary.resolve("run");
    assertThrows(Interruption.class, () -> run(folder, false, interruptAt(report)));
    assertFalse(run(folder, true, Progress.NONE).alreadyFinished());
    assertSameFiles(undisturbed, folder);
  }

  @Test
  void aCheckpointHoldsTheRecordsSoFar() throws IOException {
    Path folder = temporary.resolve("run");
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Progress interrupt =
        (task, done, total) -> {
          if (Files.exists(checkpoint) && done == 12) {
            throw new Interruption();
          }
        };
    assertThrows(Interruption.class, () -> run(folder, false, interrupt));
    StackState state = Checkpoint.read(checkpoint).state();
    assertEquals(10, state.trainer().step());
    assertEquals(2, state.stiffness().size());
    for (List<StiffnessRecord> records : state.stiffness()) {
      assertEquals(List.of(0L, 3L, 6L, 9L), records.stream().map(StiffnessRecord::step).toList());
    }
  }

  @Test
  void recordsDontDependOnHowStacksAreSplit() throws IOException {
    Path folder = temporary.resolve("split");
    Study.run(load(), device, shared, folder, false, Progress.NONE, 1);
    assertSameFiles(undisturbed, folder);
  }

  @Test
  void studiesByLbfgsAreMeasuredAtIterationsAndEndTheSameInterrupted() throws IOException {
    Path file =
        Files.writeString(
            temporary.resolve("lbfgs.json"),
            SMALL
                .replace("\"Adam\", \"learningRates\": [0.01], \"batchSize\": 32", "\"L-BFGS\"")
                .replace("\"epochs\": 4", "\"epochs\": 14"));
    Configuration study = Configuration.load(file, List.of());
    Path whole = temporary.resolve("whole");
    StudyResult result = Study.run(study, device, shared, whole, false, Progress.NONE);
    for (NetworkResult network : result.networks()) {
      List<Long> expected = new ArrayList<>();
      for (long step = 0; step < network.steps(); step += 3) {
        expected.add(step);
      }
      expected.add(network.steps());
      assertEquals(expected, steps(network));
      StiffnessRecord last = network.lastStiffness();
      assertEquals(last.step(), last.epoch());
      assertEquals(network.test(), last.test());
    }
    assertTrue(againstLoss("whole").contains(">L-BFGS<"));
    Path interrupted = temporary.resolve("interrupted");
    assertThrows(
        Interruption.class,
        () -> Study.run(study, device, shared, interrupted, false, interruptAt(33)));
    Study.run(study, device, shared, interrupted, true, Progress.NONE);
    assertSameFiles(whole, interrupted);
  }

  @Test
  void aNetworkThatStopsEarlyHasItsLastRecordThen() {
    StudyResult result =
        run(
            temporary.resolve("run"),
            false,
            Progress.NONE,
            "training.stop={\"epochs\":30,\"trainAccuracy\":0.8}",
            "training.labels=[\"true\"]",
            "measures.stiffness={\"every\":7,\"perClass\":2,\"distance\":false}");
    boolean early = false;
    for (NetworkResult network : result.networks()) {
      early |= network.outcome().equals("accurate") && network.steps() % 7 != 0;
      assertEquals(network.steps(), network.lastStiffness().step());
      assertEquals(1 + (network.steps() + 6) / 7, network.stiffness().size());
      assertTrue(network.lastStiffness().train().equals(network.train()));
    }
    assertTrue(early, "none stopped before a multiple of seven steps");
  }

  @Test
  void networksThatDivergeHaveRecordsFromBeforeAndTheirNeighboursDontNotice() throws IOException {
    String sgd = "training.optimizer=SGD";
    Path folder = temporary.resolve("both");
    StudyResult both = run(folder, false, Progress.NONE, sgd, "training.learningRates=[0.05,1e30]");
    StudyResult calm =
        run(temporary.resolve("calm"), false, Progress.NONE, sgd, "training.learningRates=[0.05]");
    List<NetworkResult> kept = both.networks().stream().filter(n -> n.learningRate() < 1).toList();
    for (int n = 0; n < NETWORKS; n++) {
      assertEquals(
          Json.text(calm.networks().get(n).stiffness()), Json.text(kept.get(n).stiffness()));
      assertEquals(STEPS, steps(kept.get(n)));
    }
    for (NetworkResult network : both.networks()) {
      if (network.learningRate() > 1) {
        assertEquals("diverged", network.outcome());
        assertEquals(List.of(0L), steps(network));
        assertNull(network.lastStiffness());
      }
    }
    String metrics = Files.readString(folder.resolve("metrics.json"));
    assertFalse(metrics.contains("NaN") || metrics.contains("Infinity"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1e20", "3e38"})
  void networksWithoutFiniteOutputsOrGradientsHaveNoRecords(String scale) {
    StudyResult result =
        run(
            temporary.resolve("run"),
            false,
            Progress.NONE,
            "networks.initScales=[1,%s]".formatted(scale),
            "networks.shapes=[{\"depth\":2,\"width\":8}]");
    int without = 0;
    for (NetworkResult network : result.networks()) {
      if (network.initScale() == 1) {
        assertEquals(STEPS, steps(network));
      } else {
        without += network.stiffness().isEmpty() ? 1 : 0;
      }
    }
    assertTrue(without > 0, "all were finite");
  }

  @Test
  void theTableHasEveryScalarOfEveryRecord() throws IOException {
    List<String> lines = Files.readAllLines(undisturbed.resolve("stiffness.csv"));
    assertEquals(1 + NETWORKS * STEPS.size(), lines.size());
    List<String> header = List.of(lines.get(0).split(","));
    int at = 1;
    for (NetworkResult network : results()) {
      for (StiffnessRecord record : network.stiffness()) {
        for (OfPairs of : record.stiffness()) {
          List<String> cells = List.of(lines.get(at++).split(",", -1));
          assertEquals(header.size(), cells.size());
          assertEquals(network.id(), cells.get(0));
          assertEquals(String.valueOf(record.step()), cells.get(1));
          assertEquals(of.pairs().label(), cells.get(header.indexOf("pairs")));
          assertEquals(
              record.test().crossEntropy(),
              Double.parseDouble(cells.get(header.indexOf("test_loss"))));
          assertCell(of.cosine().within(), cells.get(header.indexOf("cosine_within")));
          assertCell(of.sign().between(), cells.get(header.indexOf("sign_between")));
          assertCell(null, cells.get(header.indexOf("cosine_within_super")));
          assertCell(of.criticalLength().value(), cells.get(header.indexOf("critical_length")));
          assertCell(
              of.signCriticalLength().interval()[1],
              cells.get(header.indexOf("sign_critical_length_high")));
        }
      }
    }
  }

  private static void assertCell(Double expected, String found) {
    assertEquals(expected == null ? "" : expected.toString(), found);
  }

  @Test
  void theSummaryAndTheFiguresAreOfNetworksThatDifferInTheirSeedsAlone() throws IOException {
    List<String> lines = run(undisturbed, true, Progress.NONE).summary().lines().toList();
    assertTrue(
        lines.get(0).matches(".*stiffness within +between +critical length *"), lines.get(0));
    List<NetworkResult> first = results().subList(0, 2);
    double mean =
        first.stream()
            .mapToDouble(n -> n.lastStiffness().stiffness().get(0).cosine().within())
            .average()
            .orElseThrow();
    assertTrue(lines.get(2).contains("  %.4f ± ".formatted(mean)), lines.get(2));
    List<String> names = new ArrayList<>(List.of("history"));
    for (String group : List.of("2x8-relu-random-labels", "7-5-relu-random-labels")) {
      for (String what : List.of("course", "classes", "distance", "loss")) {
        names.add("stiffness-%s-%s".formatted(what, group));
      }
    }
    assertEquals(
        names.stream().flatMap(n -> Stream.of(n + ".png", n + ".svg")).sorted().toList(),
        Arrays.stream(undisturbed.resolve("figures").toFile().list()).sorted().toList());
    String svg =
        Files.readString(
            undisturbed.resolve("figures/stiffness-classes-2x8-relu-random-labels.svg"));
    assertTrue(svg.contains("small, 2×8 ReLU, random labels"));
    assertTrue(svg.contains("before training"));
    assertTrue(svg.contains("end of training (epoch 4)"));
    svg =
        Files.readString(undisturbed.resolve("figures/stiffness-loss-2x8-relu-random-labels.svg"));
    assertTrue(svg.contains("small, 2×8 ReLU, random labels"));
    assertTrue(svg.contains(">rate 0.01<"));
    assertTrue(svg.contains(">critical length ξ<"));
  }

  @Test
  void studiesOfSeveralRatesShowTheCriticalLengthByRateAndStiffnessAgainstLossTogether()
      throws IOException {
    Path folder = temporary.resolve("rates");
    run(
        folder,
        false,
        Progress.NONE,
        "training.learningRates=[0.005,0.01]",
        "networks.shapes=[{\"depth\":2,\"width\":8}]",
        "training.labels=[\"true\"]",
        "measures.stiffness.pairs=[\"train-train\",\"train-test\"]");
    String of = "stiffness-classes-2x8-relu-rate-%s-true-labels-%s.png";
    assertEquals(
        List.of(
            "critical-length-train-test.png",
            "critical-length-train-train.png",
            of.formatted("0.005", "train-test"),
            of.formatted("0.005", "train-train"),
            of.formatted("0.01", "train-test"),
            of.formatted("0.01", "train-train"),
            "stiffness-loss-train-test.png",
            "stiffness-loss-train-train.png"),
        Arrays.stream(folder.resolve("figures").toFile().list())
            .filter(f -> f.matches("(critical|stiffness-classes|stiffness-loss).*png"))
            .sorted()
            .toList());
    String svg = Files.readString(folder.resolve("figures/stiffness-loss-train-test.svg"));
    assertTrue(svg.contains("small, 2×8 ReLU, true labels, train-test"));
    assertTrue(svg.contains(">rate 0.005<") && svg.contains(">rate 0.01<"));
  }

  @Test
  void aClassWithTooFewImagesIsRefusedWithItsNumbers() {
    String message = refusal("measures.stiffness.perClass=14");
    List<String> problems =
        message.lines().filter(l -> l.startsWith("  ")).map(String::strip).toList();
    assertEquals(2, problems.size(), message);
    StudyData data = StudyData.load(load(), shared);
    List<LabelledImages> splits = List.of(data.splits().train(), data.splits().test());
    for (int i = 0; i < 2; i++) {
      LabelledImages images = splits.get(i);
      long fewest =
          IntStream.range(0, 10)
              .mapToLong(c -> IntStream.of(images.labels()).filter(l -> l == c).count())
              .min()
              .orElseThrow();
      assertTrue(
          problems
              .get(i)
              .matches(
                  "measures.stiffness.perClass: expected ≤ %d, the images of class \\d among the %d of %s that are taken, found 14; ask for fewer, or for more images in data.%s"
                      .formatted(fewest, images.count(), images.name(), i == 0 ? "train" : "test")),
          problems.get(i));
    }
    message = refusal("measures.stiffness={}");
    assertTrue(message.contains("found 50, which is taken where nothing is said"), message);
    assertFalse(message.contains("glyphs test"), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"every\":0} | measures.stiffness.every: expected integer ≥ 1 or null, found 0",
        "{\"perClass\":0} | measures.stiffness.perClass: expected integer ≥ 1 or null, found 0",
        "{\"pairs\":[\"train-tset\"]} | did you mean train-test?",
        "{\"pairs\":[]} | measures.stiffness.pairs: expected at least one entry, found 0",
        "{\"pairs\":[\"test-test\",\"Test-Test\"]} | measures.stiffness.pairs[1]: expected no entry twice",
        "{\"distance\":1} | measures.stiffness.distance: expected true or false, found 1",
        "{\"evry\":1} | did you mean every?",
      })
  void whatCannotBeAskedIsRefused(String stiffness, String expected) {
    String message =
        assertThrows(RequestException.class, () -> load("measures.stiffness=" + stiffness))
            .getMessage();
    assertTrue(message.contains(expected), message);
  }

  @Test
  void manyClassesHaveFewerImagesEach() {
    Configuration.Stiffness unsaid = load("measures.stiffness={}").measures().stiffness();
    assertEquals(50, unsaid.imagesOfClass(10));
    assertEquals(30, unsaid.imagesOfClass(100));
    assertEquals(4, load().measures().stiffness().imagesOfClass(100));
    assertNotEquals(load().toJson(), load("measures.stiffness.every=4").toJson());
  }
}
