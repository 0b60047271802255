package dev.flinch.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What may stand at one place of a JSON document. One declaration of a place drives everything said
 * or done about it: the check, the default, the message when something else stands there, and the
 * line in the reference.
 */
public abstract class Schema {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
  private static final int SHOWN_CHARACTERS = 60;

  /** The type and its constraint in words, such as {@code integer ≥ 1}. */
  public abstract String title();

  /**
   * Checks what was found and fills in defaults.
   *
   * @param path where this place is, such as {@code networks.seeds[0]}
   * @param problems receives a line for everything that is wrong here or below
   * @return the complete value; null where nothing usable was found
   */
  public abstract JsonNode resolve(JsonNode found, String path, List<String> problems);

  /** The object or list below this place whose keys the reference lists too. */
  public Schema inner() {
    return this;
  }

  /** The path of {@link #inner()}, given the path of this place. */
  public String innerPath(String path) {
    return path;
  }

  /** A key of an object. */
  public record Key(
      String name,
      Schema schema,
      JsonNode fallback,
      String meaning,
      Predicate<JsonNode> applies,
      String when) {

    /** A key that has to be given. */
    public static Key required(String name, Schema schema, String meaning) {
      return new Key(name, schema, null, meaning, object -> true, "");
    }

    /** A key that may be left out. */
    public static Key optional(String name, Schema schema, Object fallback, String meaning) {
      JsonNode value = Configurations.MAPPER.valueToTree(fallback);
      return new Key(name, schema, value, meaning, object -> true, "");
    }

    /** A section whose keys have defaults of their own. */
    public static Key section(String name, Schema schema, String meaning) {
      return optional(name, schema, Map.of(), meaning);
    }

    /** This key, expected only in objects that satisfy a condition. */
    public Key only(String condition, Predicate<JsonNode> holds) {
      return new Key(name, schema, fallback, meaning, holds, condition);
    }
  }

  /** A check across several keys of an object that has been resolved as far as it could be. */
  @FunctionalInterface
  public interface Check {
    void accept(JsonNode object, String path, List<String> problems);
  }

  public static Schema text() {
    return scalar("text", n -> n.isTextual() && !n.asText().isBlank(), n -> null, n -> n);
  }

  public static Schema bool() {
    return scalar("true or false", JsonNode::isBoolean, n -> null, n -> n);
  }

  /**
   * A value without parts.
   *
   * @param accepts whether what was found is of this type
   * @param broken the limit that a value of this type breaks, such as {@code ≥ 1}, or null
   * @param canonical the one form of equal values
   */
  private static Schema scalar(
      String title,
      Predicate<JsonNode> accepts,
      Function<JsonNode, String> broken,
      Function<JsonNode, JsonNode> canonical) {
    return new Schema() {
      @Override
      public String title() {
        return title;
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        String expected = accepts.test(found) ? broken.apply(found) : title;
        if (expected != null) {
          problems.add(mismatch(path, expected, found));
          return null;
        }
        return canonical.apply(found);
      }
    };
  }

  /** An integer from {@code low} to {@code high}; a fraction of zero, as in 2.0, is allowed. */
  public static Schema integer(long low, long high) {
    boolean open = high >= Integer.MAX_VALUE;
    String title = open ? "integer ≥ " + low : "integer from %d to %d".formatted(low, high);
    return scalar(
        title,
        n -> n.isNumber() && n.canConvertToExactIntegral(),
        n ->
            n.doubleValue() < low
                ? "≥ " + low
                : !n.canConvertToLong() || n.longValue() > high ? "≤ " + high : null,
        n -> LongNode.valueOf(n.longValue()));
  }

  public static Schema integer(long low) {
    return integer(low, Integer.MAX_VALUE);
  }

  /** A number above 0, and at most {@code high}. */
  public static Schema positive(double high) {
    String limit = high == Double.POSITIVE_INFINITY ? "> 0" : "> 0 and ≤ " + shortest(high);
    return scalar(
        "number " + limit,
        n -> n.isNumber() && Double.isFinite(n.doubleValue()),
        n -> n.doubleValue() > 0 && n.doubleValue() <= high ? null : limit,
        n -> DoubleNode.valueOf(n.doubleValue()));
  }

  /** One of some words, in any case. */
  public static Schema choice(List<String> words) {
    String title = words.stream().map(w -> '"' + w + '"').collect(Collectors.joining(" or "));
    return new Schema() {
      @Override
      public String title() {
        return title;
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        Optional<String> word =
            words.stream()
                .filter(w -> found.isTextual() && w.equalsIgnoreCase(found.asText().strip()))
                .findFirst();
        if (word.isEmpty()) {
          problems.add(mismatch(path, title, found) + suggestion(found.asText(), words));
        }
        return word.map(TextNode::valueOf).orElse(null);
      }
    };
  }

  /** The constants of an enumeration, as JSON writes them. */
  public static <E extends Enum<E>> Schema choice(Class<E> type) {
    return choice(
        Stream.of(type.getEnumConstants())
            .map(c -> Configurations.MAPPER.valueToTree(c).asText())
            .collect(Collectors.toList()));
  }

