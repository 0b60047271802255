package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.network.Network;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.sensitivity.SamplingComparison;
import dev.flinch.trajectory.Ellipse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MeasurementTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final Network NETWORK =
      RandomNetworks.network(1, Activation.HARD_TANH, true, 784, 9, 7, 10);

  @TempDir Path folder;

  @AfterAll
  static void everyBufferIsFree() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private Measurement measure(
      Network network, String dataset, Split split, Integer count, Integer crop, Set<Quantity> of) {
    return Measurement.of(
        network,
        new Measurement.Request(dataset, folder, split, count, crop, of),
        DEVICE,
        Progress.NONE);
  }

  private String refusal(Network network, String dataset, Integer count, Integer crop) {
    return assertThrows(
            RequestException.class,
            () -> measure(network, dataset, Split.TEST, count, crop, EnumSet.of(Quantity.ACCURACY)))
        .getMessage();
  }

  private static TrajectoryMeasurement.Request along(
      Kind kind, List<Integer> anchors, Integer image, long points, int bins) {
    return new TrajectoryMeasurement.Request(
        kind,
        anchors,
        image,
        3,
        Method.SAMPLED,
        points,
        bins,
        true,
        false,
        "glyphs",
        Path.of("none"),
        null);
  }

  private static TrajectoryMeasurement measure(TrajectoryMeasurement.Request request) {
    return TrajectoryMeasurement.of(NETWORK, request, DEVICE, Progress.NONE);
  }

  private static String refusal(TrajectoryMeasurement.Request request) {
    return assertThrows(RequestException.class, () -> measure(request)).getMessage();
  }

  private static List<String> keys(JsonNode object) {
    List<String> keys = new ArrayList<>();
    object.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  private static JsonNode json(Object result) throws IOException {
    return Configurations.MAPPER.readTree(Json.text(result));
  }

  @Test
  void everyMeasureIsThatOfTheReference() throws IOException {
    int count = 37;
    Measurement measured =
        measure(NETWORK, "glyphs", Split.TRAIN, count, null, EnumSet.allOf(Quantity.class));
    LabelledImages images = DataSets.load("glyphs", folder).train();
    Reference reference = Reference.of(NETWORK);
    double correct = 0;
    double loss = 0;
    for (int i = 0; i < count; i++) {
      double[] x = Reference.doubles(images.normalised(i));
      double[] logits = reference.logits(x);
      int label = images.label(i);
      correct += IntStream.range(0, 10).allMatch(c -> logits[c] <= logits[label]) ? 1 : 0;
      loss += Reference.crossEntropy(logits, label);
      double norm = Reference.frobenius(reference.probabilityJacobian(x));
      assertEquals(norm, measured.jacobianNorm().points()[i], 1e-4 * norm);
      double logitNorm = Reference.frobenius(reference.logitJacobian(x));
      assertEquals(logitNorm, measured.logitJacobianNorm().points()[i], 1e-4 * logitNorm);
    }
    assertEquals(correct / count, measured.accuracy(), 1e-12);
    assertEquals(loss / count, measured.crossEntropy(), 1e-5);

    JsonNode json = json(measured);
    assertEquals(
        List.of(
            "network",
            "dataset",
            "split",
            "count",
            "accuracy",
            "crossEntropy",
            "jacobianNorm",
            "logitJacobianNorm"),
        keys(json));
    assertEquals(
        "{\"architecture\":\"9–7 HardTanh with biases\",\"units\":[784,9,7,10],\"activation\":\"HardTanh\",\"biases\":true,\"parameters\":7215}",
        json.path("network").toString());
    assertEquals("train", json.path("split").asText());
    assertEquals(List.of("mean", "standardError", "points"), keys(json.path("jacobianNorm")));
    assertEquals(count, json.path("logitJacobianNorm").path("points").size());
  }

  @Test
  void onlyWhatIsAskedForAppears() throws IOException {
    JsonNode json =
        json(measure(NETWORK, "glyphs", Split.TEST, 3, null, EnumSet.of(Quantity.LOSS)));
    assertEquals(List.of("network", "dataset", "split", "count", "crossEntropy"), keys(json));
  }

  @Test
  void quantitiesAreNamedAsUsersWriteThem() {
    assertEquals(Quantity.LOGIT_JACOBIAN, Quantity.named(" Logit-Jacobian"));
    String message =
        assertThrows(RequestException.class, () -> Quantity.named("jacobain")).getMessage();
    assertTrue(message.contains("accuracy, loss, jacobian, logit-jacobian"), message);
  }

  @Test
  void aNetworkThatDoesntFitTheDataIsRefusedWithBothSizes() throws IOException {
    Path cifar = Files.createDirectories(folder.resolve("cifar10"));
    for (int batch = 1; batch <= 5; batch++) {
      Files.write(cifar.resolve("data_batch_" + batch + ".bin"), new byte[3073]);
    }
    Files.write(cifar.resolve("test_batch.bin"), new byte[3073]);
    Network cropped = RandomNetworks.network(1, Activation.RELU, false, 1728, 4, 10);
    String message = refusal(cropped, "cifar10", null, null);
    assertTrue(message.contains("1728 inputs") && message.contains("3072 components"), message);
    assertTrue(message.contains("--crop 24 makes them fit"), message);
    assertEquals(
        1, measure(cropped, "cifar10", Split.TEST, null, 24, Set.of(Quantity.ACCURACY)).count());

    message = refusal(NETWORK, "cifar10", null, null);
    assertTrue(message.contains("784 inputs") && message.contains("--crop"), message);
    Network binary = RandomNetworks.network(1, Activation.RELU, false, 784, 4, 2);
    message = refusal(binary, "glyphs", null, null);
    assertTrue(message.contains("2 classes") && message.contains("has 10"), message);
  }

  @Test
  void impossibleRequestsAreRefused() {
    assertTrue(refusal(NETWORK, "glyphs", 10_001, null).contains("1 to 10000"));
    assertTrue(refusal(NETWORK, "glyphs", 0, null).contains("1 to 10000"));
    assertTrue(refusal(NETWORK, "glyphs", null, 29).contains("from 1 to 28"));
    assertTrue(refusal(NETWORK, "glyph", null, null).contains("unknown data set"));
    assertTrue(refusal(NETWORK, "mnist", null, null).contains("flinch data fetch mnist"));
    Network huge = RandomNetworks.network(1, Activation.RELU, false, 784, 4, 10);
    for (float[] layer : huge.weights()) {
      Arrays.fill(layer, 0, layer.length / 2, 3e38f);
    }
    assertTrue(refusal(huge, "glyphs", 100, null).contains("expected a finite number"));
  }

  @Test
  void alongAnEllipseThroughImagesItIsThatOfTheReference() throws IOException {
    TrajectoryMeasurement measured =
        measure(along(Kind.THROUGH, List.of(5, 70, 59_999), null, 2000, 9));
    LabelledImages train = DataSets.load("glyphs", folder).train();
    Ellipse ellipse =
        Ellipse.through(train.normalised(5), train.normalised(70), train.normalised(59_999));
    Reference.Transitions expected =
        Reference.of(NETWORK).transitions(i -> ellipse.point(2 * Math.PI * i / 2000), 2000, 9);
    TrajectoryResult result = measured.result();
    assertEquals(expected.total(), result.transitions().total());
    assertArrayEquals(expected.perLayer(), result.transitions().perLayer());
    assertArrayEquals(expected.perBin(), result.transitions().perBin());
    assertEquals(expected.regions(), result.regions());

    JsonNode json = json(measured);
    assertEquals(
        List.of(
            "kind",
            "method",
            "points",
            "bins",
            "transitions",
            "regions",
            "jacobianNorm",
            "seconds"),
        keys(json));
    assertEquals(List.of("total", "perLayer", "perBin"), keys(json.path("transitions")));
    assertEquals(List.of("mean", "perBin", "minimum", "maximum"), keys(json.path("jacobianNorm")));
    assertEquals("through", json.path("kind").asText());

    String svg = measured.figure("anchors").svg();
    for (int anchor : List.of(5, 70, 59_999)) {
      assertTrue(svg.contains("class " + train.label(anchor)), svg);
    }
  }

  @Test
  void aRandomEllipseNeedsNoData() {
    TrajectoryMeasurement.Request request =
        new TrajectoryMeasurement.Request(
            Kind.RANDOM, null, null, 3, Method.SAMPLED, 64, 4, false, false, null, null, null);
    TrajectoryResult result = measure(request).result();
    assertEquals("random", result.kind());
    assertEquals(null, result.jacobianNorm());
    Ellipse ellipse = Ellipse.random(784, 3);
    assertEquals(
        Reference.of(NETWORK).transitions(i -> ellipse.point(2 * Math.PI * i / 64), 64, 4).total(),
        result.transitions().total());
  }

  private static TrajectoryMeasurement.Request exact(boolean compare) {
    return new TrajectoryMeasurement.Request(
        Kind.RANDOM, null, null, 3, Method.AUTO, 100, 4, true, compare, null, null, null);
  }

  @Test
  void aPiecewiseLinearNetworkIsWalkedExactlyUnlessPointsAreAskedFor() throws IOException {
    TrajectoryMeasurement measured = measure(exact(false));
    JsonNode json = json(measured);
    assertEquals("exact", json.path("method").asText());
    Ellipse ellipse = Ellipse.random(784, 3);
    Reference.Transitions dense =
        Reference.of(NETWORK).transitions(i -> ellipse.point(2 * Math.PI * i / 5000), 5000, 4);
    assertEquals(dense.total(), json.path("crossings").asLong());
    assertEquals(dense.total(), json.path("transitions").path("total").asLong());
    double shortest = json.at("/shortestRegion/length").asDouble();
    assertTrue(shortest > 0 && shortest < json.at("/longestRegion/length").asDouble());
    Path csv = Files.createTempFile("crossings", ".csv");
    measured.writeCrossings(csv);
    List<String> lines = Files.readAllLines(csv);
    Files.delete(csv);
    assertEquals("parameter,layer,unit,change,code", lines.get(0));
    assertEquals(dense.total(), lines.size() - 1);
    assertEquals(
        json.at("/shortestRegion/from").asDouble(),
        lines.stream()
            .skip(1)
            .mapToDouble(line -> Double.parseDouble(line.split(",")[0]))
            .filter(at -> at == json.at("/shortestRegion/from").asDouble())
            .findFirst()
            .orElseThrow());
  }

  @Test
  void samplingIsComparedWithTheExactCrossings() {
    TrajectoryMeasurement measured = measure(exact(true));
    List<SamplingComparison.Row> rows = measured.result().comparison().rows();
    assertEquals(11, rows.size());
    Ellipse ellipse = Ellipse.random(784, 3);
    Reference reference = Reference.of(NETWORK);
    for (SamplingComparison.Row row : rows.subList(0, 4)) {
      int k = (int) row.points();
      long seen = reference.transitions(i -> ellipse.point(2 * Math.PI * i / k), k, 1).total();
      assertEquals(measured.result().crossings() - seen, row.missed());
      assertEquals(0, row.sampled());
    }
    assertTrue(measured.comparisonFigure("comparison").svg().contains("missed between points"));
  }

  @Test
  void aTranslationLoopIsDrawnInPixels() {
    TrajectoryMeasurement measured = measure(along(Kind.TRANSLATION, null, 9_999, 56, 28));
    assertEquals(28, measured.result().transitions().perBin().length);
    assertTrue(measured.figure("loop").svg().contains("pixels"));
  }

  @Test
  void impossibleTrajectoriesAreRefused() {
    List<Integer> anchors = List.of(0, 1, 2);
    assertTrue(
        refusal(along(Kind.THROUGH, anchors, null, 0, 1)).startsWith("points: expected 1 to"));
    assertTrue(
        refusal(along(Kind.THROUGH, anchors, null, 1L << 31, 1)).startsWith("points: expected"));
    assertTrue(
        refusal(along(Kind.THROUGH, anchors, null, 10, 11))
            .equals("bins: expected 1 to 10, found 11"));
    assertTrue(refusal(along(Kind.THROUGH, anchors, null, 10, 0)).startsWith("bins:"));
    assertTrue(
        refusal(along(Kind.THROUGH, List.of(0, 1, 60_000), null, 10, 1)).contains("image 60000"));
    assertTrue(refusal(along(Kind.THROUGH, List.of(0, 1, -1), null, 10, 1)).contains("image -1"));
    assertTrue(
        refusal(along(Kind.THROUGH, List.of(0, 1, 1), null, 10, 1)).contains("the same image"));
    assertTrue(refusal(along(Kind.THROUGH, List.of(0, 1), null, 10, 1)).contains("--anchors"));
    assertTrue(refusal(along(Kind.THROUGH, null, null, 10, 1)).contains("--anchors"));
    assertTrue(refusal(along(Kind.TRANSLATION, null, null, 10, 1)).contains("--image"));
    assertTrue(
        refusal(along(Kind.TRANSLATION, null, 10_000, 10, 1)).contains("image 10000 of glyphs"));
    TrajectoryMeasurement.Request without =
        new TrajectoryMeasurement.Request(
            Kind.TRANSLATION, null, 1, 1, Method.AUTO, 10, 1, true, false, null, null, null);
    assertTrue(refusal(without).contains("--dataset"));
  }
}
