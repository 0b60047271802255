package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher itself, in a copy of the repository whose path has a space. */
@Tag("slow")
class LauncherTest {
  @TempDir private Path folder;

  private record Outcome(int code, String out, String err) {}

  private Process start(String name, List<String> command, Map<String, String> variables)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectOutput(folder.resolve(name + ".out").toFile())
            .redirectError(folder.resolve(name + ".err").toFile());
    builder.environment().putAll(variables);
    return builder.start();
  }

  private Outcome end(String name, Process process) throws IOException, InterruptedException {
    int code = process.waitFor();
    return new Outcome(
        code,
        Files.readString(folder.resolve(name + ".out"), StandardCharsets.UTF_8),
        Files.readString(folder.resolve(name + ".err"), StandardCharsets.UTF_8));
  }

  private Outcome run(Map<String, String> variables, String... command)
      throws IOException, InterruptedException {
    return end("run", start("run", List.of(command), variables));
  }

  @Test
  void buildsOnceAndRunsFromAnywhere() throws IOException, InterruptedException {
    Path copy = Files.createDirectories(folder.resolve("a copy"));
    Path here = Path.of("").toAbsolutePath();
    for (String part : List.of("flinch", "pom.xml", "src", ".mvn")) {
      Outcome copied = run(Map.of(), "cp", "-R", here.resolve(part).toString(), copy.toString());
      assertEquals(0, copied.code(), copied.err());
    }
    Path link = Files.createSymbolicLink(folder.resolve("link"), copy.resolve("flinch"));

    Process first = start("first", List.of(link.toString(), "--version"), Map.of());
    Process second = start("second", List.of(link.toString(), "--version"), Map.of());
    Outcome one = end("first", first);
    Outcome two = end("second", second);
    assertEquals(0, one.code(), one.err());
    assertEquals(0, two.code(), two.err());
    assertEquals("Building Flinch, once ...\n", one.err() + two.err());
    assertTrue(one.out().startsWith("flinch "), one.out());

    Outcome wrong = run(Map.of(), link.toString(), "mesure");
    assertEquals(2, wrong.code());
    assertTrue(wrong.err().startsWith("flinch: "), wrong.err());

    Outcome noJava = run(Map.of("JAVA_HOME", folder.toString()), link.toString(), "--version");
    assertEquals(1, noJava.code());
    assertTrue(noJava.err().contains("JDK 17"), noJava.err());

    Outcome badFlag = run(Map.of("FLINCH_OPTS", "-Xnone"), link.toString(), "--version");
    assertEquals(1, badFlag.code());
    assertTrue(badFlag.err().contains("-Xnone"), badFlag.err());

    Files.writeString(
        copy.resolve("src/main/java/dev/flinch/cli/Main.java"), "no Java", StandardCharsets.UTF_8);
    Outcome broken = run(Map.of(), link.toString(), "--version");
    assertEquals(1, broken.code());
    assertTrue(broken.err().contains("Main.java"), broken.err());
  }
}