  /**
   * A list.
   *
   * @param identity entries of equal identity are repeated, which is refused; null allows repeats
   */
  public static Schema list(Schema element, int least, int most, Function<JsonNode, ?> identity) {
    String title =
        least == most
            ? "list of %d, each %s".formatted(least, element.title())
            : "list of " + element.title();
    return new Schema() {
      @Override
      public String title() {
        return title;
      }

      @Override
      public Schema inner() {
        return element;
      }

      @Override
      public String innerPath(String path) {
        return path + "[]";
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        if (!found.isArray()) {
          problems.add(mismatch(path, title, found));
          return null;
        }
        if (found.size() < least || found.size() > most) {
          String expected =
              least == most
                  ? least + " entries"
                  : found.isEmpty() ? "at least one entry" : "at most " + most + " entries";
          problems.add(mismatch(path, expected, LongNode.valueOf(found.size())));
        }
        ArrayNode entries = JSON.arrayNode();
        Map<Object, String> seen = new HashMap<>();
        for (int i = 0; i < found.size(); i++) {
          String at = path + "[" + i + "]";
          int before = problems.size();
          JsonNode entry = element.resolve(found.get(i), at, problems);
          if (problems.size() == before) {
            entries.add(entry);
            String first = identity == null ? null : seen.putIfAbsent(identity.apply(entry), at);
            if (first != null) {
              problems.add(mismatch(at, "no entry twice", found.get(i)) + ", as in " + first);
            }
          }
        }
        return entries;
      }
    };
  }

  /** A list of at least one entry, none of them twice. */
  public static Schema list(Schema element) {
    return list(element, 1, Integer.MAX_VALUE, entry -> entry);
  }

  /** This, or null. */
  public Schema orNull() {
    return either(this, scalar("null", JsonNode::isNull, n -> null, n -> n), JsonNode::isNull);
  }

  /** {@code second} where the predicate holds of what is found, {@code first} elsewhere. */
  public static Schema either(Schema first, Schema second, Predicate<JsonNode> isSecond) {
    return new Schema() {
      @Override
      public String title() {
        return first.title() + " or " + second.title();
      }

      @Override
      public Schema inner() {
        return first;
      }

      @Override
      public JsonNode resolve(JsonNode found, String path, List<String> problems) {
        List<String> below = new ArrayList<>();
        JsonNode value = (isSecond.test(found) ? second : first).resolve(found, path, below);
        problems.addAll(value == null ? List.of(mismatch(path, title(), found)) : below);
        return value;
      }
    };
  }

  public static ObjectSchema object(Check check, Key... keys) {
    return new ObjectSchema(List.of(keys), check);
  }

  public static ObjectSchema object(Key... keys) {
    return object((object, path, problems) -> {}, keys);
  }

  /** An object of declared keys. */
  public static final class ObjectSchema extends Schema {
    private final List<Key> keys;
    private final Check check;

    private ObjectSchema(List<Key> keys, Check check) {
      this.keys = keys;
      this.check = check;
    }

    public List<Key> keys() {
      return keys;
    }

    /** A key of this object or of those below it, such as {@code networks.shapes.depth}. */
    public Key key(String path) {
      int dot = path.indexOf('.');
      String name = dot < 0 ? path : path.substring(0, dot);
      Key key = keys.stream().filter(k -> k.name.equals(name)).findFirst().orElseThrow();
      return dot < 0 ? key : ((ObjectSchema) key.schema.inner()).key(path.substring(dot + 1));
    }

    @Override
    public String title() {
      return "object";
    }

    @Override
    public JsonNode resolve(JsonNode found, String path, List<String> problems) {
      if (!found.isObject()) {
        problems.add(mismatch(path, title(), found));
        return null;
      }
      List<String> names = keys.stream().map(Key::name).collect(Collectors.toList());
      found
          .fieldNames()
          .forEachRemaining(
              name -> {
                if (!names.contains(name)) {
                  String near = suggestion(name, names);
                  String hint = near.isEmpty() ? "; known are " + String.join(", ", names) : near;
                  problems.add(child(path, name) + ": unknown key" + hint);
                }
              });
      ObjectNode object = JSON.objectNode();
      for (Key key : keys) {
        String at = child(path, key.name);
        JsonNode given = found.get(key.name);
        if (!key.applies.test(found)) {
          if (given != null) {
            problems.add(at + ": expected only " + key.when + ", found " + shown(given));
          }
        } else if (given == null && key.fallback == null) {
          problems.add(at + ": expected " + key.schema.title() + ", found nothing");
        } else {
          JsonNode value = key.schema.resolve(given == null ? key.fallback : given, at, problems);
          if (value != null) {
            object.set(key.name, value);
          }
        }
      }
      check.accept(object, path, problems);
      return object;
    }
  }

  /** {@code path: expected …, found …}. */
  public static String mismatch(String path, String expected, JsonNode found) {
    return "%s: expected %s, found %s".formatted(path, expected, shown(found));
  }

  /** The path of a key inside the object at {@code path}. */
  public static String child(String path, String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  private static String shown(JsonNode node) {
    String json = node.isDouble() ? shortest(node.doubleValue()) : node.toString();
    return json.length() <= SHOWN_CHARACTERS ? json : json.substring(0, SHOWN_CHARACTERS) + "…";
  }

  private static String shortest(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e9
        ? String.valueOf((long) value)
        : String.valueOf(value);
  }

  private static String suggestion(String word, List<String> known) {
    return known.stream()
        .filter(k -> edits(word, k) <= Math.max(2, k.length() / 3))
        .min((a, b) -> Integer.compare(edits(word, a), edits(word, b)))
        .map("; did you mean %s?"::formatted)
        .orElse("");
  }

  /** Levenshtein's distance, letter case aside. */
  private static int edits(String left, String right) {
    String a = left.toLowerCase(Locale.ROOT);
    String b = right.toLowerCase(Locale.ROOT);
    int[] row = new int[b.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
