package dev.flinch.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What differs between two resolved configurations. */
public final class ConfigurationChanges {
  private ConfigurationChanges() {}

  /** A line for each key that differs: {@code seed: was 1, is 2}; empty for equal ones. */
  public static List<String> between(JsonNode before, JsonNode now) {
    List<String> changed = new ArrayList<>();
    compare("", before, now, changed);
    return List.copyOf(changed);
  }

  private static void compare(String key, JsonNode before, JsonNode now, List<String> changed) {
    if (before.isObject() && now.isObject()) {
      Set<String> names = new TreeSet<>();
      before.fieldNames().forEachRemaining(names::add);
      now.fieldNames().forEachRemaining(names::add);
      names.forEach(
          name -> compare(Schema.child(key, name), before.path(name), now.path(name), changed));
    } else if (before.isArray() && now.isArray() && before.size() == now.size()) {
      for (int i = 0; i < now.size(); i++) {
        compare(key + "[" + i + "]", before.get(i), now.get(i), changed);
      }
    } else if (!before.equals(now)) {
      changed.add("%s: was %s, is %s".formatted(key, shown(before), shown(now)));
    }
  }

  private static String shown(JsonNode value) {
    return value.isMissingNode() ? "not there" : value.toString();
  }
}
