package dev.flinch.data;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A data set with its two splits.
 *
 * @param name what users call it, such as {@code mnist}
 * @param checksums SHA-256 of every file it was read from, in the order of the files' names; empty
 *     for data that is made
 * @param superClasses the super-class of each class, such as of CIFAR-100, {@link #NO_IMAGES} for a
 *     class without an image that says it; empty for data without super-classes
 */
public record DataSet(
    String name,
    LabelledImages train,
    LabelledImages test,
    Map<String, String> checksums,
    List<Integer> superClasses) {

  /** In place of a super-class that no image says. */
  public static final int NO_IMAGES = -1;

  public DataSet {
    checksums = Collections.unmodifiableMap(new TreeMap<>(checksums));
    superClasses = List.copyOf(superClasses);
    if (!superClasses.isEmpty() && superClasses.size() != train.classes()) {
      throw new IllegalArgumentException(
          "%s: %d super-classes for %d classes"
              .formatted(name, superClasses.size(), train.classes()));
    }
  }

  /** A data set without super-classes. */
  public DataSet(
      String name, LabelledImages train, LabelledImages test, Map<String, String> checksums) {
    this(name, train, test, checksums, List.of());
  }
}
