package dev.flinch.sweep;

import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Replica;
import dev.flinch.experiment.Stack;
import java.util.Arrays;
import java.util.List;

/**
 * Networks that are trained and measured together, as {@link dev.flinch.experiment.StackWork} takes
 * them.
 *
 * @param configuration all that the networks share; of what they may differ in, the first one's
 * @param stack replicas whose ids are the networks' identities
 */
public record StackRequest(Configuration configuration, Stack stack) {
  /**
   * A stack of networks.
   *
   * @param networks a configuration each; they differ in seed, initial scale, learning rate, labels
   *     and augmentation alone
   * @throws IllegalArgumentException for networks that no stack can hold
   */
  public static StackRequest of(List<Configuration> networks) {
    Configuration first = networks.get(0);
    for (Configuration network : networks) {
      if (!shared(network).equals(shared(first))) {
        throw new IllegalArgumentException(
            "expected networks of one stack, found %s and %s"
                .formatted(NetworkIdentity.of(first), NetworkIdentity.of(network)));
      }
    }
    return new StackRequest(first, new Stack(networks.stream().map(StackRequest::named).toList()));
  }

  private static Replica named(Configuration network) {
    Replica one = network.replicas().get(0);
    return new Replica(
        NetworkIdentity.of(network),
        one.shape(),
        one.activation(),
        one.biases(),
        one.initScale(),
        one.learningRate(),
        one.labels(),
        one.augmentation(),
        one.seed());
  }

  /** What networks of a stack have in common. */
  private static List<Object> shared(Configuration network) {
    Configuration.Training training = network.training();
    return Arrays.asList(
        network.seed(),
        network.data(),
        network.networks().shapes(),
        network.networks().activations(),
        network.networks().biases(),
        training.optimizer(),
        training.batchSize(),
        training.decayFactor(),
        training.decayEpochs(),
        training.stop(),
        network.measures());
  }
}
