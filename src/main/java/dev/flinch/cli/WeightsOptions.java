package dev.flinch.cli;

import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.network.NetworkFile.Known;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Options that name a file of weights, and what it may not say. */
final class WeightsOptions {
  @Parameters(paramLabel = "WEIGHTS", description = "A safetensors file, of Flinch's or PyTorch's.")
  Path file;

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      description = {
        "ReLU, ReLU6, HardTanh, HardSigmoid or Tanh. May be left out where the file records it, as"
            + " Flinch's do."
      })
  Activation activation;

  @Option(
      names = "--pool",
      split = ",",
      paramLabel = "N",
      description = {
        "Of a network with convolutions: sides of the windows of its max-poolings, one for each"
            + " convolution, 1 where there is none, as in 2,2,1; or one for all. May be left out"
            + " where the file records them, and where all are equal."
      })
  private List<Integer> pools;

  /** Reads a network. */
  Network read(Optional<String> id, Optional<ImageShape> images) {
    if (pools != null && pools.stream().anyMatch(side -> side < 1)) {
      throw new RequestException("--pool: expected sides of 1 or more, found " + pools);
    }
    return NetworkFile.read(
        file,
        new Known(Optional.ofNullable(activation), images, pools == null ? List.of() : pools),
        id);
  }
}
