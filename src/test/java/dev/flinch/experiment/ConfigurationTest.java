package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration.Anchors;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Optimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ConfigurationTest {
  private static final String SMALLEST =
      """
      {"title": "t", "data": {"dataset": "glyphs"},
       "networks": {"shapes": [{"depth": 2, "width": 8}]}, "training": {"learningRates": [0.1]}}
      """;

  @TempDir Path folder;

  private Configuration load(String json, String... overrides) {
    Path file = folder.resolve("study.json");
    try {
      Files.writeString(file, json);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return Configuration.load(file, List.of(overrides));
  }

  private String refusal(String json, String... overrides) {
    return assertThrows(RequestException.class, () -> load(json, overrides)).getMessage();
  }

  private static List<String> problems(String refusal) {
    return refusal.lines().filter(l -> l.startsWith("  ")).map(String::strip).toList();
  }

  static List<Path> shippedFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("configs"))) {
      return files
          .filter(f -> f.toString().endsWith(".json"))
          .filter(f -> !isSweep(f))
          .collect(Collectors.toList());
    }
  }

  private static boolean isSweep(Path file) {
    try {
      return Files.readString(file).contains("\"factors\"");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @MethodSource("shippedFiles")
  void everyShippedConfigurationLoads(Path file) {
    assertFalse(Configuration.load(file, List.of()).replicas().isEmpty());
  }

  /** So that runs and sweeps of before go on, and networks keep their identities. */
  @Test
  void aConfigurationWithoutStiffnessIsWrittenAsBeforeThereWasAny() {
    Configuration study = load(SMALLEST);
    assertNull(study.measures().stiffness());
    assertFalse(study.toJson().contains("stiffness"), study.toJson());
    Configuration asked = load(SMALLEST, "measures.stiffness={}");
    assertNull(asked.measures().stiffness().every());
    assertEquals(List.of(Pairs.TRAIN_TRAIN), asked.measures().stiffness().pairs());
    assertTrue(asked.measures().stiffness().distance());
    assertEquals(asked, load(asked.toJson()));
    assertEquals(asked, Configuration.ofJson(asked.toJson()));
  }

  @Test
  void exampleOfTheReferenceLoads() {
    assertEquals(24, load(ConfigurationReference.EXAMPLE).replicas().size());
  }

  @Test
  void defaultsAreThoseOfTheDefinitions() {
    Configuration study = load(SMALLEST);
    assertNull(study.data().train());
    assertEquals(List.of(Activation.RELU), study.networks().activations());
    assertFalse(study.networks().biases());
    assertEquals(List.of(Augmentation.NONE), study.training().augmentations());
    assertEquals(0.1, study.training().decayFactor());
    assertEquals(500, study.training().decayEpochs());
    assertEquals(Configuration.Split.TEST, study.measures().jacobian().split());
    assertNull(study.measures().logitJacobian());
    assertEquals(1, study.replicas().size());
  }

  @ParameterizedTest
  @MethodSource("shippedFiles")
  void resolvedConfigurationLoadsToAnEqualOne(Path file) {
    Configuration study = Configuration.load(file, List.of());
    assertEquals(study, load(study.toJson()));
    assertEquals(study.toJson(), load(study.toJson()).toJson());
  }

  @Test
  void everyKindOfTrajectoryAndShapeSurvivesResolving() {
    Configuration study =
        load(
            SMALLEST,
            "networks.shapes=[{\"hidden\":[5,3]},{\"hidden\":[4,4]}]",
            "measures.jacobian=null",
            "measures.logitJacobian={}",
            "measures.trajectories=[{\"kind\":\"through\",\"anchors\":[3,1,2]},"
                + "{\"kind\":\"through\",\"anchors\":\"sameClass\",\"seed\":9},"
                + "{\"kind\":\"random\"},{\"kind\":\"translation\",\"image\":4}]");
    assertEquals(study, load(study.toJson()));
    assertEquals(
        new Anchors(null, List.of(3, 1, 2)), study.measures().trajectories().get(0).anchors());
    assertNull(study.measures().trajectories().get(0).seed());
    assertEquals(9, study.measures().trajectories().get(1).seed());
    assertEquals(1 << 20, study.measures().trajectories().get(2).points());
    assertEquals(4, study.measures().trajectories().get(3).image());
    assertNull(study.measures().jacobian());
    assertTrue(study.toJson().contains("\"depth\" : 3"), study.toJson());
  }

  @Test
  void everyWayToNameLayersAndAnchorsOfRegionsSurvivesResolving() {
    Configuration study =
        load(
            SMALLEST,
            "networks.shapes=[{\"depth\":3,\"width\":8}]",
            "networks.seeds=[1,2]",
            "measures.regions=[{},{\"anchors\":\"sameClass\",\"seed\":9,\"layer\":\"ALL\"},"
                + "{\"anchors\":[3,1,2],\"layer\":2,\"size\":16,\"before\":false,\"networks\":2}]");
    assertEquals(study, load(study.toJson()));
    List<Configuration.Regions> regions = study.measures().regions();
    assertEquals(
        new Configuration.Regions(
            new Anchors(Anchors.Drawn.DIFFERENT_CLASSES, null),
            1L,
            1024,
            new Configuration.Layer(Configuration.Layers.LAST, null),
            true,
            1),
        regions.get(0));
    assertEquals(9, regions.get(1).seed());
    assertEquals(
        List.of("last", "all", "2"), regions.stream().map(r -> r.layer().toString()).toList());
    assertNull(regions.get(2).seed());
    assertEquals(List.of(), load(SMALLEST).measures().regions());
  }

  @Test
  void regionsThatNoNetworkHasAreRefused() {
    assertEquals(
        List.of(
            "networks.shapes[1].depth: expected ≥ 2, found 1",
            "measures.regions[0].seed: expected only with drawn anchors, found 2",
            "measures.regions[1].anchors[2]: expected no entry twice, found 1, as in"
                + " measures.regions[1].anchors[0]",
            "measures.regions[2].size: expected ≥ 16, found 15",
            "measures.regions[2].layer: expected \"last\" or \"all\" or integer ≥ 1, found"
                + " \"first\"",
            "measures.regions[3].layer: expected \"last\" or \"all\" or integer ≥ 1, found 0"),
        problems(
            refusal(
                SMALLEST,
                "networks.shapes.1={\"depth\":1,\"width\":8}",
                "measures.regions=[{\"anchors\":[1,2,3],\"seed\":2},{\"anchors\":[1,2,1]},"
                    + "{\"size\":15,\"layer\":\"first\"},{\"layer\":0}]")));
    assertEquals(
        List.of(
            "measures.regions[0].layer: expected ≤ 1, the hidden layers of networks.shapes[0],"
                + " found 2",
            "measures.regions[0].networks: expected ≤ 1, the number of networks.seeds, found 3"),
        problems(
            refusal(
                SMALLEST,
                "networks.shapes.1={\"hidden\":[5,3]}",
                "measures.regions=[{\"layer\":2,\"networks\":3}]")));
  }

  @Test
  void allProblemsAreReportedAtOnceEachWithItsPath() {
    String refusal =
        refusal(
            """
            {
              "titel": "x",
              "seed": -1,
              "data": {"dataset": "glyphs", "train": 100, "test": "all", "crop": 0},
              "networks": {
                "shapes": [{"depth": 1, "width": 0}, {"depth": 3, "hidden": [4]}, {}, 7],
                "activations": ["relux"],
                "initScales": [],
                "seeds": [1, 2.5, 1]
              },
              "training": {
                "learningRates": [0.1, -0.1, "0.2"],
                "learningRate": 1,
                "batchSize": 256,
                "stop": {"epochs": null, "trainAccuracy": 1.5}
              },
              "measures": {
                "jacobian": {"split": "train", "count": 101},
                "trajectories": [
                  {"kind": "through", "anchors": [1, 1, 2, 3], "points": 0},
                  {"kind": "random", "image": 3, "points": 10},
                  {"kind": "through", "anchors": 5}
                ]
              }
            }
            """);
    assertTrue(refusal.startsWith(folder.resolve("study.json") + ": 28 problems\n"), refusal);
    assertEquals(
        List.of(
            "titel: unknown key; did you mean title?",
            "title: expected text, found nothing",
            "seed: expected ≥ 0, found -1",
            "data.test: expected integer ≥ 1 or null, found \"all\"",
            "data.crop: expected integer ≥ 1 or null, found 0",
            "networks.shapes[0].depth: expected ≥ 2, found 1",
            "networks.shapes[0].width: expected ≥ 1, found 0",
            "networks.shapes[1].depth: expected only without hidden and convolutions, found 3",
            "networks.shapes[2].depth: expected integer from 2 to 10000, found nothing",
            "networks.shapes[2].width: expected integer ≥ 1, found nothing",
            "networks.shapes[3]: expected object, found 7",
            "networks.activations[0]: expected \"ReLU\" or \"ReLU6\" or \"HardTanh\" or"
                + " \"HardSigmoid\" or \"Tanh\", found \"relux\"; did you mean ReLU?",
            "networks.initScales: expected at least one entry, found 0",
            "networks.seeds[1]: expected integer ≥ 0, found 2.5",
            "networks.seeds[2]: expected no entry twice, found 1, as in networks.seeds[0]",
            "training.learningRate: unknown key; did you mean learningRates?",
            "training.learningRates[1]: expected > 0, found -0.1",
            "training.learningRates[2]: expected number > 0, found \"0.2\"",
            "training.stop.trainAccuracy: expected number > 0 and ≤ 1 or null, found 1.5",
            "training.stop: expected a limit in epochs or steps, found neither",
            "measures.trajectories[0].anchors: expected 3 entries, found 4",
            "measures.trajectories[0].anchors[1]: expected no entry twice, found 1, as in"
                + " measures.trajectories[0].anchors[0]",
            "measures.trajectories[0].points: expected ≥ 1, found 0",
            "measures.trajectories[1].image: expected only with kind translation, found 3",
            "measures.trajectories[1].bins: expected ≤ points, 10, found 60",
            "measures.trajectories[2].anchors: expected \"sameClass\" or \"differentClasses\" or"
                + " list of 3, each integer ≥ 0, found 5",
            "training.batchSize: expected ≤ data.train, 100, found 256",
            "measures.jacobian.count: expected ≤ data.train, 100, found 101"),
        problems(refusal));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          {"title": "x",\\n "data" 3}      | line 2, column
          {"title": "x", "title": "y"}     | Duplicate field 'title'
          {"title": "x"} {}                | Trailing token
          {"title": "x"                    | line 1, column
          [1, 2]                           | expected object, found [1,2]
          ''                               | expected object
          """)
  void malformedJsonIsRefusedWithItsPlace(String json, String expected) {
    String refusal = refusal(json.replace("\\n", "\n"));
    assertTrue(refusal.contains(expected), refusal);
    assertTrue(refusal.startsWith(folder.resolve("study.json").toString()), refusal);
  }

  @Test
  void missingFilesAndFoldersAreRefused() {
    Path missing = folder.resolve("none.json");
    assertTrue(
        assertThrows(RequestException.class, () -> Configuration.load(missing, List.of()))
            .getMessage()
            .startsWith(missing + ": no such file"));
    assertTrue(
        assertThrows(RequestException.class, () -> Configuration.load(folder, List.of()))
            .getMessage()
            .startsWith(folder + ": not a file"));
  }

  @Test
  void overridesGoBeforeTheFile() {
    Configuration study =
        load(
            SMALLEST,
            "title=Two words = one",
            "training.optimizer=adam",
            "training.stop.steps=5",
            "networks.shapes[0].width=16",
            "networks.shapes.1={\"depth\":3,\"width\":7}",
            "networks.seeds=[4,5]",
            "networks.seeds[2]=6",
            "measures.logitJacobian.count=3");
    assertEquals("Two words = one", study.title());
    assertEquals(Optimizer.ADAM, study.training().optimizer());
    assertEquals(new Configuration.Stop(100, 5L, 1.0), study.training().stop());
    assertEquals(
        List.of(new Shape(List.of(16)), new Shape(List.of(7, 7))), study.networks().shapes());
    assertEquals(List.of(4L, 5L, 6L), study.networks().seeds());
    assertEquals(3, study.measures().logitJacobian().count());
  }

  @Test
  void wrongOverridesAreReportedWithTheRest() {
    assertEquals(
        List.of(
            "--set seed: expected key=value, such as seed=7",
            "--set networks.shapes[3].depth: expected a key, or an index up to the length of its"
                + " list, found no such place",
            "--set title.sub: expected a key, or an index up to the length of its list, found no"
                + " such place",
            "networks.dropout: unknown key; known are shapes, activations, biases, initScales,"
                + " seeds",
            "training.optimiser: unknown key; did you mean optimizer?",
            "training.batchSize: expected integer ≥ 1, found \"many\""),
        problems(
            refusal(
                SMALLEST,
                "seed",
                "networks.shapes[3].depth=2",
                "title.sub=1",
                "training.optimiser=SGD",
                "networks.dropout=0.5",
                "training.batchSize=many")));
  }

  @Test
  void equalShapesInDifferentWordsAreRepeated() {
    String refusal = refusal(SMALLEST, "networks.shapes.1={\"hidden\":[8]}");
    assertTrue(refusal.contains("networks.shapes[1]: expected no entry twice"), refusal);
  }

  private static final String CONVOLUTIONS =
      "networks.shapes.0={\"convolutions\":[{\"channels\":16},{\"channels\":32,\"kernel\":5,\"pool\":1}]%s}";

  @Test
  void shapesMayBeginWithConvolutions() {
    Configuration study =
        load(
            SMALLEST,
            CONVOLUTIONS.formatted(""),
            "networks.shapes.1={\"convolutions\":[{\"channels\":3,\"pool\":4}],\"hidden\":[9,7]}",
            "networks.seeds=[1,2]");
    assertEquals(
        List.of(
            new Shape(List.of(new Convolution(16, 3, 2), new Convolution(32, 5, 1)), List.of()),
            new Shape(List.of(new Convolution(3, 3, 4)), List.of(9, 7))),
        study.networks().shapes());
    assertEquals(
        List.of("conv16_32k5p1-s1", "conv16_32k5p1-s2", "conv3p4-9_7-s1", "conv3p4-9_7-s2"),
        study.replicas().stream().map(Replica::id).toList());
    assertEquals(2, study.stacks().size());
    assertEquals(
        Architecture.convolutional(
            new ImageShape(1, 28, 28),
            List.of(new Convolution(3, 3, 4)),
            List.of(9, 7, 10),
            Activation.RELU,
            false),
        study.stacks().get(1).architecture(new ImageShape(1, 28, 28), 10));
    assertEquals(study, load(study.toJson()));
    assertEquals(study, Configuration.ofJson(study.toJson()));
    assertEquals(
        "conv16_32_32-s1",
        load(
                SMALLEST,
                "networks.shapes=[{\"convolutions\":[{\"channels\":16},{\"channels\":32},{\"channels\":32}]}]")
            .replicas()
            .get(0)
            .id());
  }

  @Test
  void impossibleConvolutionsAreRefused() {
    assertEquals(
        List.of(
            "networks.shapes[0].convolutions[0].channels: expected ≥ 1, found 0",
            "networks.shapes[0].convolutions[0].pool: expected ≥ 1, found 0",
            "networks.shapes[0].convolutions[0].kernel: expected odd, found 4",
            "networks.shapes[0].convolutions[1].channels: expected integer ≥ 1, found nothing"),
        problems(
            refusal(
                SMALLEST,
                "networks.shapes=[{\"convolutions\":[{\"channels\":0,\"kernel\":4,\"pool\":0},{}]}]")));
    assertEquals(
        List.of("networks.shapes[0].convolutions: expected at least one entry, found 0"),
        problems(refusal(SMALLEST, "networks.shapes=[{\"convolutions\":[]}]")));
    assertEquals(
        List.of("networks.shapes[0].hidden: expected at least one entry, found 0"),
        problems(refusal(SMALLEST, "networks.shapes=[{\"hidden\":[]}]")));
    assertEquals(
        List.of(
            "networks.shapes[0].depth: expected only without hidden and convolutions, found 3",
            "networks.shapes[0].width: expected only without hidden and convolutions, found 8"),
        problems(refusal(SMALLEST, CONVOLUTIONS.formatted(",\"depth\":3,\"width\":8"))));
  }

  @Test
  void exactWalksAndMissingLayersOfConvolutionsAreRefused() {
    assertEquals(
        List.of(
            "measures.trajectories[1].method: expected \"auto\" or \"sampled\" with"
                + " networks.shapes[0], which has convolutions, found \"exact\"",
            "measures.regions[0].layer: expected ≤ 3, the hidden layers of networks.shapes[0], found"
                + " 4"),
        problems(
            refusal(
                SMALLEST,
                CONVOLUTIONS.formatted(",\"hidden\":[5]"),
                "measures.trajectories=[{\"kind\":\"random\"},{\"kind\":\"random\",\"method\":\"exact\"}]",
                "measures.regions=[{\"layer\":4}]")));
  }

  @Test
  void numbersBeyondTheirRangeAreRefusedNotWrapped() {
    assertEquals(
        List.of(
            "seed: expected ≤ 9223372036854775807, found 9223372036854775808",
            "training.learningRates[0]: expected number > 0, found Infinity",
            "training.batchSize: expected ≤ 2147483647, found 2147483648"),
        problems(
            refusal(
                SMALLEST,
                "seed=9223372036854775808",
                "training.learningRates[0]=1e999",
                "training.batchSize=2147483648")));
  }

  @Test
  void replicasAreTheCrossProductWithUniqueNames() {
    Configuration study =
        load(
            SMALLEST,
            "networks.shapes=[{\"depth\":2,\"width\":8},{\"hidden\":[5,3]}]",
            "networks.activations=[\"ReLU\",\"Tanh\"]",
            "networks.initScales=[0.5,1,10]",
            "training.learningRates=[0.005,0.0125]",
            "training.labels=[\"true\",\"random\"]",
            "networks.seeds=[0,7]");
    List<Replica> replicas = study.replicas();
    assertEquals(2 * 2 * 3 * 2 * 2 * 2, replicas.size());
    assertEquals("2x8-relu-i5e-1-lr5e-3-true-s0", replicas.get(0).id());
    assertEquals("2x8-relu-i5e-1-lr5e-3-true-s7", replicas.get(1).id());
    assertEquals("5_3-tanh-i1e1-lr125e-4-random-s7", replicas.get(95).id());
    assertEquals(Labels.RANDOM, replicas.get(95).labels());
    assertEquals(0.0125, replicas.get(95).learningRate());
    List<String> ids = replicas.stream().map(Replica::id).toList();
    assertEquals(ids.size(), new HashSet<>(ids).size());
    assertTrue(ids.stream().allMatch(id -> id.matches("[a-z0-9_-]+")), ids.toString());
  }

  private static final String LBFGS =
      SMALLEST.replace("{\"learningRates\": [0.1]}", "{\"optimizer\": \"L-BFGS\"}");

  @Test
  void lbfgsHasNoLearningRatesNoBatchesAndNoDecay() {
    Configuration study = load(LBFGS, "networks.seeds=[1,2]");
    Configuration.Training training = study.training();
    assertEquals(Optimizer.LBFGS, training.optimizer());
    assertEquals(List.of(), training.learningRates());
    assertNull(training.batchSize());
    assertNull(training.decayFactor());
    assertNull(training.decayEpochs());
    List<Replica> replicas = study.replicas();
    assertEquals(List.of("2x8-s1", "2x8-s2"), replicas.stream().map(Replica::id).toList());
    assertNull(replicas.get(0).learningRate());
    for (String absent : List.of("learningRates", "batchSize", "decayFactor", "decayEpochs")) {
      assertFalse(study.toJson().contains(absent), study.toJson());
    }
    assertEquals(study, load(study.toJson()));
    assertEquals(
        new Configuration.Stop(null, null, 1.0),
        load(LBFGS, "training.stop.epochs=null").training().stop());
  }

  @Test
  void whatLbfgsHasNoUseForIsRefused() {
    assertEquals(
        List.of(
            "training.learningRates: expected only without optimizer L-BFGS, found [0.1]",
            "training.batchSize: expected only without optimizer L-BFGS, found 32",
            "training.decayFactor: expected only without optimizer L-BFGS, found 0.5",
            "training.decayEpochs: expected only without optimizer L-BFGS, found 7",
            "training.augmentations[1]: expected \"none\" with optimizer L-BFGS, whose batch is all"
                + " images as they are, found \"translateFlip\""),
        problems(
            refusal(
                SMALLEST,
                "training.optimizer=l-bfgs",
                "training.batchSize=32",
                "training.decayFactor=0.5",
                "training.decayEpochs=7",
                "training.augmentations=[\"none\",\"translateFlip\"]")));
  }

  @Test
  void networksWithAugmentationStandBesideThoseWithoutWhoseNamesStay() {
    Configuration study =
        load(
            SMALLEST,
            "training.labels=[\"true\",\"random\"]",
            "training.augmentations=[\"none\",\"translateFlip\",\"translateflipturn\"]",
            "networks.seeds=[1,2]");
    assertEquals(
        List.of(
            "2x8-true-s1",
            "2x8-true-s2",
            "2x8-true-translateflip-s1",
            "2x8-true-translateflip-s2",
            "2x8-true-translateflipturn-s1",
            "2x8-true-translateflipturn-s2",
            "2x8-random-s1"),
        study.replicas().stream().map(Replica::id).limit(7).toList());
    assertEquals(Augmentation.NONE, study.replicas().get(1).augmentation());
    assertEquals(Augmentation.TRANSLATE_FLIP_TURN, study.replicas().get(4).augmentation());
    assertEquals(1, study.stacks().size());
    assertEquals(study, load(study.toJson()));
    assertEquals(
        "2x8-translateflip-s1",
        load(SMALLEST, "training.augmentations=[\"translateFlip\"]").replicas().get(0).id());
    assertEquals(
        List.of(
            "training.augmentations[0]: expected \"none\" or \"translateFlip\" or"
                + " \"translateFlipTurn\", found \"flip\""),
        problems(refusal(SMALLEST, "training.augmentations=[\"flip\"]")));
  }

  @Test
  void namesHoldNoFactorOfOneValue() {
    assertEquals("2x8-s1", load(SMALLEST).replicas().get(0).id());
  }

  @Test
  void stacksHoldOneArchitectureEachAndEveryReplicaOnce() {
    Configuration study =
        load(
            SMALLEST,
            "networks.shapes=[{\"depth\":2,\"width\":8},{\"depth\":3,\"width\":8}]",
            "training.labels=[\"true\",\"random\"]",
            "networks.seeds=[1,2,3]");
    List<Stack> stacks = study.stacks();
    assertEquals(2, stacks.size());
    assertEquals(
        Architecture.uniform(784, 3, 8, 10, Activation.RELU),
        stacks.get(1).architecture(new ImageShape(1, 28, 28), 10));
    assertEquals(study.replicas(), stacks.stream().flatMap(s -> s.replicas().stream()).toList());
  }

  @Test
  void longListsOfWidthsKeepNamesShort() {
    String widths =
        Stream.iterate(1, i -> i + 1)
            .limit(65)
            .map(String::valueOf)
            .collect(Collectors.joining(","));
    assertEquals(
        "shape1-s1",
        load(SMALLEST, "networks.shapes.1={\"hidden\":[" + widths + "]}").replicas().get(1).id());
  }
}
