package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.network.Safetensors;
import dev.flinch.network.Safetensors.Tensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Commands that measure networks of a file, with one that begins with convolutions. */
class ConvolutionsCommandTest {
  private static final String TITLE = "conv 3/2–2@5/2 ReLU";

  @TempDir private Path folder;
  private Path own;
  private Path foreign;

  private record Outcome(int code, String out, String err) {}

  /** The same network twice: in a file of Flinch's, and in one that says nothing but weights. */
  @BeforeEach
  void write() {
    own = folder.resolve("own.safetensors");
    foreign = folder.resolve("foreign.safetensors");
    Network network =
        Network.initial(
            Architecture.convolutional(
                new ImageShape(1, 28, 28),
                List.of(new Convolution(3, 3, 2), new Convolution(2, 5, 2)),
                List.of(10),
                Activation.RELU,
                false),
            1,
            1);
    NetworkFile.write(own, Map.of("net", network), Map.of());
    Map<String, Tensor> tensors = Safetensors.read(own).tensors();
    Safetensors.write(
        foreign,
        Map.of(
            "0.weight", tensors.get("layers.0.weight"),
            "3.weight", tensors.get("layers.1.weight"),
            "7.weight", tensors.get("layers.2.weight")),
        Map.of("format", "pt"));
  }

  private static Outcome flinch(Stream<String> args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commands =
        Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    int code = commands.execute(args.toArray(String[]::new));
    return new Outcome(code, out.toString(), err.toString());
  }

  private Outcome flinch(Path file, String command) {
    String[] words = command.split(" ");
    return flinch(Stream.concat(Stream.of(words[0], file.toString()), Stream.of(words).skip(1)));
  }

  private JsonNode json(Path file, String command) throws IOException {
    Path json = folder.resolve("result.json");
    Outcome outcome = flinch(file, command + " --json " + json);
    assertEquals(0, outcome.code(), outcome.err());
    return new ObjectMapper().readTree(json.toFile());
  }

  private void assertRefused(Path file, String command, String... parts) {
    Outcome outcome = flinch(file, command);
    assertEquals(2, outcome.code(), outcome.err());
    for (String part : parts) {
      assertTrue(outcome.err().contains(part), () -> part + " in: " + outcome.err());
    }
    assertFalse(outcome.err().contains("\tat "), outcome::err);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "measure --dataset glyphs --count 20",
        "points --dataset glyphs --count 20",
        "stiffness --dataset glyphs --per-class 2",
        "regions --dataset glyphs --anchors 1,2,3 --size 16",
        "trajectory --kind through --anchors 1,2,3 --points 100 --bins 5 --dataset glyphs",
        "trajectory --kind translation --image 1 --points 100 --bins 5 --dataset glyphs"
      })
  void aFileFromElsewhereIsMeasuredAsOnesOwn(String command) throws IOException {
    JsonNode ofOwn = json(own, command);
    JsonNode ofForeign = json(foreign, command + " --activation ReLU");
    assertEquals(withoutSecondsAndIds(ofOwn), withoutSecondsAndIds(ofForeign));
    if (!command.startsWith("trajectory")) {
      assertTrue(ofOwn.toString().contains(TITLE), ofOwn.toString());
      assertEquals(
          "[{\"channels\":3,\"kernel\":3,\"pool\":2},{\"channels\":2,\"kernel\":5,\"pool\":2}]",
          ofOwn.findValue("convolutions").toString());
    }
  }

  private static String withoutSecondsAndIds(JsonNode result) {
    return result.toString().replaceAll("\"seconds\":[^,}]*|\"id\":\"net\",?", "");
  }

  @Test
  void aRandomEllipseNeedsADataSetOnlyWhereTheFileSaysNoImages() throws IOException {
    String command = "trajectory --kind random --points 100 --bins 5";
    assertTrue(json(own, command).at("/transitions/total").asLong() > 0);
    assertRefused(
        foreign,
        command + " --activation ReLU",
        "doesn't say the shape of the images that its convolutions take",
        "--dataset");
    assertEquals(
        json(own, command).path("transitions"),
        json(foreign, command + " --activation ReLU --dataset glyphs").path("transitions"));
  }

  @Test
  void exactWalksAndRegionsAreRefusedInPlainWords() {
    assertRefused(
        own,
        "trajectory --kind random --exact --bins 5",
        TITLE + ": expected a fully connected network");
    assertRefused(
        own, "trajectory --kind random --compare --bins 5", "fully connected networks only", TITLE);
    assertRefused(
        own,
        "regions --dataset glyphs --anchors 1,2,3 --size 16 --exact " + folder.resolve("e.svg"),
        "exact regions are found of fully connected networks only",
        TITLE);
  }

  @Test
  void poolsAndImagesThatDontFitAreRefused() {
    String command = "measure --dataset glyphs --count 5 --activation ReLU";
    assertRefused(foreign, command + " --pool 2,2,2", "for each of 2 convolutions", "[2, 2, 2]");
    assertRefused(foreign, command + " --pool 0", "--pool: expected sides of 1 or more, found [0]");
    assertRefused(foreign, command + " --pool 1", "expected 1568 columns", "windows of [1, 1]");
    assertRefused(foreign, command + " --crop 24", "no pooling with equal windows", "1 × 24 × 24");
    assertRefused(own, command + " --crop 24", "take images of 1 × 28 × 28", "1 × 24 × 24");
    assertRefused(
        own,
        command.replace("glyphs", "cifar10"),
        // Not found, or of another shape: the data set is not there where tests run.
        "cifar10");
    // Poolings of 4 and 1 make as many columns as 2 and 2: the one that is said is taken.
    Outcome said = flinch(foreign, command + " --pool 4,1");
    assertEquals(0, said.code(), said.err());
    assertTrue(said.out().contains("conv 3/4–2@5 ReLU"), said.out());
  }
}
