package dev.flinch.sweep;

import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Replica;
import dev.flinch.experiment.Stack;
import dev.flinch.store.NetworkRow;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Networks that are trained and measured together, as {@link dev.flinch.experiment.StackWork} takes
 * them.
 *
 * @param configuration the smallest study that has all of these networks
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
    return new StackRequest(
        study(networks), new Stack(networks.stream().map(StackRequest::named).toList()));
  }

  /**
   * A stack from what {@link #toJson} made of it.
   *
   * @throws IllegalArgumentException if the texts are something else
   */
  public static StackRequest ofJson(List<String> networks) {
    return of(networks.stream().map(Configuration::ofJson).toList());
  }

  /** A study for each network, as JSON that {@code flinch run} takes. */
  public List<String> toJson() {
    return networks().stream().map(Configuration::toJson).toList();
  }

  /** A study for each network, in the stack's order. */
  public List<Configuration> networks() {
    return stack.replicas().stream().map(configuration::only).toList();
  }

  /** The networks' identities, in the stack's order. */
  public List<String> identities() {
    return stack.replicas().stream().map(Replica::id).toList();
  }

  /**
   * Some of the networks, as a stack of their own.
   *
   * @throws IllegalArgumentException for networks that are not of this stack
   */
  public StackRequest only(List<String> identities) {
    Map<String, Configuration> networks = new HashMap<>();
    stack.replicas().forEach(replica -> networks.put(replica.id(), configuration.only(replica)));
    if (!networks.keySet().containsAll(identities)) {
      throw new IllegalArgumentException(
          "expected networks of %s, found %s".formatted(networks.keySet(), identities));
    }
    return of(identities.stream().map(networks::get).toList());
  }

  /** Rows that say why the networks could not be trained or measured. */
  public List<NetworkRow> failed(String error) {
    return networks().stream().map(network -> NetworkRows.failed(network, error)).toList();
  }

  private static Configuration study(List<Configuration> networks) {
    Configuration first = networks.get(0);
    Configuration.Networks shapes = first.networks();
    Configuration.Training training = first.training();
    return new Configuration(
        first.title(),
        first.seed(),
        first.data(),
        new Configuration.Networks(
            shapes.shapes(),
            shapes.activations(),
            shapes.biases(),
            distinct(networks, network -> network.networks().initScales()),
            distinct(networks, network -> network.networks().seeds())),
        new Configuration.Training(
            training.optimizer(),
            distinct(networks, network -> network.training().learningRates()),
            training.batchSize(),
            distinct(networks, network -> network.training().labels()),
            distinct(networks, network -> network.training().augmentations()),
            training.decayFactor(),
            training.decayEpochs(),
            training.stop(),
            training.checkpointSeconds()),
        first.measures());
  }

  private static <T> List<T> distinct(
      List<Configuration> networks, Function<Configuration, List<T>> values) {
    return networks.stream().flatMap(network -> values.apply(network).stream()).distinct().toList();
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
