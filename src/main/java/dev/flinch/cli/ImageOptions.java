package dev.flinch.cli;

import dev.flinch.experiment.Configuration.Split;
import picocli.CommandLine.Option;

/** Options that name images to measure at. */
final class ImageOptions {
  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "NAME",
      description = "A name that flinch data list shows.")
  String dataset;

  @Option(
      names = "--split",
      paramLabel = "train|test",
      defaultValue = "test",
      description = "Which part of it (${DEFAULT-VALUE}).")
  Split split;

  @Option(names = "--count", paramLabel = "N", description = "Its first N images (all).")
  Integer count;

  @Option(
      names = "--crop",
      paramLabel = "N",
      description = "The central N × N of each image (all of it).")
  Integer crop;
}
