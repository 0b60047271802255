package dev.flinch.report;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A column of a table as JSON: {@code {"values": […]}} with null where there is none; or, where
 * values come again, {@code {"dictionary": […], "index": […]}}, the distinct values in ascending
 * order and the place of each row's value among them, −1 for none. Configurations are {@link
 * TextTemplates}.
 */
final class ColumnJson {
  private ColumnJson() {}

  static void write(JsonGenerator json, Column column, List<NetworkRow> rows) throws IOException {
    List<Object> values = rows.stream().map(row -> row.get(column)).toList();
    if (column == Column.CONFIGURATION) {
      TextTemplates templates = new TextTemplates();
      values.forEach(text -> templates.add((String) text));
      templates.write(json);
    } else {
      write(json, values);
    }
  }

  /**
   * @param values Strings, Longs or Doubles, all of one type, or null
   */
  static void write(JsonGenerator json, List<?> values) throws IOException {
    Map<Object, Integer> places = places(values);
    json.writeStartObject();
    if (places.isEmpty()) {
      json.writeArrayFieldStart("values");
      for (Object value : values) {
        scalar(json, value);
      }
      json.writeEndArray();
    } else {
      json.writeArrayFieldStart("dictionary");
      for (Object value : places.keySet()) {
        scalar(json, value);
      }
      json.writeEndArray();
      json.writeArrayFieldStart("index");
      for (Object value : values) {
        json.writeNumber(value == null ? -1 : places.get(value));
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }

  /** Distinct values in ascending order, or nothing where they are more than half of all. */
  private static Map<Object, Integer> places(List<?> values) {
    Set<Object> distinct = new HashSet<>();
    for (Object value : values) {
      if (value != null) {
        distinct.add(value);
      }
      if (2 * distinct.size() > values.size()) {
        return Map.of();
      }
    }
    Map<Object, Integer> places = new LinkedHashMap<>();
    distinct.stream().sorted().forEach(value -> places.put(value, places.size()));
    return places;
  }

  private static void scalar(JsonGenerator json, Object value) throws IOException {
    if (value == null) {
      json.writeNull();
    } else if (value instanceof String text) {
      json.writeString(text);
    } else if (value instanceof Long number) {
      json.writeNumber(number);
    } else {
      json.writeNumber((Double) value);
    }
  }
}
