package dev.flinch.experiment;

import static dev.flinch.experiment.Schema.Key.optional;
import static dev.flinch.experiment.Schema.Key.required;
import static dev.flinch.experiment.Schema.Key.section;
import static dev.flinch.experiment.Schema.bool;
import static dev.flinch.experiment.Schema.choice;
import static dev.flinch.experiment.Schema.either;
import static dev.flinch.experiment.Schema.integer;
import static dev.flinch.experiment.Schema.list;
import static dev.flinch.experiment.Schema.object;
import static dev.flinch.experiment.Schema.positive;
import static dev.flinch.experiment.Schema.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.flinch.device.Activation;
import dev.flinch.experiment.Configuration.Anchors;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Layers;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Schema.Key;
import dev.flinch.experiment.Schema.ObjectSchema;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.training.Augmentation;
import dev.flinch.training.LbfgsTrainer;
import dev.flinch.training.Optimizer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;

/** The declaration of every key of a study's configuration. */
public final class Configurations {
  static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final String BY_MINI_BATCHES = "without optimizer L-BFGS";

  private static final int DEEPEST = 10_000;
  static final int MOST_POINTS = 1 << 30;

  private static final Schema CONVOLUTION =
      object(
          Configurations::checkConvolution,
          required("channels", integer(1), "Channels that the convolution writes."),
          optional(
              "kernel",
              integer(1),
              3,
              "Side of its square kernel, odd; maps keep their size, with zeros beyond the borders."),
          optional(
              "pool",
              integer(1),
              2,
              "Side of the windows, side by side, of the max-pooling behind its activation; 1 is"
                  + " none."));

  private static final Schema SHAPE =
      object(
          Configurations::checkShape,
          required("depth", integer(2, DEEPEST), "Weight matrices L; 2 is one hidden layer.")
              .only("without hidden and convolutions", shape -> !isListed(shape)),
          required("width", integer(1), "Units of every hidden layer.")
              .only("without hidden and convolutions", shape -> !isListed(shape)),
          optional(
                  "hidden",
                  list(integer(1), 0, DEEPEST, null),
                  List.of(),
                  "Units of each hidden layer, in place of `depth` and `width`; with convolutions,"
                      + " of each fully connected one behind them, if there are any.")
              .only("without depth and width", Configurations::isListed),
          required(
                  "convolutions",
                  list(CONVOLUTION, 1, DEEPEST, null),
                  "Convolutional layers at the beginning of the network, if there are any.")
              .only("without depth and width", shape -> shape.has("convolutions")));

  private static final Schema JACOBIAN_NORM =
      object(
          optional("split", choice(Split.class), Split.TEST, "Images to measure at."),
          optional(
              "count",
              integer(1).orNull(),
              null,
              "Measure at the first so many of the split's images; null is all."));

  private static final Key ANCHORS =
      optional(
          "anchors",
          either(
              choice(Anchors.Drawn.class),
              list(integer(0), 3, 3, entry -> entry),
              JsonNode::isArray),
          Anchors.Drawn.DIFFERENT_CLASSES,
          "The three training images: indices into the data set's training split, or drawn by"
              + " class.");

  private static final Key SEED =
      optional("seed", integer(0, Long.MAX_VALUE), 1, "Keys what is drawn.");

  private static final Schema TRAJECTORY =
      object(
          (trajectory, path, problems) -> {
            if (trajectory.path("bins").asLong() > trajectory.path("points").asLong(MOST_POINTS)) {
              problems.add(
                  Schema.mismatch(
                      path + ".bins",
                      "≤ points, " + trajectory.get("points"),
                      trajectory.get("bins")));
            }
          },
          required(
              "kind",
              choice(Kind.class),
              "An ellipse through three training images, a random ellipse, or the loop of"
                  + " translations of a test image."),
          ANCHORS.only("with kind through", isKind(Kind.THROUGH)),
          optional(
                  "image",
                  integer(0),
                  0,
                  "The image that is translated: an index into the data set's test split.")
              .only("with kind translation", isKind(Kind.TRANSLATION)),
          SEED.only(
              "with kind random or drawn anchors",
              isKind(Kind.RANDOM).or(isKind(Kind.THROUGH).and(Configurations::drawsAnchors))),
          optional(
              "method",
              choice(Method.class),
              Method.AUTO,
              "How transitions are found: exact walks from one linear region to the next and needs a"
                  + " piecewise-linear activation and a fully connected network, sampled compares the"
                  + " patterns of points, auto is exact wherever that is possible."),
          optional(
              "points",
              integer(1, MOST_POINTS),
              1 << 20,
              "Equidistant parameters at which Jacobian norms are found, and transitions where they"
                  + " are sampled."),
          optional("bins", integer(1), 60, "Parts of the parameter's range that are reported."),
          optional("jacobian", bool(), true, "Whether Jacobian norms are measured along it too."));

