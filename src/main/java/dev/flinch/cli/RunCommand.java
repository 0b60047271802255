package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Study;
import dev.flinch.experiment.StudyResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flinch run}: trains and measures what a configuration says. */
@Command(
    name = "run",
    description = {
      "Trains networks and measures them, as a configuration says, into a folder of their own.",
      "configs/README.md lists every key of a configuration."
    },
    footer = {"", "Example:", "  flinch run configs/quickstart.json --set networks.seeds=[1,2]"})
final class RunCommand extends Action<StudyResult> {
  @Parameters(paramLabel = "CONFIG", description = "The configuration, a JSON file.")
  private Path configuration;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Put a value in the place of the configuration's; may be repeated.")
  private List<String> overrides = List.of();

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "The run's folder (a new one in runs). An existing run is never overwritten.")
  private Path out;

  @Option(
      names = "--resume",
      description = "Go on with an interrupted run, from its last checkpoint.")
  private boolean resume;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  StudyResult work(Progress progress) {
    Configuration study = Configuration.load(configuration, overrides);
    Path folder = out == null ? Study.defaultFolder(configuration, resume) : out;
    try (Device opened = device.open(err())) {
      return Study.run(study, opened, data.path(), folder, resume, progress);
    }
  }

  @Override
  String json(StudyResult result) throws IOException {
    return Files.readString(result.folder().resolve("metrics.json"));
  }

  @Override
  void print(StudyResult result, PrintWriter out) {
    out.print(result.summary());
    out.printf(
        "%n%s %s%n",
        result.alreadyFinished() ? "This run had ended before; it is in" : "The run is in",
        result.folder());
  }
}
