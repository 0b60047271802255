package dev.flinch.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.device.Activation;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.experiment.Configurations;
import dev.flinch.experiment.Schema;
import dev.flinch.experiment.Schema.Key;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Optimizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What networks of a sweep may differ in. Each factor is a key of a study's configuration, which
 * says what its values may be. New factors go to the end: their places key what is drawn.
 */
public enum Factor {
  DATASET("dataset", "data.dataset", String.class),
  TRAIN("train", "data.train", Long.class),
  CROP("crop", "data.crop", Long.class),
  DEPTH("depth", "networks.shapes[].depth", Long.class),
  WIDTH("width", "networks.shapes[].width", Long.class),
  ACTIVATION("activation", "networks.activations[]", Activation.class),
  BIASES("biases", "networks.biases", Boolean.class),
  INIT_SCALE("initScale", "networks.initScales[]", Double.class),
  SEED("seed", "networks.seeds[]", Long.class),
  OPTIMIZER("optimizer", "training.optimizer", Optimizer.class),
  LEARNING_RATE("learningRate", "training.learningRates[]", Double.class),
  BATCH_SIZE("batchSize", "training.batchSize", Long.class),
  LABELS("labels", "training.labels[]", Labels.class),
  AUGMENTATION("augmentation", "training.augmentations[]", Augmentation.class),
  DECAY_FACTOR("decayFactor", "training.decayFactor", Double.class),
  DECAY_EPOCHS("decayEpochs", "training.decayEpochs", Long.class),
  EPOCHS("epochs", "training.stop.epochs", Long.class),
  STEPS("steps", "training.stop.steps", Long.class),
  TRAIN_ACCURACY("trainAccuracy", "training.stop.trainAccuracy", Double.class),
  /** In place of depth and width. */
  SHAPE("shape", "networks.shapes[]", Shape.class);

  /** Factors that networks of one stack may differ in. */
  static final List<Factor> OF_REPLICAS =
      List.of(INIT_SCALE, SEED, LEARNING_RATE, LABELS, AUGMENTATION);

  private static final List<Factor> OF_STEPS =
      List.of(LEARNING_RATE, BATCH_SIZE, DECAY_FACTOR, DECAY_EPOCHS);

  private final String key;
  private final String path;
  private final Class<?> type;

  Factor(String key, String path, Class<?> type) {
    this.key = key;
    this.path = path;
    this.type = type;
  }

  /** Its name in sweep files and in constraints, such as {@code learningRate}. */
  public String key() {
    return key;
  }

  /** The factor of a name. */
  static Optional<Factor> named(String key) {
    return Arrays.stream(values()).filter(f -> f.key.equals(key)).findFirst();
  }

  /** Its declaration in a study. */
  Key declaration() {
    return Configurations.schema().key(path.replace("[]", ""));
  }

  /** What a single value may be. */
  Schema element() {
    Schema schema = declaration().schema();
    return isList() ? schema.inner() : schema;
  }

  /** The value where a study doesn't say; null where it has to. */
  JsonNode fallback() {
    JsonNode fallback = declaration().fallback();
    return fallback != null && isList() ? fallback.get(0) : fallback;
  }

  private boolean isList() {
    return path.endsWith("[]");
  }

  /** Where the value stands in the configuration of a single network. */
  String pointer() {
    return "/" + path.replace('.', '/').replace("[]", "/0");
  }

  boolean isNumber() {
    return isInteger() || type == Double.class;
  }

  boolean isInteger() {
    return type == Long.class;
  }

  /** Whether a study can have it in a section of its own that is of one value in a sweep too. */
  boolean hasSection() {
    return switch (this) {
      case TRAIN, CROP, DECAY_FACTOR, DECAY_EPOCHS, EPOCHS, STEPS, TRAIN_ACCURACY -> true;
      default -> false;
    };
  }

  /** Whether it says hidden layers: networks have a shape, or a depth and a width. */
  boolean isOfLayers() {
    return this == SHAPE || this == DEPTH || this == WIDTH;
  }

  /** The section of a study that it is in, such as {@code training.stop}. */
  String section() {
    return path.substring(0, path.lastIndexOf('.'));
  }

  /**
   * Whether networks that an optimizer trains have this factor. Those that would differ only in
   * factors that they don't have are one network. Full-batch L-BFGS finds the length of its steps
   * by a line search.
   */
  boolean appliesWith(Optimizer optimizer) {
    return !(optimizer == Optimizer.LBFGS && OF_STEPS.contains(this));
  }

  /** A value that has been checked: Long, Double, Boolean, String, a constant, Shape, or null. */
  Object value(JsonNode checked) {
    return checked.isNull() ? null : Configurations.value(checked, type);
  }

  /** What {@link #value} came from. */
  JsonNode json(Object value) {
    return Configurations.tree(value);
  }

  /** A value in words, as users write it. */
  String text(Object value) {
    return value instanceof Shape shape ? shape.title() : json(value).asText();
  }

  @Override
  public String toString() {
    return key;
  }
}