  private static final Schema REGIONS =
      object(
          ANCHORS,
          SEED.only("with drawn anchors", Configurations::drawsAnchors),
          optional(
              "size",
              integer(RegionMeasurement.SMALLEST, RegionMeasurement.LARGEST),
              1024,
              "Pixels of the map's side."),
          optional(
              "layer",
              either(choice(Layers.class), integer(1), JsonNode::isNumber),
              Layers.LAST,
              "Whose units' codes make up a pattern: the last hidden layer, all of them, or one by"
                  + " its number, 1 the first."),
          optional(
              "before",
              bool(),
              true,
              "Whether networks are mapped as they were before training too."),
          optional(
              "networks",
              integer(1),
              1,
              "How many of the networks that differ in their seeds alone are mapped: those of the"
                  + " first so many seeds."));

  private static final Schema STIFFNESS =
      object(
          optional(
              "every",
              integer(1, Long.MAX_VALUE).orNull(),
              null,
              "Steps from one measurement to the next, with L-BFGS iterations; null is one"
                  + " epoch's. Networks are also measured before training and at its end."),
          optional(
              "perClass",
              integer(1).orNull(),
              null,
              "The first so many images of each class, by the data set's labels, of the study's"
                  + " training images and of its test images; null is %d of each where there are"
                      .formatted(StiffnessMeasurement.PER_CLASS)
                  + " at most %d classes, and %d where there are more."
                      .formatted(
                          StiffnessMeasurement.FEW_CLASSES,
                          StiffnessMeasurement.PER_CLASS_OF_MANY)),
          optional(
              "pairs",
              list(choice(Pairs.class)),
              List.of(Pairs.TRAIN_TRAIN),
              "Which images the two of a pair are of. Gradients at training images are of the labels"
                  + " that the network is taught, which are its class here; at test images of the"
                  + " data set's."),
          optional(
              "distance",
              bool(),
              true,
              "Whether it is measured against distance too, with the critical length."));

