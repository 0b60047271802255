package dev.flinch.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What files say beside images and classes.
 *
 * @param checksums the SHA-256 of each file by its name
 * @param superClasses the super-class of each class that an image is of; empty in formats without
 */
record FileNotes(Map<String, String> checksums, Map<Integer, Integer> superClasses) {
  FileNotes() {
    this(new LinkedHashMap<>(), new HashMap<>());
  }

  /** As {@link DataSet#superClasses} has them. */
  List<Integer> superClasses(int classes) {
    if (superClasses.isEmpty()) {
      return List.of();
    }
    List<Integer> all = new ArrayList<>(Collections.nCopies(classes, DataSet.NO_IMAGES));
    superClasses.forEach(all::set);
    return all;
  }
}
