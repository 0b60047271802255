package dev.flinch.network;

import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.network.Safetensors.Entry;
import dev.flinch.network.Safetensors.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
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
 * <p>Tensors of four dimensions (out × in × height × width) are convolutions, the first layers in
 * natural order of their names, each of an odd square kernel with stride 1 and padding that keeps
 * the size of maps, as {@code Conv2d(…, padding=k//2)}; then the activation and, or after, a
 * max-pooling of windows side by side. The columns of the first matrix behind them are maps
 * flattened as {@code [channels][height][width]}. Neither the shape of images nor the windows of
 * poolings are in such a file: the caller gives the shape, and the windows if they are not all
 * equal, in which case they follow from the number of columns.
 *
 * <p>Files written here name their tensors {@code layers.0.weight}, {@code layers.0.bias}, … after
 * {@code ID/} where there are several networks, and say in their metadata that they are ours
 * ({@code flinchFormat}), each network's {@code activation} (after {@code ID/} likewise), and the
 * id of a single network ({@code network}). Of a network with convolutions they also say its {@code
 * image}, such as {@code 3x32x32}, and its {@code pools}, such as {@code 2,2,1}, 1 for none.
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
  private static final String IMAGE = "image";
  private static final String POOLS = "pools";

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
   * What is known of a network beside its file, where that may not say it.
   *
   * @param activation φ of its hidden layers; goes before what the file records
   * @param image the shape of its inputs, if they are images; what the file records goes before
   * @param pools windows of its poolings, a side for each convolution or one for all, 1 for none;
   *     goes before what the file records; empty for those that follow from the number of columns
   */
  public record Known(
      Optional<Activation> activation, Optional<ImageShape> image, List<Integer> pools) {
    public Known {
      pools = List.copyOf(pools);
    }

    /** Of a network that is like another one. */
    public static Known like(Architecture architecture) {
      return new Known(
          Optional.of(architecture.activation()),
          Optional.ofNullable(architecture.image()),
          architecture.convolutions().stream().map(Convolution::pool).toList());
    }

    /** Of a fully connected network, or one of a file that says the rest. */
    public static Known of(Optional<Activation> activation) {
      return new Known(activation, Optional.empty(), List.of());
    }
  }

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
          if (architecture.isConvolutional()) {
            ImageShape image = architecture.image();
            texts.put(
                prefix + IMAGE,
                "%dx%dx%d".formatted(image.channels(), image.height(), image.width()));
            texts.put(
                prefix + POOLS,
                architecture.convolutions().stream()
                    .map(convolution -> String.valueOf(convolution.pool()))
                    .collect(Collectors.joining(",")));
          }
          for (int l = 0; l < architecture.depth(); l++) {
            String layer = prefix + "layers." + l;
            int rows = architecture.rows(l);
            ChannelOrder order = ChannelOrder.of(architecture, l);
            List<Integer> shape = List.of(rows, architecture.columns(l));
            if (architecture.isConvolutional(l)) {
              int kernel = architecture.convolutions().get(l).kernel();
              shape = List.of(rows, order.channels(), kernel, kernel);
            }
            tensors.put(
                layer + ".weight", new Tensor.Floats(shape, order.first(network.weights()[l])));
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
   *     activation is meant, or if the tensors don't make a network of finite weights
   */
  public static Network read(Path path, Optional<Activation> activation, Optional<String> network) {
    return read(path, Known.of(activation), network);
  }

  /**
   * The same of a network whose convolutions' file may not say everything.
   *
   * @throws RequestException also if convolutions, poolings and images don't fit each other, or
   *     more than one pooling does
   */
  public static Network read(Path path, Known known, Optional<String> network) {
    try (Safetensors file = Safetensors.open(path)) {
      SortedMap<String, String> prefixes = prefixes(path, file);
      String prefix = prefixes.get(choose(path, prefixes.keySet(), network));
      return new Reading(path, file, prefix).network(known);
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
    Network network(Known known) {
      Activation activation = known.activation().orElseGet(this::recordedActivation);
      List<String> kernels = new ArrayList<>();
      List<String> matrices = new ArrayList<>();
      List<String> vectors = new ArrayList<>();
      names()
          .forEach(
              name -> {
                Entry entry = file.entries().get(name);
                int dimensions = entry.shape().size();
                if (dimensions > 2 && (dimensions != 4 || isBias(name))) {
                  throw fault(
                      name,
                      "expected matrices (out × in), convolutions (out × in × height × width) and"
                          + " biases; no other layers are measured");
                }
                if (!entry.isFloating() && dimensions >= 2) {
                  throw fault(name, "expected floating-point weights; save them as F32");
                }
                if (dimensions == 4) {
                  kernels.add(name);
                } else if (dimensions == 2 && !isBias(name)) {
                  matrices.add(name);
                } else if (entry.isFloating()) {
                  vectors.add(name);
                }
              });
      requireMatrices(matrices, kernels);
      requireKernels(kernels);
      requireChain(matrices);
      Architecture architecture =
          architecture(kernels, matrices, known, activation)
              .orElseGet(() -> connected(matrices, activation));
      List<String> layers = Stream.concat(kernels.stream(), matrices.stream()).toList();
      Map<String, String> biasOf = biases(layers, vectors);
      Architecture complete =
          new Architecture(
              architecture.image(),
              architecture.convolutions(),
              architecture.units(),
              activation,
              !biasOf.isEmpty());
      float[][] weights =
          IntStream.range(0, layers.size())
              .mapToObj(l -> ChannelOrder.of(complete, l).last(values(layers.get(l))))
              .toArray(float[][]::new);
      float[][] biases =
          biasOf.isEmpty()
              ? null
              : layers.stream()
                  .map(
                      layer ->
                          biasOf.containsKey(layer)
                              ? values(biasOf.get(layer))
                              : new float[Math.toIntExact(rows(layer))])
                  .toArray(float[][]::new);
      return new Network(complete, weights, biases);
    }

    private Architecture connected(List<String> matrices, Activation activation) {
      return new Architecture(
          Stream.concat(Stream.of(columns(matrices.get(0))), rowsOf(matrices))
              .map(Math::toIntExact)
              .toList(),
          activation,
          false);
    }

    private Stream<Long> rowsOf(List<String> matrices) {
      return matrices.stream().map(this::rows);
    }

    /** Of a network with convolutions, but for its biases; empty for one without. */
    private Optional<Architecture> architecture(
        List<String> kernels, List<String> matrices, Known known, Activation activation) {
      if (kernels.isEmpty()) {
        return Optional.empty();
      }
      ImageShape image = image(kernels.get(0), known);
      List<Integer> pools =
          known.pools().isEmpty() ? recordedPools().orElse(List.of()) : known.pools();
      if (pools.size() == 1) {
        pools = Collections.nCopies(kernels.size(), pools.get(0));
      }
      if (!pools.isEmpty() && pools.size() != kernels.size()) {
        throw new RequestException(
            "%s: expected a pooling window for each of %d convolutions, or one for all, found %s; say them with --pool, 1 where there is no pooling"
                .formatted(path, kernels.size(), pools));
      }
      List<Convolution> convolutions =
          pools.isEmpty()
              ? equallyPooled(kernels, image, matrices.get(0))
              : convolutions(kernels, pools);
      requireFit(kernels, convolutions, image);
      long pooled = flattened(image, convolutions).orElseThrow();
      if (pooled != columns(matrices.get(0))) {
        throw fault(
            matrices.get(0),
            "expected %d columns, as images of %s make after the convolutions with pooling windows of %s; say the windows with --pool, 1 where there is no pooling, and the side that images were cropped to with --crop"
                .formatted(pooled, image, pools));
      }
      return Optional.of(
          Architecture.convolutional(
              image,
              convolutions,
              rowsOf(matrices).map(Math::toIntExact).toList(),
              activation,
              false));
    }

    private List<Convolution> convolutions(List<String> kernels, List<Integer> pools) {
      return IntStream.range(0, kernels.size())
          .mapToObj(
              l ->
                  new Convolution(
                      Math.toIntExact(rows(kernels.get(l))), side(kernels.get(l)), pools.get(l)))
          .toList();
    }

    /** The windows, all equal, that make as many columns as the first matrix has. */
    private List<Convolution> equallyPooled(List<String> kernels, ImageShape image, String matrix) {
      List<List<Convolution>> fitting = new ArrayList<>();
      for (int pool = 1; pool <= Math.min(image.height(), image.width()); pool++) {
        List<Convolution> convolutions =
            convolutions(kernels, Collections.nCopies(kernels.size(), pool));
        OptionalLong columns = flattened(image, convolutions);
        if (columns.isPresent() && columns.getAsLong() == columns(matrix)) {
          fitting.add(convolutions);
        }
      }
      if (fitting.isEmpty()) {
        throw fault(
            matrix,
            "no pooling with equal windows makes so many columns of images of %s; say the windows with --pool, as in --pool 2,2,1, and the side that images were cropped to with --crop. Convolutions are expected to have stride 1 and padding that keeps the size of maps"
                .formatted(image));
      }
      if (fitting.size() > 1) {
        throw fault(
            matrix,
            "poolings with windows of %s make so many columns of images of %s; say which with --pool"
                .formatted(
                    fitting.stream()
                        .map(fit -> String.valueOf(fit.get(0).pool()))
                        .collect(Collectors.joining(", ")),
                    image));
      }
      return fitting.get(0);
    }

    /** Units behind the convolutions; empty where a window is larger than its maps. */
    private static OptionalLong flattened(ImageShape image, List<Convolution> convolutions) {
      int height = image.height();
      int width = image.width();
      for (Convolution convolution : convolutions) {
        height /= convolution.pool();
        width /= convolution.pool();
      }
      long channels = convolutions.get(convolutions.size() - 1).channels();
      return height == 0 || width == 0
          ? OptionalLong.empty()
          : OptionalLong.of(channels * height * width);
    }

    private void requireFit(
        List<String> kernels, List<Convolution> convolutions, ImageShape image) {
      Architecture.misfit(image, convolutions)
          .ifPresent(
              misfit -> {
                throw fault(
                    kernels.get(misfit.layer()),
                    "%s: expected %s of images of %s, found %d; name the data set that the network was trained on, and the windows of its poolings with --pool"
                        .formatted(misfit.part(), misfit.most(), image, misfit.found()));
              });
    }

    private ImageShape image(String kernel, Known known) {
      ImageShape image =
          recordedImage()
              .or(known::image)
              .orElseThrow(
                  () ->
                      new RequestException(
                          "%s: doesn't say the shape of the images that its convolutions take; name their data set with --dataset"
                              .formatted(path)));
      if (image.channels() != file.entries().get(kernel).shape().get(1)) {
        throw fault(
            kernel,
            "images of %s have %d channels; name the data set that the network was trained on, or, if the convolution has groups, mind that those aren't measured"
                .formatted(image, image.channels()));
      }
      return image;
    }

    private Optional<ImageShape> recordedImage() {
      return recorded(IMAGE, "x")
          .map(
              numbers -> {
                if (numbers.size() != 3) {
                  throw damaged(IMAGE, "channels, height and width, as 3x32x32");
                }
                return new ImageShape(numbers.get(0), numbers.get(1), numbers.get(2));
              });
    }

    private Optional<List<Integer>> recordedPools() {
      return recorded(POOLS, ",");
    }

    /** Numbers from 1 on in the metadata. */
    private Optional<List<Integer>> recorded(String key, String separator) {
      return Optional.ofNullable(file.metadata().get(prefix + key))
          .map(
              text -> {
                if (!text.matches("[1-9]\\d{0,8}(%s[1-9]\\d{0,8})*".formatted(separator))) {
                  throw damaged(
                      key, "numbers from 1 on with '%s' between them".formatted(separator));
                }
                return Stream.of(text.split(separator)).map(Integer::valueOf).toList();
              });
    }

    private RequestException damaged(String key, String expected) {
      return new RequestException(
          "%s: metadata %s: expected %s, found %s; write the file again"
              .formatted(path, prefix + key, expected, file.metadata().get(prefix + key)));
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

    private void requireMatrices(List<String> matrices, List<String> kernels) {
      if (matrices.isEmpty()) {
        throw new RequestException(
            "%s: expected weight matrices (2 dimensions, out × in)%s, found %s; save the network's"
                    .formatted(path, kernels.isEmpty() ? "" : " behind convolutions", contents())
                + " state_dict");
      }
    }

    private void requireKernels(List<String> kernels) {
      for (int l = 0; l < kernels.size(); l++) {
        String name = kernels.get(l);
        List<Long> shape = file.entries().get(name).shape();
        if (shape.contains(0L)) {
          throw fault(name, "expected a convolution of one channel or more each way");
        }
        if (!shape.get(2).equals(shape.get(3)) || shape.get(2) % 2 == 0) {
          throw fault(
              name,
              "expected a square kernel of an odd side, as 3 × 3, whose padding keeps the size of"
                  + " maps; others aren't measured");
        }
        if (l > 0 && !shape.get(1).equals(rows(kernels.get(l - 1)))) {
          throw fault(
              name,
              "expected %d channels in, those out of %s before it: convolutions in natural order of"
                      .formatted(rows(kernels.get(l - 1)), kernels.get(l - 1))
                  + " their names must chain, out × in × height × width, and have no groups");
        }
      }
    }

    /** A convolution's kernel's. */
    private int side(String kernel) {
      return Math.toIntExact(file.entries().get(kernel).shape().get(2));
    }

    private void requireChain(List<String> matrices) {
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
                  + " than fully connected ones and convolutions aren't measured");
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
          throw new RequestException(
              "%s: tensor %s: expected finite numbers, found %s at %s; the network diverged or the"
                      .formatted(path, name, values[i], indices(tensor.shape(), i))
                  + " file is damaged: save it again");
        }
      }
      return values;
    }

    /** Where in a tensor its i-th value is. */
    private static List<Integer> indices(List<Integer> shape, int i) {
      LinkedList<Integer> indices = new LinkedList<>();
      int rest = i;
      for (int d = shape.size() - 1; d >= 0; d--) {
        indices.addFirst(rest % shape.get(d));
        rest /= shape.get(d);
      }
      return indices;
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
