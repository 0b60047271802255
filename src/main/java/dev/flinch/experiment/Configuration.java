package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Optimizer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A study as its user asks for it: what to train, on what, and what to measure. Every key, its
 * default and its meaning is declared in {@link Configurations} and listed in {@code
 * configs/README.md}. A value of this type is complete and checked.
 *
 * @param seed keys the training subset and the validation split, which all networks of a study
 *     share
 */
public record Configuration(
    String title, long seed, Data data, Networks networks, Training training, Measures measures) {

  /**
   * The data.
   *
   * @param train images to train on, or null for all
   * @param validation images set aside from the training split
   * @param test images to test on, or null for all
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Data(String dataset, Integer train, int validation, Integer test, Integer crop) {}

  /** The factors of the study that shape networks and their initial weights. */
  public record Networks(
      List<Shape> shapes,
      List<Activation> activations,
      boolean biases,
      List<Double> initScales,
      List<Long> seeds) {
    public Networks {
      shapes = List.copyOf(shapes);
      activations = List.copyOf(activations);
      initScales = List.copyOf(initScales);
      seeds = List.copyOf(seeds);
    }
  }

  /**
   * The hidden layers of a network: convolutions, or none, and widths of fully connected ones
   * behind them. In JSON, {@code depth} weight matrices and one {@code width}, or the list of
   * {@code hidden} widths, with or without {@code convolutions}.
   */
  public record Shape(List<Convolution> convolutions, List<Integer> hidden) {
    public Shape {
      convolutions = List.copyOf(convolutions);
      hidden = List.copyOf(hidden);
    }

    /** Of a fully connected network. */
    public Shape(List<Integer> hidden) {
      this(List.of(), hidden);
    }

    @JsonCreator
    static Shape of(
        @JsonProperty("convolutions") List<Convolution> convolutions,
        @JsonProperty("depth") int depth,
        @JsonProperty("width") int width,
        @JsonProperty("hidden") List<Integer> hidden) {
      return new Shape(
          convolutions != null ? convolutions : List.of(),
          hidden != null ? hidden : Collections.nCopies(depth - 1, width));
    }

    /** The shape of a network. */
    public static Shape of(Architecture architecture) {
      return new Shape(architecture.convolutions(), architecture.hidden());
    }

    /** A network's architecture between images and classes that the data decides. */
    public Architecture architecture(
        ImageShape image, int classes, Activation activation, boolean biases) {
      List<Integer> dense =
          Stream.concat(hidden.stream(), Stream.of(classes)).collect(Collectors.toList());
      if (convolutions.isEmpty()) {
        dense.add(0, image.size());
        return new Architecture(dense, activation, biases);
      }
      return Architecture.convolutional(image, convolutions, dense, activation, biases);
    }

    /** The number L of weight matrices. */
    public int depth() {
      return convolutions.size() + hidden.size() + 1;
    }

    /** Units of the widest fully connected hidden layer, or channels of the widest convolution. */
    public int width() {
      return Stream.concat(convolutions.stream().map(Convolution::channels), hidden.stream())
          .max(Comparator.naturalOrder())
          .orElseThrow();
    }

    /** Whether all hidden layers are fully connected and have the same width. */
    public boolean isUniform() {
      return convolutions.isEmpty() && hidden.stream().distinct().count() == 1;
    }

    @JsonValue
    Map<String, Object> json() {
      if (!convolutions.isEmpty()) {
        return new TreeMap<>(Map.of("convolutions", convolutions, "hidden", hidden));
      }
      return isUniform()
          ? new TreeMap<>(Map.of("depth", depth(), "width", hidden.get(0)))
          : Map.of("hidden", hidden);
    }
  }

  /**
   * How networks are trained, and when training stops.
   *
   * @param learningRates empty with L-BFGS, which finds its own steps
   * @param batchSize null with L-BFGS, whose batch is all images, as are the two of decay
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Training(
      Optimizer optimizer,
      @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Double> learningRates,
      Integer batchSize,
      List<Labels> labels,
      List<Augmentation> augmentations,
      Double decayFactor,
      Integer decayEpochs,
      Stop stop,
      int checkpointSeconds) {
    public Training {
      learningRates = learningRates == null ? List.of() : List.copyOf(learningRates);
      labels = List.copyOf(labels);
      augmentations = List.copyOf(augmentations);
    }
  }

  /** What networks are taught: the data's labels, or classes drawn uniformly in their place. */
  public enum Labels {
    @JsonProperty("true")
    TRUE,
    @JsonProperty("random")
    RANDOM;

    /** The word in configurations and figures. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Training ends at whichever comes first; null is never. */
  public record Stop(Integer epochs, Long steps, Double trainAccuracy) {}

  /**
   * What is measured of networks; a null measure is not taken.
   *
   * @param stiffness as networks train; without it, JSON is as it was before there was this measure
   */
  public record Measures(
      JacobianNorm jacobian,
      JacobianNorm logitJacobian,
      List<Trajectory> trajectories,
      List<Regions> regions,
      @JsonInclude(JsonInclude.Include.NON_NULL) Stiffness stiffness) {
    public Measures {
      trajectories = List.copyOf(trajectories);
      regions = List.copyOf(regions);
    }
  }

  /**
   * A mean Jacobian norm.
   *
   * @param count the first so many images of the split, or null for all
   */
  public record JacobianNorm(Split split, Integer count) {}

  /** A part of a data set. */
  public enum Split {
    @JsonProperty("train")
    TRAIN,
    @JsonProperty("test")
    TEST
  }

  /**
   * Stiffness at fixed images, as networks train.
   *
   * @param every steps from one measurement to the next, or null for those of an epoch
   * @param perClass the first so many images of each class of a split, in its order, or null for
   *     {@link StiffnessMeasurement#PER_CLASS} of ten classes or fewer and {@link
   *     StiffnessMeasurement#PER_CLASS_OF_MANY} of more
   * @param pairs which splits the two images of a pair are of
   * @param distance whether it is measured against distance too
   */
  public record Stiffness(Long every, Integer perClass, List<Pairs> pairs, boolean distance) {
    public Stiffness {
      pairs = List.copyOf(pairs);
    }

    /** The images of each class of a split, in a data set of so many classes. */
    public int imagesOfClass(int classes) {
      return perClass != null
          ? perClass
          : classes <= StiffnessMeasurement.FEW_CLASSES
              ? StiffnessMeasurement.PER_CLASS
              : StiffnessMeasurement.PER_CLASS_OF_MANY;
    }

    /** Whether images of a split are among the pairs. */
    public boolean takes(Split split) {
      return pairs.stream().anyMatch(p -> p.rows() == split || p.columns() == split);
    }
  }

  /**
   * A closed trajectory along which transitions, and Jacobian norms if asked for, are measured.
   *
   * @param anchors of kind {@code through}, else null
   * @param image the test image that is translated, of kind {@code translation}, else null
   * @param seed keys a random ellipse, or the draw of anchors; null where nothing is drawn
   * @param method how transitions are found
   * @param points sampled points k, and where Jacobian norms are found
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Trajectory(
      Kind kind,
      Anchors anchors,
      Integer image,
      Long seed,
      Method method,
      int points,
      int bins,
      boolean jacobian) {}

  /** How transitions along a trajectory are found. */
  public enum Method {
    /** Exact where the network is piecewise linear, else sampled. */
    @JsonProperty("auto")
    AUTO,
    /** All crossings, walked from one linear region to the next. */
    @JsonProperty("exact")
    EXACT,
    /** Between sampled points. */
    @JsonProperty("sampled")
    SAMPLED
  }

  /** The kinds of closed trajectory. */
  public enum Kind {
    @JsonProperty("through")
    THROUGH,
    @JsonProperty("random")
    RANDOM,
    @JsonProperty("translation")
    TRANSLATION
  }

  /**
   * A plane through three images, on which linear regions are mapped.
   *
   * @param seed keys the draw of anchors; null where they are named
   * @param size pixels of a map's side
   * @param before whether networks are mapped as they were before training too
   * @param networks how many of those that differ in their seeds alone are mapped, the first ones
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Regions(
      Anchors anchors, Long seed, int size, Layer layer, boolean before, int networks) {}

  /** The hidden layers whose codes make up a pattern. */
  public enum Layers {
    @JsonProperty("last")
    LAST,
    @JsonProperty("all")
    ALL
  }

  /**
   * The hidden layers whose codes make up a pattern: in a word, or one by its number.
   *
   * @param layers null where one layer is numbered
   * @param number 1 the first hidden layer; null where a word says which
   */
  public record Layer(Layers layers, Integer number) {
    @JsonCreator
    static Layer of(JsonNode json) {
      return json.isNumber()
          ? new Layer(null, json.intValue())
          : new Layer(Configurations.MAPPER.convertValue(json, Layers.class), null);
    }

    @JsonValue
    Object json() {
      return layers != null ? layers : number;
    }

    /** As {@link RegionMeasurement.View} has it. */
    @Override
    public String toString() {
      return layers != null ? layers.name().toLowerCase(Locale.ROOT) : number.toString();
    }
  }

  /**
   * The three training images that an ellipse or a plane goes through: named, or drawn by class.
   *
   * @param drawn how they are drawn, or null where they are named
   * @param images their indices in the training split, or null where they are drawn
   */
  public record Anchors(Drawn drawn, List<Integer> images) {
    /** Classes of drawn anchors. */
    public enum Drawn {
      @JsonProperty("sameClass")
      SAME_CLASS,
      @JsonProperty("differentClasses")
      DIFFERENT_CLASSES
    }

    @JsonCreator
    static Anchors of(JsonNode json) {
      return json.isArray()
          ? new Anchors(
              null,
              IntStream.range(0, json.size())
                  .mapToObj(i -> json.get(i).intValue())
                  .collect(Collectors.toUnmodifiableList()))
          : new Anchors(Configurations.MAPPER.convertValue(json, Drawn.class), null);
    }

    @JsonValue
    Object json() {
      return drawn != null ? drawn : images;
    }
  }

  /**
   * Reads and checks a configuration file.
   *
   * @param overrides assignments {@code key=value} that go before the file, such as {@code
   *     networks.seeds[0]=7}; values are JSON, or else text
   * @throws dev.flinch.base.RequestException listing every problem, each with its path
   */
  public static Configuration load(Path file, List<String> overrides) {
    return Configurations.load(file, overrides);
  }

  /**
   * A configuration from what {@link #toJson} made of it.
   *
   * @throws IllegalArgumentException if the text is something else
   */
  public static Configuration ofJson(String text) {
    return Configurations.ofJson(text);
  }

  /** This configuration with every default filled in, as JSON that loads to an equal one. */
  public String toJson() {
    return Configurations.json(this);
  }

  /**
   * Every network of the study: shapes × activations × initial scales × learning rates × labels ×
   * augmentations × seeds, the last changing fastest.
   */
  public List<Replica> replicas() {
    return Replica.all(this);
  }

  /** The study of one of its networks alone. */
  public Configuration only(Replica replica) {
    return new Configuration(
        title,
        seed,
        data,
        new Networks(
            List.of(replica.shape()),
            List.of(replica.activation()),
            replica.biases(),
            List.of(replica.initScale()),
            List.of(replica.seed())),
        new Training(
            training.optimizer(),
            replica.learningRate() == null ? List.of() : List.of(replica.learningRate()),
            training.batchSize(),
            List.of(replica.labels()),
            List.of(replica.augmentation()),
            training.decayFactor(),
            training.decayEpochs(),
            training.stop(),
            training.checkpointSeconds()),
        measures);
  }

  /** The same networks in the same order, grouped by architecture. */
  public List<Stack> stacks() {
    return replicas().stream()
        .collect(
            Collectors.groupingBy(
                r -> List.of(r.shape(), r.activation(), r.biases()),
                LinkedHashMap::new,
                Collectors.toList()))
        .values()
        .stream()
        .map(Stack::new)
        .collect(Collectors.toUnmodifiableList());
  }
}