  private static final ObjectSchema ROOT =
      object(
          Configurations::checkCounts,
          required("title", text(), "What figures and tables are headed with."),
          optional(
              "seed",
              integer(0, Long.MAX_VALUE),
              1,
              "Keys what all networks share: the training subset and the validation split."),
          section(
              "data",
              object(
                  required(
                      "dataset",
                      text(),
                      "The data set, by the name that `flinch data list` shows."),
                  optional(
                      "train",
                      integer(1).orNull(),
                      null,
                      "Images to train on, drawn from the training split; null is all that"
                          + " validation leaves."),
                  optional(
                      "validation",
                      integer(0),
                      0,
                      "Images of the training split that are set aside, not trained on."),
                  optional(
                      "test",
                      integer(1).orNull(),
                      null,
                      "The first so many images of the test split; null is all."),
                  optional(
                      "crop",
                      integer(1).orNull(),
                      null,
                      "Side of the central square that images are cropped to before they are"
                          + " normalised; null keeps them whole.")),
              "What networks are trained and tested on."),
          section(
              "networks",
              object(
                  required(
                      "shapes",
                      list(
                          SHAPE,
                          1,
                          Integer.MAX_VALUE,
                          shape -> MAPPER.convertValue(shape, Shape.class)),
                      "Hidden layers of the networks."),
                  optional(
                      "activations",
                      list(choice(Activation.class)),
                      List.of(Activation.RELU),
                      "Activations of the hidden layers."),
                  optional("biases", bool(), false, "Whether layers add biases."),
                  optional(
                      "initScales",
                      list(positive(Double.POSITIVE_INFINITY)),
                      List.of(1.0),
                      "Factors on the standard deviation of the initial weights."),
                  optional(
                      "seeds",
                      list(integer(0, Long.MAX_VALUE)),
                      List.of(1),
                      "One network each; keys its initial weights, the order of its mini-batches,"
                          + " its random labels, and the moves of its images.")),
              "A study trains every combination of shape, activation, initial scale, learning rate,"
                  + " labels, augmentation and seed."),
          section(
              "training",
              object(
                  Configurations::checkTraining,
                  optional(
                      "optimizer",
                      choice(Optimizer.class),
                      Optimizer.MOMENTUM,
                      "The rule by which weights follow gradients of mini-batches; or L-BFGS, which"
                          + " takes all images as one batch and finds its own steps, for at most "
                          + LbfgsTrainer.MOST_ITERATIONS
                          + " iterations."),
                  required(
                          "learningRates",
                          list(positive(Double.POSITIVE_INFINITY)),
                          "Learning rates at the start.")
                      .only(BY_MINI_BATCHES, Configurations::isByMiniBatches),
                  optional("batchSize", integer(1), 256, "Images in a mini-batch.")
                      .only(BY_MINI_BATCHES, Configurations::isByMiniBatches),
                  optional(
                      "labels",
                      list(choice(Labels.class)),
                      List.of(Labels.TRUE),
                      "What networks are taught: the data's labels, or classes drawn uniformly in"
                          + " their place."),
                  optional(
                      "augmentations",
                      list(choice(Augmentation.class)),
                      List.of(Augmentation.NONE),
                      "How training images are moved, at random and anew in every epoch: not at all;"
                          + " by −4 to 4 pixels each way with wrap-around, half of them flipped left"
                          + " to right; or, if they are square, also half flipped top to bottom,"
                          + " and turned by 0 to 3 quarters. All measures are of images as they"
                          + " are. With L-BFGS only none."),
                  optional(
                          "decayFactor",
                          positive(1),
                          0.1,
                          "The learning rate is multiplied by this …")
                      .only(BY_MINI_BATCHES, Configurations::isByMiniBatches),
                  optional("decayEpochs", integer(1), 500, "… after every so many epochs.")
                      .only(BY_MINI_BATCHES, Configurations::isByMiniBatches),
                  section(
                      "stop",
                      object(
                          optional(
                              "epochs",
                              integer(1).orNull(),
                              100,
                              "Most passes over the training images, with L-BFGS iterations; null is"
                                  + " no limit."),
                          optional(
                              "steps",
                              integer(1, Long.MAX_VALUE).orNull(),
                              null,
                              "Most mini-batches, with L-BFGS iterations; null is no limit."),
                          optional(
                              "trainAccuracy",
                              positive(1).orNull(),
                              1.0,
                              "Stop a network once its train accuracy is reached; null is never.")),
                      "Training ends at whichever comes first."),
                  optional(
                      "checkpointSeconds",
                      integer(0),
                      60,
                      "Seconds between checkpoints; 0 writes one after every epoch.")),
              "How networks are trained."),
          section(
              "measures",
              object(
                  section(
                      "jacobian",
                      JACOBIAN_NORM.orNull(),
                      "The mean Jacobian norm of the probabilities; null is not measured."),
                  optional(
                      "logitJacobian",
                      JACOBIAN_NORM.orNull(),
                      null,
                      "The mean Jacobian norm of the logits; null is not measured."),
                  optional(
                      "trajectories",
                      list(TRAJECTORY, 0, Integer.MAX_VALUE, entry -> entry),
                      List.of(),
                      "Closed trajectories along which transitions are counted."),
                  optional(
                      "regions",
                      list(REGIONS, 0, Integer.MAX_VALUE, entry -> entry),
                      List.of(),
                      "Planes through three images on which linear regions are mapped."),
                  optional(
                      "stiffness",
                      STIFFNESS.orNull(),
                      null,
                      "Stiffness at fixed images as networks train, with loss and accuracy on all"
                          + " training and test images; null is not measured.")),
              "What is measured of every network, beside accuracy, loss and gap: once trained, but"
                  + " for stiffness."));

  private static boolean isListed(JsonNode shape) {
    return shape.has("hidden") || shape.has("convolutions");
  }

  private static void checkConvolution(JsonNode convolution, String path, List<String> problems) {
    if (convolution.path("kernel").asInt(1) % 2 == 0) {
      problems.add(Schema.mismatch(path + ".kernel", "odd", convolution.get("kernel")));
    }
  }

  private static void checkShape(JsonNode shape, String path, List<String> problems) {
    if (shape.path("hidden").isArray()
        && shape.get("hidden").isEmpty()
        && !shape.has("convolutions")) {
      problems.add(path + ".hidden: expected at least one entry, found 0");
    }
  }

  private static boolean isByMiniBatches(JsonNode training) {
    return !Optimizer.LBFGS.label().equalsIgnoreCase(training.path("optimizer").asText().strip());
  }

  private static void checkTraining(JsonNode training, String path, List<String> problems) {
    JsonNode stop = training.path("stop");
    if (isByMiniBatches(training)) {
      if (stop.path("epochs").isNull() && stop.path("steps").isNull()) {
        problems.add(path + ".stop: expected a limit in epochs or steps, found neither");
      }
      return;
    }
    JsonNode augmentations = training.path("augmentations");
    for (int i = 0; i < augmentations.size(); i++) {
      if (!augmentations.get(i).asText().equals(Augmentation.NONE.label())) {
        problems.add(
            Schema.mismatch(
                "%s.augmentations[%d]".formatted(path, i),
                "\"none\" with optimizer L-BFGS, whose batch is all images as they are",
                augmentations.get(i)));
      }
    }
  }

  private static boolean drawsAnchors(JsonNode measure) {
    return !measure.path("anchors").isArray();
  }

