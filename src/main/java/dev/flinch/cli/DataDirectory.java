package dev.flinch.cli;

import dev.flinch.data.DataSets;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** The option that says where data sets are. */
final class DataDirectory {
  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Where data sets are, each in a folder of its name (~/.cache/flinch/data).")
  private Path directory;

  Path path() {
    return directory == null ? DataSets.defaultDirectory() : directory;
  }
}
