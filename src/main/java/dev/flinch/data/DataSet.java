package dev.flinch.data;

import java.util.Map;

/**
 * A data set with its two splits.
 *
 * @param name what users call it, such as {@code mnist}
 * @param checksums SHA-256 of every file it was read from, by file name; empty for data that is
 *     made
 */
public record DataSet(
    String name, LabelledImages train, LabelledImages test, Map<String, String> checksums) {}
