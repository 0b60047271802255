package dev.flinch.sweep;

import static dev.flinch.experiment.Schema.Key.optional;
import static dev.flinch.experiment.Schema.Key.required;
import static dev.flinch.experiment.Schema.Key.section;
import static dev.flinch.experiment.Schema.choice;
import static dev.flinch.experiment.Schema.integer;
import static dev.flinch.experiment.Schema.list;
import static dev.flinch.experiment.Schema.mismatch;
import static dev.flinch.experiment.Schema.object;
import static dev.flinch.experiment.Schema.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.flinch.base.RequestException;
import dev.flinch.experiment.Configurations;
import dev.flinch.experiment.Schema;
import dev.flinch.experiment.Schema.Key;
import dev.flinch.experiment.Schema.ObjectSchema;
import java.util.Arrays;
import java.util.List;

/**
 * The declaration of every key of a sweep. What a study has too is declared there; a value that a
 * study has in its sections {@code data} and {@code training} may stand there, or be a factor.
 */
final class SweepSchema {
  /** The most settings that are planned, and combinations that a grid goes through. */
  static final int MOST_SETTINGS = 10_000_000;

  private SweepSchema() {}

  /** All keys, for the reference. */
  static ObjectSchema schema() {
    return schema(JsonNodeFactory.instance.objectNode());
  }

  /** What is expected of a sweep, given what is found. */
  static ObjectSchema schema(JsonNode found) {
    JsonNode factors = found.path("factors");
    return object(
        SweepSchema::check,
        inStudy("title"),
        optional(
            "seed",
            integer(0, Long.MAX_VALUE),
            1,
            "Keys what all networks share: the training subset and the validation split."),
        section(
            "data",
            object(
                unlessFactor(Factor.TRAIN, factors),
                inStudy("data.validation"),
                inStudy("data.test"),
                unlessFactor(Factor.CROP, factors)),
            "What networks are trained and tested on, as in a study."),
        section(
            "training",
            object(
                unlessFactor(Factor.DECAY_FACTOR, factors),
                unlessFactor(Factor.DECAY_EPOCHS, factors),
                section(
                    "stop",
                    object(
                        unlessFactor(Factor.EPOCHS, factors),
                        unlessFactor(Factor.STEPS, factors),
                        unlessFactor(Factor.TRAIN_ACCURACY, factors)),
                    "Training ends at whichever comes first."),
                inStudy("training.checkpointSeconds")),
            "How networks are trained, as in a study."),
        section(
            "measures",
            inStudy("measures").schema(),
            "What is measured of every network, as in a study; no region maps."),
        section("factors", factors(), "What networks differ in, and what they share."),
        section(
            "sampling",
            object(
                optional(
                    "method",
                    choice(Sampling.Method.class),
                    Sampling.Method.GRID,
                    "Which settings are trained: every combination of the factors' values, or"
                        + " so many that are drawn, independently or as a Sobol sequence, which"
                        + " fills the space more evenly."),
                required("settings", integer(1, MOST_SETTINGS), "How many settings are drawn.")
                    .only("with method random or sobol", SweepSchema::draws),
                optional("seed", integer(0, Long.MAX_VALUE), 1, "Keys the draws.")
                    .only("with method random or sobol", SweepSchema::draws)),
            "How settings are chosen. A setting is a value for each factor but seed; it is trained"
                + " with every seed."),
        optional(
            "constraints",
            list(constraint(), 0, Integer.MAX_VALUE, null),
            List.of(),
            "Conditions that every network satisfies, such as `width * width * depth < 2e8`: of"
                + " factors, and of `parameters`, the number of weights. Combinations that don't"
                + " are left out, or drawn again."),
        optional(
            "pairs",
            list(
                object(
                    SweepSchema::checkSides,
                    required("name", text(), "What the pair is called in tables and figures."),
                    required("left", side(), "Values of factors that the left network has."),
                    required("right", side(), "Values that the right one has instead.")),
                0,
                Integer.MAX_VALUE,
                pair -> pair.path("name").asText()),
            List.of(),
            "Networks that are compared two by two. With pairs, both sides of every pair are"
                + " trained for each combination of the other factors, and nothing else."));
  }

  private static Key inStudy(String path) {
    return Configurations.schema().key(path);
  }

