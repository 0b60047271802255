package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.bench.Checkup;
import dev.flinch.data.DataSets;
import dev.flinch.device.Device;
import dev.flinch.device.cuda.driver.Natives;
import dev.flinch.experiment.Devices;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code flinch doctor}: what this machine offers. */
@Command(
    name = "doctor",
    description = {
      "Says what this machine offers Flinch: processor, memory, rate of matrix products, GPU, data.",
      "Takes a few seconds, since the rate is measured."
    },
    footer = {"", "Example:", "  flinch doctor"})
final class DoctorCommand extends Action<Checkup> {
  @Mixin private DataDirectory data;

  @Override
  Checkup work(Progress progress) throws Exception {
    Devices.Choice choice = Devices.choose("auto");
    try (Device device = choice.device()) {
      return Checkup.of(device, choice.description(), data.path(), cache());
    }
  }

  /** Where the launcher has libraries unpacked; beside the data where it didn't say. */
  private static Path cache() {
    String chosen = System.getProperty(Natives.CACHE);
    return chosen == null ? DataSets.defaultDirectory().getParent() : Path.of(chosen);
  }

  @Override
  void print(Checkup c, PrintWriter out) {
    line(out, "processor", "%s, %d cores".formatted(c.processor(), c.cores()));
    line(out, "memory", "%s, %s free".formatted(gib(c.memoryBytes()), gib(c.freeMemoryBytes())));
    line(out, "JDK", c.jdk());
    line(out, "device", c.device());
    line(
        out,
        "BLAS",
        "%s, %s kernels%s"
            .formatted(
                c.blas().version(),
                c.blas().kernels() == null ? "unknown" : c.blas().kernels(),
                c.blas().forced() == null
                    ? ""
                    : ", forced by OPENBLAS_CORETYPE=" + c.blas().forced()));
    line(
        out,
        "GEMM",
        "%.0f GFLOP/s (float32, %s, on the device)".formatted(c.gemm().gflops(), c.gemm().shape()));
    line(
        out,
        "copies",
        "%.0f GB/s (read and written, on the device)".formatted(c.copy().gigabytes()));
    line(
        out,
        c.cards().found().size() > 1 ? "GPUs" : "GPU",
        (c.cards().found().isEmpty() ? "none: " : "") + c.cards().description());
    line(
        out,
        "data",
        c.dataSets().stream()
            .map(d -> d.name() + (d.found() ? "" : " (not found)"))
            .collect(Collectors.joining(", ")));
    line(out, "cache", "%s, %s free".formatted(c.cache(), gib(c.freeCacheBytes())));
    c.advice().forEach(advice -> line(out, "advice", advice));
  }

  private static void line(PrintWriter out, String name, String value) {
    out.printf("%-10s %s%n", name, value);
  }

  private static String gib(long bytes) {
    return "%.1f GiB".formatted(bytes / 0x1p30);
  }
}
