package dev.flinch.sweep;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * Two networks to compare: what one and the other have in place of what a setting says.
 *
 * @param left checked values
 * @param right checked values
 */
public record PairedSides(String name, Map<Factor, Object> left, Map<Factor, Object> right) {
  public PairedSides {
    left = Collections.unmodifiableMap(new EnumMap<>(left));
    right = Collections.unmodifiableMap(new EnumMap<>(right));
  }

  static PairedSides of(JsonNode pair) {
    return new PairedSides(
        pair.get("name").asText(), side(pair.get("left")), side(pair.get("right")));
  }

  private static Map<Factor, Object> side(JsonNode json) {
    Map<Factor, Object> side = new EnumMap<>(Factor.class);
    for (Factor factor : Factor.values()) {
      if (json.has(factor.key())) {
        side.put(factor, factor.value(json.get(factor.key())));
      }
    }
    return side;
  }

  /** What {@link #of} made it of. */
  JsonNode json() {
    ObjectNode pair = JsonNodeFactory.instance.objectNode().put("name", name);
    ObjectNode onLeft = pair.putObject("left");
    left.forEach((factor, value) -> onLeft.set(factor.key(), factor.json(value)));
    ObjectNode onRight = pair.putObject("right");
    right.forEach((factor, value) -> onRight.set(factor.key(), factor.json(value)));
    return pair;
  }

  /** In words: the values of those factors that tell the sides apart. */
  String leftLabel() {
    return label(left);
  }

  /** See {@link #leftLabel}. */
  String rightLabel() {
    return label(right);
  }

  private String label(Map<Factor, Object> side) {
    List<Factor> apart =
        left.keySet().stream()
            .filter(f -> right.containsKey(f) && !Objects.equals(left.get(f), right.get(f)))
            .toList();
    return (apart.isEmpty() ? side.keySet() : apart)
        .stream().map(f -> f.text(side.get(f))).collect(Collectors.joining(", "));
  }
}
