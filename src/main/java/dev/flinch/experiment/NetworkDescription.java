package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import java.util.List;

/**
 * A network in a result.
 *
 * @param architecture its title, such as {@code 3×100 ReLU}
 * @param image the shape of inputs of convolutions; null, and absent from JSON, without them
 * @param convolutions the first layers; absent from JSON where there are none
 * @param units of every level, from the inputs to the classes; of convolutions before pooling
 * @param parameters weights and biases
 */
public record NetworkDescription(
    String architecture,
    @JsonInclude(JsonInclude.Include.NON_NULL) ImageShape image,
    @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Convolution> convolutions,
    List<Integer> units,
    Activation activation,
    boolean biases,
    long parameters) {
  public NetworkDescription {
    convolutions = convolutions == null ? List.of() : List.copyOf(convolutions);
  }

  static NetworkDescription of(Architecture architecture) {
    return new NetworkDescription(
        architecture.title(),
        architecture.image(),
        architecture.convolutions(),
        architecture.units(),
        architecture.activation(),
        architecture.biases(),
        architecture.parameters());
  }
}
