package dev.flinch.bench;

import com.sun.management.OperatingSystemMXBean;
import dev.flinch.data.DataSets;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.BlasLibrary;
import dev.flinch.device.cuda.driver.Cards;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What this machine offers Flinch.
 *
 * @param processor the model, as the operating system calls it
 * @param cores how many of them the JVM may use
 * @param memoryBytes of the machine
 * @param freeMemoryBytes not in use by anything
 * @param jdk version and maker of the JVM
 * @param device what computes where nothing else is asked for, with what multiplies matrices on it,
 *     and why
 * @param blas what multiplies matrices on the CPU
 * @param gemm the device's rate of matrix products, all lanes together
 * @param copy the rate of the device's memory, all lanes together
 * @param cards NVIDIA's, or why there are none
 * @param dataSets all that Flinch knows
 * @param cache where downloads and unpacked libraries go
 * @param freeCacheBytes free disk there
 * @param advice what would make Flinch faster here
 */
public record Checkup(
    String processor,
    int cores,
    long memoryBytes,
    long freeMemoryBytes,
    String jdk,
    String device,
    BlasLibrary blas,
    GemmRate gemm,
    CopyRate copy,
    Cards cards,
    List<DataSets.Entry> dataSets,
    Path cache,
    long freeCacheBytes,
    List<String> advice) {
  private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

  /**
   * Looks around, and measures for a second or two.
   *
   * @param choice the device, and why it is this one
   * @param cache where Flinch keeps what it can make again
   */
  public static Checkup of(Device device, String choice, Path dataDirectory, Path cache)
      throws IOException {
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    List<String> cpuInfo = Files.exists(CPU_INFO) ? Files.readAllLines(CPU_INFO) : List.of();
    BlasLibrary blas = BlasLibrary.inUse();
    return new Checkup(
        values(cpuInfo, "model name").findFirst().orElse(System.getProperty("os.arch")),
        Runtime.getRuntime().availableProcessors(),
        system.getTotalMemorySize(),
        system.getFreeMemorySize(),
        "%s (%s)".formatted(Runtime.version(), System.getProperty("java.vendor")),
        choice,
        blas,
        GemmRate.measure(device, 8192, 200, 200),
        CopyRate.measure(device),
        Cards.find(),
        DataSets.list(dataDirectory),
        cache,
        Files.getFileStore(existing(cache)).getUsableSpace(),
        advice(
            blas,
            values(cpuInfo, "flags")
                .anyMatch(flags -> List.of(flags.split(" ")).contains("avx512f"))));
  }

  /** The values of a key, one a core. */
  private static Stream<String> values(List<String> cpuInfo, String key) {
    return cpuInfo.stream()
        .filter(line -> line.startsWith(key))
        .map(line -> line.substring(line.indexOf(':') + 1).strip());
  }

  private static Path existing(Path path) {
    Path folder = path.toAbsolutePath();
    while (!Files.exists(folder)) {
      folder = folder.getParent();
    }
    return folder;
  }

  static List<String> advice(BlasLibrary blas, boolean avx512) {
    List<String> advice = new ArrayList<>();
    if (avx512 && blas.kernels() != null && !blas.usesAvx512()) {
      advice.add(
          "The processor has AVX-512, but matrix products run %s kernels, at about half the speed%s."
              .formatted(
                  blas.kernels(),
                  blas.forced() == null
                      ? ": OpenBLAS doesn't know this processor"
                      : ": unset OPENBLAS_CORETYPE, which is " + blas.forced()));
    }
    return advice;
  }
}
