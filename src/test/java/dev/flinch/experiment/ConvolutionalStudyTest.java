package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Studies of networks that begin with convolutions, beside a fully connected one. */
class ConvolutionalStudyTest {
  private static final String STUDY =
      """
      {
        "title": "convolutions",
        "data": {"dataset": "glyphs", "train": 60, "test": 30, "crop": 17},
        "networks": {
          "shapes": [
            {"convolutions": [{"channels": 4}, {"channels": 3, "kernel": 5, "pool": 3}]},
            {"convolutions": [{"channels": 2, "pool": 4}], "hidden": [6]},
            {"depth": 2, "width": 6}
          ],
          "biases": true,
          "seeds": [1, 2]
        },
        "training": {
          "optimizer": "Adam", "learningRates": [0.01], "batchSize": 16,
          "stop": {"epochs": 2}, "checkpointSeconds": 0
        },
        "measures": {
          "jacobian": {"count": 20},
          "logitJacobian": {"count": 10},
          "trajectories": [{"kind": "random", "points": 200, "bins": 5}],
          "regions": [{"anchors": [1, 2, 3], "size": 16, "layer": "all"}]
        }
      }
      """;

  private static final Architecture FIRST =
      Architecture.convolutional(
          new ImageShape(1, 17, 17),
          List.of(new Convolution(4, 3, 2), new Convolution(3, 5, 3)),
          List.of(10),
          Activation.RELU,
          true);

  @TempDir static Path shared;
  private static CpuDevice device;
  private static Path undisturbed;
  private static List<NetworkResult> results;

  @TempDir Path temporary;

  @BeforeAll
  static void runOnce() throws IOException {
    device = new CpuDevice(2);
    Files.writeString(shared.resolve("study.json"), STUDY);
    undisturbed = shared.resolve("undisturbed");
    results = run(undisturbed, false, Progress.NONE).networks();
  }

  @AfterAll
  static void everyBufferIsFree() {
    assertEquals(0, device.liveBytes());
    device.close();
  }

  private static StudyResult run(
      Path folder, boolean resume, Progress progress, String... overrides) {
    return Study.run(
        Configuration.load(shared.resolve("study.json"), List.of(overrides)),
        device,
        shared,
        folder,
        resume,
        progress);
  }

  private static Path weights() {
    return undisturbed.resolve("weights.safetensors");
  }

  private static Network network(String id) {
    return NetworkFile.read(weights(), Optional.empty(), Optional.of(id));
  }

  @Test
  void resultsSayWhichConvolutionsTheyAreOf() throws IOException {
    assertEquals(
        List.of(
            "conv4_3k5p3-s1", "conv4_3k5p3-s2", "conv2p4-6-s1", "conv2p4-6-s2", "2x6-s1", "2x6-s2"),
        results.stream().map(NetworkResult::id).toList());
    JsonNode networks =
        Configurations.MAPPER
            .readTree(undisturbed.resolve("metrics.json").toFile())
            .path("networks");
    assertEquals(
        "[{\"channels\":4,\"kernel\":3,\"pool\":2},{\"channels\":3,\"kernel\":5,\"pool\":3}]",
        networks.path(0).path("convolutions").toString());
    assertEquals("[]", networks.path(0).path("hidden").toString());
    assertEquals("[6]", networks.path(2).path("hidden").toString());
    // Of fully connected networks nothing has changed.
    assertFalse(networks.path(4).has("convolutions"), networks.path(4).toString());
    assertEquals(
        results.stream().map(NetworkResult::convolutions).toList(),
        RunFolder.metrics(undisturbed).networks().stream()
            .map(NetworkResult::convolutions)
            .toList());
    String summary = run(undisturbed, true, Progress.NONE).summary();
    assertTrue(summary.contains("conv 4/2–3@5/3 ReLU with biases"), summary);
    assertTrue(summary.contains("conv 2/4–6 ReLU with biases"), summary);
  }

