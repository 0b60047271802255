package dev.flinch.check;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.bench.Benchmark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckTableTest {
  @TempDir Path folder;

  private void write(String name, String text) throws IOException {
    Files.writeString(folder.resolve(name), text);
  }

  @Test
  void aJobStandsBesideThePeersThatRanAndOthersStayEmpty() throws IOException {
    String first = Benchmark.names().get(0);
    String second = Benchmark.names().get(1);
    write("steps.tsv", "tests\tpassed\t480 passed\nracecheck\tskipped\tnone here\n");
    write(
        "flinch-%s.json".formatted(first),
        """
        {"device": "a card", "jobs": [
          {"name": "%s", "seconds": 0.5, "gflops": 3000, "fractionOfGemm": 0.75}]}
        """
            .formatted(first));
    write(
        "peers-%s.json".formatted(first),
        "{\"jobs\": [{\"name\": \"%s\", \"seconds\": 2.0}]}".formatted(first));
    // As a process leaves a file that is stopped while it writes.
    write("flinch-%s.json".formatted(second), "{\"device\": \"a card\", \"jo");
    CheckTable.main(new String[] {folder.toString(), first});
    JsonNode table = new ObjectMapper().readTree(folder.resolve("table.json").toFile());
    assertEquals("skipped", table.at("/steps/1/outcome").asText());
    assertEquals(1, table.get("jobs").size());
    assertEquals(4, table.at("/jobs/0/peers/PyTorch/ratio").asDouble());
    assertTrue(table.at("/jobs/0/peers/JAX").isMissingNode());
    String markdown = Files.readString(folder.resolve("table.md"));
    assertTrue(markdown.contains(first), markdown);
    assertTrue(markdown.contains("480 passed"), markdown);
    assertFalse(markdown.contains(second), markdown);
  }
}
