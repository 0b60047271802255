package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.base.Progress;
import dev.flinch.bench.CopyRate;
import dev.flinch.bench.GemmRate;
import dev.flinch.bench.Profile;
import dev.flinch.bench.Profile.KernelTime;
import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class CommandLineTest {
  @TempDir private Path folder;

  private record Outcome(int code, String out, String err) {}

  private static Outcome flinch(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commands =
        Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int code = commands.execute(args);
    return new Outcome(code, out.toString(), err.toString());
  }

  private static void assertRefused(Outcome outcome, String... parts) {
    assertEquals(2, outcome.code(), outcome.err());
    assertEquals("", outcome.out());
    for (String part : parts) {
      assertTrue(outcome.err().contains(part), () -> part + " in: " + outcome.err());
    }
    assertFalse(outcome.err().contains("\tat "), outcome::err);
  }

  private JsonNode json(String... args) throws IOException {
    Path file = folder.resolve("result.json");
    Outcome outcome =
        flinch(
            Stream.concat(Stream.of(args), Stream.of("--json", file.toString()))
                .toArray(String[]::new));
    assertEquals(0, outcome.code(), outcome.err());
    assertFalse(outcome.out().isBlank());
    return new ObjectMapper().readTree(file.toFile());
  }

  private String weights(int... units) {
    Path file = folder.resolve("net.safetensors");
    Architecture architecture =
        new Architecture(Arrays.stream(units).boxed().toList(), Activation.RELU, true);
    NetworkFile.write(file, Map.of("net", Network.initial(architecture, 1, 1)), Map.of());
    return file.toString();
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.toList();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "run",
        "sweep",
        "results",
        "report",
        "measure",
        "trajectory",
        "regions",
        "points",
        "stiffness",
        "data",
        "data list",
        "data fetch",
        "doctor",
        "bench",
        "profile"
      })
  void everyCommandExplainsItselfWithAnExample(String command) {
    Outcome outcome = flinch((command + " --help").split(" "));
    assertEquals(0, outcome.code());
    assertTrue(outcome.out().matches("(?s).*Examples?:.*"), outcome.out());
    assertTrue(outcome.out().contains("  flinch " + command), outcome.out());
    if (!command.equals("data")) {
      assertTrue(outcome.out().contains("--json"), outcome.out());
      assertTrue(outcome.out().contains("--verbose"), outcome.out());
    }
  }

  @Test
  void anUnknownCommandSuggestsTheNearOnes() {
    assertRefused(flinch("mesure"), "mesure", "flinch measure");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "data"})
  void withoutACommandTheUsageIsShown(String command) {
    assertRefused(flinch(command.isEmpty() ? new String[0] : new String[] {command}), "Usage:");
  }

  @Test
  void aSweepIsPlannedCarriedOutAndReported() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("some.json"),
            """
            {
              "title": "Some networks",
              "data": {"train": 60, "test": 40},
              "training": {"stop": {"epochs": 1}},
              "measures": {"jacobian": {"count": 5}},
              "factors": {
                "dataset": "glyphs", "depth": [2, 3], "width": [3, 5], "learningRate": 0.01,
                "batchSize": 20, "seed": [1, 2]
              }
            }
            """);
    String out = folder.resolve("sweep").toString();
    String[] sweep = {"sweep", file.toString(), "--device", "cpu", "--out", out};
    JsonNode planned =
        json(Stream.concat(Stream.of(sweep), Stream.of("--dry-run")).toArray(String[]::new));
    assertEquals(8, planned.path("networks").intValue());
    assertFalse(Files.exists(folder.resolve("sweep")), "a dry run writes nothing");
    assertEquals(8, json(sweep).at("/counts/done").intValue());
    Outcome again = flinch(sweep);
    assertTrue(again.out().contains("8 networks: 8 done, 0 diverged, 0 failed"), again.out());
    Path csv = folder.resolve("networks.csv");
    assertEquals(
        0, flinch("results", out, "--where", "depth == 3", "--csv", csv.toString()).code());
    assertEquals(5, Files.readAllLines(csv).size());
    Outcome report = flinch("report", out);
    assertEquals(0, report.code(), report.err());
    assertTrue(Files.readString(folder.resolve("sweep/report.html")).contains("Some networks"));
    assertRefused(flinch("run", file.toString()), "factors: unknown key");
    assertRefused(flinch("report", folder.resolve("none").toString()), "flinch sweep");
    assertRefused(flinch("results", folder.resolve("none").toString()), "none");
    assertRefused(flinch("sweep", "configs/tiny.json", "--dry-run"), "factors");
  }

  @Test
  void wrongRequestsForASweepAreRefusedBeforeAnythingIsWritten() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("one.json"),
            """
            {
              "title": "One network",
              "factors": {"dataset": "glyphs", "depth": 2, "width": 3, "learningRate": 0.01}
            }
            """);
    String[][] requests = {
      {"--engine", "flink", "expected one of local, spark, found 'flink'"},
      {"--lease", "0", "--lease: expected 1 to 2592000 seconds, found 0"},
      {"--lease", "9223372036854775807", "found 9223372036854775807"},
      {"--lease", "9223372036854775808", "a whole number that is smaller, found '922337203685"},
      {"--lease", "a minute", "'--lease': expected a whole number, found 'a minute'"},
      {"--patience", "2592001", "--patience: expected 1 to 2592000 seconds, found 2592001"},
      {"--master", "local[2]", "--master and --conf go with --engine spark"},
      {"--store", " ", "expected a file, or a PostgreSQL database as jdbc:postgresql:", "nothing"},
      {"--store", "mysql://host/d", "mysql://host/d: expected a file, or a PostgreSQL database"},
      {"--store", "jdbc:postgresql://host/d?password=x", "without credentials", "PGPASSWORD"}
    };
    Path sweep = folder.resolve("sweep");
    for (String[] request : requests) {
      assertRefused(
          flinch(
              "sweep",
              file.toString(),
              "--out",
              sweep.toString(),
              "--device",
              "cpu",
              request[0],
              request[1]),
          Arrays.copyOfRange(request, 2, request.length));
      assertFalse(Files.exists(sweep), request[0]);
    }
    assertRefused(flinch("sweep", file.toString(), "--out", ""), "--out: expected a folder");
  }

  @Test
  void aRunIsReportedToo() throws IOException {
    String out = folder.resolve("run").toString();
    assertEquals(0, flinch("run", "configs/tiny.json", "--device", "cpu", "--out", out).code());
    Outcome report = flinch("report", out);
    assertEquals(0, report.code(), report.err());
    assertTrue(Files.size(folder.resolve("run/report.html")) > 1_000_000, "with its charts");
  }

  @Test
  void versionIsANumber() {
    assertTrue(flinch("--version").out().strip().matches("flinch \\d+\\.\\d+\\.\\d+.*"));
  }

  @Test
  void wrongRequestsExitWithTwoAndSayWhatWasExpected() {
    String net = weights(784, 5, 10);
    assertRefused(flinch("run"), "CONFIG");
    assertRefused(flinch("run", folder.resolve("none.json").toString()), "none.json");
    assertRefused(flinch("bench", "--repeats", "x"), "--repeats", "x");
    assertRefused(flinch("bench", "--repeats", "0"), "1 or more", "0");
    assertRefused(flinch("bench", "--job", "nope"), "nope", "epoch-20x200");
    assertRefused(flinch("bench", "--device", "cuda:99"), "device cuda:99: ");
    assertRefused(flinch("bench", "--device", "tpu"), "tpu", "auto, cpu");
    assertRefused(flinch("profile"), "CONFIG");
    assertRefused(
        flinch("profile", "configs/tiny.json", "--device", "cpu"),
        "cpu (",
        "--device cuda",
        "--device emulator");
    assertRefused(flinch("data", "fetch", "imagenet"), "imagenet", "mnist");
    assertRefused(flinch("data", "fetch", "glyphs"), "glyphs", "nothing to fetch");
    assertRefused(flinch("measure", net, "--dataset", "imagenet"), "imagenet", "mnist");
    assertRefused(flinch("measure", net, "--dataset", "glyphs", "--split", "x"), "train", "test");
    assertRefused(
        flinch("measure", net, "--dataset", "glyphs", "--measures", "speed"), "speed", "accuracy");
    assertRefused(
        flinch("measure", net, "--dataset", "glyphs", "--activation", "GELU"), "GELU", "HardTanh");
    assertRefused(flinch("measure", net, "--dataset", "glyphs", "--crop", "29"), "29");
    assertRefused(
        flinch("measure", net, "--dataset", "mnist", "--data-dir", folder.toString()),
        "flinch data fetch mnist");
    assertRefused(flinch("trajectory", net), "--kind");
    assertRefused(flinch("trajectory", net, "--kind", "square"), "square", "translation");
    assertRefused(flinch("trajectory", net, "--kind", "random", "--points", "0"), "points", "0");
    assertRefused(flinch("trajectory", net, "--kind", "random", "--points", "2^"), "2^20");
    assertRefused(flinch("trajectory", net, "--kind", "random", "--figure", "f.pdf"), ".svg");
    assertRefused(flinch("trajectory", net, "--kind", "through", "--dataset", "glyphs"), "anchors");
    assertRefused(
        flinch(
            "trajectory",
            net,
            "--kind",
            "through",
            "--dataset",
            "glyphs",
            "--anchors",
            "1,2,60000"),
        "60000");
    assertRefused(
        flinch("trajectory", net, "--kind", "translation", "--dataset", "glyphs", "--image", "-1"),
        "-1");
  }

  @Test
  void aFileThatIsNoNetworkIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("torn.safetensors"), "no header");
    assertRefused(flinch("measure", file.toString(), "--dataset", "glyphs"), "torn.safetensors");
  }

  @Test
  void verboseShowsWhereARefusalAroseAndKeepsItsCode() {
    Outcome outcome = flinch("data", "fetch", "imagenet", "--verbose");
    assertEquals(2, outcome.code());
    assertTrue(outcome.err().contains("\tat dev.flinch.data."), outcome.err());
  }

  @Test
  void aJsonFileThatCannotBeWrittenIsFoundBeforeTheWork() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    for (Path impossible : List.of(folder.resolve("none/x.json"), file.resolve("x.json"), folder)) {
      // The data set is unknown too, but that is noticed by the work.
      assertRefused(flinch("data", "fetch", "imagenet", "--json", impossible.toString()), "--json");
    }
    assertEquals(List.of(file), files());
  }

  @Test
  void workThatFailsLeavesTheJsonFileAsItWas() throws IOException {
    Path file = Files.writeString(folder.resolve("x.json"), "before");
    assertRefused(flinch("data", "fetch", "imagenet", "--json", file.toString()), "imagenet");
    assertEquals("before", Files.readString(file));
    assertEquals(List.of(file), files());
  }

  /** Work that fails with whatever it is given. */
  @Command(name = "fail")
  private static final class FailingCommand extends Action<String> {
    private final Throwable failure;

    FailingCommand(Throwable failure) {
      this.failure = failure;
    }

    @Override
    String work(Progress progress) throws Exception {
      if (failure instanceof Error error) {
        throw error;
      }
      throw (Exception) failure;
    }

    @Override
    void print(String result, PrintWriter out) {
      out.println(result);
    }
  }

  @Test
  void workThatFailsExitsWithOneAndWithoutAStackTrace() throws IOException {
    Path file = folder.resolve("x.json");
    Map<Throwable, String> messages =
        Map.of(
            new IOException("the server hung up"),
            "flinch: the server hung up\n",
            new FileSystemException("a.bin", null, "No space left on device"),
            "flinch: a.bin: No space left on device\n",
            new AccessDeniedException("b.bin"),
            "flinch: b.bin: AccessDeniedException\n",
            new IllegalStateException("upside down"),
            "flinch: java.lang.IllegalStateException: upside down\n"
                + "This should not have happened; --verbose shows where it did.\n",
            new OutOfMemoryError("no memory for 9 elements"),
            "flinch: out of memory (no memory for 9 elements); FLINCH_OPTS=-Xmx… sets the JVM's"
                + " share\n");
    messages.forEach(
        (failure, message) -> {
          StringWriter err = new StringWriter();
          int code =
              Main.commandLine()
                  .addSubcommand(new FailingCommand(failure))
                  .setErr(new PrintWriter(err))
                  .execute("fail", "--json", file.toString());
          assertEquals(1, code);
          assertEquals(message, err.toString());
        });
    assertEquals(List.of(), files());
  }

  @ParameterizedTest
  @CsvSource({"1048576,1048576", "2^20,1048576", "10^3,1000", "1,1", "0,0"})
  void pointsAreNumbersOrPowers(String text, long expected) {
    assertEquals(expected, Points.parse(text).count());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "2^", "^2", "1e6", "-4", "2^64", "9999999999999999999", "2.5"})
  void otherPointsAreRefused(String text) {
    assertRefused(
        flinch("trajectory", "x", "--kind", "random", "--points=" + text), "--points", "2^20");
  }

  @Test
  void dataListNamesEveryDataSet() throws IOException {
    JsonNode list = json("data", "list", "--data-dir", folder.toString());
    assertEquals(
        List.of("mnist", "fashion-mnist", "cifar10", "cifar100", "glyphs"),
        StreamSupport.stream(list.spliterator(), false).map(e -> e.get("name").asText()).toList());
    assertFalse(list.get(0).get("found").asBoolean());
    assertEquals(folder.resolve("mnist").toString(), list.get(0).get("folder").asText());
    assertTrue(list.get(4).get("found").asBoolean());
  }

  @Test
  void doctorMeasuresTheRateOfMatrixProducts() throws IOException {
    JsonNode checkup = json("doctor", "--data-dir", folder.toString());
    assertTrue(checkup.get("gemm").get("gflops").asDouble() > 0);
    assertTrue(checkup.get("copy").get("gigabytes").asDouble() > 0);
    assertEquals(Runtime.getRuntime().availableProcessors(), checkup.get("cores").asInt());
    JsonNode cards = checkup.get("cards");
    assertEquals(cards.get("missing").isNull(), cards.get("found").size() > 0, cards::toString);
    assertFalse(checkup.get("blas").get("kernels").isNull());
    assertEquals(5, checkup.get("dataSets").size());
  }

  @Test
  void benchReportsTimesBesideTheRateOfMatrixProducts() throws IOException {
    JsonNode bench =
        json(
            "bench",
            "--job",
            "jacobian-10k-20x200",
            "--repeats",
            "1",
            "--data-dir",
            folder.toString());
    JsonNode job = bench.get("jobs").get(0);
    assertEquals(1, bench.get("jobs").size());
    assertEquals("jacobian-10k-20x200", job.get("name").asText());
    assertTrue(bench.get("copy").get("gigabytes").asDouble() > 0);
    double gflops = job.get("flop").asDouble() / job.get("seconds").asDouble() / 1e9;
    assertEquals(gflops, job.get("gflops").asDouble(), 1e-9 * gflops);
    double fraction = gflops / bench.get("gemmGflops").asDouble();
    assertEquals(fraction, job.get("fractionOfGemm").asDouble(), 1e-9);
  }

  @Test
  void measureWritesWhatWasAskedFor() throws IOException {
    JsonNode all = json("measure", weights(784, 7, 10), "--dataset", "glyphs", "--count", "50");
    assertEquals(50, all.get("jacobianNorm").get("points").size());
    assertTrue(all.get("jacobianNorm").get("mean").asDouble() > 0);
    assertTrue(all.get("jacobianNorm").get("standardError").asDouble() > 0);
    assertTrue(all.get("logitJacobianNorm").get("mean").asDouble() > 0);
    assertTrue(all.get("crossEntropy").asDouble() > 0);
    assertTrue(all.has("network"));
    JsonNode some =
        json(
            "measure",
            weights(784, 7, 10),
            "--dataset",
            "glyphs",
            "--split",
            "train",
            "--count",
            "50",
            "--measures",
            "accuracy,loss");
    assertTrue(some.get("accuracy").isNumber());
    assertFalse(some.hasNonNull("jacobianNorm"));
  }

  @Test
  void regionsAreMappedAsPixelsAndExactly() throws IOException {
    Path figure = folder.resolve("maps.png");
    Path exact = folder.resolve("exact.svg");
    JsonNode result =
        json(
            "regions",
            weights(784, 12, 8, 10),
            "--dataset",
            "glyphs",
            "--anchors",
            "0,1,2",
            "--size",
            "40",
            "--layer",
            "all",
            "--figure",
            figure.toString(),
            "--exact",
            exact.toString(),
            "--device",
            "cpu");
    assertEquals(40, result.get("size").asInt());
    assertEquals(1, result.get("firstLayer").asInt());
    assertEquals(2, result.get("lastLayer").asInt());
    JsonNode after = result.get("after");
    assertTrue(after.get("regions").asInt() > 1, result::toString);
    assertEquals(1600.0 / after.get("regions").asInt(), after.get("meanRegionPixels").asDouble());
    assertEquals(3, after.get("anchorDensities").size());
    assertTrue(after.get("restDensity").asDouble() > 0, result::toString);
    // A pattern of all layers is one polygon, so pixels cannot see more patterns than there are.
    assertTrue(
        after.get("patterns").asInt() <= after.get("linearRegions").asInt(), result::toString);
    assertFalse(result.has("before"), result::toString);
    assertTrue(Files.size(figure) > 1000);
    assertTrue(Files.readString(exact).contains("knots of all 2 hidden layers"));
  }

  @Test
  void aRunFoldersNetworksAreMappedBeforeTrainingToo() throws IOException {
    Path run = folder.resolve("run");
    Outcome trained =
        flinch(
            "run",
            "configs/tiny.json",
            "--set",
            "networks.seeds=[3,4]",
            "--set",
            "networks.initScales=[1.5]",
            "--out",
            run.toString(),
            "--device",
            "cpu");
    assertEquals(0, trained.code(), trained.err());
    String file = run.resolve("weights.safetensors").toString();
    String[] asked = {
      "regions",
      file,
      "--network",
      "3x20-true-s4",
      "--dataset",
      "glyphs",
      "--anchors=0,1,2",
      "--size=32",
      "--device=cpu"
    };
    JsonNode automatic = json(asked);
    // What the run began with, from the definition of initial weights.
    Path initial = folder.resolve("initial.safetensors");
    Architecture architecture = Architecture.uniform(784, 3, 20, 10, Activation.RELU);
    NetworkFile.write(initial, Map.of("i", Network.initial(architecture, 4, 1.5)), Map.of());
    JsonNode named = json(with(asked, "--before", initial.toString()));
    assertEquals(named.get("before"), automatic.get("before"));
    assertEquals(named.get("after"), automatic.get("after"));
    assertEquals(automatic.get("before"), json(with(asked, "--before=initial")).get("before"));
    assertFalse(json(with(asked, "--before=none")).has("before"));
    Path other = folder.resolve("other.safetensors");
    Architecture wider = Architecture.uniform(784, 3, 21, 10, Activation.RELU);
    NetworkFile.write(other, Map.of("i", Network.initial(wider, 4, 1)), Map.of());
    assertRefused(flinch(with(asked, "--before", other.toString())), "3×20 ReLU", "3×21 ReLU");
  }

  private static String[] with(String[] asked, String... more) {
    return Stream.concat(Stream.of(asked), Stream.of(more)).toArray(String[]::new);
  }

  @Test
  void impossibleRegionsAreRefusedBeforeAnyWork() {
    String net = weights(784, 12, 8, 10);
    String[] asked = {"regions", net, "--dataset", "glyphs", "--device=cpu"};
    assertRefused(flinch(asked), "--anchors");
    assertRefused(flinch(with(asked, "--anchors=1,2")), "three", "[1, 2]");
    assertRefused(flinch(with(asked, "--anchors=1,2,2")), "same image");
    assertRefused(flinch(with(asked, "--anchors=1,2,-5")), "-5");
    String[] anchored = with(asked, "--anchors=0,1,2");
    assertRefused(flinch(with(anchored, "--size=15")), "16", "15");
    assertRefused(flinch(with(anchored, "--size=9000")), "8192", "9000");
    for (String layer : List.of("0", "3", "first", "-1")) {
      assertRefused(flinch(with(anchored, "--layer=" + layer)), "1 to 2", layer);
    }
    assertRefused(flinch(with(anchored, "--figure=f.pdf")), "--figure", ".svg");
    assertRefused(flinch(with(anchored, "--exact=f.pdf")), "--exact", ".svg");
    assertRefused(flinch(with(anchored, "--before=initial")), "run folder");
    assertRefused(flinch(with(anchored, "--before=nowhere.safetensors")), "nowhere");
    assertRefused(
        flinch(with(anchored, "--activation=Tanh", "--exact=" + folder.resolve("e.svg"))),
        "piecewise-linear",
        "Tanh");
    assertRefused(
        flinch("regions", weights(784, 10), "--dataset=glyphs", "--anchors=0,1,2", "--device=cpu"),
        "no hidden layers");
  }

  @Test
  void pointsAreStudiedListedAndDrawn() throws IOException {
    Path csv = folder.resolve("points.csv");
    Path figure = folder.resolve("errors.svg");
    Path bounds = folder.resolve("bounds.png");
    JsonNode result =
        json(
            "points",
            weights(784, 12, 8, 10),
            "--dataset=glyphs",
            "--split=train",
            "--count=60",
            "--bins=4",
            "--device=cpu",
            "--csv=" + csv,
            "--figure=" + figure,
            "--bounds-figure=" + bounds);
    assertEquals(1, result.get("networks").size());
    JsonNode study = result.get("networks").get(0);
    assertEquals("net", study.get("id").asText());
    assertEquals("train", study.get("split").asText());
    assertEquals(60, study.at("/points/crossEntropy").size());
    assertEquals(4, study.get("bins").size());
    assertEquals(61, Files.readAllLines(csv).size());
    assertTrue(Files.readString(figure).contains("fraction misclassified"));
    assertTrue(Files.size(bounds) > 1000);
  }

  @Test
  void networksOfARunArePickedOrNamed() throws IOException {
    Path run = folder.resolve("run");
    Outcome trained = flinch("run", "configs/tiny.json", "--out=" + run, "--device=cpu");
    assertEquals(0, trained.code(), trained.err());
    String file = run.resolve("weights.safetensors").toString();
    String[] asked = {"points", file, "--dataset=glyphs", "--count=50", "--device=cpu"};
    JsonNode picked = json(with(asked, "--pick=2", "--accurate=0.1"));
    assertEquals("3x20-true-s1", picked.at("/networks/0/id").asText());
    assertEquals("3x20-true-s2", picked.at("/networks/1/id").asText());
    JsonNode named = json(with(asked, "--network=3x20-true-s1,3x20-true-s2"));
    assertEquals(picked, named);
    assertEquals(named, json(with(asked, "--network=3x20-true-s1", "--network=3x20-true-s2")));

    assertRefused(flinch(asked), "--network ID");
    assertRefused(flinch(with(asked, "--network=3x20-true-s1,nobody")), "nobody");
    assertRefused(flinch(with(asked, "--network=3x20-true-s1,3x20-true-s1")), "twice");
    assertRefused(flinch(with(asked, "--network=a,b,c,d,e,f")), "up to 5", "6");
    assertRefused(flinch(with(asked, "--pick=6")), "up to 5", "6");
    assertRefused(flinch(with(asked, "--pick=0")), "1 or more", "0");
    assertRefused(flinch(with(asked, "--pick=5", "--accurate=0.1")), "found 2 of 4");
    assertRefused(flinch(with(asked, "--pick=1", "--network=3x20-true-s1")), "--pick");
    assertRefused(flinch(with(asked, "--accurate=0.5")), "--accurate", "--pick");
    assertRefused(flinch(with(asked, "--seed=2")), "--seed", "--pick");
    assertRefused(flinch(with(asked, "--pick=1", "--accurate=2")), "up to 1", "2.0");
    assertRefused(
        flinch(
            with(
                asked, "--pick=2", "--accurate=0.1", "--bounds-figure=" + folder.resolve("b.svg"))),
        "--bounds-figure",
        "one network");
    assertRefused(flinch(with(asked, "--figure=f.pdf")), "--figure", ".svg");
    assertRefused(
        flinch("points", weights(784, 5, 10), "--dataset=glyphs", "--pick=1"), "metrics.json");
    assertRefused(
        flinch("points", weights(784, 5, 10), "--dataset=glyphs", "--count=10001"), "10000");
  }

  @Test
  void trajectoryWritesBothMeasuresAndAFigure() throws IOException {
    Path figure = folder.resolve("curve.svg");
    JsonNode json =
        json(
            "trajectory",
            weights(784, 7, 7, 10),
            "--kind",
            "through",
            "--dataset",
            "glyphs",
            "--anchors",
            "1,3,5",
            "--points",
            "2^10",
            "--bins",
            "16",
            "--figure",
            figure.toString());
    assertEquals("through", json.get("kind").asText());
    assertEquals(1024, json.get("points").asInt());
    JsonNode transitions = json.get("transitions");
    assertEquals(2, transitions.get("perLayer").size());
    assertEquals(16, transitions.get("perBin").size());
    long sum =
        StreamSupport.stream(transitions.get("perBin").spliterator(), false)
            .mapToLong(JsonNode::asLong)
            .sum();
    assertEquals(transitions.get("total").asLong(), sum);
    assertTrue(json.get("regions").asLong() > 1);
    assertEquals(16, json.get("jacobianNorm").get("perBin").size());
    assertTrue(json.get("seconds").asDouble() > 0);
    assertTrue(Files.readString(figure).contains("</svg"));
  }

  @Test
  void profileCountsWhatKernelsCostAndKeepsNothing() throws IOException {
    Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
    JsonNode profile =
        json(
            "profile",
            "configs/tiny.json",
            "--device",
            "emulator",
            "--set",
            "networks.seeds=[1]",
            "--set",
            "training.stop.epochs=1");
    Map<String, JsonNode> kernels =
        StreamSupport.stream(profile.get("counts").spliterator(), false)
            .collect(Collectors.toMap(k -> k.get("name").asText(), k -> k));
    JsonNode optimizer = kernels.get("optimizer.update_momentum_4");
    // 200 images in batches of 50, three matrices; both networks of the stack in one launch.
    assertEquals(4 * 3, optimizer.get("launches").asInt(), profile::toString);
    assertTrue(optimizer.get("flop").asLong() > 0);
    assertTrue(optimizer.get("loadEfficiency").asDouble() > 0.5);
    assertTrue(kernels.containsKey("walk.walk"), kernels::toString);
    assertFalse(profile.has("times"));
    try (Stream<Path> left = Files.list(temporary)) {
      assertEquals(
          List.of(),
          left.filter(f -> f.getFileName().toString().startsWith("flinch-profile")).toList());
    }
  }

  @Test
  void profileOfACardSaysWhatItDoesNotKnow() {
    KernelTime known =
        new KernelTime("a.b", 4, 0.003, 0.0005, 1234.0, 5.0, "products", 0.25, 64, 2048, 0.5);
    KernelTime unknown =
        new KernelTime("c.d", 1, 0.001, 0.001, null, null, null, null, null, null, null);
    Profile.Ceilings ceilings =
        new Profile.Ceilings(new GemmRate("1 × 2 × 3", 5000), new CopyRate(300));
    StringWriter out = new StringWriter();
    new ProfileCommand()
        .print(
            new Profile("a card", 1.5, ceilings, List.of(known, unknown), null),
            new PrintWriter(out));
    List<String> lines = out.toString().lines().toList();
    assertEquals("Device: a card", lines.get(0));
    assertEquals(
        "Ceilings in this run: matrix products 5000 GFLOP/s (float32, 1 × 2 × 3), memory 300 GB/s.",
        lines.get(1));
    assertEquals(
        List.of("a.b", "4", "3.000", "75.0%", "500.0", "1234", "5", "25%", "products", "64", "50%"),
        List.of(lines.get(6).split("\\s\\s+")));
    assertEquals(
        List.of("c.d", "1", "1.000", "25.0%", "1000.0", "–", "–", "–", "–", "–", "–"),
        List.of(lines.get(7).split("\\s\\s+")));
  }

  @Test
  void runWritesItsFolderOnce() throws IOException {
    Path configuration =
        Files.writeString(
            folder.resolve("small.json"),
            """
            {"title": "Small", "data": {"dataset": "glyphs", "train": 60, "test": 40},
             "networks": {"shapes": [{"depth": 2, "width": 8}], "seeds": [1, 2]},
             "training": {"learningRates": [0.1], "batchSize": 20, "stop": {"epochs": 1}},
             "measures": {"jacobian": {"count": 10}}}
            """);
    String out = folder.resolve("run").toString();
    JsonNode metrics = json("run", configuration.toString(), "--out", out, "--set", "title=Tiny");
    assertEquals("Tiny", metrics.get("title").asText());
    assertEquals(2, metrics.get("networks").size());
    assertRefused(flinch("run", configuration.toString(), "--out", out), out);
    assertRefused(
        flinch("run", configuration.toString(), "--set", "networks.seed=1"), "networks.seed");
  }
}
