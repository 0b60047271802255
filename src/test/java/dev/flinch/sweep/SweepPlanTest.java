package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Replica;
import dev.flinch.experiment.StackWork;
import dev.flinch.network.Architecture;
import dev.flinch.store.Pair;
import dev.flinch.store.PlannedStack;
import dev.flinch.training.Optimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SweepPlanTest {
  private static final String VARIED =
      """
      {"title": "varied", "seed": 3,
       "data": {"train": 500, "validation": 20, "test": 100},
       "training": {"stop": {"epochs": 7, "trainAccuracy": 0.9}},
       "measures": {"jacobian": {"count": 50}, "trajectories": [{"kind": "random", "points": 64}]},
       "factors": {
         "dataset": ["glyphs", "mnist"], "depth": [2, 4], "width": {"powersOfTwo": [8, 32]},
         "activation": ["ReLU", "Tanh"], "initScale": [1, 0.5],
         "learningRate": {"log": [0.001, 0.1], "count": 3}, "optimizer": ["Momentum", "Adam"],
         "batchSize": [50, 100], "labels": ["true", "random"], "augmentation": ["none",
         "translateFlip"], "seed": {"linear": [1, 3]}}}
      """;

  private static List<Configuration> configurations(SweepPlan plan) {
    return IntStream.range(0, plan.networks()).mapToObj(plan::configuration).toList();
  }

  @Test
  void gridHasEveryCombinationOnce() {
    SweepPlan plan = Sweeps.plan(VARIED);
    assertEquals(2 * 2 * 3 * 2 * 2 * 3 * 2 * 2 * 2 * 2, plan.settings());
    assertEquals(3 * plan.settings(), plan.networks());
    assertEquals(plan.networks(), new HashSet<>(configurations(plan)).size());
  }

  /** Identities are put together from pieces in a plan; here each is made of its configuration. */
  @Test
  void identitiesAreThoseOfTheConfigurations() {
    SweepPlan plan = Sweeps.plan(VARIED, "factors.dataset=glyphs", "factors.seed=[1,2]");
    Set<String> identities = new HashSet<>();
    Set<String> settings = new HashSet<>();
    for (int i = 0; i < plan.networks(); i++) {
      Configuration network = plan.configuration(i);
      assertEquals(NetworkIdentity.of(network), plan.identity(i), network::toJson);
      assertEquals(NetworkIdentity.ofSetting(network), plan.setting(i), network::toJson);
      assertEquals(i, plan.indexOf(plan.identity(i)));
      identities.add(plan.identity(i));
      settings.add(plan.setting(i));
    }
    assertEquals(plan.networks(), identities.size());
    assertEquals(plan.settings(), settings.size());
    assertEquals(-1, plan.indexOf("0".repeat(32)));
    assertEquals(-1, plan.indexOf("no identity"));
  }

  @Test
  void drawnNumbersHaveTheIdentitiesOfTheirConfigurations() {
    SweepPlan plan =
        Sweeps.plan(
            Sweeps.SMALLEST,
            "factors.learningRate={\"logUniform\":[1e-12,1e12]}",
            "factors.width={\"normal\":[20,10]}",
            "factors.decayFactor={\"uniform\":[0.001,1]}",
            "sampling={\"method\":\"random\",\"settings\":300}");
    for (int i = 0; i < plan.networks(); i++) {
      assertEquals(NetworkIdentity.of(plan.configuration(i)), plan.identity(i));
    }
  }

  @Test
  void everyNetworkIsAStudyThatRuns(@TempDir Path folder) throws IOException {
    SweepPlan plan = Sweeps.plan(VARIED);
    for (int i = 0; i < plan.networks(); i += 577) {
      Configuration network = plan.configuration(i);
      Path file = Files.writeString(folder.resolve("study.json"), network.toJson());
      assertEquals(network, Configuration.load(file, List.of()));
      assertEquals(1, network.replicas().size());
    }
  }

  @Test
  void seedsChangeFastest() {
    SweepPlan plan = Sweeps.plan(VARIED);
    for (int i = 0; i < 12; i++) {
      assertEquals(i % 3 + 1, plan.configuration(i).networks().seeds().get(0));
      assertEquals(plan.setting(i / 3 * 3), plan.setting(i));
    }
    assertThrows(IndexOutOfBoundsException.class, () -> plan.identity(plan.networks()));
    assertThrows(IndexOutOfBoundsException.class, () -> plan.setting(-1));
  }

  @ParameterizedTest
  @ValueSource(strings = {"grid", "random", "sobol"})
  void samePlanTwice(String method) {
    String[] sampling =
        method.equals("grid")
            ? new String[] {}
            : new String[] {
              "sampling={\"method\":\"" + method + "\",\"settings\":200,\"seed\":5}",
              "factors.learningRate={\"logUniform\":[0.001,0.1]}"
            };
    SweepPlan one = Sweeps.plan(VARIED, sampling);
    SweepPlan two = Sweeps.plan(VARIED, sampling);
    assertEquals(configurations(one), configurations(two));
    assertEquals(one.stacks(), two.stacks());
    if (sampling.length > 0) {
      sampling[0] = sampling[0].replace(":5}", ":6}");
      assertNotEquals(configurations(one), configurations(Sweeps.plan(VARIED, sampling)));
    }
  }

  @Test
  void constraintsLeaveOutWhatALoopLeavesOut() {
    SweepPlan plan =
        Sweeps.plan(
            Sweeps.SMALLEST,
            "factors.depth={\"linear\":[2,6]}",
            "factors.width={\"linear\":[5,200],\"step\":13}",
            "factors.biases=[false,true]",
            "factors.batchSize=[64,256]",
            "constraints=[\"width * width * depth < 2e4\",\"parameters > 8000 or batchSize == 64\"]");
    Set<List<Object>> expected = new LinkedHashSet<>();
    for (int depth = 2; depth <= 6; depth++) {
      for (int width = 5; width <= 200; width += 13) {
        for (boolean biases : new boolean[] {false, true}) {
          for (int batch : new int[] {64, 256}) {
            int parameters = 784 * width + (depth - 2) * width * width + width * 10;
            parameters += biases ? (depth - 1) * width + 10 : 0;
            if (width * width * depth < 2e4 && (parameters > 8000 || batch == 64)) {
              expected.add(List.of(depth, width, biases, batch));
            }
          }
        }
      }
    }
    List<List<Object>> found =
        configurations(plan).stream()
            .map(
                c ->
                    List.<Object>of(
                        c.networks().shapes().get(0).depth(),
                        c.networks().shapes().get(0).hidden().get(0),
                        c.networks().biases(),
                        c.training().batchSize()))
            .toList();
    assertEquals(new ArrayList<>(expected), found);
    assertTrue(found.size() > 20 && found.size() < 5 * 16 * 4, "some are left out");
  }

  /** The number of weights that constraints see is the architecture's. */
  @Test
  void parametersAreThoseOfTheArchitecture() {
    SweepConfiguration sweep =
        Sweeps.load(VARIED, "factors.dataset=[\"glyphs\",\"cifar100\"]", "factors.crop=[null,24]");
    SettingRules rules = new SettingRules(sweep);
    Candidates candidates = new Candidates(Sweeps.load(VARIED, "factors.crop=[null,24]"));
    for (long c = 0; c < candidates.mostTried(0); c += 91) {
      Setting setting = candidates.get(c);
      Architecture architecture =
          setting
              .configuration(sweep, 1)
              .replicas()
              .get(0)
              .architecture(rules.data(setting).shape(), 10);
      assertEquals(architecture.parameters(), rules.parameters(setting));
    }
  }

  @Test
  void drawsThatBreakAConstraintAreDrawnAgain() {
    SweepPlan plan =
        Sweeps.plan(
            Sweeps.SMALLEST,
            "factors.width={\"uniform\":[1,1000]}",
            "factors.learningRate={\"logUniform\":[0.0001,1]}",
            "sampling={\"method\":\"sobol\",\"settings\":400}",
            "constraints=[\"width <= 100\"]");
    assertEquals(400, plan.settings());
    for (Configuration network : configurations(plan)) {
      assertTrue(network.networks().shapes().get(0).hidden().get(0) <= 100);
    }
  }

  @Test
  void constraintsThatExcludeEverythingAreNamed() {
    String refusal = Sweeps.refusal(VARIED, "constraints=[\"depth > 1\",\"width > 1e6\"]");
    assertTrue(refusal.contains("found none among 2,304 combinations"), refusal);
    assertTrue(refusal.contains("constraint width > 1e6 leaves out 2,304"), refusal);
    refusal =
        Sweeps.refusal(
            Sweeps.SMALLEST,
            "factors.width={\"uniform\":[1,1000]}",
            "sampling={\"method\":\"random\",\"settings\":30}",
            "constraints=[\"width <= 20\"]");
    assertTrue(
        refusal.contains("expected 30 different settings, found 20 in 10,000 draws"), refusal);
    assertTrue(refusal.contains("constraint width <= 20 leaves out 9,"), refusal);
  }

  @Test
  void everythingThatDoesNotGoTogetherIsReported() {
    String refusal =
        Sweeps.refusal(
            """
            {"title": "t",
             "data": {"validation": 100, "test": 20000},
             "measures": {"jacobian": {"count": 20001, "split": "test"},
               "trajectories": [{"kind": "random", "method": "exact"},
                 {"kind": "translation", "image": 10000},
                 {"kind": "through", "anchors": [1, 2, 60000]}]},
             "factors": {"dataset": ["glyphs", "fashion"], "train": [100, 59901], "depth": 3,
               "width": [8, 60000], "activation": "Tanh", "learningRate": 0.1,
               "batchSize": [64, 128], "crop": [null, 29], "epochs": null}}
            """);
    for (String problem :
        List.of(
            "factors.dataset: expected one of mnist, fashion-mnist, cifar10, cifar100, glyphs,"
                + " found \"fashion\"",
            "data.train or factors.train: expected ≤ 59900 with 100 images set aside, as glyphs has"
                + " 60000, found 59901",
            "data.test: expected ≤ 10000, the test images of glyphs, found 20000",
            "data.crop or factors.crop: expected ≤ 28, the side of images of glyphs, found 29",
            "factors.batchSize: expected ≤ 100, the training images, found 128; \"constraints\":"
                + " [\"batchSize <= train\"] leaves such settings out",
            "training.stop.epochs or factors.epochs: expected a limit in epochs or steps, found"
                + " neither",
            "factors.width: expected layers of at most 2^31 − 1 weights, found 60000 × 60000",
            "measures.jacobian.count: expected ≤ 20000, the test images, found 20001",
            "measures.trajectories[0].method: expected \"auto\" or \"sampled\" with Tanh, which has"
                + " no linear regions, found \"exact\"",
            "measures.trajectories[1].image: expected < 10000, the test images of glyphs, found"
                + " 10000",
            "measures.trajectories[2].anchors: expected < 60000, the training images of glyphs,"
                + " found 60000")) {
      assertTrue(refusal.contains("\n  " + problem), () -> problem + "\nnot in\n" + refusal);
    }
  }

  @Test
  void gridsOfTooManyCombinationsAreRefused() {
    String refusal =
        Sweeps.refusal(
            Sweeps.SMALLEST,
            "factors.width={\"linear\":[1,100000]}",
            "factors.batchSize={\"linear\":[1,1000]}");
    assertTrue(
        refusal.contains("grid of at most 10,000,000 combinations, found 1.00e+08"), refusal);
    assertTrue(
        Sweeps.refusal(
                Sweeps.SMALLEST,
                "factors.width={\"linear\":[1,1000]}",
                "factors.seed={\"linear\":[1,20000]}")
            .contains("1,000 settings with 20,000 seeds each"));
  }

  private static final String PAIRED =
      """
      {"title": "p",
       "factors": {"dataset": "glyphs", "depth": [2, 3], "width": [8, 16],
         "learningRate": [0.1, 0.2], "labels": "true", "batchSize": [32, 64], "seed": [4, 5]},
       "pairs": [
         {"name": "labels", "left": {"labels": "true"}, "right": {"labels": "random"}},
         {"name": "batch", "left": {"batchSize": 32}, "right": {"batchSize": 128}},
         {"name": "rule", "left": {"optimizer": "SGD"},
          "right": {"optimizer": "Adam", "learningRate": 0.001}}]}
      """;

  @Test
  void pairsAreOfNetworksThatDifferInTheirFactorAndEveryNetworkIsPlannedOnce() {
    SweepPlan plan = Sweeps.plan(PAIRED);
    Map<String, List<Pair>> pairs =
        StreamSupport.stream(plan.pairs().spliterator(), false)
            .collect(Collectors.groupingBy(Pair::name));
    // The batch size of the second pair is its own, and so is the right rate of the third.
    assertEquals(16 * 2, pairs.get("labels").size());
    assertEquals(8 * 2, pairs.get("batch").size());
    assertEquals(16 * 2, pairs.get("rule").size());
    Set<Configuration> sides = new HashSet<>();
    for (Pair pair : plan.pairs()) {
      Configuration left = plan.configuration(plan.indexOf(pair.left()));
      Configuration right = plan.configuration(plan.indexOf(pair.right()));
      sides.add(left);
      sides.add(right);
      assertEquals(left.networks(), right.networks());
      switch (pair.name()) {
        case "labels" -> {
          assertEquals(List.of("true", "random"), List.of(pair.leftLabel(), pair.rightLabel()));
          assertEquals("true", left.training().labels().get(0).toString());
          assertEquals("random", right.training().labels().get(0).toString());
        }
        case "batch" -> {
          assertEquals(List.of("32", "128"), List.of(pair.leftLabel(), pair.rightLabel()));
          assertEquals(32, left.training().batchSize());
          assertEquals(128, right.training().batchSize());
        }
        default -> {
          assertEquals(List.of("SGD", "Adam"), List.of(pair.leftLabel(), pair.rightLabel()));
          assertEquals(Optimizer.SGD, left.training().optimizer());
          assertEquals(List.of(0.001), right.training().learningRates());
        }
      }
    }
    // 16 true and 16 random; 8 of batch 128, those of 32 being there; 16 SGD, 8 Adam.
    assertEquals((16 + 16 + 8 + 16 + 8) * 2, plan.networks());
    assertEquals(plan.networks(), sides.size());
  }

  /** Full batches have no rates and no sizes, so settings that differ in them alone are one. */
  @Test
  void factorsThatAnOptimizerDoesNotHaveMakeNoNetworks(@TempDir Path folder) throws IOException {
    SweepPlan plan =
        Sweeps.plan(
            PAIRED,
            "data.train=1000",
            "factors.optimizer=[\"SGD\",\"L-BFGS\"]",
            "constraints=[\"batchSize < 64\",\"learningRate < 0.15\"]",
            "pairs=[{\"name\":\"batch\",\"left\":{\"optimizer\":\"L-BFGS\"},"
                + "\"right\":{\"optimizer\":\"Momentum\",\"learningRate\":0.005}}]");
    assertEquals(4 * 2, plan.pairs(0));
    assertEquals(2 * 4 * 2, plan.networks());
    for (Pair pair : plan.pairs()) {
      assertEquals(List.of("L-BFGS", "Momentum"), List.of(pair.leftLabel(), pair.rightLabel()));
      Configuration left = plan.configuration(plan.indexOf(pair.left()));
      Path file = Files.writeString(folder.resolve("study.json"), left.toJson());
      assertEquals(left, Configuration.load(file, List.of()));
      assertEquals(NetworkIdentity.of(left), pair.left());
      assertEquals(Optimizer.LBFGS, left.training().optimizer());
      assertEquals(List.of(), left.training().learningRates());
      StackRequest request = plan.request(List.of(pair.left()));
      assertEquals(null, request.stack().replicas().get(0).learningRate());
    }
    DryRun run = DryRun.of(plan);
    assertEquals(8, run.factors().get("optimizer").networks().get("L-BFGS"));
    assertFalse(run.factors().containsKey("batchSize"), "of those that have one, it is one");
    assertTrue(run.text().contains("L-BFGS"), run.text());
    String refusal =
        Sweeps.refusal(
            Sweeps.SMALLEST,
            "factors.optimizer=L-BFGS",
            "factors.augmentation=translateFlip",
            "training.stop.epochs=null");
    assertTrue(
        refusal.contains("factors.augmentation: expected \"none\" with optimizer L-BFGS"), refusal);
    assertTrue(!refusal.contains("expected a limit"), refusal);
  }

  @Test
  void constraintsHoldOnBothSidesOfPairs() {
    SweepPlan plan =
        Sweeps.plan(
            PAIRED,
            "pairs=[{\"name\":\"w\",\"left\":{\"width\":8},\"right\":{\"width\":64}}]",
            "constraints=[\"width * depth < 150\"]");
    assertEquals(
        List.of(2), configurations(plan).stream().map(SweepPlanTest::depth).distinct().toList());
    assertEquals(2 * 2 * 2 * 2, plan.networks());
  }

  private static int depth(Configuration network) {
    return network.networks().shapes().get(0).depth();
  }

  @Test
  void drawnSettingsMakePairs() {
    SweepPlan plan =
        Sweeps.plan(
            PAIRED,
            "factors.learningRate={\"logUniform\":[0.001,0.1]}",
            "sampling={\"method\":\"sobol\",\"settings\":50}",
            "pairs[2].right.learningRate=0.5");
    assertEquals(50 * 2, plan.pairs(0));
    assertTrue(plan.pairs(2) == 50 * 2 && plan.pairs(1) == 50 * 2);
  }

  @Test
  void stacksHoldEveryNetworkOnceAndTogetherOnlyWhatOneStackCanHold() {
    SweepPlan plan = Sweeps.plan(VARIED);
    Map<String, Integer> stackOf = new HashMap<>();
    for (PlannedStack stack : plan.stacks()) {
      for (String identity : stack.identities()) {
        assertEquals(null, stackOf.put(identity, stackOf.size()), "twice: " + identity);
      }
    }
    assertEquals(plan.networks(), stackOf.size());
    for (int s = 0; s < plan.stacks().size(); s += 7) {
      List<String> identities = plan.stacks().get(s).identities();
      StackRequest request = plan.request(identities);
      assertEquals(identities, request.identities());
      assertEquals(
          identities.stream().map(id -> plan.configuration(plan.indexOf(id))).toList(),
          request.networks());
      assertEquals(request, StackRequest.ofJson(request.toJson()));
      List<String> half = identities.subList(0, (identities.size() + 1) / 2);
      assertEquals(plan.request(half), request.only(half));
      for (Replica replica : request.stack().replicas()) {
        Configuration network = plan.configuration(plan.indexOf(replica.id()));
        Replica alone = network.replicas().get(0);
        assertEquals(
            List.of(alone.seed(), alone.learningRate(), alone.initScale(), alone.labels()),
            List.of(replica.seed(), replica.learningRate(), replica.initScale(), replica.labels()));
        assertEquals(
            alone.architecture(new ImageShape(1, 1, 5), 3),
            replica.architecture(new ImageShape(1, 1, 5), 3));
        assertEquals(alone.augmentation(), replica.augmentation());
        assertEquals(request.configuration().data(), network.data());
        assertEquals(request.configuration().measures(), network.measures());
        assertEquals(request.configuration().training().stop(), network.training().stop());
        assertEquals(
            request.configuration().training().batchSize(), network.training().batchSize());
        assertEquals(
            request.configuration().training().optimizer(), network.training().optimizer());
      }
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> plan.request(List.of(plan.identity(0), plan.identity(plan.networks() - 1))));
    assertThrows(IllegalArgumentException.class, () -> plan.request(List.of("0".repeat(32))));
  }

  @Test
  void stacksAreBoundedByMemoryAndTimeAndBalance() {
    SweepConfiguration sweep =
        Sweeps.load(
            Sweeps.SMALLEST,
            "factors.width=64",
            "data.train=1000",
            "factors.seed={\"linear\":[1,100]}");
    Configuration network = SweepPlan.of(sweep, Sweeps.WORKSHOP).configuration(0);
    long bytes =
        StackWork.bytes(
            network, network.replicas().get(0).architecture(new ImageShape(1, 28, 28), 10), 1000);
    SweepPlan room =
        SweepPlan.of(
            sweep, new Workshop(7 * bytes + 1, Rate.ofProducts(1e11), 1, Duration.ofDays(1)));
    assertArrayEquals(sizes(7, 100), sizes(room));
    assertEquals(7 * bytes, largest(room));

    SweepPlan spread =
        SweepPlan.of(sweep, new Workshop(1L << 40, Rate.ofProducts(1e11), 2, Duration.ofDays(1)));
    assertArrayEquals(sizes(6, 100), sizes(spread), "16 or more for two workers");

    double each = spread.cost(0).seconds() / spread.cost(0).networks();
    SweepPlan quick =
        SweepPlan.of(
            sweep,
            new Workshop(
                1L << 40, Rate.ofProducts(1e11), 1, Duration.ofNanos((long) (3.5e9 * each))));
    assertTrue(IntStream.of(sizes(quick)).max().orElseThrow() <= 4);
    assertTrue(quick.estimate().toMillis() / 1e3 >= 99 * each);
    assertTrue(Math.abs(spread.estimate().toMillis() / 1e3 - 50 * each) < 4 * each);

    SweepPlan nothingFits =
        SweepPlan.of(sweep, new Workshop(1, Rate.ofProducts(1e11), 1, Duration.ofMillis(1)));
    assertEquals(100, nothingFits.stacks().size());
  }

  /** Where every step costs as much for a stack as for a network, stacks are not cut in vain. */
  @Test
  void launchesKeepStacksLarge() {
    SweepConfiguration sweep =
        Sweeps.load(Sweeps.SMALLEST, "data.train=1000", "factors.seed={\"linear\":[1,50]}");
    SweepPlan card =
        SweepPlan.of(
            sweep, new Workshop(1L << 40, Rate.ofProducts(1e14, 5e-6), 4, Duration.ofMinutes(10)));
    assertEquals(1, card.stacks().size());
  }

  private static int[] sizes(SweepPlan plan) {
    return plan.stacks().stream().mapToInt(s -> s.identities().size()).sorted().toArray();
  }

  /** As equal as can be. */
  private static int[] sizes(int most, int networks) {
    int stacks = (networks + most - 1) / most;
    return IntStream.range(0, stacks)
        .map(i -> networks * (i + 1) / stacks - networks * i / stacks)
        .sorted()
        .toArray();
  }

  private static long largest(SweepPlan plan) {
    return IntStream.range(0, plan.stacks().size())
        .mapToLong(s -> plan.cost(s).bytes())
        .max()
        .orElseThrow();
  }

  @Test
  void stacksThatTakeLongestComeFirst() {
    SweepPlan plan = Sweeps.plan(VARIED);
    double[] costs = plan.stacks().stream().mapToDouble(PlannedStack::cost).toArray();
    for (int s = 1; s < costs.length; s++) {
      assertTrue(costs[s] <= costs[s - 1] * 1.5, "stack " + s);
    }
    assertTrue(costs[costs.length - 1] < costs[0]);
  }

  /** 3 · 2 FLOP a weight and image, but for the first layer's errors, and 2 for the accuracy. */
  @Test
  void trainingTakesItsProducts() {
    SweepPlan plan =
        Sweeps.plan(
            Sweeps.SMALLEST,
            "data.train=1000",
            "data.test=100",
            "training.stop.epochs=7",
            "measures.jacobian=null");
    double weights = 784 * 8 + 8 * 10;
    double expected = 7000 * 2 * (3 * weights - 784 * 8) + 7000 * 2 * weights + 1100 * 2 * weights;
    assertEquals(expected, plan.cost(0).trainingFlop(), 1e-9 * expected);
    assertEquals(0, plan.cost(0).measuringFlop());
  }

  /** At the beginning, three times, and at the end; loss and accuracy each time. */
  @Test
  void stiffnessTakesItsProductsEachTimeThatItIsMeasured() {
    String[] of = {
      "data.train=1000",
      "data.test=600",
      "factors.batchSize=100",
      "training.stop.epochs=7",
      "measures.jacobian=null"
    };
    String stiffness =
        "measures.stiffness={\"every\":20,\"perClass\":30,\"pairs\":[\"train-train\",\"train-test\"]}";
    SweepPlan plan =
        Sweeps.plan(
            Sweeps.SMALLEST,
            Stream.concat(Stream.of(of), Stream.of(stiffness)).toArray(String[]::new));
    double weights = 784 * 8 + 8 * 10;
    double ofPair = 2 * (784 + 8 + 8 + 10);
    double gradients = 2 * (weights + 8 * 10);
    double within = ofPair * 300 * 301 / 2 + gradients * 300 + 784.0 * 300 * 300;
    double between = ofPair * 300 * 300 + gradients * 600 + 2 * 784.0 * 300 * 300;
    double expected = 5 * (1600 * 2 * weights + within + between);
    assertEquals(expected, plan.cost(0).measuringFlop(), 1e-9 * expected);
    assertEquals(
        Sweeps.plan(Sweeps.SMALLEST, of).cost(0).trainingFlop(), plan.cost(0).trainingFlop());
    assertEquals(plan.cost(0).measuringFlop(), DryRun.of(plan).measuringFlop());
    assertTrue(plan.cost(0).seconds() > Sweeps.plan(Sweeps.SMALLEST, of).cost(0).seconds());
  }

  @Test
  void stiffnessOfMoreImagesThanThereAreIsRefusedBeforeDataAreRead() {
    String message =
        Sweeps.refusal(
            Sweeps.SMALLEST,
            "data.train=1000",
            "data.test=299",
            "measures.stiffness={\"perClass\":30,\"pairs\":[\"train-test\"]}");
    assertTrue(
        message.contains(
            "measures.stiffness.perClass: expected ≤ 29, of 10 classes among 299 test images, found 30"),
        message);
    assertFalse(message.contains("training images"), message);
    message = Sweeps.refusal(Sweeps.SMALLEST, "data.train=400", "measures.stiffness={}");
    assertTrue(message.contains("found 50, which is taken where nothing is said"), message);
  }

  private static SweepPlan large(int settings) {
    return Sweeps.plan(
        VARIED,
        "factors.width={\"linear\":[16,31]}",
        "factors.depth={\"linear\":[2,6]}",
        "factors.initScale={\"uniform\":[0.5,2]}",
        "factors.learningRate={\"logUniform\":[0.001,0.1]}",
        "constraints=[\"width * depth < 150\"]",
        "sampling={\"method\":\"sobol\",\"settings\":" + settings + "}",
        "factors.seed=[1,2]");
  }

  @Test
  void aHundredThousandNetworksArePlannedInSeconds() {
    long start = System.nanoTime();
    SweepPlan plan = large(50_000);
    String text = DryRun.of(plan).text();
    double seconds = (System.nanoTime() - start) / 1e9;
    assertEquals(100_000, plan.networks());
    assertTrue(text.contains("100,000"), text);
    assertTrue(seconds < 20, seconds + " s");
  }

  @Test
  @Tag("slow")
  void aMillionNetworksArePlannedInSeconds() {
    long start = System.nanoTime();
    SweepPlan plan = large(500_000);
    String text = DryRun.of(plan).text();
    double seconds = (System.nanoTime() - start) / 1e9;
    assertEquals(1_000_000, plan.networks());
    assertEquals(999_999, plan.indexOf(plan.identity(999_999)));
    assertTrue(text.contains("1,000,000"), text);
    assertTrue(seconds < 40, seconds + " s");
  }
}
