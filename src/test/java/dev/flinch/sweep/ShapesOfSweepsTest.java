package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sweeps of networks whose hidden layers are a factor: convolutions, or widths of their own. */
class ShapesOfSweepsTest {
  private static final String SHAPES =
      """
      {
        "title": "shapes",
        "data": {"train": 60, "test": 30, "crop": 16},
        "training": {"stop": {"epochs": 1}},
        "measures": {"jacobian": {"count": 5}},
        "factors": {
          "dataset": "glyphs",
          "shape": [
            {"convolutions": [{"channels": 4}, {"channels": 6, "kernel": 5, "pool": 3}], "hidden": [5]},
            {"convolutions": [{"channels": 3, "pool": 1}]},
            {"hidden": [7, 9]},
            {"depth": 2, "width": 8}
          ],
          "biases": [false, true], "batchSize": 20, "learningRate": 0.01, "seed": [1, 2]
        }
      }
      """;

  private static final Convolution[] FIRST = {new Convolution(4, 3, 2), new Convolution(6, 5, 3)};

  @Test
  void shapesAreAFactorAndSettingsOfOneShapeAreStacked() {
    SweepPlan plan = Sweeps.plan(SHAPES);
    assertEquals(4 * 2, plan.settings());
    assertEquals(16, plan.networks());
    assertEquals(
        List.of(
            new Shape(List.of(FIRST), List.of(5)),
            new Shape(List.of(new Convolution(3, 3, 1)), List.of()),
            new Shape(List.of(7, 9)),
            new Shape(List.of(8))),
        IntStream.range(0, 16)
            .mapToObj(i -> plan.configuration(i).networks().shapes().get(0))
            .distinct()
            .toList());
    for (int s = 0; s < plan.stacks().size(); s++) {
      List<String> networks = plan.stacks().get(s).identities();
      assertEquals(
          1,
          networks.stream()
              .map(n -> plan.configuration(plan.indexOf(n)).networks().shapes())
              .distinct()
              .count());
      plan.request(networks);
    }
  }

  @Test
  void identitiesAreThoseOfTheConfigurations() {
    SweepPlan plan = Sweeps.plan(SHAPES, "factors.optimizer=[\"SGD\",\"L-BFGS\"]");
    for (int i = 0; i < plan.networks(); i++) {
      Configuration network = plan.configuration(i);
      assertEquals(NetworkIdentity.of(network), plan.identity(i), network::toJson);
      assertEquals(NetworkIdentity.ofSetting(network), plan.setting(i), network::toJson);
    }
    assertEquals(
        plan.networks(),
        IntStream.range(0, plan.networks()).mapToObj(plan::identity).distinct().count());
  }

  /** A network is found again, however its sweep says its shape. */
  @Test
  void aUniformShapeIsTheNetworkOfItsDepthAndWidth() {
    String shaped =
        Sweeps.SMALLEST.replace("\"depth\": 2, \"width\": 8", "\"shape\": {\"hidden\": [8]}");
    assertNotEquals(Sweeps.SMALLEST, shaped);
    assertEquals(Sweeps.plan(Sweeps.SMALLEST).identity(0), Sweeps.plan(shaped).identity(0));
    assertEquals(
        Sweeps.plan(Sweeps.SMALLEST).identity(0),
        Sweeps.plan(shaped, "factors.shape={\"depth\":2,\"width\":8}").identity(0));
    assertFalse(Sweeps.load(Sweeps.SMALLEST).toJson().contains("shape"));
  }

  @Test
  void theResolvedSweepLoadsAgain() {
    SweepConfiguration sweep = Sweeps.load(SHAPES);
    assertEquals(sweep, Sweeps.load(sweep.toJson()));
    SweepConfiguration dense = Sweeps.load(Sweeps.SMALLEST);
    assertEquals(dense, Sweeps.load(dense.toJson()));
  }

  @Test
  void pairsCompareConvolutionsWithFullyConnectedNetworks() {
    String pair =
        "pairs=[{\"name\":\"conv\",\"left\":{\"shape\":{\"convolutions\":[{\"channels\":3}]}},"
            + "\"right\":%s}]";
    SweepPlan plan = Sweeps.plan(Sweeps.SMALLEST, pair.formatted("{\"width\":30}"));
    assertEquals(
        List.of(new Shape(List.of(new Convolution(3, 3, 2)), List.of()), new Shape(List.of(30))),
        IntStream.range(0, 2)
            .mapToObj(i -> plan.configuration(i).networks().shapes().get(0))
            .toList());
    for (int i = 0; i < 2; i++) {
      assertEquals(NetworkIdentity.of(plan.configuration(i)), plan.identity(i));
    }
    String text = DryRun.of(plan).text();
    assertTrue(text.contains("conv 3/2"), text);
    // Where all networks have a shape, a side needs both.
    String refusal = Sweeps.refusal(SHAPES, pair.formatted("{\"width\":30}"));
    assertTrue(refusal.contains("expected depth and width on a side"), refusal);
    SweepPlan both = Sweeps.plan(SHAPES, pair.formatted("{\"width\":30,\"depth\":3}"));
    assertEquals(new Shape(List.of(30, 30)), both.configuration(2).networks().shapes().get(0));
    refusal = Sweeps.refusal(SHAPES, pair.formatted("{\"width\":30,\"shape\":{\"hidden\":[3]}}"));
    assertTrue(refusal.contains("pairs[0].right: expected shape, or depth and width"), refusal);
  }

