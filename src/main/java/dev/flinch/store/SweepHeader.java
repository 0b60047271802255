package dev.flinch.store;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a sweep is, as its results say.
 *
 * @param configuration the resolved JSON of the sweep
 * @param dataChecksums of the files of data, by name; in order of their names when read
 * @param version of Flinch that began it
 * @param created read to the millisecond
 */
public record SweepHeader(
    String title,
    String configuration,
    Map<String, String> dataChecksums,
    String version,
    Instant created) {

  public SweepHeader {
    dataChecksums = Collections.unmodifiableMap(new LinkedHashMap<>(dataChecksums));
  }
}
