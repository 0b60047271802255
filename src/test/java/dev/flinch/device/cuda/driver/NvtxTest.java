package dev.flinch.device.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.device.cuda.StandIn;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ranges of a card, on stand-ins for NVIDIA's libraries and for a profiler. */
class NvtxTest {
  private static final List<String> RANGES =
      List.of(
          "push train 20×200 ReLU",
          "push upload examples",
          "pop 1",
          "push fails",
          "pop 1",
          "pop 0");

  private static final List<String> TABLES =
      List.of(
          "15 functions of module 1",
          "8 functions of module 2",
          "14 functions of module 3",
          "6 functions of module 4",
          "15 functions of module 5",
          "6 functions of module 6");

  @TempDir private Path folder;

  private Path cache;
  private Path libraries;

  @BeforeEach
  void compile() throws Exception {
    cache = folder.resolve("cache");
    libraries = folder.resolve("lib");
    StandIn.compile("driver/libcuda.c", libraries.resolve("libcuda.so.1"));
  }

  private Path nvtx(Path file) throws Exception {
    StandIn.compile("driver/nvtx.c", file);
    return file;
  }

  private Path library() throws Exception {
    return nvtx(libraries.resolve("libnvToolsExt.so.1"));
  }

  private Path profiler() throws Exception {
    return nvtx(folder.resolve("profiler/libprofiler.so"));
  }

  private List<String> run(Map<String, String> environment) throws Exception {
    Map<String, String> all = new HashMap<>(environment);
    // Not the profiler that may look on here.
    all.putIfAbsent("NVTX_INJECTION64_PATH", "");
    List<String> lines = StandIn.run(NvtxProcess.class, cache, libraries, all).lines().toList();
    assertEquals("done", lines.get(lines.size() - 1), lines::toString);
    return lines.subList(0, lines.size() - 1);
  }

  private Map<String, String> injecting(Path profiler, String... more) {
    Map<String, String> environment = new HashMap<>();
    environment.put("NVTX_INJECTION64_PATH", profiler.toString());
    for (String name : more) {
      environment.put(name, "1");
    }
    return environment;
  }

  /** Whether JNA was loaded from where it was unpacked. */
  private boolean jnaIsUnpacked() throws IOException {
    try (Stream<Path> natives = Files.list(cache.resolve("natives"))) {
      return natives.anyMatch(file -> file.getFileName().toString().contains("jnidispatch"));
    }
  }

  @Test
  void rangesNestAndAreClosedOnceAlsoWhenTheirWorkFails() throws Exception {
    library();
    assertEquals(RANGES, run(Map.of()));
    assertTrue(jnaIsUnpacked());
  }

  @Test
  void aProfilerIsGivenTheTablesItAsksForAndTheRangesAlone() throws Exception {
    library();
    List<String> expected = new ArrayList<>(TABLES);
    RANGES.forEach(line -> expected.add("to the profiler: " + line));
    assertEquals(expected, run(injecting(profiler())));
  }

  @Test
  void whereAProfilerHasNoUseForRangesTheyGoToTheLibraryIfThereIsOne() throws Exception {
    Path profiler = profiler();
    assertEquals(TABLES, run(injecting(profiler, "STANDIN_REFUSE")));
    library();
    List<String> expected = new ArrayList<>(TABLES);
    expected.addAll(RANGES);
    assertEquals(expected, run(injecting(profiler, "STANDIN_REFUSE")));
    assertEquals(expected, run(injecting(profiler, "STANDIN_NO_RANGES")));
    assertEquals(RANGES, run(injecting(folder.resolve("absent.so"))));
    assertEquals(RANGES, run(injecting(libraries.resolve("libcuda.so.1"))), "no profiler at all");
  }

  @Test
  void whereNobodyListensRangesDoNothingAndJnaIsNotLoaded() throws Exception {
    assumeTrue(SystemLibraries.find("libnvToolsExt.so.1").isEmpty(), "NVTX is installed here");
    assertEquals(List.of(), run(Map.of()));
    assertFalse(jnaIsUnpacked());
    assertEquals(List.of(), run(injecting(folder.resolve("absent.so"))), "quiet");
    Files.writeString(libraries.resolve("libnvToolsExt.so.1"), "not a library");
    assertEquals(List.of(), run(Map.of()), "quiet");
  }
}
