package dev.flinch.experiment;

import dev.flinch.device.Activation;
import dev.flinch.network.Architecture;
import java.util.List;

/**
 * A network in a result.
 *
 * @param architecture its title, such as {@code 3×100 ReLU}
 * @param units of every level, from the inputs to the classes
 * @param parameters weights and biases
 */
public record NetworkDescription(
    String architecture,
    List<Integer> units,
    Activation activation,
    boolean biases,
    long parameters) {
  static NetworkDescription of(Architecture architecture) {
    return new NetworkDescription(
        architecture.title(),
        architecture.units(),
        architecture.activation(),
        architecture.biases(),
        architecture.parameters());
  }
}