  @Test
  void theWrittenNetworksAreTheOnesThatWereMeasured() {
    assertEquals(FIRST, network("conv4_3k5p3-s1").architecture());
    for (NetworkResult result : results) {
      Network network = network(result.id());
      assertEquals(result.parameters(), network.architecture().parameters());
      Measurement again =
          Measurement.of(
              network,
              new Measurement.Request(
                  "glyphs", shared, Split.TEST, 20, 17, EnumSet.of(Quantity.JACOBIAN)),
              device,
              Progress.NONE);
      assertEquals(
          result.jacobianNorm().mean(),
          again.jacobianNorm().mean(),
          1e-6 * result.jacobianNorm().mean());
      assertEquals(network.architecture().convolutions(), again.network().convolutions());
      // Exact walks are for fully connected networks; the others are sampled.
      assertEquals(
          result.convolutions().isEmpty(), result.trajectories().get(0).crossings() != null);
      assertTrue(result.trajectories().get(0).transitions().total() > 0, result.id());
    }
  }

  @Test
  void aRunFolderTellsTheWeightsThatANetworkBeganWith() {
    Optional<Network> initial = InitialWeights.of(weights(), Optional.of("conv4_3k5p3-s2"), FIRST);
    assertArrayEquals(Network.initial(FIRST, 2, 1).weights(), initial.orElseThrow().weights());
    Architecture other =
        Architecture.convolutional(
            FIRST.image(), FIRST.convolutions(), List.of(9, 10), Activation.RELU, true);
    assertEquals(
        Optional.empty(), InitialWeights.of(weights(), Optional.of("conv4_3k5p3-s2"), other));
  }

  @Test
  void twoRunsEndTheSame() throws IOException {
    Path folder = temporary.resolve("again");
    run(folder, false, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  private static void assertSameAsUndisturbed(Path folder) throws IOException {
    for (String file : List.of("weights.safetensors", "metrics.json", "history.csv")) {
      assertArrayEquals(
          Files.readAllBytes(undisturbed.resolve(file)),
          Files.readAllBytes(folder.resolve(file)),
          file);
    }
  }

  @Test
  void anInterruptedRunEndsAsIfItHadNotBeen() throws IOException {
    Path folder = temporary.resolve("run");
    int[] reports = {0};
    assertThrows(
        IllegalStateException.class,
        () ->
            run(
                folder,
                false,
                (task, done, total) -> {
                  if (++reports[0] == 11) {
                    throw new IllegalStateException("interrupted");
                  }
                }));
    run(folder, true, Progress.NONE);
    assertSameAsUndisturbed(folder);
  }

  @Test
  void singlePointsAreStudied() {
    PerPointStudy study =
        PerPointStudy.of(
                Map.of("n", network("conv4_3k5p3-s1")),
                new PerPointStudy.Request("glyphs", shared, Split.TEST, 20, 17, 4),
                device,
                Progress.NONE)
            .get(0);
    assertEquals("conv 4/2–3@5/3 ReLU with biases", study.network().architecture());
    assertEquals(results.get(0).jacobianNorm().mean(), study.jacobianNorm().mean(), 1e-5);
  }

  @Test
  void convolutionsThatImagesDontAllowAreRefusedBeforeAnythingIsWritten() {
    Path folder = temporary.resolve("run");
    String message =
        assertThrows(
                RequestException.class,
                () ->
                    run(
                        folder,
                        false,
                        Progress.NONE,
                        "networks.shapes[0].convolutions[1].pool=9",
                        "networks.shapes[1].convolutions[0].channels=2000000000"))
            .getMessage();
    assertTrue(
        message.contains(
            "networks.shapes[0].convolutions[1].pool: expected ≤ 8, the shorter side of its maps of"
                + " 8 × 8 pixels of images of 1 × 17 × 17, found 9"),
        message);
    assertTrue(
        message.contains("networks.shapes[1].convolutions[0].channels: expected ≤ 7430739"),
        message);
    assertFalse(Files.exists(folder));
  }

  @Test
  void imagesOfAnotherShapeAreRefused() {
    String message =
        assertThrows(
                RequestException.class,
                () ->
                    Measurement.of(
                        network("conv4_3k5p3-s1"),
                        new Measurement.Request(
                            "glyphs", shared, Split.TEST, 5, null, EnumSet.of(Quantity.LOSS)),
                        device,
                        Progress.NONE))
            .getMessage();
    assertTrue(message.contains("take images of 1 × 17 × 17"), message);
    assertTrue(message.contains("--crop 17 makes them fit"), message);
    assertNull(results.get(4).regions().get(0).before().linearRegions());
  }
}
