package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The PTX that is checked in is what the kernels' sources compile to, as far as its stamp says. */
class StampTest {
  private static final Path KERNELS = Path.of("kernels");
  private static final Path PTX =
      Path.of("src", "main", "resources", "dev", "flinch", "device", "cuda", "ptx");
  private static final String REMEDY =
      "kernels/build --force compiles the kernels again, with CUDA's nvcc; commit what it writes";

  private static List<Path> files(Path folder, String ending) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(ending)).sorted().toList();
    }
  }

  @Test
  void thePtxIsStampedWithTheSourcesItIsMadeOf() throws IOException, NoSuchAlgorithmException {
    MessageDigest hash = MessageDigest.getInstance("SHA-256");
    for (String ending : List.of(".cu", ".cuh")) {
      for (Path source : files(KERNELS, ending)) {
        hash.update(Files.readAllBytes(source));
      }
    }
    hash.update(Files.readAllBytes(KERNELS.resolve("build")));
    assertEquals(
        HexFormat.of().formatHex(hash.digest()),
        Files.readString(PTX.resolve("sources.sha256")).strip(),
        "the kernels changed since they were compiled: " + REMEDY);
  }

  @Test
  void everySourceHasItsPtxAndNothingElseIsShipped() throws IOException {
    TreeSet<String> sources =
        files(KERNELS, ".cu").stream()
            .map(file -> file.getFileName().toString().replaceFirst("cu$", "ptx"))
            .collect(Collectors.toCollection(TreeSet::new));
    for (int architecture : KernelLibrary.ARCHITECTURES) {
      TreeSet<String> shipped =
          files(PTX.resolve("sm_" + architecture), ".ptx").stream()
              .map(file -> file.getFileName().toString())
              .collect(Collectors.toCollection(TreeSet::new));
      assertEquals(sources, shipped, "sm_%d: %s".formatted(architecture, REMEDY));
    }
  }
}
