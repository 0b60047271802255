package dev.flinch.network;

import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.network.Safetensors.Entry;
import dev.flinch.network.Safetensors.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Networks in safetensors files.
 *
 * <p>Any file of a fully connected network can be read, PyTorch's {@code nn.Sequential} included:
 * its matrices (out × in) in natural order of their names are the layers, and a vector is the bias
 * of the matrix whose name differs from its own by {@code weight} or {@code w} in place of {@code
 * bias} or {@code b} ({@code 0.weight} and {@code 0.bias}, {@code W1} and {@code b1}). Matrices
 * without a bias, where others have one, get zeros. Integers that are no matrices (counters) are
 * passed over; anything else is an error, since a network measured without a part of it would give
 * wrong numbers.
 *
 * <p>Files written here name their tensors {@code layers.0.weight}, {@code layers.0.bias}, … after
 * {@code ID/} where there are several networks, and say in their metadata that they are ours
 * ({@code flinchFormat}), each network's {@code activation} (after {@code ID/} likewise), and the
 * id of a single network ({@code network}).
 */
public final class NetworkFile {
  /** Names compared as people do: "layer.2" before "layer.10". */
  public static final Comparator<String> NATURAL_ORDER =
      Comparator.<String, List<String>>comparing(
              NetworkFile::digitsAndOthers,
              (a, b) -> {
                for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
                  int order = comparePieces(a.get(i), b.get(i));
                  if (order != 0) {
                    return order;
                  }
                }
                return Integer.compare(a.size(), b.size());
              })
          .thenComparing(Comparator.naturalOrder());

  private static final String FORMAT = "flinchFormat";
  private static final String VERSION = "1";
  private static final String ACTIVATION = "activation";
  private static final String NETWORK = "network";

  /**
   * The part of a name that says weight (group 1) or bias (group 2). The single letters count only
   * where no other word follows: {@code b.kernel} is a layer b's kernel.
   */
  private static final Pattern ROLE =
      Pattern.compile(
          "(?i)(?<![a-z])(?:(weights?|w(?=[^a-z]*$))|(bias(?:es)?|b(?=[^a-z]*$)))(?![a-z])");

  private static final int LISTED = 12;

  private NetworkFile() {}

  /**
   * Writes networks to one file, as {@link Safetensors#write} does.
   *
   * @param networks by id, one or more; several are told apart by it
   * @param metadata what else to keep in the file's metadata; the keys above are set here
   * @throws RequestException if the file cannot be written
   */
  public static void write(Path path, Map<String, Network> networks, Map<String, String> metadata) {
    if (networks.isEmpty() || networks.containsKey("")) {
      throw new IllegalArgumentException("expected networks with ids, found " + networks.keySet());
    }
    Map<String, Tensor> tensors = new HashMap<>();
    Map<String, String> texts = new HashMap<>(metadata);
    texts.put(FORMAT, VERSION);
    networks.forEach(
        (id, network) -> {
          String prefix = networks.size() == 1 ? "" : id + "/";
          texts.put(prefix + ACTIVATION, network.architecture().activation().label());
          if (networks.size() == 1) {
            texts.put(NETWORK, id);
          }
          Architecture architecture = network.architecture();
          for (int l = 0; l < architecture.depth(); l++) {
            String layer = prefix + "layers." + l;
            int rows = architecture.rows(l);
            tensors.put(
                layer + ".weight",
                new Tensor.Floats(List.of(rows, architecture.columns(l)), network.weights()[l]));
            if (architecture.biases()) {
              tensors.put(layer + ".bias", new Tensor.Floats(List.of(rows), network.biases()[l]));
            }
          }
        });
    Safetensors.write(path, tensors, texts);
  }

  /**
   * The ids of the networks in a file, in natural order; empty where the file holds a single
   * network without a name, as files from elsewhere do.
   *
   * @throws RequestException if the file cannot be read
   */
  public static List<String> ids(Path path) {
    try (Safetensors file = Safetensors.open(path)) {
      return prefixes(path, file).keySet().stream().filter(id -> !id.isEmpty()).toList();
    }
  }

  /**
   * Reads one network.
   *
   * @param activation φ of its hidden layers; may be left out where the file records it
   * @param network its id; may be left out where the file holds one network
   * @throws RequestException if the file cannot be read, if it isn't clear which network or
   *     activation is meant, or if the tensors don't make a fully connected network of finite
   *     weights
   */
  public static Network read(Path path, Optional<Activation> activation, Optional<String> network) {
    try (Safetensors file = Safetensors.open(path)) {
      SortedMap<String, String> prefixes = prefixes(path, file);
      String prefix = prefixes.get(choose(path, prefixes.keySet(), network));
      return new Reading(path, file, prefix).network(activation);
    }
  }

  /** What stands before the names of each network's tensors, by the network's id. */
  private static SortedMap<String, String> prefixes(Path path, Safetensors file) {
    SortedMap<String, String> prefixes = new TreeMap<>(NATURAL_ORDER);
    String version = file.metadata().get(FORMAT);
    if (version == null) {
      prefixes.put("", "");
      return prefixes;
    }
    if (!version.equals(VERSION)) {
      throw new RequestException(
          "%s: expected %s %s, found %s; read it with the Flinch that wrote it, or a newer one"
              .formatted(path, FORMAT, VERSION, version));
    }
    for (String name : file.entries().keySet()) {
      String prefix = name.substring(0, name.lastIndexOf('/') + 1);
      prefixes.put(
          prefix.isEmpty()
              ? file.metadata().getOrDefault(NETWORK, "")
              : prefix.substring(0, prefix.length() - 1),
          prefix);
    }
    return prefixes;
  }

  private static String choose(Path path, Collection<String> ids, Optional<String> network) {
    if (ids.isEmpty()) {
      throw new RequestException(path + ": expected a network, found no tensors");
    }
    String held =
        ids.size() > 1
            ? "%d networks: %s".formatted(ids.size(), list(ids))
            : "one network, " + list(ids).replaceAll("^$", "without a name");
    if (network.isEmpty() && ids.size() > 1) {
      throw new RequestException(
          "%s: holds %s; choose one with --network ID".formatted(path, held));
    }
    String id = network.orElseGet(() -> ids.iterator().next());
    if (!ids.contains(id)) {
      throw new RequestException(
          "%s: holds no network '%s' but %s; choose with --network ID, or leave it out for a single"
                  .formatted(path, id, held)
              + " network");
    }
    return id;
  }

  private static String list(Collection<String> items) {
    return items.stream().limit(LISTED).collect(Collectors.joining(", "))
        + (items.size() > LISTED ? ", … (%d in all)".formatted(items.size()) : "");
  }

  private static List<String> digitsAndOthers(String name) {
    return List.of(name.split("(?<=\\d)(?=\\D)|(?<=\\D)(?=\\d)"));
  }

  private static int comparePieces(String a, String b) {
    if (!a.matches("\\d+") || !b.matches("\\d+")) {
      return a.compareTo(b);
    }
    String x = a.replaceFirst("^0+", "");
    String y = b.replaceFirst("^0+", "");
    return x.length() != y.length() ? Integer.compare(x.length(), y.length()) : x.compareTo(y);
  }

  /** One network being read: the tensors whose names start with a prefix. */
  private record Reading(Path path, Safetensors file, String prefix) {
    Network network(Optional<Activation> given) {
      Activation activation = given.orElseGet(this::recordedActivation);
      List<String> matrices = new ArrayList<>();
      List<String> vectors = new ArrayList<>();
      names()
          .forEach(
              name -> {
                Entry entry = file.entries().get(name);
                int dimensions = entry.shape().size();
                if (dimensions > 2) {
                  throw fault(
                      name,
                      "expected matrices and biases; only fully connected networks are measured");
                }
                if (!entry.isFloating() && dimensions == 2) {
                  throw fault(name, "expected floating-point weights; save them as F32");
                }
                if (dimensions == 2 && !isBias(name)) {
                  matrices.add(name);
                } else if (entry.isFloating()) {
                  vectors.add(name);
                }
              });
      requireChain(matrices);
      Map<String, String> biasOf = biases(matrices, vectors);

      float[][] weights = matrices.stream().map(this::values).toArray(float[][]::new);
      List<Integer> units =
          Stream.concat(Stream.of(columns(matrices.get(0))), matrices.stream().map(this::rows))
              .map(Math::toIntExact)
              .toList();
      Architecture architecture = new Architecture(units, activation, !biasOf.isEmpty());
      float[][] biases =
          biasOf.isEmpty()
              ? null
              : matrices.stream()
                  .map(
                      matrix ->
                          biasOf.containsKey(matrix)
                              ? values(biasOf.get(matrix))
                              : new float[Math.toIntExact(rows(matrix))])
                  .toArray(float[][]::new);
      return new Network(architecture, weights, biases);
    }

    private Activation recordedActivation() {
      String name = file.metadata().get(prefix + ACTIVATION);
      if (name == null) {
        throw new RequestException(
            path + ": doesn't say its activation; name it, as in --activation ReLU");
      }
      try {
        return Activation.named(name);
      } catch (RequestException e) {
        throw new RequestException(
            "%s: metadata %s: %s".formatted(path, prefix + ACTIVATION, e.getMessage()), e);
      }
    }

    private void requireChain(List<String> matrices) {
      if (matrices.isEmpty()) {
        throw new RequestException(
            "%s: expected weight matrices (2 dimensions, out × in), found %s; save the network's"
                    .formatted(path, contents())
                + " state_dict");
      }
      for (int l = 0; l < matrices.size(); l++) {
        String name = matrices.get(l);
        if (rows(name) < 1 || columns(name) < 1) {
          throw fault(name, "expected a matrix of one row and one column or more");
        }
        if (l > 0 && columns(name) != rows(matrices.get(l - 1))) {
          throw fault(
              name,
              "expected %d columns, the rows of %s before it: matrices in natural order of their"
                      .formatted(rows(matrices.get(l - 1)), matrices.get(l - 1))
                  + " names must chain, out × in; rename them in order of the layers, or transpose"
                  + " them");
        }
      }
    }

    /** The name of each matrix's bias, for those that have one. */
    private Map<String, String> biases(List<String> matrices, List<String> vectors) {
      Map<String, List<String>> byStem =
          matrices.stream().collect(Collectors.groupingBy(Reading::stem));
      Map<String, String> biasOf = new HashMap<>();
      for (String name : vectors) {
        List<String> owners = isBias(name) ? byStem.getOrDefault(stem(name), List.of()) : List.of();
        if (owners.size() != 1) {
          throw fault(
              name,
              (owners.isEmpty() ? "belongs to no matrix" : "belongs to several of " + owners)
                  + ": a bias is named after its matrix, as 0.bias after 0.weight, and layers other"
                  + " than fully connected ones aren't measured");
        }
        String matrix = owners.get(0);
        if (!file.entries().get(name).shape().equals(List.of(rows(matrix)))) {
          throw fault(name, "expected a bias of shape [%d] for %s".formatted(rows(matrix), matrix));
        }
        String other = biasOf.put(matrix, name);
        if (other != null) {
          throw fault(name, matrix + " has a bias already, " + other);
        }
      }
      return biasOf;
    }

    private float[] values(String name) {
      Tensor.Floats tensor = (Tensor.Floats) file.read(name);
      float[] values = tensor.values();
      for (int i = 0; i < values.length; i++) {
        if (!Float.isFinite(values[i])) {
          int columns = tensor.shape().size() == 2 ? tensor.shape().get(1) : 0;
          throw new RequestException(
              "%s: tensor %s: expected finite numbers, found %s at %s; the network diverged or the"
                      .formatted(
                          path,
                          name,
                          values[i],
                          columns == 0 ? List.of(i) : List.of(i / columns, i % columns))
                  + " file is damaged: save it again");
        }
      }
      return values;
    }

    private Stream<String> names() {
      return file.entries().keySet().stream()
          .filter(
              name ->
                  name.startsWith(prefix)
                      && (!file.metadata().containsKey(FORMAT)
                          || name.indexOf('/', prefix.length()) < 0))
          .sorted(NATURAL_ORDER);
    }

    private long rows(String matrix) {
      return file.entries().get(matrix).shape().get(0);
    }

    private long columns(String matrix) {
      return file.entries().get(matrix).shape().get(1);
    }

    private String contents() {
      List<String> all = names().map(name -> name + " " + file.entries().get(name)).toList();
      return all.isEmpty() ? "no tensors" : list(all);
    }

    private RequestException fault(String name, String message) {
      return new RequestException(
          "%s: tensor %s, %s: %s. The file holds: %s"
              .formatted(path, name, file.entries().get(name), message, contents()));
    }

    private static boolean isBias(String name) {
      return role(name, m -> m.group(2) != null).orElse(false);
    }

    /** A name without its role, so equal for a matrix and its bias. */
    private static String stem(String name) {
      return role(name, m -> name.substring(0, m.start()) + name.substring(m.end()))
          .orElse(name)
          .replaceAll("^[^\\p{Alnum}]+|[^\\p{Alnum}]+$", "");
    }

    private static <T> Optional<T> role(String name, Function<Matcher, T> use) {
      Matcher matcher = ROLE.matcher(name);
      Optional<T> last = Optional.empty();
      while (matcher.find()) {
        last = Optional.of(use.apply(matcher));
      }
      return last;
    }
  }
}
