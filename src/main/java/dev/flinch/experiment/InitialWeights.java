package dev.flinch.experiment;

import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The weights that a run's networks began with. They follow from the run's configuration alone, so
 * no folder keeps them.
 */
public final class InitialWeights {
  private InitialWeights() {}

  /**
   * The network that training began with.
   *
   * @param weights the file of the trained network
   * @param network its id; may be left out where the file holds one network
   * @param trained its architecture
   * @return nothing where the file is not of a run folder, or none of the run's networks
   * @throws dev.flinch.base.RequestException if the run folder's configuration is damaged
   */
  public static Optional<Network> of(Path weights, Optional<String> network, Architecture trained) {
    Optional<Configuration> run = RunFolder.configurationOf(weights);
    if (run.isEmpty()) {
      return Optional.empty();
    }
    List<String> ids = NetworkFile.ids(weights);
    Optional<String> id = network.isEmpty() && ids.size() == 1 ? Optional.of(ids.get(0)) : network;
    return Replica.all(run.get()).stream()
        .filter(replica -> id.isPresent() && replica.id().equals(id.get()))
        .filter(
            replica ->
                replica.shape().equals(Shape.of(trained))
                    && replica.activation() == trained.activation()
                    && replica.biases() == trained.biases())
        .map(replica -> Network.initial(trained, replica.seed(), replica.initScale()))
        .findFirst();
  }
}
