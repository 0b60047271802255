package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.Natives;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** cuBLAS through JCuda, on stand-ins for NVIDIA's libraries. */
class CublasTest {
  @TempDir private Path folder;

  private Path cublas(String name) throws Exception {
    Path versions = folder.resolve(name + ".map");
    try (InputStream in = CublasTest.class.getResourceAsStream(versions.getFileName().toString())) {
      Files.copy(in, versions);
    }
    Path library = folder.resolve("lib").resolve(name);
    StandIn.compile("libcublas.c", library, "-Wl,--version-script=" + versions);
    return library;
  }

  private String run(Map<String, String> environment) throws Exception {
    Path library = folder.resolve("lib/libcuda.so.1");
    if (!Files.exists(library)) {
      StandIn.compile("driver/libcuda.c", library);
    }
    return StandIn.run(
        CublasProcess.class, folder.resolve("cache"), library.getParent(), environment);
  }

  @Test
  void theBindingAsksForCuda13AfterTwoChanges() throws IOException {
    byte[] binding = Natives.packed("JCublas2");
    byte[] patched = CublasLibrary.forCuda13(binding);
    assertEquals(binding.length, patched.length);
    int[] changed =
        IntStream.range(0, binding.length).filter(i -> binding[i] != patched[i]).toArray();
    assertEquals(2, changed.length, () -> Arrays.toString(changed));
    List<String> changes =
        IntStream.of(changed).mapToObj(i -> binding[i] + " to " + patched[i]).sorted().toList();
    assertEquals(List.of("50 to 51", "50 to 51"), changes, "'2' to '3' in the name, 0x32 to 0x33");
    assertThrows(IOException.class, () -> CublasLibrary.forCuda13(patched), "patched already");
  }

  @Test
  void theHashesAreThoseOfTheNames() {
    assertArrayEquals(
        new int[] {0x0ef62132, 0x0ef62133},
        new int[] {elfHash("libcublas.so.12"), elfHash("libcublas.so.13")});
  }

  /** As the System V ABI defines it. */
  private static int elfHash(String name) {
    int hash = 0;
    for (char c : name.toCharArray()) {
      hash = (hash << 4) + c;
      int high = hash & 0xf0000000;
      hash = (hash ^ (high >>> 24)) & ~high;
    }
    return hash;
  }

  @ParameterizedTest
  @ValueSource(strings = {"libcublas.so.12", "libcublas.so.13"})
  void productsAreThoseOfRowMajorMatrices(String name) throws Exception {
    cublas(name);
    String suffix = name.endsWith("13") ? " through a patched binding" : "";
    List<String> expected = List.of("cuBLAS 13.1.2" + suffix, "done");
    assertEquals(expected, run(Map.of()).lines().toList());
  }

  @Test
  void theBindingFollowsTheLibrary() throws Exception {
    Path newer = cublas("libcublas.so.13");
    assertTrue(run(Map.of()).startsWith("cuBLAS 13.1.2 through a patched binding"));
    cublas("libcublas.so.12");
    assertTrue(run(Map.of()).startsWith("cuBLAS 13.1.2\n"), "the one it was made for comes first");
    Files.delete(folder.resolve("lib/libcublas.so.12"));
    assertTrue(run(Map.of()).startsWith("cuBLAS 13.1.2 through a patched binding"));
    Files.delete(newer);
  }

  @Test
  void whyThereIsNoneIsSaid() throws Exception {
    Path library = cublas("libcublas.so.12");
    assertEquals(
        "no cuBLAS: Stand-in 0: cublasCreate, to open cuBLAS, answers CUBLAS_STATUS_ARCH_MISMATCH",
        run(Map.of("STANDIN_CREATE", "8")));
    assertEquals(
        "no cuBLAS: turned off by -Dflinch.cublas=none",
        run(Map.of("JDK_JAVA_OPTIONS", "-Dflinch.cublas=none")).lines().reduce("", (a, b) -> b));
    Files.writeString(library, "not a library");
    // The JVM has a warning of its own for such files before.
    String damaged = run(Map.of());
    assertTrue(damaged.endsWith("libcublas.so.12: file too short"), damaged);
    assertTrue(damaged.contains("no cuBLAS: "), damaged);
  }
}
