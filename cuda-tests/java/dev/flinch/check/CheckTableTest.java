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
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

class CheckTableTest {
  @Test
  void allJobsAreRunAndThoseWithGoalsFirst() {
    List<String> jobs = CheckTable.jobs();
    assertEquals(
        List.of("transitions-2^20-20x200", "jacobian-10k-20x200", "epoch-128x20x200"),
        jobs.subList(0, 3));
    assertEquals(Set.copyOf(Benchmark.names()), Set.copyOf(jobs));
    assertEquals(Benchmark.names().size(), jobs.size());
  }

  @Test
  void namesOfTestsThatThereAreNotAreFound() {
    CardTests.Choice choice =
        new CardTests.Choice(
            List.of("CheckTableTest#namesOfTestsThatThereAreNotAreFound", "CheckTableTest#none"));
    assertEquals(2, choice.unmatched().size());
    LauncherFactory.create()
        .discover(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectClass(CheckTableTest.class))
                .filters(choice)
                .build());
    assertEquals(List.of("CheckTableTest#none"), choice.unmatched());
  }

  @Test
  void anExactJobStandsBesideWhatSamplesForTheSameAnswer() throws IOException {
    write("steps.tsv", "tests\tpassed\t480 passed\n");
    write(
        "flinch-exact-20x200.json",
        "{\"device\": \"a card\", \"jobs\": [{\"name\": \"exact-20x200\", \"seconds\": 0.5,"
            + " \"gflops\": 0, \"fractionOfGemm\": 0, \"fractionOfCopy\": 0}]}");
    write(
        "peers-transitions-2^20-20x200.json",
        "{\"jobs\": [{\"name\": \"transitions-2^20-20x200\", \"seconds\": 30}]}");
    CheckTable.main(new String[] {folder.toString()});
    JsonNode table = new ObjectMapper().readTree(folder.resolve("table.json").toFile());
    assertEquals(60, table.at("/jobs/0/peers/PyTorch/ratio").asDouble());
    String markdown = Files.readString(folder.resolve("table.md"));
    assertTrue(markdown.contains("| exact-20x200 | 0.5000 |  |  |  | 30.0000 |"), markdown);
  }

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
          {"name": "%s", "seconds": 0.5, "gflops": 3000, "fractionOfGemm": 0.75,
           "fractionOfCopy": 0.125}]}
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
    assertEquals(0.125, table.at("/jobs/0/fractionOfCopy").asDouble());
    String markdown = Files.readString(folder.resolve("table.md"));
    assertTrue(markdown.contains(first), markdown);
    assertTrue(markdown.contains("480 passed"), markdown);
    assertFalse(markdown.contains(second), markdown);
  }
}
