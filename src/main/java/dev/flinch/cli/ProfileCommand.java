package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.bench.LaunchObserver;
import dev.flinch.bench.Profile;
import dev.flinch.bench.Profile.KernelCount;
import dev.flinch.bench.Profile.KernelTime;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration;
import dev.flinch.report.Table;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flinch profile}: what each kernel of a study takes. */
@Command(
    name = "profile",
    description = {
      "Carries out a study with every launch of a kernel observed, and keeps nothing of it.",
      "On a card: time by events around each launch, beside the rates of matrix products and of",
      "memory in the same run. On the emulator: instructions, bytes and conflicts instead."
    },
    footer = {"", "Example:", "  flinch profile configs/tiny.json --device emulator"})
final class ProfileCommand extends Action<Profile> {
  private static final String UNKNOWN = "–";

  @Parameters(paramLabel = "CONFIG", description = "The configuration, a JSON file.")
  private Path configuration;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Put a value in the place of the configuration's; may be repeated.")
  private List<String> overrides = List.of();

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  Profile work(Progress progress) throws IOException {
    Configuration study = Configuration.load(configuration, overrides);
    LaunchObserver observer = new LaunchObserver();
    try (Device opened = device.open(err(), observer::around)) {
      return Profile.of(study, opened, observer, data.path(), progress);
    }
  }

  @Override
  void print(Profile result, PrintWriter out) {
    out.printf("Device: %s%n", result.device());
    if (result.times() != null) {
      printTimes(result, out);
    } else {
      out.println();
      printCounts(result.counts(), out);
    }
  }

  private static void printTimes(Profile result, PrintWriter out) {
    double inKernels = result.times().stream().mapToDouble(KernelTime::seconds).sum();
    out.printf(
        Locale.ROOT,
        "Ceilings in this run: matrix products %.0f GFLOP/s (float32, %s), memory %.0f GB/s.%n"
            + "The study took %.2f s, of which kernels %.2f s.%n%n",
        result.ceilings().gemm().gflops(),
        result.ceilings().gemm().shape(),
        result.ceilings().copy().gigabytes(),
        result.seconds(),
        inKernels);
    out.print(
        Table.format(
            List.of(
                "kernel",
                "launches",
                "ms",
                "of all",
                "median µs",
                "GFLOP/s",
                "GB/s",
                "of ceiling",
                "ceiling",
                "registers",
                "occupancy"),
            result.times().stream()
                .map(
                    k ->
                        List.of(
                            k.name(),
                            number("%d", k.launches()),
                            number("%.3f", 1e3 * k.seconds()),
                            number("%.1f%%", 100 * k.seconds() / inKernels),
                            number("%.1f", 1e6 * k.medianSeconds()),
                            number("%.0f", k.gflops()),
                            number("%.0f", k.gigabytes()),
                            percent(k.fraction()),
                            k.binding() == null ? UNKNOWN : k.binding(),
                            number("%d", k.registers()),
                            percent(k.occupancy())))
                .toList()));
  }

  private static void printCounts(List<KernelCount> counts, PrintWriter out) {
    out.print(
        Table.format(
            List.of(
                "kernel",
                "launches",
                "instructions",
                "FLOP",
                "loaded",
                "of sectors",
                "stored",
                "of sectors",
                "bank conflicts",
                "divergent"),
            counts.stream()
                .map(
                    k ->
                        List.of(
                            k.name(),
                            number("%,d", k.launches()),
                            number("%,d", k.threadInstructions()),
                            number("%,d", k.flop()),
                            number("%,d", k.loadedBytes()),
                            percent(k.loadEfficiency()),
                            number("%,d", k.storedBytes()),
                            percent(k.storeEfficiency()),
                            number("%,d", k.bankConflicts()),
                            number("%,d", k.divergentBranches())))
                .toList()));
    out.println();
    out.println(
        "Instructions are those of threads. Loaded and stored are bytes of global memory that"
            + " threads asked for; of sectors: those by the bytes of the 32-byte sectors touched,"
            + " above 100% where lanes share words. Bank conflicts are cycles.");
  }

  private static String percent(Double fraction) {
    return fraction == null ? UNKNOWN : number("%.0f%%", 100 * fraction);
  }

  private static String number(String format, Number value) {
    return value == null ? UNKNOWN : String.format(Locale.ROOT, format, value);
  }
}
