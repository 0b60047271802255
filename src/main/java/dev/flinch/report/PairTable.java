package dev.flinch.report;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Pairs of networks by their places in a list of rows. */
final class PairTable {
  /**
   * What pairs are about.
   *
   * @param name of the factor that tells their networks apart
   */
  record Contrast(String name, String leftLabel, String rightLabel) {}

  private record Settings(int contrast, String left, String right) {}

  private final Map<Contrast, Integer> contrasts = new LinkedHashMap<>();

  /** Of each pair: contrast, left row, right row, and which settings those have. */
  private final List<int[]> pairs = new ArrayList<>();

  private int leftOut;

  PairTable(List<NetworkRow> rows, List<Pair> all) {
    Map<String, Integer> places = new HashMap<>();
    if (!all.isEmpty()) {
      for (int i = 0; i < rows.size(); i++) {
        places.put(rows.get(i).text(Column.IDENTITY), i);
      }
    }
    Map<Settings, Integer> settings = new HashMap<>();
    for (Pair pair : all) {
      Integer left = places.get(pair.left());
      Integer right = places.get(pair.right());
      if (left == null || right == null) {
        leftOut++;
        continue;
      }
      int contrast =
          contrasts.computeIfAbsent(
              new Contrast(pair.name(), pair.leftLabel(), pair.rightLabel()),
              c -> contrasts.size());
      Settings both = new Settings(contrast, setting(rows, left), setting(rows, right));
      int setting = settings.computeIfAbsent(both, s -> settings.size());
      pairs.add(new int[] {contrast, left, right, setting});
    }
  }

  private static String setting(List<NetworkRow> rows, int place) {
    String setting = rows.get(place).text(Column.SETTING);
    return setting == null ? "row " + place : setting;
  }

  List<Contrast> contrasts() {
    return List.copyOf(contrasts.keySet());
  }

  /** Pairs of which a network is not among the rows. */
  int leftOut() {
    return leftOut;
  }

  /** An object of four arrays: contrast, left, right, setting. */
  void write(JsonGenerator json) throws IOException {
    String[] names = {"contrast", "left", "right", "setting"};
    json.writeStartObject();
    for (int c = 0; c < names.length; c++) {
      json.writeArrayFieldStart(names[c]);
      for (int[] pair : pairs) {
        json.writeNumber(pair[c]);
      }
      json.writeEndArray();
    }
    json.writeEndObject();
  }
}
