package dev.flinch.device.cpu;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * Which library multiplies matrices, and with which kernels.
 *
 * @param version such as {@code OpenBLAS 0.3.31}
 * @param kernels the processor family whose kernels it runs, such as {@code SkylakeX}; null where
 *     it doesn't say
 * @param forced what {@code OPENBLAS_CORETYPE} in the environment asks for; empty for its own
 *     choice
 */
public record BlasLibrary(String version, String kernels, String forced) {
  private static final String CORETYPE = "OPENBLAS_CORETYPE";
  private static final String CORE = "Core: ";
  private static final List<String> AVX512 = List.of("skylakex", "cooperlake", "sapphirerapids");

  /** Asks the library. */
  public static BlasLibrary inUse() {
    return new BlasLibrary(
        openblas_nolapack.OPENBLAS_VERSION.strip(),
        kernelsOfThisEnvironment(),
        Optional.ofNullable(System.getenv(CORETYPE)).filter(core -> !core.isBlank()).orElse(null));
  }

  /** Whether its kernels use 512-bit vectors, as far as is known. */
  public boolean usesAvx512() {
    return kernels != null && AVX512.contains(kernels.toLowerCase(Locale.ROOT));
  }

  /**
   * The library tells its choice only on stderr while it is loaded, and only if asked to in the
   * environment, so it is loaded once more in a process of its own.
   */
  private static String kernelsOfThisEnvironment() {
    try {
      ProcessBuilder builder =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-Dorg.bytedeco.javacpp.cachedir=" + Loader.getCacheDir(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  BlasLibrary.class.getName())
              .redirectErrorStream(true);
      builder.environment().put("OPENBLAS_VERBOSE", "2");
      Process process = builder.start();
      try (BufferedReader lines = process.inputReader()) {
        return lines
            .lines()
            .filter(line -> line.startsWith(CORE))
            .map(line -> line.substring(CORE.length()).strip())
            .findFirst()
            .orElse(null);
      }
    } catch (IOException e) {
      return null;
    }
  }

  /** Loads the library and ends. */
  public static void main(String[] args) {
    Loader.load(openblas_nolapack.class);
  }
}
