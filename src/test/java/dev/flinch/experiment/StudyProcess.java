package dev.flinch.experiment;

import dev.flinch.device.cpu.CpuDevice;
import java.nio.file.Path;
import java.util.List;

/**
 * A process that runs a study and prints a line for every report of progress, so that a test can
 * end it at any of them. Arguments: configuration, run folder, whether to resume.
 */
final class StudyProcess {
  private StudyProcess() {}

  public static void main(String[] arguments) {
    try (CpuDevice device = new CpuDevice(2)) {
      Study.run(
          Configuration.load(Path.of(arguments[0]), List.of()),
          device,
          Path.of("no-data-directory"),
          Path.of(arguments[1]),
          Boolean.parseBoolean(arguments[2]),
          (task, done, total) -> System.out.println(task + " " + done));
    }
  }
}
