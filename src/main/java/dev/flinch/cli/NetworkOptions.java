package dev.flinch.cli;

import dev.flinch.device.ImageShape;
import dev.flinch.network.Network;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options that name a network in a file. */
final class NetworkOptions {
  @Mixin private WeightsOptions weights;

  @Option(
      names = "--network",
      paramLabel = "ID",
      description = "Which network, where the file holds several.")
  private String network;

  /**
   * Reads the network.
   *
   * @param images the shape of those that it is measured at, where there are any
   */
  Network read(Optional<ImageShape> images) {
    return weights.read(Optional.ofNullable(network), images);
  }

  /** The file. */
  Path path() {
    return weights.file;
  }

  /** The network's id, where one was named. */
  Optional<String> id() {
    return Optional.ofNullable(network);
  }

  /** The file, and the network in it where one was named. */
  String title() {
    return weights.file.getFileName() + (network == null ? "" : " " + network);
  }
}
