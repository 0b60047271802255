package dev.flinch.sweep;

import static dev.flinch.experiment.Schema.Key.optional;
import static dev.flinch.experiment.Schema.Key.required;
import static dev.flinch.experiment.Schema.integer;
import static dev.flinch.experiment.Schema.list;
import static dev.flinch.experiment.Schema.mismatch;
import static dev.flinch.experiment.Schema.object;
import static dev.flinch.experiment.Schema.positive;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.experiment.Schema;
import dev.flinch.experiment.Schema.ObjectSchema;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/**
 * The values that a factor takes in a sweep: one, a list, a range that stands for a list, or a
 * distribution to draw from.
 *
 * @param json as sweep files have it, checked
 */
public record FactorValues(Factor factor, JsonNode json) {
  /** The most values that a range may stand for. */
  private static final int MOST_VALUES = 1_000_000;

  /** Computed numbers are rounded, so that 0.01 is a step between 0.001 and 0.1. */
  private static final MathContext OF_RANGES = new MathContext(12);

  /** Digits of drawn numbers. */
  private static final MathContext OF_DRAWS = new MathContext(6);

  /** Ways to say many numbers at once. */
  enum Form {
    LINEAR("linear"),
    LOG("log"),
    POWERS_OF_TWO("powersOfTwo"),
    UNIFORM("uniform"),
    LOG_UNIFORM("logUniform"),
    NORMAL("normal");

    private final String key;

    Form(String key) {
      this.key = key;
    }

    boolean isDistribution() {
      return this == UNIFORM || this == LOG_UNIFORM || this == NORMAL;
    }

    static Optional<Form> of(JsonNode json) {
      return Arrays.stream(values()).filter(form -> json.has(form.key)).findFirst();
    }

    static String keys() {
      return Arrays.stream(values()).map(f -> f.key).collect(Collectors.joining(", "));
    }
  }

  /** A value of the factor as a study has it, a list of them, or for numbers an object. */
  static Schema schema(Factor factor) {
    Schema element = factor.element();
    Schema listed = list(element);
    return new Schema() {
      @Override
      public String title() {
        return element.title() + (factor.isNumber() ? ", a list or a range" : ", or a list");
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        if (found.isArray()) {
          return listed.resolve(found, path, problems);
        }
        if (!found.isObject() || !factor.isNumber()) {
          return element.resolve(found, path, problems);
        }
        Optional<Form> form = Form.of(found);
        if (form.isEmpty()) {
          problems.add(mismatch(path, "one of " + Form.keys(), found));
          return null;
        }
        return range(factor, form.get(), element).resolve(found, path, problems);
      }
    };
  }

  private static ObjectSchema range(Factor factor, Form form, Schema element) {
    Schema bound = form == Form.NORMAL ? positive(Double.POSITIVE_INFINITY) : element;
    Schema.Key bounds = required(form.key, list(bound, 2, 2, null), "");
    Schema.Key count = required("count", integer(2, MOST_VALUES), "");
    return switch (form) {
      case LINEAR -> {
        Schema step =
            factor.isInteger() ? integer(1, Long.MAX_VALUE) : positive(Double.POSITIVE_INFINITY);
        yield object(
            (range, path, problems) -> check(factor, form, range, path, problems),
            bounds,
            count.only("without step", range -> range.has("count")),
            (factor.isInteger() ? optional("step", step, 1, "") : required("step", step, ""))
                .only("without count", range -> !range.has("count")));
      }
      case LOG ->
          object(
              (range, path, problems) -> check(factor, form, range, path, problems), bounds, count);
      default ->
          object((range, path, problems) -> check(factor, form, range, path, problems), bounds);
    };
  }

