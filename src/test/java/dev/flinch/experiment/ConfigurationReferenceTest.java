package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationReferenceTest {
  private static final Path PAGE = Path.of("configs", "README.md");

  @Test
  void referenceIsUpToDate() throws IOException {
    if (Boolean.getBoolean("rewrite")) {
      Files.writeString(PAGE, ConfigurationReference.markdown());
    }
    assertEquals(
        ConfigurationReference.markdown(),
        Files.readString(PAGE),
        PAGE
            + " is stale; mvn test -Dtest=ConfigurationReferenceTest -Drewrite=true writes it anew");
  }

  @Test
  void exampleLoads(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("example.json"), ConfigurationReference.EXAMPLE);
    assertEquals(24, Configuration.load(file, List.of()).replicas().size());
  }
}
