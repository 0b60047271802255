package dev.flinch.experiment;

import dev.flinch.base.Progress;
import dev.flinch.device.cpu.CpuDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A process that runs a study, and that says so and stands still at one report of progress, so that
 * a test can kill it there. Arguments: configuration, run folder, whether to resume, a pattern of
 * the task's name, and the fewest units done of it.
 */
final class StudyProcess {
  static final String HALTED = "halted";

  private StudyProcess() {}

  public static void main(String[] arguments) {
    Progress progress =
        (task, done, total) -> {
          if (task.matches(arguments[3]) && done >= Long.parseLong(arguments[4])) {
            System.out.println(HALTED);
            try {
              System.in.read();
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          }
        };
    try (CpuDevice device = new CpuDevice(2)) {
      Study.run(
          Configuration.load(Path.of(arguments[0]), List.of()),
          device,
          Path.of("no-data-directory"),
          Path.of(arguments[1]),
          Boolean.parseBoolean(arguments[2]),
          progress);
    }
  }
}
