package dev.flinch.cli;

import dev.flinch.device.Activation;
import java.nio.file.Path;
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
}
