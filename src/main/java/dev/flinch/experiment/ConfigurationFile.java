package dev.flinch.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.flinch.base.RequestException;
import dev.flinch.experiment.Schema.ObjectSchema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** The reading of JSON files that users write, by the declaration of their keys. */
public final class ConfigurationFile {
  private ConfigurationFile() {}

  /**
   * Reads a file, checks it and fills in defaults.
   *
   * @param overrides assignments {@code key=value} that go before the file, such as {@code
   *     networks.seeds[0]=7}; values are JSON, or else text
   * @param schema what is expected, which may depend on what is found
   * @throws RequestException listing every problem, each with its path
   */
  public static JsonNode resolve(
      Path file, List<String> overrides, Function<JsonNode, ObjectSchema> schema) {
    List<String> problems = new ArrayList<>();
    JsonNode found = read(file);
    if (found.isObject()) {
      overrides.forEach(assignment -> override((ObjectNode) found, assignment, problems));
    }
    JsonNode complete = schema.apply(found).resolve(found, "", problems);
    if (!problems.isEmpty()) {
      String set = overrides.isEmpty() ? "" : " with --set " + String.join(" --set ", overrides);
      throw new RequestException(
          "%s%s: %s\n  %s\nEvery key is explained in configs/README.md."
              .formatted(
                  file,
                  set,
                  problems.size() == 1 ? "1 problem" : problems.size() + " problems",
                  String.join("\n  ", problems)));
    }
    return complete;
  }

  private static JsonNode read(Path file) {
    if (!Files.exists(file)) {
      throw new RequestException(file + ": no such file; expected a configuration in JSON");
    }
    if (!Files.isRegularFile(file)) {
      throw new RequestException(file + ": not a file; expected a configuration in JSON");
    }
    try {
      return Configurations.MAPPER.readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new RequestException(
          "%s, line %d, column %d: not valid JSON: %s"
              .formatted(
                  file,
                  e.getLocation().getLineNr(),
                  e.getLocation().getColumnNr(),
                  e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new RequestException("%s: cannot be read: %s".formatted(file, e), e);
    }
  }

  /** Puts the value of {@code key=value} in its place, making sections that are not there. */
  private static void override(ObjectNode root, String assignment, List<String> problems) {
    int equals = assignment.indexOf('=');
    if (equals < 1) {
      problems.add("--set " + assignment + ": expected key=value, such as seed=7");
      return;
    }
    String path = assignment.substring(0, equals).strip();
    String[] steps = path.replaceAll("\\[(\\d+)\\]", ".$1").split("\\.", -1);
    JsonNode at = root;
    for (int i = 0; i < steps.length - 1 && at != null; i++) {
      JsonNode child = at.isArray() ? at.get(index(steps[i])) : at.get(steps[i]);
      if (child == null || child.isNull()) {
        child =
            index(steps[i + 1]) < 0
                ? Configurations.MAPPER.createObjectNode()
                : Configurations.MAPPER.createArrayNode();
        child = put(at, steps[i], child) ? child : null;
      }
      at = child;
    }
    if (at == null || !put(at, steps[steps.length - 1], value(assignment.substring(equals + 1)))) {
      problems.add(
          "--set %s: expected a key, or an index up to the length of its list, found no such place"
              .formatted(path));
    }
  }

  private static boolean put(JsonNode parent, String step, JsonNode value) {
    if (parent.isObject()) {
      ((ObjectNode) parent).set(step, value);
      return true;
    }
    int index = index(step);
    if (!parent.isArray() || index < 0 || index > parent.size()) {
      return false;
    }
    if (index == parent.size()) {
      ((ArrayNode) parent).add(value);
    } else {
      ((ArrayNode) parent).set(index, value);
    }
    return true;
  }

  /** The list index that a step of a path names, or −1. */
  private static int index(String step) {
    return step.matches("\\d{1,9}") ? Integer.parseInt(step) : -1;
  }

  private static JsonNode value(String text) {
    try {
      JsonNode value = Configurations.MAPPER.readTree(text);
      return value.isMissingNode() ? TextNode.valueOf(text) : value;
    } catch (JsonProcessingException e) {
      return TextNode.valueOf(text);
    }
  }
}