  private static Predicate<JsonNode> isKind(Kind kind) {
    return trajectory -> kind.name().equalsIgnoreCase(trajectory.path("kind").asText().strip());
  }

  private static void checkCounts(JsonNode study, String path, List<String> problems) {
    for (JsonNode activation : study.at("/networks/activations")) {
      for (int t = 0; t < study.at("/measures/trajectories").size(); t++) {
        JsonNode method = study.at("/measures/trajectories/%d/method".formatted(t));
        if (activation.asText().equals(Activation.TANH.label())
            && method.asText().equals("exact")) {
          problems.add(
              Schema.mismatch(
                  "measures.trajectories[%d].method".formatted(t),
                  "\"auto\" or \"sampled\" with Tanh, which has no linear regions",
                  method));
        }
      }
    }
    checkConvolutions(study, problems);
    JsonNode regions = study.at("/measures/regions");
    for (int m = 0; m < regions.size(); m++) {
      checkRegions(study, regions.get(m), "measures.regions[%d]".formatted(m), problems);
    }
    JsonNode data = study.path("data");
    atMost(study, "/training/batchSize", data.path("train"), "data.train", problems);
    for (String measure : List.of("jacobian", "logitJacobian")) {
      String split = study.at("/measures/" + measure + "/split").asText();
      atMost(study, "/measures/" + measure + "/count", data.path(split), "data." + split, problems);
    }
  }

  /** Refuses exact walks of networks with convolutions. */
  private static void checkConvolutions(JsonNode study, List<String> problems) {
    JsonNode shapes = study.at("/networks/shapes");
    for (int t = 0; t < study.at("/measures/trajectories").size(); t++) {
      JsonNode method = study.at("/measures/trajectories/%d/method".formatted(t));
      for (int s = 0; s < shapes.size() && method.asText().equals("exact"); s++) {
        if (shapes.get(s).has("convolutions")) {
          problems.add(
              Schema.mismatch(
                  "measures.trajectories[%d].method".formatted(t),
                  "\"auto\" or \"sampled\" with networks.shapes[%d], which has convolutions"
                      .formatted(s),
                  method));
        }
      }
    }
  }

  /** Refuses a layer that a shape does not have, and more networks than differ in their seeds. */
  private static void checkRegions(
      JsonNode study, JsonNode regions, String path, List<String> problems) {
    JsonNode shapes = study.at("/networks/shapes");
    for (int s = 0; s < shapes.size(); s++) {
      JsonNode shape = shapes.get(s);
      int hidden =
          isListed(shape)
              ? shape.path("hidden").size() + shape.path("convolutions").size()
              : shape.path("depth").asInt(DEEPEST) - 1;
      if (regions.path("layer").asInt() > hidden) {
        problems.add(
            Schema.mismatch(
                path + ".layer",
                "≤ %d, the hidden layers of networks.shapes[%d]".formatted(hidden, s),
                regions.get("layer")));
      }
    }
    int seeds = study.at("/networks/seeds").size();
    if (seeds > 0 && regions.path("networks").asInt() > seeds) {
      problems.add(
          Schema.mismatch(
              path + ".networks",
              "≤ %d, the number of networks.seeds".formatted(seeds),
              regions.get("networks")));
    }
  }

  /** Refuses a number greater than another one, where both are given. */
  private static void atMost(
      JsonNode study, String pointer, JsonNode limit, String limitPath, List<String> problems) {
    JsonNode value = study.at(pointer);
    if (limit.isNumber() && value.asLong() > limit.asLong()) {
      problems.add(
          Schema.mismatch(
              pointer.substring(1).replace('/', '.'),
              "≤ %s, %s".formatted(limitPath, limit),
              value));
    }
  }

  private Configurations() {}

  /** Every key of a study. */
  public static ObjectSchema schema() {
    return ROOT;
  }

  static Configuration load(Path file, List<String> overrides) {
    return MAPPER.convertValue(
        ConfigurationFile.resolve(file, overrides, found -> ROOT), Configuration.class);
  }

  /**
   * A part of a resolved configuration as a value: a section as its record, a word as its constant.
   */
  public static <T> T value(JsonNode resolved, Class<T> type) {
    return MAPPER.convertValue(resolved, type);
  }

  /** The part of a resolved configuration that {@link #value} makes a value of. */
  public static JsonNode tree(Object value) {
    return MAPPER.valueToTree(value);
  }

  static Configuration ofJson(String text) {
    try {
      return MAPPER.readValue(text, Configuration.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not the JSON of a resolved configuration", e);
    }
  }

  static String json(Configuration configuration) {
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n"));
    try {
      return MAPPER.writer(printer).writeValueAsString(configuration) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration that is not JSON", e);
    }
  }
}
