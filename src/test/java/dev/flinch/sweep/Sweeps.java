package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** Sweep files and workshops for tests. */
final class Sweeps {
  /** Of required keys alone: one network. */
  static final String SMALLEST =
      """
      {"title": "t", "factors": {"dataset": "glyphs", "depth": 2, "width": 8, "learningRate": 0.1}}
      """;

  /** 100 GFLOP/s, room for everything, an hour a stack. */
  static final Workshop WORKSHOP =
      new Workshop(1L << 40, Rate.ofProducts(1e11), 1, Duration.ofHours(1));

  private Sweeps() {}

  static SweepConfiguration load(String json, String... overrides) {
    try {
      Path file = Files.createTempFile("sweep", ".json");
      try {
        Files.writeString(file, json);
        return SweepConfiguration.load(file, List.of(overrides));
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static SweepPlan plan(String json, String... overrides) {
    return SweepPlan.of(load(json, overrides), WORKSHOP);
  }

  static String refusal(String json, String... overrides) {
    return assertThrows(RequestException.class, () -> plan(json, overrides)).getMessage();
  }
}
