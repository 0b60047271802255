package dev.flinch.report;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Texts that are JSON and much alike, such as the configurations of a sweep, each held as a
 * skeleton, which many share, and the scalars in its slots. Hundreds of thousands take little more
 * than what varies. Any text comes back to the letter, whether it is JSON or not.
 *
 * <p>As JSON: {@code {"skeletons": [[piece, …], …], "skeleton": […], "slots": [[[dictionary,
 * index], …], …]}}: a text is the pieces of its skeleton with the slots between them; {@code
 * skeleton} says which each text has, −1 for none; {@code slots[s][i]} are the values in slot i of
 * those texts, in order, that have skeleton s, as places in a dictionary. An index is null where
 * the dictionary has one value.
 */
final class TextTemplates {
  private static final class Slot {
    private final Map<String, Integer> dictionary = new LinkedHashMap<>();
    private int[] index = new int[16];
    private int size;

    void add(String value) {
      if (size == index.length) {
        index = Arrays.copyOf(index, 2 * size);
      }
      index[size++] = dictionary.computeIfAbsent(value, v -> dictionary.size());
    }
  }

  /** By skeletons, whose slots are marked by a character that no JSON has. */
  private final Map<String, List<Slot>> slots = new LinkedHashMap<>();

  private final Map<String, Integer> places = new LinkedHashMap<>();
  private final List<Integer> skeletons = new ArrayList<>();

  private static final char MARK = '\0';

  /**
   * @param text may be null
   */
  void add(String text) {
    if (text == null) {
      skeletons.add(-1);
      return;
    }
    StringBuilder skeleton = new StringBuilder();
    List<String> scalars = new ArrayList<>();
    if (text.indexOf(MARK) >= 0) {
      skeleton.append(MARK);
      scalars.add(text);
    } else {
      split(text, skeleton, scalars);
    }
    String key = skeleton.toString();
    skeletons.add(places.computeIfAbsent(key, k -> places.size()));
    List<Slot> own =
        slots.computeIfAbsent(key, k -> Stream.generate(Slot::new).limit(scalars.size()).toList());
    for (int i = 0; i < scalars.size(); i++) {
      own.get(i).add(scalars.get(i));
    }
  }

  private static void split(String text, StringBuilder skeleton, List<String> scalars) {
    int at = 0;
    while (at < text.length()) {
      int end = at;
      if (text.charAt(at) == '"') {
        end = endOfString(text, at);
      } else {
        while (end < text.length() && isScalar(text.charAt(end))) {
          end++;
        }
      }
      if (end == at) {
        skeleton.append(text.charAt(at++));
      } else if (isKey(text, end)) {
        skeleton.append(text, at, end);
        at = end;
      } else {
        skeleton.append(MARK);
        scalars.add(text.substring(at, end));
        at = end;
      }
    }
  }

  /** Of numbers, true, false and null. */
  private static boolean isScalar(char c) {
    return c >= '0' && c <= '9'
        || c >= 'a' && c <= 'z'
        || c == '-'
        || c == '+'
        || c == '.'
        || c == 'E';
  }

  private static int endOfString(String text, int start) {
    int at = start + 1;
    while (at < text.length() && text.charAt(at) != '"') {
      at += text.charAt(at) == '\\' ? 2 : 1;
    }
    return Math.min(at + 1, text.length());
  }

  private static boolean isKey(String text, int end) {
    int at = end;
    while (at < text.length() && text.charAt(at) == ' ') {
      at++;
    }
    return at < text.length() && text.charAt(at) == ':';
  }

  void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeArrayFieldStart("skeletons");
    for (String skeleton : slots.keySet()) {
      json.writeStartArray();
      for (String piece : skeleton.split(String.valueOf(MARK), -1)) {
        json.writeString(piece);
      }
      json.writeEndArray();
    }
    json.writeEndArray();
    json.writeArrayFieldStart("skeleton");
    for (int place : skeletons) {
      json.writeNumber(place);
    }
    json.writeEndArray();
    json.writeArrayFieldStart("slots");
    for (List<Slot> own : slots.values()) {
      json.writeStartArray();
      for (Slot slot : own) {
        write(json, slot);
      }
      json.writeEndArray();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, Slot slot) throws IOException {
    json.writeStartArray();
    json.writeStartArray();
    for (String value : slot.dictionary.keySet()) {
      json.writeString(value);
    }
    json.writeEndArray();
    if (slot.dictionary.size() == 1) {
      json.writeNull();
    } else {
      json.writeArray(slot.index, 0, slot.size);
    }
    json.writeEndArray();
  }
}
