package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

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
}
