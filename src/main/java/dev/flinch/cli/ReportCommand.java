package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.sweep.SweepReport;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flinch report}: a page and figures of a run or a sweep. */
@Command(
    name = "report",
    description = {
      "Writes report.html and figures into the folder of a run or a sweep, of the networks that are",
      "done so far. The page is one file that works without a network: charts, filters, correlations."
    },
    footer = {"", "Example:", "  flinch report runs/figure-4-small --open"})
final class ReportCommand extends Action<SweepReport.Written> {
  @Parameters(paramLabel = "DIR", description = "The folder of a run or a sweep.")
  private Path folder;

  @Option(names = "--open", description = "Open the page in the browser.")
  private boolean open;

  @Override
  SweepReport.Written work(Progress progress) throws IOException {
    SweepReport.Written written = SweepReport.write(folder);
    if (open) {
      open(written.page());
    }
    return written;
  }

  private void open(Path page) throws IOException {
    boolean mac = System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("mac");
    String opener = mac ? "open" : "xdg-open";
    try {
      new ProcessBuilder(opener, page.toAbsolutePath().toString()).inheritIO().start();
    } catch (IOException e) {
      throw new IOException(
          "%s is written, but there is no %s to open it with; open it in a browser"
              .formatted(page, opener),
          e);
    }
  }

  @Override
  void print(SweepReport.Written written, PrintWriter out) {
    written.notes().forEach(out::println);
    out.printf(
        "%,d networks in %s; %d figures beside it%n",
        written.networks(), written.page(), List.copyOf(written.figures()).size());
  }
}
