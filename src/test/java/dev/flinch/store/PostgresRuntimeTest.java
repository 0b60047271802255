package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What stores in PostgreSQL need of Java, which a runtime of one's own must have. */
@Timeout(60)
class PostgresRuntimeTest {
  private static final String MODULES =
      "java.sql,java.naming,java.management,java.xml,java.logging";

  @Test
  void aFewModulesAreEnough() throws IOException, InterruptedException {
    PostgresServer server = PostgresServer.shared();
    String url = server.url(server.newDatabase(), PostgresServer.USER);
    ProcessBuilder command =
        new ProcessBuilder(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--limit-modules",
                MODULES,
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                StoreProcess.class.getName(),
                "begin",
                url,
                "a sweep"));
    command.environment().putAll(server.environment());
    Process process = command.redirectErrorStream(true).start();
    process.getOutputStream().write('\n');
    process.getOutputStream().flush();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(List.of("ready", "true"), said.lines().toList());
    assertEquals(0, process.waitFor());
  }
}
