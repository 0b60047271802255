package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Libraries in the place of NVIDIA's, compiled for a test and loaded by a process of its own. */
public final class StandIn {
  private StandIn() {}

  /**
   * Compiles a C source of the test resources, if there is a compiler for it.
   *
   * @param more arguments of the compiler
   */
  public static void compile(String resource, Path library, String... more) throws Exception {
    assumeTrue(
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "gcc"))),
        "gcc is not installed");
    assumeTrue(
        System.getProperty("os.name").equals("Linux")
            && System.getProperty("os.arch").equals("amd64"),
        "JCuda's libraries are for Linux on x86-64");
    Files.createDirectories(library.getParent());
    Path source = library.resolveSibling(library.getFileName() + ".c");
    try (InputStream in = StandIn.class.getResourceAsStream(resource)) {
      Files.copy(in, source);
    }
    List<String> command =
        new ArrayList<>(
            List.of(
                "gcc",
                "-shared",
                "-fPIC",
                "-Wl,-soname," + library.getFileName(),
                "-o",
                library.toString(),
                source.toString()));
    command.addAll(List.of(more));
    assertEquals("", output(new ProcessBuilder(command)));
  }

  /**
   * What a main class prints, on any stream, with Flinch's cache in a folder of its own.
   *
   * @param libraries where it looks for libraries first
   */
  public static String run(
      Class<?> main, Path cache, Path libraries, Map<String, String> environment, String... args)
      throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-ea",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dflinch.cache=" + cache,
                "-Djava.library.path=" + cache.resolve("natives"),
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
    command.addAll(List.of(args));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LD_LIBRARY_PATH", libraries.toString());
    builder.environment().putAll(environment);
    return output(builder);
  }

  private static String output(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.redirectErrorStream(true).start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), output);
    assertEquals(0, process.exitValue(), output);
    return output;
  }
}