  @Test
  void constraintsSeeParametersDepthAndWidthOfShapes() {
    SweepConfiguration sweep = Sweeps.load(SHAPES);
    SettingRules rules = new SettingRules(sweep);
    Candidates candidates = new Candidates(sweep);
    for (long c = 0; c < candidates.mostTried(0); c++) {
      Setting setting = candidates.get(c);
      Architecture architecture =
          setting
              .configuration(sweep, 1)
              .replicas()
              .get(0)
              .architecture(new ImageShape(1, 16, 16), 10);
      assertEquals(architecture.parameters(), rules.parameters(setting));
    }
    assertEquals(2, Sweeps.plan(SHAPES, "constraints=[\"depth == 4\"]").settings());
    assertEquals(4, Sweeps.plan(SHAPES, "constraints=[\"width >= 8\"]").settings());
    assertTrue(Sweeps.refusal(SHAPES, "constraints=[\"shape == 1\"]").contains("shape"));
  }

  @Test
  void whatNoNetworkCanBeIsRefused() {
    String refusal =
        Sweeps.refusal(
            SHAPES,
            "factors.shape[1].convolutions[0].pool=17",
            "measures.trajectories=[{\"kind\":\"random\",\"method\":\"exact\"}]");
    assertTrue(
        refusal.contains(
            "factors.shape: conv 3/17: convolutions[0].pool: expected ≤ 16, the shorter side of its"
                + " maps of 16 × 16 pixels of images of 1 × 16 × 16, found 17"),
        refusal);
    assertTrue(
        refusal.contains(
            "measures.trajectories[0].method: expected \"auto\" or \"sampled\" with convolutions"),
        refusal);
    refusal = Sweeps.refusal(SHAPES, "factors.depth=3");
    assertTrue(refusal.contains("factors.depth: expected only without shape, found 3"), refusal);
    refusal = Sweeps.refusal(SHAPES, "factors.shape[0].convolutions[0].kernel=2");
    assertTrue(
        refusal.contains("factors.shape[0].convolutions[0].kernel: expected odd, found 2"),
        refusal);
  }

  /** Costs are of all positions: a convolution of few weights takes much. */
  @Test
  void costsCountEveryPosition() {
    SweepPlan plan =
        Sweeps.plan(
            SHAPES,
            "factors.shape={\"convolutions\":[{\"channels\":3}]}",
            "factors.biases=false",
            "factors.trainAccuracy=null",
            "measures.jacobian=null");
    // Two networks, 60 images: forward, errors by weights and by inputs of the second layer alone.
    double convolution = 2.0 * 16 * 16 * 3 * 9;
    double dense = 2.0 * 8 * 8 * 3 * 10;
    double step = 2 * convolution + 3 * dense;
    assertEquals(
        2 * (60 * step + (60 + 30) * (convolution + dense)), DryRun.of(plan).trainingFlop(), 1);
  }

  @Test
  void rowsSayDepthWidthAndParametersOfWhatWasTrained(@TempDir Path folder) throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("sweep.json"),
            SHAPES.replace("[false, true]", "true").replace("\"seed\": [1, 2]", "\"seed\": 1"));
    List<NetworkRow> rows;
    try (Device device = new CpuDevice(2)) {
      Sweep.Outcome outcome =
          SweepTest.run(
              file,
              folder.resolve("sweep"),
              List.of(device),
              1L << 24,
              Duration.ofSeconds(5),
              Progress.NONE);
      rows = SmallNetworks.rows(outcome.folder().store());
      assertEquals(0, device.liveBytes());
    }
    // Depth, width and parameters: 8 × 8 pixels before the second pooling, 2 × 2 behind.
    assertEquals(
        Set.of(
            List.of(4.0, 6.0, 4 * 10.0 + 6 * 101 + 5 * 25 + 10 * 6),
            List.of(2.0, 3.0, 3 * 10.0 + 10 * 769),
            List.of(3.0, 9.0, 7 * 257.0 + 9 * 8 + 10 * 10),
            List.of(2.0, 8.0, 8 * 257.0 + 10 * 9)),
        rows.stream()
            .map(
                row ->
                    List.of(
                        row.number(Column.DEPTH),
                        row.number(Column.WIDTH),
                        row.number(Column.PARAMETERS)))
            .collect(Collectors.toSet()));
    for (NetworkRow row : rows) {
      assertEquals("done", row.text(Column.STATUS));
      assertTrue(row.number(Column.JACOBIAN_NORM) > 0);
    }
  }
}
