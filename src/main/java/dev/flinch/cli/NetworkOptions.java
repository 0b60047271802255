package dev.flinch.cli;

import dev.flinch.device.Activation;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options that name a network in a file. */
final class NetworkOptions {
  @Parameters(paramLabel = "WEIGHTS", description = "A safetensors file, of Flinch's or PyTorch's.")
  private Path weights;

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      description = {
        "ReLU, ReLU6, HardTanh, HardSigmoid or Tanh. May be left out where the file records it, as"
            + " Flinch's do."
      })
  private Activation activation;

  @Option(
      names = "--network",
      paramLabel = "ID",
      description = "Which network, where the file holds several.")
  private String network;

  /** Reads the network. */
  Network read() {
    return NetworkFile.read(weights, Optional.ofNullable(activation), Optional.ofNullable(network));
  }

  /** The file. */
  Path path() {
    return weights;
  }

  /** The network's id, where one was named. */
  Optional<String> id() {
    return Optional.ofNullable(network);
  }

  /** The file, and the network in it where one was named. */
  String title() {
    return weights.getFileName() + (network == null ? "" : " " + network);
  }
}