  private static Key unlessFactor(Factor factor, JsonNode factors) {
    return factor
        .declaration()
        .only("without factors." + factor.key(), section -> !factors.has(factor.key()));
  }

  private static ObjectSchema factors() {
    return object(Arrays.stream(Factor.values()).map(SweepSchema::factor).toArray(Key[]::new));
  }

  private static Key factor(Factor factor) {
    Schema schema = FactorValues.schema(factor);
    String meaning = meaning(factor);
    if (factor == Factor.SHAPE) {
      return required(factor.key(), schema, meaning)
          .only("without depth and width", factors -> factors.has(factor.key()));
    }
    if (factor.isOfLayers()) {
      return required(factor.key(), schema, meaning)
          .only("without shape", factors -> !factors.has(Factor.SHAPE.key()));
    }
    if (factor.hasSection()) {
      return optional(factor.key(), schema, null, meaning)
          .only("", factors -> factors.has(factor.key()));
    }
    return factor.fallback() == null
        ? required(factor.key(), schema, meaning)
        : optional(factor.key(), schema, factor.fallback(), meaning);
  }

  private static String meaning(Factor factor) {
    return switch (factor) {
      case ACTIVATION -> "Activation of the hidden layers.";
      case INIT_SCALE -> "Factor on the standard deviation of the initial weights.";
      case SEED -> "Every setting is trained with each of them.";
      case LEARNING_RATE -> "Learning rate at the start.";
      case SHAPE ->
          "Hidden layers in place of `depth` and `width`, as an entry of a study's"
              + " `networks.shapes`: with convolutions, or with widths of their own. Constraints see"
              + " the depth L, and as width the widest layer's units or channels.";
      default ->
          factor.hasSection()
              ? "If given, in place of `%s.%s`.".formatted(factor.section(), factor.key())
              : factor.declaration().meaning();
    };
  }

  /** Values of some factors; no seeds, as pairs share theirs. */
  private static ObjectSchema side() {
    return object(
        (side, path, problems) -> {
          if (side.isEmpty()) {
            problems.add(mismatch(path, "at least one factor", side));
          }
        },
        Arrays.stream(Factor.values())
            .filter(factor -> factor != Factor.SEED)
            .map(
                factor ->
                    optional(factor.key(), factor.element(), null, "")
                        .only("", side -> side.has(factor.key())))
            .toArray(Key[]::new));
  }

  private static Schema constraint() {
    Schema text = text();
    return new Schema() {
      @Override
      public String title() {
        return "condition";
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        JsonNode expression = text.resolve(found, path, problems);
        if (expression != null) {
          try {
            Constraint.of(expression.asText());
          } catch (RequestException e) {
            problems.add(path + ": " + e.getMessage());
          }
        }
        return expression;
      }
    };
  }

  private static boolean draws(JsonNode sampling) {
    String method = sampling.path("method").asText().strip();
    return Arrays.stream(Sampling.Method.values())
        .anyMatch(m -> m != Sampling.Method.GRID && m.name().equalsIgnoreCase(method));
  }

  private static void checkSides(JsonNode pair, String path, List<String> problems) {
    for (String side : List.of("left", "right")) {
      JsonNode values = pair.path(side);
      if (values.has("shape") && (values.has("depth") || values.has("width"))) {
        problems.add(mismatch(Schema.child(path, side), "shape, or depth and width", values));
      }
    }
    if (pair.has("left") && pair.path("left").equals(pair.path("right"))) {
      problems.add(mismatch(path + ".right", "another side than left", pair.get("right")));
    }
  }

  private static void check(JsonNode sweep, String path, List<String> problems) {
    JsonNode regions = sweep.at("/measures/regions");
    if (!regions.isEmpty()) {
      problems.add(mismatch("measures.regions", "none in a sweep", regions));
    }
    boolean grid = sweep.at("/sampling/method").asText().equals("grid");
    for (Factor factor : Factor.values()) {
      JsonNode values = sweep.at("/factors/" + factor.key());
      if (grid && values.isObject() && new FactorValues(factor, values).isDistribution()) {
        problems.add(
            mismatch(
                "factors." + factor.key(),
                "a list or a range, as nothing is drawn for a grid",
                values));
      }
    }
  }
}