  private static void check(
      Factor factor, Form form, JsonNode range, String path, List<String> problems) {
    JsonNode bounds = range.path(form.key);
    String at = Schema.child(path, form.key);
    if (bounds.size() != 2) {
      return;
    }
    if (bounds.get(0).isNull() || bounds.get(1).isNull()) {
      problems.add(mismatch(at, "two numbers", bounds));
      return;
    }
    double low = bounds.get(0).doubleValue();
    double high = bounds.get(1).doubleValue();
    if (factor == Factor.SEED && form.isDistribution()) {
      problems.add(mismatch(path, "a list or a range, as seeds are not drawn", range));
    } else if (form != Form.NORMAL && low > high) {
      problems.add(mismatch(at, "the smaller number first", bounds));
    } else if ((form == Form.LOG || form == Form.LOG_UNIFORM) && low <= 0) {
      problems.add(mismatch(at, "numbers > 0", bounds));
    } else if (form == Form.POWERS_OF_TWO && !(isPowerOfTwo(low) && isPowerOfTwo(high))) {
      problems.add(mismatch(at, "powers of two", bounds));
    } else if (form == Form.LINEAR
        && (high - low) / range.path("step").asDouble(1) >= MOST_VALUES
        && !range.has("count")) {
      problems.add(mismatch(at, "at most %,d values".formatted(MOST_VALUES), range));
    }
  }

  private static boolean isPowerOfTwo(double value) {
    return value > 0 && value == Math.scalb(1.0, Math.getExponent(value));
  }

  /** A single value, or the default of studies. */
  static FactorValues one(Factor factor, JsonNode value) {
    return new FactorValues(factor, value);
  }

  private Optional<Form> form() {
    return json.isObject() ? Form.of(json) : Optional.empty();
  }

  boolean isDistribution() {
    return form().map(Form::isDistribution).orElse(false);
  }

  /** All values, in order, none twice; of no distribution. */
  List<Object> listed() {
    if (json.isArray()) {
      return StreamSupport.stream(json.spliterator(), false).map(factor::value).toList();
    }
    if (form().isEmpty()) {
      return Arrays.asList(factor.value(json));
    }
    Set<Object> values = new LinkedHashSet<>();
    for (double number : numbers(form().get())) {
      values.add(
          factor.isInteger()
              ? (Object) Math.round(number)
              : Double.valueOf(new BigDecimal(number).round(OF_RANGES).doubleValue()));
    }
    return List.copyOf(values);
  }

  private double[] numbers(Form form) {
    double low = json.get(form.key).get(0).doubleValue();
    double high = json.get(form.key).get(1).doubleValue();
    if (form == Form.POWERS_OF_TWO) {
      int from = Math.getExponent(low);
      double[] powers = new double[Math.getExponent(high) - from + 1];
      Arrays.setAll(powers, i -> Math.scalb(1.0, from + i));
      return powers;
    }
    if (json.has("step")) {
      double step = json.get("step").doubleValue();
      // A little beyond the end, as 0.1 + 2 · 0.1 is beyond 0.3.
      double[] values = new double[(int) ((high - low) / step * (1 + 1e-12)) + 1];
      Arrays.setAll(values, i -> low + i * step);
      return values;
    }
    double[] values = new double[json.get("count").intValue()];
    int last = values.length - 1;
    Arrays.setAll(
        values,
        i -> {
          double way = (double) i / last;
          return i == 0
              ? low
              : i == last
                  ? high
                  : form == Form.LOG ? low * Math.pow(high / low, way) : low + way * (high - low);
        });
    return values;
  }

  /**
   * The value at a quantile of a distribution.
   *
   * @param u 0 < u < 1
   * @return null for a number that the factor can't take, as a normal distribution may have it
   */
  Object drawn(double u) {
    Form form = form().orElseThrow();
    double first = json.get(form.key).get(0).doubleValue();
    double second = json.get(form.key).get(1).doubleValue();
    // Every integer of a range, those at its ends too, has the numbers within ½ around it.
    double margin = factor.isInteger() ? 0.5 : 0;
    double number =
        switch (form) {
          case UNIFORM -> first - margin + u * (second - first + 2 * margin);
          case LOG_UNIFORM -> (first - margin) * Math.pow((second + margin) / (first - margin), u);
          default -> first + second * NormalQuantile.of(u);
        };
    Object value =
        factor.isInteger()
            ? (Object) Math.round(number)
            : Double.valueOf(new BigDecimal(number).round(OF_DRAWS).doubleValue());
    if (form != Form.NORMAL) {
      return factor.isInteger()
          ? (Object) Math.max((long) first, Math.min((long) second, (Long) value))
          : Double.valueOf(Math.max(first, Math.min(second, (Double) value)));
    }
    List<String> problems = new ArrayList<>();
    factor.element().resolve(factor.json(value), "", problems);
    return problems.isEmpty() ? value : null;
  }
}
