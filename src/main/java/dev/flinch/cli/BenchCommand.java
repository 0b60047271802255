package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.bench.Benchmark;
import dev.flinch.device.Device;
import dev.flinch.report.Table;
import java.io.PrintWriter;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch bench}: how fast each operation is. */
@Command(
    name = "bench",
    description = {
      "Measures how fast each operation is, beside the rate of matrix products in the same run.",
      "Answers are checked against double precision first. MNIST is used where it is found, else"
          + " random images."
    },
    footer = {"", "Example:", "  flinch bench --job epoch-20x200 --repeats 3 --json bench.json"})
final class BenchCommand extends Action<Benchmark> {
  @Option(
      names = "--job",
      arity = "1..*",
      paramLabel = "NAME",
      completionCandidates = JobNames.class,
      description = {
        "Which jobs (all, but epoch-128x20x200 only on a card): ${COMPLETION-CANDIDATES}."
      })
  private List<String> jobs = List.of();

  @Option(
      names = "--repeats",
      paramLabel = "N",
      defaultValue = "5",
      description = "Timed runs of each job, whose median counts (${DEFAULT-VALUE}).")
  private int repeats;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  /** The names of all jobs. */
  static final class JobNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Benchmark.names().iterator();
    }
  }

  @Override
  Benchmark work(Progress progress) {
    try (Device opened = device.open(err())) {
      return Benchmark.run(opened, data.path(), jobs, repeats, progress);
    }
  }

  @Override
  void print(Benchmark result, PrintWriter out) {
    out.printf(
        Locale.ROOT,
        "Images: %s. Matrix products: %s GFLOP/s at best. Memory: %.0f GB/s.%n%n",
        result.images(),
        result.gemm().stream()
            .map(g -> "%s %.0f".formatted(g.shape(), g.gflops()))
            .collect(Collectors.joining(", ")),
        result.copy().gigabytes());
    out.print(
        Table.format(
            List.of(
                "job",
                "seconds",
                "GFLOP",
                "GFLOP/s",
                "of GEMM",
                "of copy",
                "device MB",
                "process MB"),
            result.jobs().stream()
                .map(
                    j ->
                        List.of(
                            j.name(),
                            number("%.3f", j.seconds()),
                            number("%.0f", j.flop() / 1e9),
                            number("%.0f", j.gflops()),
                            number("%.0f%%", 100 * j.fractionOfGemm()),
                            number("%.0f%%", 100 * j.fractionOfCopy()),
                            number("%.0f", j.deviceBytes() / 1e6),
                            j.processBytes() == null
                                ? "–"
                                : number("%.0f", j.processBytes() / 1e6)))
                .toList()));
  }

  private static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }
}
