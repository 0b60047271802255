package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.experiment.Configuration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepConfigurationTest {
  private static List<Object> listed(Factor factor, String json) {
    return Sweeps.load(Sweeps.SMALLEST, "factors." + factor.key() + "=" + json)
        .factors()
        .get(factor)
        .listed();
  }

  @Test
  void rangesAreTheirClosedForms() {
    assertEquals(List.of(7L), listed(Factor.WIDTH, "7"));
    assertEquals(List.of(7L, 3L), listed(Factor.WIDTH, "[7, 3]"));
    assertEquals(List.of(3L, 4L, 5L, 6L), listed(Factor.WIDTH, "{\"linear\": [3, 6]}"));
    assertEquals(List.of(3L, 5L, 7L), listed(Factor.WIDTH, "{\"linear\": [3, 8], \"step\": 2}"));
    assertEquals(
        List.of(10L, 40L, 70L, 100L),
        listed(Factor.WIDTH, "{\"linear\": [10, 100], \"count\": 4}"));
    assertEquals(List.of(1L, 2L, 3L), listed(Factor.WIDTH, "{\"linear\": [1, 3], \"count\": 9}"));
    assertEquals(
        List.of(16L, 32L, 64L, 128L), listed(Factor.WIDTH, "{\"powersOfTwo\": [16, 128]}"));
    assertEquals(
        List.of(1L, 3L, 10L, 32L, 100L), listed(Factor.WIDTH, "{\"log\": [1, 100], \"count\": 5}"));
    assertEquals(
        List.of(0.001, 0.01, 0.1),
        listed(Factor.LEARNING_RATE, "{\"log\": [0.001, 0.1], \"count\": 3}"));
    assertEquals(
        List.of(0.1, 0.2, 0.3),
        listed(Factor.LEARNING_RATE, "{\"linear\":[0.1,0.3],\"step\":0.1}"));
    assertEquals(
        List.of(0.1, 0.15, 0.2),
        listed(Factor.LEARNING_RATE, "{\"linear\":[0.1,0.2],\"count\":3}"));
    assertEquals(
        List.of(0.25, 0.5, 1.0, 2.0), listed(Factor.INIT_SCALE, "{\"powersOfTwo\": [0.25, 2]}"));
    assertEquals(Arrays.asList(100L, null), listed(Factor.TRAIN, "[100, null]"));
  }

  private static double[] drawn(Factor factor, String json, int draws) {
    FactorValues values =
        Sweeps.load(
                Sweeps.SMALLEST,
                "factors." + factor.key() + "=" + json,
                "sampling={\"method\":\"random\",\"settings\":1}")
            .factors()
            .get(factor);
    return IntStream.range(0, draws)
        .mapToDouble(i -> ((Number) values.drawn((i + 0.5) / draws)).doubleValue())
        .toArray();
  }

  /** At equidistant quantiles, which leave no room for chance. */
  @Test
  void drawsHaveTheirDistributions() {
    double[] uniform = drawn(Factor.LEARNING_RATE, "{\"uniform\":[0.2,0.6]}", 1000);
    assertEquals(0.4, Arrays.stream(uniform).average().orElseThrow(), 1e-5);
    assertEquals(0.2, uniform[0], 1e-3);
    assertEquals(0.6, uniform[999], 1e-3);

    double[] log = drawn(Factor.LEARNING_RATE, "{\"logUniform\":[0.001,0.1]}", 1000);
    assertEquals(0.01, (log[499] + log[500]) / 2, 1e-5);
    assertEquals(250, Arrays.stream(log).filter(v -> v < Math.pow(10, -2.5)).count());

    double[] normal = drawn(Factor.INIT_SCALE, "{\"normal\":[5,0.5]}", 1001);
    assertEquals(5, normal[500], 1e-9);
    assertEquals(
        0.25, Arrays.stream(normal).map(v -> (v - 5) * (v - 5)).average().orElseThrow(), 0.003);

    double[] dice = drawn(Factor.WIDTH, "{\"uniform\":[1,6]}", 600);
    for (int face = 1; face <= 6; face++) {
      double expected = face;
      assertEquals(100, Arrays.stream(dice).filter(v -> v == expected).count(), "face " + face);
    }
    double[] widths = drawn(Factor.WIDTH, "{\"logUniform\":[1,3]}", 100_000);
    for (int width = 1; width <= 3; width++) {
      double expected = width;
      double share = Math.log((width + 0.5) / (width - 0.5)) / Math.log(3.5 / 0.5);
      assertEquals(share * 100_000, Arrays.stream(widths).filter(v -> v == expected).count(), 1.01);
    }
  }

  @Test
  void drawsThatAFactorCantTakeAreNone() {
    FactorValues width =
        Sweeps.load(
                Sweeps.SMALLEST,
                "factors.width={\"normal\":[2,5]}",
                "sampling={\"method\":\"random\",\"settings\":50}")
            .factors()
            .get(Factor.WIDTH);
    assertNull(width.drawn(0.1));
    assertEquals(2L, width.drawn(0.5));
  }

  /** Tables of the normal distribution. */
  @ParameterizedTest
  @CsvSource({
    "0.5, 0",
    "0.975, 1.959963984540054",
    "0.001, -3.090232306167813",
    "1e-10, -6.361340902404056",
    "0.999999, 4.753424308822899"
  })
  void quantilesOfTheNormalDistribution(double p, double expected) {
    assertEquals(expected, NormalQuantile.of(p), 1e-9);
  }

  @Test
  void defaultsAreThoseOfStudies() {
    SweepConfiguration sweep = Sweeps.load(Sweeps.SMALLEST);
    Configuration network = SweepPlan.of(sweep, Sweeps.WORKSHOP).configuration(0);
    assertEquals(
        """
        {"title":"t","seed":1,"data":{"dataset":"glyphs","train":null,"validation":0,"test":null,\
        "crop":null},"networks":{"shapes":[{"depth":2,"width":8}],"activations":["ReLU"],\
        "biases":false,"initScales":[1.0],"seeds":[1]},"training":{"optimizer":"Momentum",\
        "learningRates":[0.1],"batchSize":256,"labels":["true"],"augmentations":["none"],\
        "decayFactor":0.1,"decayEpochs":500,"stop":{"epochs":100,"steps":null,\
        "trainAccuracy":1.0},"checkpointSeconds":60},"measures":{"jacobian":{"split":"test",\
        "count":null},"logitJacobian":null,"trajectories":[],"regions":[]}}""",
        network.toJson().replaceAll("\\s", ""));
  }

  private static final String FULL =
      """
      {"title": "full", "seed": 9,
       "data": {"train": 100, "validation": 10, "test": 50, "crop": 20},
       "training": {"decayFactor": 0.5, "decayEpochs": 3, "checkpointSeconds": 5,
         "stop": {"epochs": 3, "steps": 77, "trainAccuracy": null}},
       "measures": {"jacobian": null, "logitJacobian": {"split": "train"},
         "trajectories": [{"kind": "through", "anchors": "sameClass", "bins": 5}]},
       "factors": {"dataset": "glyphs", "depth": [2, 3], "width": {"normal": [20, 3]},
         "learningRate": {"logUniform": [0.001, 0.1]}, "batchSize": {"log": [8, 64], "count": 3},
         "activation": "tanh", "labels": ["True", "random"], "seed": {"linear": [3, 4]}},
       "sampling": {"method": "sobol", "settings": 12, "seed": 4},
       "constraints": ["depth < 9"],
       "pairs": [{"name": "a", "left": {"initScale": 1}, "right": {"initScale": 2, "crop": null}}]}
      """;

  @Test
  void resolvedSweepLoadsToAnEqualOne() {
    for (String json : List.of(Sweeps.SMALLEST, FULL)) {
      SweepConfiguration sweep = Sweeps.load(json);
      assertEquals(sweep, Sweeps.load(sweep.toJson()));
      assertEquals(sweep.toJson(), Sweeps.load(sweep.toJson()).toJson());
    }
  }

  @Test
  void sectionsAndFactorsSayTheSame() {
    SweepConfiguration sections = Sweeps.load(FULL);
    SweepConfiguration factors =
        Sweeps.load(
            FULL.replace("\"train\": 100,", "")
                .replace("\"steps\": 77,", "")
                .replace("\"dataset\"", "\"train\": 100, \"steps\": 77, \"dataset\""));
    assertEquals(sections, factors);
  }

  @Test
  void identityDoesNotDependOnHowAFileIsWritten() {
    SweepPlan plan = Sweeps.plan(FULL);
    SweepPlan same =
        SweepPlan.of(
            Sweeps.load(Sweeps.load(FULL).toJson().replaceAll("\\s+", " "), "title=another"),
            Sweeps.WORKSHOP);
    for (int i = 0; i < plan.networks(); i++) {
      assertEquals(plan.identity(i), same.identity(i));
    }
    String written =
        """
        {"factors": {"learningRate": 1e-1, "width": 8.0, "depth": 2, "dataset": "glyphs",
         "batchSize": 256, "labels": ["TRUE"], "optimizer": "momentum"}, "data": {"validation": 0},
         "training": {"checkpointSeconds": 0}, "title": "another"}
        """;
    assertEquals(Sweeps.plan(Sweeps.SMALLEST).identity(0), Sweeps.plan(written).identity(0));
  }

  /** Results of earlier versions are found by it. */
  @Test
  void identitiesStayWhatTheyAre() {
    SweepPlan plan = Sweeps.plan(Sweeps.SMALLEST);
    assertEquals(
        "3cfe2ce626bf6931df805d0230bf4980 2a91c23a3738bcdc32376b1bcdadbe04",
        plan.identity(0) + " " + plan.setting(0));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "seed=2",
        "data.train=1000",
        "data.validation=1",
        "data.test=9999",
        "data.crop=24",
        "training.stop.epochs=99",
        "training.stop.steps=5",
        "training.stop.trainAccuracy=null",
        "training.decayFactor=0.2",
        "training.decayEpochs=501",
        "measures.jacobian=null",
        "measures.jacobian.count=9999",
        "measures.logitJacobian={}",
        "measures.trajectories=[{\"kind\":\"random\"}]",
        "factors.dataset=mnist",
        "factors.depth=3",
        "factors.width=9",
        "factors.activation=Tanh",
        "factors.biases=true",
        "factors.initScale=1.0000000000000002",
        "factors.seed=2",
        "factors.optimizer=SGD",
        "factors.learningRate=0.2",
        "factors.batchSize=255",
        "factors.labels=random",
        "factors.augmentation=translateFlip"
      })
  void identityChangesWithAnythingThatResultsDependOn(String change) {
    SweepPlan plan = Sweeps.plan(Sweeps.SMALLEST);
    SweepPlan changed = Sweeps.plan(Sweeps.SMALLEST, change);
    assertTrue(!plan.identity(0).equals(changed.identity(0)), change);
    assertEquals(
        change.equals("factors.seed=2"), plan.setting(0).equals(changed.setting(0)), change);
  }

  @Test
  void everyProblemIsReportedWithItsPath() {
    String refusal =
        assertThrows(
                RequestException.class,
                () ->
                    Sweeps.load(
                        """
                        {"titel": "x", "seed": -1,
                         "data": {"dataset": "glyphs", "train": 100, "validation": -1},
                         "training": {"stop": {"epochs": 0, "trainAccuracy": 2}, "batchSize": 3},
                         "measures": {"jacobian": {"count": 0}, "regions": [{}]},
                         "factors": {"dataset": 5, "train": [10], "depth": [2, 1], "width": [],
                           "activation": {"linear": [1, 2]}, "initScale": {"linear": [1, 2]},
                           "learningRate": {"uniform": [0.1, 0.2]},
                           "batchSize": {"log": [64, 8], "count": 3},
                           "seed": {"uniform": [1, 5]}, "labels": ["true", "false", "true"],
                           "decayEpochs": {"powersOfTwo": [3, 8]}, "epochs": {"triangle": [1, 2]},
                           "steps": {"linear": [1, 9], "step": 2, "count": 2},
                           "rate": 3, "crop": {"linear": [null, 3]}},
                         "sampling": {"settings": 5, "method": "grid"},
                         "constraints": ["depht > 3", "depth >", 7, "seed > 1"],
                         "pairs": [
                           {"name": "a", "left": {"seed": 1}, "right": {"width": [1, 2]}},
                           {"name": "a", "left": {"depth": 2}, "right": {"depth": 2}},
                           {"left": {"colour": 1}, "right": {"biases": true}}]}
                        """))
            .getMessage();
    List<String> found =
        refusal.lines().filter(l -> l.startsWith("  ")).map(String::strip).toList();
    for (String problem :
        List.of(
            "titel: unknown key; did you mean title?",
            "title: expected text, found nothing",
            "seed: expected ≥ 0, found -1",
            "data.dataset: unknown key; known are train, validation, test, crop",
            "data.train: expected only without factors.train, found 100",
            "data.validation: expected ≥ 0, found -1",
            "training.batchSize: unknown key; known are decayFactor, decayEpochs, stop,"
                + " checkpointSeconds",
            "training.stop.epochs: expected only without factors.epochs, found 0",
            "training.stop.trainAccuracy: expected number > 0 and ≤ 1 or null, found 2",
            "measures.jacobian.count: expected integer ≥ 1 or null, found 0",
            "measures.regions: expected none in a sweep, found"
                + " [{\"anchors\":\"differentClasses\",\"seed\":1,\"size\":1024,\"layer\":…",
            "factors.rate: unknown key; known are dataset, train, crop, depth, width, activation,"
                + " biases, initScale, seed, optimizer, learningRate, batchSize, labels,"
                + " augmentation, decayFactor, decayEpochs, epochs, steps, trainAccuracy, shape",
            "factors.dataset: expected text, found 5",
            "factors.crop.linear: expected two numbers, found [null,3]",
            "factors.depth[1]: expected ≥ 2, found 1",
            "factors.width: expected at least one entry, found 0",
            "factors.activation: expected \"ReLU\" or \"ReLU6\" or \"HardTanh\" or \"HardSigmoid\" or"
                + " \"Tanh\", found {\"linear\":[1,2]}",
            "factors.initScale.step: expected number > 0, found nothing",
            "factors.seed: expected a list or a range, as seeds are not drawn, found"
                + " {\"uniform\":[1,5]}",
            "factors.learningRate: expected a list or a range, as nothing is drawn for a grid, found"
                + " {\"uniform\":[0.1,0.2]}",
            "factors.batchSize.log: expected the smaller number first, found [64,8]",
            "factors.labels[1]: expected \"true\" or \"random\", found \"false\"",
            "factors.labels[2]: expected no entry twice, found \"true\", as in factors.labels[0]",
            "factors.decayEpochs.powersOfTwo: expected powers of two, found [3,8]",
            "factors.epochs: expected one of linear, log, powersOfTwo, uniform, logUniform, normal,"
                + " found {\"triangle\":[1,2]}",
            "factors.steps.step: expected only without count, found 2",
            "sampling.settings: expected only with method random or sobol, found 5",
            "constraints[2]: expected text, found 7",
            "pairs[0].left.seed: unknown key; known are dataset, train, crop, depth, width,"
                + " activation, biases, initScale, optimizer, learningRate, batchSize, labels,"
                + " augmentation, decayFactor, decayEpochs, epochs, steps, trainAccuracy, shape",
            "pairs[0].left: expected at least one factor, found {}",
            "pairs[0].right.width: expected integer ≥ 1, found [1,2]",
            "pairs[1].right: expected another side than left, found {\"depth\":2}",
            "pairs[2].name: expected text, found nothing",
            "pairs[2].left: expected at least one factor, found {}")) {
      assertTrue(found.contains(problem), () -> problem + "\nnot in\n" + refusal);
    }
    for (String begin :
        List.of(
            "constraints[0]: condition: unknown variable 'depht'",
            "constraints[1]: condition",
            "constraints[3]: condition: unknown variable 'seed'")) {
      assertTrue(found.stream().anyMatch(p -> p.startsWith(begin)), () -> begin + "\n" + refusal);
    }
  }

  @Test
  void pairsHaveNamesOfTheirOwn() {
    String pair = "{\"name\":\"a\",\"left\":{\"depth\":2},\"right\":{\"depth\":3}}";
    String refusal =
        Sweeps.refusal(Sweeps.SMALLEST, "pairs=[" + pair + "," + pair.replace("3", "4") + "]");
    assertTrue(refusal.contains("pairs[1]: expected no entry twice"), refusal);
  }

  @Test
  void drawingNeedsItsSettings() {
    assertTrue(
        Sweeps.refusal(Sweeps.SMALLEST, "sampling.method=Sobol")
            .contains("sampling.settings: expected integer from 1 to 10000000, found nothing"));
  }
}
