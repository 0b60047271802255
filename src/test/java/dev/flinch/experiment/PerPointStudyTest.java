package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSets;
import dev.flinch.device.Activation;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.network.Network;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.sensitivity.NormBin;
import dev.flinch.sensitivity.PointMeasures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerPointStudyTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final Network NETWORK =
      RandomNetworks.network(1, Activation.HARD_TANH, true, 784, 9, 7, 10);

  @TempDir Path folder;

  @AfterAll
  static void everyBufferIsFree() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static PerPointStudy.Request request(Split split, Integer count, int bins) {
    return new PerPointStudy.Request("glyphs", Path.of("none"), split, count, null, bins);
  }

  private static PerPointStudy study(Network network, Split split, Integer count) {
    return PerPointStudy.of(network, request(split, count, 10), DEVICE, Progress.NONE);
  }

  private static String refusal(Network network, Integer count, int bins) {
    return assertThrows(
            RequestException.class,
            () ->
                PerPointStudy.of(network, request(Split.TEST, count, bins), DEVICE, Progress.NONE))
        .getMessage();
  }

  /** A network whose biases make it predict one class everywhere. */
  private static Network certainOf(int label) {
    Network network = RandomNetworks.network(2, Activation.RELU, true, 784, 6, 10);
    network.biases()[1][label] = 60;
    return network;
  }

  @Test
  void itsMeansAreThoseOfAMeasurement() {
    PerPointStudy study = study(NETWORK, Split.TRAIN, 211);
    Measurement measured =
        Measurement.of(
            NETWORK,
            new Measurement.Request(
                "glyphs", folder, Split.TRAIN, 211, null, EnumSet.allOf(Quantity.class)),
            DEVICE,
            Progress.NONE);
    assertEquals(measured.accuracy(), study.accuracy(), 1e-12);
    assertEquals(measured.crossEntropy(), study.crossEntropy(), 1e-6);
    assertEquals(measured.jacobianNorm().mean(), study.jacobianNorm().mean(), 1e-6);
    assertEquals(
        measured.jacobianNorm().standardError(), study.jacobianNorm().standardError(), 1e-6);
    // The mean of the norms of rows, and the norm of them all.
    PointMeasures points = study.points();
    for (int i = 0; i < 211; i++) {
      assertTrue(
          points.logitGradientNorm()[i] * Math.sqrt(10)
              <= measured.logitJacobianNorm().points()[i] * (1 + 1e-5));
    }
    assertEquals(211, study.bins().stream().mapToInt(NormBin::points).sum());
    assertEquals(
        study.misclassified(), study.bins().stream().mapToInt(NormBin::misclassified).sum());
    assertEquals(10, study.bins().size());
  }

  @Test
  void jsonHasEveryColumnAndNoNumbersThatAreNone() throws IOException {
    String text = Json.text(study(NETWORK, Split.TEST, 301));
    JsonNode json = Configurations.MAPPER.readTree(text);
    assertFalse(text.contains("NaN"), text);
    assertFalse(json.has("id"));
    for (String column :
        List.of(
            "labels",
            "predictions",
            "misclassified",
            "crossEntropy",
            "jacobianNorm",
            "rowNorm",
            "maximumProbability",
            "uncertainty",
            "logitGradientNorm")) {
      assertEquals(301, json.path("points").path(column).size(), column);
    }
    for (String column : List.of("lower", "rowUpper", "maximumEntropy")) {
      assertEquals(301, json.path("bounds").path(column).size(), column);
    }
    for (String fraction :
        List.of("lowerHolds", "rowLowerHolds", "rowUpperHolds", "belowMaximumEntropy")) {
      double holds = json.path("bounds").path(fraction).asDouble(-1);
      assertTrue(holds >= 0 && holds <= 1, fraction);
    }
    JsonNode detection = json.path("errorDetection");
    assertFalse(detection.has("undefined"));
    assertTrue(detection.at("/jacobianNorm/standardError").asDouble() > 0);
    assertEquals(
        detection.at("/jacobianNorm/area").asDouble()
            - detection.at("/uncertainty/area").asDouble(),
        detection.path("difference").asDouble(),
        1e-12);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void withoutErrorsOrWithNothingElseThereIsNoAreaAndItIsSaid(boolean correct) throws IOException {
    int label = DataSets.load("glyphs", folder).test().label(0);
    PerPointStudy study = study(certainOf(correct ? label : (label + 1) % 10), Split.TEST, 1);
    assertEquals(correct ? 0 : 1, study.misclassified());
    assertEquals(
        correct ? "no point is misclassified" : "all points are misclassified",
        study.errorDetection().undefined());
    String text = Json.text(study);
    assertFalse(text.contains("NaN"), text);
    JsonNode detection = Configurations.MAPPER.readTree(text).path("errorDetection");
    assertEquals(1, detection.size(), detection::toString);
    assertEquals(1, study.bins().size());
    assertEquals(0, study.jacobianNorm().standardError());
    // A single point is drawn too.
    assertTrue(PerPointStudy.figure("one", List.of(study)).svg().contains("fraction"));
    assertTrue(study.boundsFigure("one").svg().contains("lower bound"));
  }

  @Test
  void severalNetworksAreWhatEachIsAlone() {
    Map<String, Network> networks = new LinkedHashMap<>();
    networks.put("b", NETWORK);
    networks.put("a", certainOf(3));
    List<PerPointStudy> together =
        PerPointStudy.of(networks, request(Split.TEST, 50, 4), DEVICE, Progress.NONE);
    assertEquals(List.of("b", "a"), together.stream().map(PerPointStudy::id).toList());
    assertArrayEquals(
        study(NETWORK, Split.TEST, 50).points().jacobianNorm(),
        together.get(0).points().jacobianNorm());
    String svg = PerPointStudy.figure("two networks", together).svg();
    assertTrue(svg.contains(">a<") && svg.contains(">b<"), svg);
  }

  @Test
  void csvHasALineAPoint() throws IOException {
    PerPointStudy study = study(NETWORK, Split.TEST, 12);
    Path file = folder.resolve("points.csv");
    PerPointStudy.writeCsv(file, List.of(study, study));
    List<String> lines = Files.readAllLines(file);
    assertEquals(25, lines.size());
    List<String> names = List.of(lines.get(0).split(","));
    for (int i = 0; i < 24; i++) {
      String[] cells = lines.get(i + 1).split(",", -1);
      assertEquals(names.size(), cells.length);
      int point = i % 12;
      assertEquals(point, Integer.parseInt(cells[names.indexOf("point")]));
      assertEquals(
          study.points().jacobianNorm()[point],
          Double.parseDouble(cells[names.indexOf("jacobianNorm")]));
      assertEquals(
          study.bounds().maximumEntropy()[point],
          Double.parseDouble(cells[names.indexOf("maximumEntropyCurve")]));
      assertEquals(
          study.points().misclassified()[point] ? "0" : "1", cells[names.indexOf("correct")]);
    }
  }

  @Test
  void impossibleRequestsAreRefused() {
    assertTrue(refusal(NETWORK, 10_001, 10).contains("1 to 10000"));
    assertTrue(refusal(NETWORK, 0, 10).contains("1 to 10000"));
    assertEquals("bins: expected 1 or more, found 0", refusal(NETWORK, 10, 0));
    Network other = RandomNetworks.network(1, Activation.RELU, false, 783, 4, 10);
    assertTrue(refusal(other, 10, 10).contains("783 inputs"));
    Network huge = RandomNetworks.network(1, Activation.RELU, false, 784, 4, 10);
    for (float[] layer : huge.weights()) {
      Arrays.fill(layer, 0, layer.length / 2, 3e38f);
    }
    assertTrue(refusal(huge, 100, 10).contains("expected a finite number"));
  }

  @Test
  void networksArePickedByTheirRunsMetrics() throws IOException {
    Path run = folder.resolve("run");
    Configuration configuration =
        Configuration.load(
            Files.writeString(
                folder.resolve("small.json"),
                """
                {"title": "Small", "data": {"dataset": "glyphs", "train": 60, "test": 40},
                 "networks": {"shapes": [{"depth": 2, "width": 8}], "seeds": [1, 2, 3, 4]},
                 "training": {"learningRates": [0.1], "batchSize": 20, "labels": ["true", "random"],
                              "stop": {"epochs": 2}}}
                """),
            List.of());
    Path weights = run.resolve("weights.safetensors");
    assertTrue(
        assertThrows(RequestException.class, () -> RunNetworks.pick(weights, 1, 1, 1))
            .getMessage()
            .contains("metrics.json"));
    Study.run(configuration, DEVICE, folder, run, false, Progress.NONE);
    double[] accuracies =
        StreamSupport.stream(
                Configurations.MAPPER
                    .readTree(run.resolve("metrics.json").toFile())
                    .path("networks")
                    .spliterator(),
                false)
            .filter(n -> n.path("labels").asText().equals("true"))
            .mapToDouble(n -> n.at("/train/accuracy").asDouble())
            .sorted()
            .toArray();
    assertEquals(4, accuracies.length);
    List<String> all = RunNetworks.pick(weights, accuracies[0], 4, 1);
    assertEquals(List.of("2x8-true-s1", "2x8-true-s2", "2x8-true-s3", "2x8-true-s4"), all);
    List<String> two = RunNetworks.pick(weights, accuracies[0], 2, 7);
    assertEquals(two, RunNetworks.pick(weights, accuracies[0], 2, 7));
    assertTrue(all.containsAll(two) && two.stream().distinct().count() == 2);
    long draws =
        LongStream.range(0, 20)
            .mapToObj(seed -> RunNetworks.pick(weights, accuracies[0], 2, seed))
            .distinct()
            .count();
    assertTrue(draws > 2, "different seeds pick different networks");
    long best = Arrays.stream(accuracies).filter(a -> a == accuracies[3]).count();
    assertEquals(best, RunNetworks.pick(weights, accuracies[3], (int) best, 1).size());
    String message =
        assertThrows(
                RequestException.class,
                () -> RunNetworks.pick(weights, accuracies[3], (int) best + 1, 1))
            .getMessage();
    assertTrue(message.contains("found " + best + " of 8"), message);
    for (double impossible : new double[] {0, -1, 1.5, Double.NaN}) {
      assertTrue(
          assertThrows(RequestException.class, () -> RunNetworks.pick(weights, impossible, 1, 1))
              .getMessage()
              .startsWith("train accuracy"));
    }
  }
}
