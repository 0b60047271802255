package dev.flinch.data;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * A data set with its two splits.
 *
 * @param name what users call it, such as {@code mnist}
 * @param checksums SHA-256 of every file it was read from, in the order of the files' names; empty
 *     for data that is made
 */
public record DataSet(
    String name, LabelledImages train, LabelledImages test, Map<String, String> checksums) {
  public DataSet {
    checksums = Collections.unmodifiableMap(new TreeMap<>(checksums));
  }
}
