package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.data.SmallFiles;
import dev.flinch.device.Activation;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class StiffnessCommandTest {
  private static final Path NO_DATA = Path.of("none");
  private static final double BIN = 0.05;

  @TempDir private Path folder;

  private record Outcome(int code, String out, String err) {}

  /** What a command leaves for people, and for machines. */
  private record Result(String out, JsonNode json) {}

  private Outcome stiffness(Network network, String... options) {
    Path file = folder.resolve("net.safetensors");
    NetworkFile.write(file, Map.of("net", network), Map.of());
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commands =
        Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int code =
        commands.execute(
            Stream.concat(
                    Stream.of("stiffness", file.toString(), "--dataset", "glyphs"),
                    Stream.of(options))
                .toArray(String[]::new));
    return new Outcome(code, out.toString(), err.toString());
  }

  private Result result(Network network, String... options) throws IOException {
    Path file = folder.resolve("result.json");
    Outcome outcome =
        stiffness(
            network,
            Stream.concat(
                    Stream.of("--device", "cpu", "--json", file.toString()), Stream.of(options))
                .toArray(String[]::new));
    assertEquals(0, outcome.code, outcome.err);
    assertFalse(Files.readString(file).contains("NaN"));
    return new Result(outcome.out, new ObjectMapper().readTree(file.toFile()));
  }

  private void assertRefused(Network network, List<String> options, String... parts) {
    Outcome outcome = stiffness(network, options.toArray(String[]::new));
    assertEquals(2, outcome.code, outcome.err);
    assertEquals("", outcome.out);
    for (String part : parts) {
      assertTrue(outcome.err.contains(part), () -> part + " in: " + outcome.err);
    }
  }

  /** Images with the explicit gradients of a network there, in double precision. */
  private record Explicit(double[][] inputs, int[] classes, double[][][] gradients) {
    static Explicit of(Network network, LabelledImages images) {
      Reference reference = Reference.of(network);
      double[][] inputs =
          IntStream.range(0, images.count())
              .mapToObj(i -> Reference.doubles(images.normalised(i)))
              .toArray(double[][]::new);
      double[][][] gradients = new double[inputs.length][][];
      for (int i = 0; i < inputs.length; i++) {
        Reference.Gradient g = reference.gradient(List.of(inputs[i]), new int[] {images.label(i)});
        gradients[i] = new double[g.weights().length][];
        for (int l = 0; l < g.weights().length; l++) {
          Stream<double[]> weights = Arrays.stream(g.weights()[l]);
          gradients[i][l] =
              (network.architecture().biases()
                      ? Stream.concat(weights, Stream.of(g.biases()[l]))
                      : weights)
                  .flatMapToDouble(Arrays::stream)
                  .toArray();
        }
      }
      return new Explicit(inputs, images.labels(), gradients);
    }

    /** The gradient of all layers, or of one. */
    double[] gradient(int example, IntPredicate layers) {
      return IntStream.range(0, gradients[example].length)
          .filter(layers)
          .mapToObj(l -> gradients[example][l])
          .flatMapToDouble(Arrays::stream)
          .toArray();
    }
  }

  private static double cosine(double[] a, double[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int k = 0; k < a.length; k++) {
      ab += a[k] * b[k];
      aa += a[k] * a[k];
      bb += b[k] * b[k];
    }
    return ab / Math.sqrt(aa * bb);
  }

  private static double[][] cosines(Explicit rows, Explicit columns, IntPredicate layers) {
    double[][] others =
        IntStream.range(0, columns.classes.length)
            .mapToObj(j -> columns.gradient(j, layers))
            .toArray(double[][]::new);
    return IntStream.range(0, rows.classes.length)
        .mapToObj(i -> rows.gradient(i, layers))
        .map(g -> Arrays.stream(others).mapToDouble(other -> cosine(g, other)).toArray())
        .toArray(double[][]::new);
  }

  /** Checks a class matrix and its means against cosines, or their signs. */
  private static void assertMeans(
      double[][] values, Explicit rows, Explicit columns, double tolerance, JsonNode found) {
    double within = 0;
    double between = 0;
    for (int a = 0; a < 10; a++) {
      for (int b = 0; b < 10; b++) {
        double sum = 0;
        int pairs = 0;
        for (int i = 0; i < rows.classes.length; i++) {
          for (int j = 0; j < columns.classes.length; j++) {
            if (rows.classes[i] == a && columns.classes[j] == b && (i != j || rows != columns)) {
              sum += values[i][j];
              pairs++;
            }
          }
        }
        double mean = sum / pairs;
        assertEquals(mean, found.at("/classMatrix/%d/%d".formatted(a, b)).asDouble(), tolerance);
        within += a == b ? mean / 10 : 0;
        between += a == b ? 0 : mean / 90;
      }
    }
    assertEquals(within, found.get("within").asDouble(), tolerance);
    assertEquals(between, found.get("between").asDouble(), tolerance);
  }

  private static double[][] signs(double[][] cosines) {
    return Arrays.stream(cosines)
        .map(row -> Arrays.stream(row).map(Math::signum).toArray())
        .toArray(double[][]::new);
  }

  /** Mean cosines of pairs within classes by distance, and the line through them. */
  private static void assertDistances(
      double[][] cosines, Explicit rows, Explicit columns, JsonNode found) {
    // Pairs, and sums of distances, cosines and signs.
    double[][] bins = new double[(int) Math.ceil(2 / BIN)][4];
    for (int i = 0; i < rows.classes.length; i++) {
      for (int j = rows == columns ? i + 1 : 0; j < columns.classes.length; j++) {
        if (rows.classes[i] == columns.classes[j]) {
          double distance = 1 - cosine(rows.inputs[i], columns.inputs[j]);
          double[] bin = bins[(int) (distance / BIN)];
          bin[0]++;
          bin[1] += distance;
          bin[2] += cosines[i][j];
          bin[3] += Math.signum(cosines[i][j]);
        }
      }
    }
    int at = 0;
    double[] sums = new double[5];
    for (int b = 0; b < bins.length; b++) {
      double n = bins[b][0];
      if (n > 0) {
        JsonNode bin = found.get("distance").get(at++);
        assertEquals(b * BIN, bin.get("from").asDouble(), 1e-9);
        assertEquals((b + 1) * BIN, bin.get("to").asDouble(), 1e-9);
        assertEquals(n, bin.get("pairs").asLong());
        double x = bins[b][1] / n;
        double y = bins[b][2] / n;
        assertEquals(x, bin.get("distance").asDouble(), 1e-5);
        assertEquals(y, bin.get("cosine").asDouble(), 1e-5);
        assertEquals(bins[b][3] / n, bin.get("sign").asDouble(), 1e-9);
        double[] terms = {1, x, y, x * x, x * y};
        for (int t = 0; t < terms.length; t++) {
          sums[t] += n * terms[t];
        }
      }
    }
    assertEquals(at, found.get("distance").size());
    assertTrue(at > 3, "bins: " + at);
    double slope =
        (sums[0] * sums[4] - sums[1] * sums[2]) / (sums[0] * sums[3] - sums[1] * sums[1]);
    double intercept = (sums[2] - slope * sums[1]) / sums[0];
    JsonNode length = found.get("criticalLength");
    assertEquals(slope, length.get("slope").asDouble(), 1e-4);
    assertEquals(intercept, length.get("intercept").asDouble(), 1e-4);
    assertTrue(slope < 0 && intercept > 0, slope + ", " + intercept);
    assertEquals(-intercept / slope, length.get("value").asDouble(), 1e-3);
    assertEquals(2, length.get("interval").size());
    assertTrue(length.get("interval").get(0).asDouble() < length.get("value").asDouble());
  }

  @Test
  void everyNumberIsThatOfExplicitGradientsInDoublePrecision() throws IOException {
    Network network = RandomNetworks.network(1, Activation.HARD_TANH, true, 784, 9, 7, 10);
    Explicit examples = Explicit.of(network, DataSets.load("glyphs", NO_DATA).train().first(60));
    // Glyphs take turns by class, so the first 60 are the first 6 of each.
    JsonNode found = result(network, "--per-class", "6").json;
    double[][] cosines = cosines(examples, examples, l -> true);
    assertMeans(cosines, examples, examples, 1e-5, found.get("cosine"));
    assertMeans(signs(cosines), examples, examples, 1e-9, found.get("sign"));
    assertEquals(3, found.get("perLayer").size());
    for (int layer = 0; layer < 3; layer++) {
      int chosen = layer;
      double[][] ofLayer = cosines(examples, examples, l -> l == chosen);
      JsonNode part = found.get("perLayer").get(layer);
      assertMeans(ofLayer, examples, examples, 1e-5, part.get("cosine"));
      assertMeans(signs(ofLayer), examples, examples, 1e-9, part.get("sign"));
    }
    assertDistances(cosines, examples, examples, found);
    assertEquals("[60,60]", found.get("examples").toString());
    assertEquals("[0,0]", found.get("zeroGradients").toString());
    assertEquals(15, found.at("/pairCounts/3/3").asInt());
    assertEquals(36, found.at("/pairCounts/3/4").asInt());
  }

  @Test
  void pairsBetweenSplitsHaveARowForEachClassOfTrainingImages() throws IOException {
    Network network = RandomNetworks.network(2, Activation.RELU, false, 784, 9, 10);
    Explicit train = Explicit.of(network, DataSets.load("glyphs", NO_DATA).train().first(40));
    Explicit test = Explicit.of(network, DataSets.load("glyphs", NO_DATA).test().first(40));
    Result found = result(network, "--count", "40", "--pairs", "train-test");
    double[][] cosines = cosines(train, test, l -> true);
    assertMeans(cosines, train, test, 1e-5, found.json.get("cosine"));
    assertMeans(signs(cosines), train, test, 1e-9, found.json.get("sign"));
    assertDistances(cosines, train, test, found.json);
    assertEquals("train-test", found.json.get("pairs").asText());
    assertTrue(
        found.out.contains("train, 40 images (rows) with test, 40 images (columns)"), found.out);
    found = result(network, "--count", "40", "--pairs", "test-test");
    assertMeans(cosines(test, test, l -> true), test, test, 1e-5, found.json.get("cosine"));
  }

  @Test
  void classesOfOneExampleOrNoneAreNamedAndNull() throws IOException {
    Network network = RandomNetworks.network(3, Activation.RELU, true, 784, 9, 10);
    // Two of class 0 and 1, one of 2 to 9.
    Result found = result(network, "--count", "12");
    JsonNode matrix = found.json.at("/cosine/classMatrix");
    assertTrue(matrix.get(1).get(1).isNumber());
    assertTrue(matrix.get(2).get(2).isNull());
    assertTrue(matrix.get(2).get(3).isNumber());
    assertTrue(found.json.at("/cosine/within").isNumber());
    String note =
        "classes without a pair of examples, whose stiffness within is not defined: 2, 3, 4, 5, 6, 7, 8, 9";
    assertTrue(found.out.contains(note), found.out);
    assertEquals(note, found.json.at("/notes/0").asText());

    found = result(network, "--count", "3");
    assertTrue(found.json.at("/cosine/within").isNull());
    assertTrue(found.json.at("/cosine/between").isNumber());
    assertTrue(found.json.at("/cosine/classMatrix/0/9").isNull());
    assertTrue(found.json.at("/criticalLength/value").isNull());
    assertEquals("[null,null]", found.json.at("/criticalLength/interval").toString());
    assertEquals(
        "needs pairs of two distances", found.json.at("/signCriticalLength/undefined").asText());
    assertTrue(found.out.contains("none by the cosine: its line needs pairs"), found.out);

    found = result(network, "--count", "1");
    assertTrue(found.json.at("/sign/between").isNull());
    assertEquals("[]", found.json.get("distance").toString());
  }

  @Test
  void whatIsPrintedIsWhatMachinesRead() throws IOException {
    Path figure = folder.resolve("stiffness.svg");
    Network network = RandomNetworks.network(1, Activation.HARD_TANH, true, 784, 9, 7, 10);
    Result found = result(network, "--per-class", "4", "--figure", figure.toString());
    JsonNode json = found.json;
    assertTrue(
        found.out.contains("network          9–7 HardTanh with biases, 7,215 parameters"),
        found.out);
    assertTrue(found.out.contains("data             glyphs train, 40 images"), found.out);
    JsonNode length = json.get("criticalLength");
    assertTrue(
        found.out.contains(
            "critical length  %.4g by the cosine, 95%% of resamples from %.4g to %.4g"
                .formatted(
                    length.get("value").asDouble(),
                    length.get("interval").get(0).asDouble(),
                    length.get("interval").get(1).asDouble())),
        found.out);
    JsonNode layer = json.get("perLayer").get(1);
    assertTrue(
        found.out.matches(
            "(?s).*layer 2 +%.3f +%.3f +%.3f +%.3f\n.*"
                .formatted(
                    layer.at("/cosine/within").asDouble(),
                    layer.at("/cosine/between").asDouble(),
                    layer.at("/sign/within").asDouble(),
                    layer.at("/sign/between").asDouble())),
        found.out);
    assertTrue(
        found.out.matches(
            "(?s).*class 0 +%.3f +.*".formatted(json.at("/cosine/classMatrix/0/0").asDouble())),
        found.out);
    assertTrue(found.out.contains("written          " + figure), found.out);
    String svg = Files.readString(figure);
    assertTrue(svg.contains("glyphs train, 40 images"), svg);
    assertTrue(svg.contains("ξ = %.3g".formatted(length.get("value").asDouble())), svg);
    assertTrue(svg.contains("net.safetensors"), svg);
  }

  @Test
  void gradientsThatAreZeroAreCounted() throws IOException {
    LabelledImages train = DataSets.load("glyphs", NO_DATA).train();
    Network network = RandomNetworks.network(4, Activation.RELU, false, 784, 1, 10);
    float[] direction = train.normalised(0);
    System.arraycopy(direction, 0, network.weights()[0], 0, 784);
    // A hidden unit that is off passes nothing on, and nothing back.
    long off =
        IntStream.range(0, 30)
            .filter(
                i ->
                    cosine(Reference.doubles(direction), Reference.doubles(train.normalised(i)))
                        <= 0)
            .count();
    assertTrue(off > 0 && off < 30, "off at " + off);
    Result found = result(network, "--per-class", "3");
    assertEquals("[%d,%d]".formatted(off, off), found.json.get("zeroGradients").toString());
    assertTrue(found.out.contains("are left out: %d of 30".formatted(off)), found.out);
  }

  /** Two classes of one super-class and two of another, and one alone, have images. */
  @Test
  void superClassesOfADataSetHaveAMeanOfTheirOwn() throws IOException {
    int[] coarse = {4, 7, 4, 7, 9};
    Path files = Files.createDirectories(folder.resolve("cifar100/cifar-100-binary"));
    int[][] records =
        IntStream.range(0, 15)
            .mapToObj(i -> new int[] {coarse[i % 5], i % 5})
            .toArray(int[][]::new);
    Files.write(files.resolve("train.bin"), SmallFiles.cifar(records));
    Files.write(files.resolve("test.bin"), SmallFiles.cifar(records));
    Path network = folder.resolve("net.safetensors");
    NetworkFile.write(
        network,
        Map.of("net", RandomNetworks.network(5, Activation.RELU, false, 3072, 9, 100)),
        Map.of());
    StringWriter out = new StringWriter();
    Path json = folder.resolve("result.json");
    int code =
        Main.commandLine()
            .setOut(new PrintWriter(out))
            .execute(
                "stiffness",
                network.toString(),
                "--dataset=cifar100",
                "--data-dir=" + folder,
                "--count=15",
                "--device=cpu",
                "--json=" + json);
    assertEquals(0, code);
    JsonNode result = new ObjectMapper().readTree(json.toFile());
    for (String reading : List.of("cosine", "sign")) {
      JsonNode matrix = result.get(reading).get("classMatrix");
      double mean =
          (matrix.get(0).get(2).doubleValue()
                  + matrix.get(2).get(0).doubleValue()
                  + matrix.get(1).get(3).doubleValue()
                  + matrix.get(3).get(1).doubleValue())
              / 4;
      assertEquals(mean, result.get("betweenWithinSuperClasses").get(reading).doubleValue(), 1e-12);
    }
    assertTrue(
        out.toString()
            .matches("(?s).*super-classes +cosine \\S+, sign \\S+ between classes of one\n.*"),
        out.toString());
    Result without =
        result(RandomNetworks.network(5, Activation.RELU, false, 784, 9, 10), "--count", "30");
    assertTrue(without.json.get("betweenWithinSuperClasses").isNull());
    assertFalse(without.out.contains("super-classes"));
  }

  @Test
  void wrongRequestsAreRefusedWithWhatWasExpected() {
    Network network = RandomNetworks.network(5, Activation.RELU, false, 784, 4, 10);
    assertRefused(network, List.of("--count", "60001"), "1 to 60000", "60001");
    assertRefused(
        network, List.of("--count", "10001", "--pairs", "train-test"), "glyphs test", "1 to 10000");
    assertRefused(network, List.of("--count", "0"), "1 to 60000");
    assertRefused(network, List.of("--per-class", "6001"), "6000 images of class 0", "1 to 6000");
    assertRefused(network, List.of("--per-class", "0"), "1 to 6000");
    assertRefused(
        network, List.of("--per-class", "1001", "--pairs", "train-test"), "glyphs test has 1000");
    assertRefused(
        network, List.of("--per-class", "5", "--count", "50"), "--count and --per-class", "both");
    assertRefused(
        network, List.of("--pairs", "test-train"), "test-train", "train-train, train-test");
    assertRefused(network, List.of("--figure", "f.pdf"), "--figure", ".svg");
    assertRefused(network, List.of("--crop", "24"), "784 inputs", "576");
    assertRefused(
        RandomNetworks.network(5, Activation.RELU, false, 784, 4, 2),
        List.of(),
        "2 classes",
        "has 10");
    Network huge = RandomNetworks.network(6, Activation.RELU, false, 784, 4, 10);
    for (float[] layer : huge.weights()) {
      Arrays.fill(layer, 0, layer.length / 2, 3e38f);
    }
    assertRefused(huge, List.of("--per-class", "2"), "expected finite");
  }
}
