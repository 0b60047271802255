package dev.flinch.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.flinch.experiment.Configuration.Measures;
import dev.flinch.experiment.ConfigurationFile;
import dev.flinch.experiment.Configurations;
import dev.flinch.experiment.Json;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;

/**
 * A sweep as its user asks for it: which networks to train and what to measure of them. Every key
 * is declared in {@link SweepSchema} and listed in {@code configs/README.md}. A value of this type
 * is complete, and every single value in it is checked; what combinations of values ask of data
 * sets is for {@link SweepPlan} to find.
 *
 * @param seed keys the training subset and the validation split, which networks that take as many
 *     images share
 * @param validation images set aside from the training split
 * @param test images to test on, or null for all
 * @param checkpointSeconds between checkpoints; of no influence on results
 * @param measures without region maps
 * @param factors the values of every factor; of those that networks don't have, null alone
 */
public record SweepConfiguration(
    String title,
    long seed,
    int validation,
    Integer test,
    int checkpointSeconds,
    Measures measures,
    Map<Factor, FactorValues> factors,
    Sampling sampling,
    List<String> constraints,
    List<PairedSides> pairs) {
  public SweepConfiguration {
    factors = Collections.unmodifiableMap(new EnumMap<>(factors));
    constraints = List.copyOf(constraints);
    pairs = List.copyOf(pairs);
  }

  /**
   * Reads and checks a sweep file.
   *
   * @param overrides assignments {@code key=value} that go before the file, such as {@code
   *     factors.seed=[1,2]}; values are JSON, or else text
   * @throws dev.flinch.base.RequestException listing every problem, each with its path
   */
  public static SweepConfiguration load(Path file, List<String> overrides) {
    return of(ConfigurationFile.resolve(file, overrides, SweepSchema::schema));
  }

  private static SweepConfiguration of(JsonNode sweep) {
    Map<Factor, FactorValues> factors = new EnumMap<>(Factor.class);
    for (Factor factor : Factor.values()) {
      JsonNode listed = sweep.at("/factors/" + factor.key());
      JsonNode shared = sweep.at(factor.pointer());
      JsonNode found = listed.isMissingNode() ? shared : listed;
      factors.put(
          factor, new FactorValues(factor, found.isMissingNode() ? NullNode.instance : found));
    }
    return new SweepConfiguration(
        sweep.get("title").asText(),
        sweep.get("seed").longValue(),
        sweep.at("/data/validation").intValue(),
        Configurations.value(sweep.at("/data/test"), Integer.class),
        sweep.at("/training/checkpointSeconds").intValue(),
        Configurations.value(sweep.get("measures"), Measures.class),
        factors,
        Configurations.value(sweep.get("sampling"), Sampling.class),
        texts(sweep.get("constraints")),
        StreamSupport.stream(sweep.get("pairs").spliterator(), false)
            .map(PairedSides::of)
            .toList());
  }

  private static List<String> texts(JsonNode list) {
    return StreamSupport.stream(list.spliterator(), false).map(JsonNode::asText).toList();
  }

  /**
   * This sweep with every default filled in and every factor in its place, as JSON that loads to an
   * equal one.
   */
  public String toJson() {
    ObjectNode sweep = JsonNodeFactory.instance.objectNode();
    sweep.put("title", title).put("seed", seed);
    sweep.putObject("data").put("validation", validation).put("test", test);
    sweep.putObject("training").put("checkpointSeconds", checkpointSeconds);
    sweep.set("measures", Configurations.tree(measures));
    ObjectNode values = sweep.putObject("factors");
    factors.forEach(
        (factor, of) -> {
          if (!factor.isOfLayers() || !of.json().isNull()) {
            values.set(factor.key(), of.json());
          }
        });
    sweep.set("sampling", Configurations.tree(sampling));
    sweep.set("constraints", Configurations.tree(constraints));
    sweep.set("pairs", Configurations.tree(pairs.stream().map(PairedSides::json).toList()));
    return Json.text(sweep);
  }
}
