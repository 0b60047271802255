package dev.flinch.store;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What is known of a network of a sweep: the columns of results, in the database, in tables for
 * other programs, in conditions and in reports. Their order is that of tables.
 */
public enum Column {
  /** 32 hexadecimal digits: the hash of the resolved configuration. */
  IDENTITY(Kind.TEXT, Role.KEY, "hash of the resolved configuration"),
  /** The same of the configuration without its seed: what means over seeds are taken by. */
  SETTING(Kind.TEXT, Role.KEY, "hash of the configuration without its seed"),
  /** {@code done}, {@code diverged}, {@code failed}, or {@code planned} where neither yet. */
  STATUS(Kind.TEXT, Role.KEY, "planned, done, diverged or failed"),
  /** Why the network failed. */
  ERROR(Kind.TEXT, Role.KEY, "why it failed"),

  DATASET(Kind.TEXT, Role.FACTOR, "data set"),
  TRAIN_IMAGES(Kind.INTEGER, Role.FACTOR, "images trained on"),
  CROP(Kind.INTEGER, Role.FACTOR, "side of the central square that images are cropped to"),
  DEPTH(Kind.INTEGER, Role.FACTOR, "weight matrices"),
  /** Of the widest hidden layer. */
  WIDTH(Kind.INTEGER, Role.FACTOR, "units of the widest hidden layer"),
  ACTIVATION(Kind.TEXT, Role.FACTOR, "activation"),
  BIASES(Kind.INTEGER, Role.FACTOR, "whether layers add biases: 0 or 1"),
  INIT_SCALE(Kind.REAL, Role.FACTOR, "factor on the deviation of initial weights"),
  OPTIMIZER(Kind.TEXT, Role.FACTOR, "optimizer"),
  LEARNING_RATE(Kind.REAL, Role.FACTOR, "learning rate at the start"),
  BATCH_SIZE(Kind.INTEGER, Role.FACTOR, "images in a mini-batch"),
  LABELS(Kind.TEXT, Role.FACTOR, "true or random labels"),
  AUGMENTATION(Kind.TEXT, Role.FACTOR, "how training images are moved"),
  SEED(Kind.INTEGER, Role.FACTOR, "seed"),

  PARAMETERS(Kind.INTEGER, Role.MEASURE, "weights, with biases if there are any"),
  STEPS(Kind.INTEGER, Role.MEASURE, "training steps"),
  /** {@code accurate}, {@code completed} or {@code diverged}. */
  OUTCOME(Kind.TEXT, Role.MEASURE, "how training ended"),
  TRAIN_ACCURACY(Kind.REAL, Role.MEASURE, "train accuracy"),
  TEST_ACCURACY(Kind.REAL, Role.MEASURE, "test accuracy"),
  TRAIN_LOSS(Kind.REAL, Role.MEASURE, "train cross-entropy"),
  TEST_LOSS(Kind.REAL, Role.MEASURE, "test cross-entropy"),
  GAP(Kind.REAL, Role.MEASURE, "generalization gap"),
  JACOBIAN_NORM(Kind.REAL, Role.MEASURE, "mean Jacobian norm"),
  JACOBIAN_NORM_ERROR(Kind.REAL, Role.MEASURE, "its standard error"),
  LOGIT_JACOBIAN_NORM(Kind.REAL, Role.MEASURE, "mean Jacobian norm of logits"),
  /** Mean over the trajectories of the sweep. */
  TRANSITIONS(Kind.REAL, Role.MEASURE, "transitions along a trajectory, mean over trajectories"),
  /** JSON: an array of numbers, the first hidden layer's first. */
  TRANSITIONS_PER_LAYER(Kind.TEXT, Role.MEASURE, "the same of each hidden layer"),
  /** Of the first pairs that the sweep asks for, at the end of training; the next four too. */
  STIFFNESS_WITHIN(Kind.REAL, Role.MEASURE, "stiffness within classes, by the cosine"),
  STIFFNESS_BETWEEN(Kind.REAL, Role.MEASURE, "stiffness between classes, by the cosine"),
  STIFFNESS_SIGN_WITHIN(Kind.REAL, Role.MEASURE, "stiffness within classes, by the sign"),
  STIFFNESS_SIGN_BETWEEN(Kind.REAL, Role.MEASURE, "stiffness between classes, by the sign"),
  /** By the cosine. */
  CRITICAL_LENGTH(Kind.REAL, Role.MEASURE, "dynamical critical length"),
  /** JSON: arrays of numbers, one for each time that it was measured, by what they are of. */
  STIFFNESS(Kind.TEXT, Role.MEASURE, "stiffness and losses along training"),

  /** A stack's time by its networks. */
  SECONDS(Kind.REAL, Role.ORIGIN, "seconds of work, a network's share of its stack's"),
  DEVICE(Kind.TEXT, Role.ORIGIN, "what computed it"),
  VERSION(Kind.TEXT, Role.ORIGIN, "version of Flinch"),
  /** JSON that {@code flinch run} takes. */
  CONFIGURATION(Kind.TEXT, Role.ORIGIN, "resolved configuration");

  /** Types of values: Java's String, Long and Double. */
  public enum Kind {
    TEXT,
    INTEGER,
    REAL
  }

  /** What a column is about. */
  public enum Role {
    /** Which network, and whether it is done. */
    KEY,
    /** What was chosen. */
    FACTOR,
    /** What came out. */
    MEASURE,
    /** How it was computed. */
    ORIGIN
  }

  private final Kind kind;
  private final Role role;
  private final String meaning;

  Column(Kind kind, Role role, String meaning) {
    this.kind = kind;
    this.role = role;
    this.meaning = meaning;
  }

  public Kind kind() {
    return kind;
  }

  public Role role() {
    return role;
  }

  /** What it says, in a few words. */
  public String meaning() {
    return meaning;
  }

  /** Its name in the database and in tables, such as {@code jacobian_norm}. */
  public String sqlName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Its name in expressions and configurations, such as {@code jacobianNorm}. */
  public String variable() {
    String[] words = sqlName().split("_");
    StringBuilder name = new StringBuilder(words[0]);
    for (int i = 1; i < words.length; i++) {
      name.append(Character.toUpperCase(words[i].charAt(0))).append(words[i].substring(1));
    }
    return name.toString();
  }

  /** The column of a name, as the database or as expressions have it. */
  public static Optional<Column> named(String name) {
    return Arrays.stream(values())
        .filter(c -> c.sqlName().equals(name) || c.variable().equals(name))
        .findFirst();
  }

  /** All columns of a role, in order. */
  public static List<Column> of(Role role) {
    return Arrays.stream(values()).filter(c -> c.role == role).toList();
  }
}
