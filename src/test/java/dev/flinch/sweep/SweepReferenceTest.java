package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SweepReferenceTest {
  private static final Path PAGE = Path.of("configs", "README.md");

  @Test
  void referenceIsUpToDate() throws IOException {
    if (Boolean.getBoolean("rewrite")) {
      Files.writeString(PAGE, SweepReference.page());
    }
    assertEquals(
        SweepReference.page(),
        Files.readString(PAGE),
        PAGE + " is stale; mvn test -Dtest=SweepReferenceTest -Drewrite=true writes it anew");
  }

  @Test
  void exampleLoads() {
    SweepPlan plan = Sweeps.plan(SweepReference.EXAMPLE);
    assertEquals(500 * 8, plan.pairs(0));
    assertEquals(2 * 500 * 8, plan.networks());
  }

  static List<Path> shippedSweeps() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("configs"))) {
      return files
          .filter(f -> f.toString().endsWith(".json"))
          .filter(SweepReferenceTest::isSweep)
          .toList();
    }
  }

  private static boolean isSweep(Path file) {
    try {
      return Files.readString(file).contains("\"factors\"");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("shippedSweeps")
  void everyShippedSweepIsPlanned(Path file) {
    SweepConfiguration sweep = SweepConfiguration.load(file, List.of());
    assertTrue(SweepPlan.of(sweep, Sweeps.WORKSHOP).networks() > 1);
  }
}
