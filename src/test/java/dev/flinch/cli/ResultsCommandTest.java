package dev.flinch.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.store.Claim;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.PlannedStack;
import dev.flinch.store.ResultStore;
import dev.flinch.store.SweepHeader;
import dev.flinch.sweep.SweepFolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code flinch results} shows and writes what a store has. */
class ResultsCommandTest {
  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int flinch(Object... arguments) {
    CommandLine line = Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    String[] words = new String[arguments.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = arguments[i].toString();
    }
    return line.execute(words);
  }

  /**
   * A sweep of so many settings, two seeds each, of which the last failed, and a network that is
   * planned.
   */
  private Path sweep(int settings) {
    Path sweep = folder.resolve("sweep");
    List<String> identities =
        IntStream.rangeClosed(0, 2 * settings).mapToObj("network %03d"::formatted).toList();
    List<PlannedStack> stacks =
        List.of(
            new PlannedStack(2, identities.subList(0, 2 * settings)),
            new PlannedStack(1, identities.subList(2 * settings, 2 * settings + 1)));
    try (ResultStore store = ResultStore.open(new SweepFolder(sweep).store())) {
      store.begin(
          new SweepHeader("depths", "{}", Map.of(), "0.1.0", Instant.EPOCH), stacks, List.of());
      Claim claim = store.claim("worker", Duration.ofMinutes(1)).orElseThrow();
      List<NetworkRow> rows = new ArrayList<>();
      for (int i = 0; i < 2 * settings; i++) {
        boolean failed = i == 2 * settings - 1;
        rows.add(
            NetworkRow.builder()
                .set(Column.IDENTITY, identities.get(i))
                .set(Column.SETTING, "setting " + i / 2)
                .set(Column.STATUS, failed ? "failed" : "done")
                .set(Column.ERROR, failed ? "no room\nat all" : null)
                .set(Column.DATASET, "mnist")
                .set(Column.DEPTH, 2 + i / 2)
                .set(Column.SEED, i % 2)
                .set(Column.GAP, failed ? null : 0.25 + i % 2 * 0.5)
                .build());
      }
      store.finish(claim, rows);
    }
    return sweep;
  }

  @Test
  void fewNetworksAreListed() {
    assertEquals(0, flinch("results", sweep(2)), err.toString());
    assertEquals(
        """
        depths
        5 networks: 3 done, 0 diverged, 1 failed, 1 planned

        depth  seed  status     gap  error
        ─────  ────  ──────  ──────  ───────
            2     0  done    0.2500  –
            2     1  done    0.7500  –
            3     0  done    0.2500  –
            3     1  failed       –  no room
        """,
        out.toString().replace(System.lineSeparator(), "\n").replaceAll(" +\n", "\n"));
  }

  @Test
  void manyAreMeansBySetting() {
    assertEquals(0, flinch("results", sweep(30).resolve("results.sqlite")), err.toString());
    String said = out.toString();
    assertTrue(said.contains("61 networks: 59 done"), said);
    assertTrue(said.matches("(?s).*\n +2 +2 +0.5000\n.*"), said);
    assertTrue(said.contains("and 10 more settings"), said);
    assertFalse(said.contains("dataset"), said);
  }

  @Test
  void aConditionChooses() throws IOException {
    Path json = folder.resolve("results.json");
    assertEquals(
        0,
        flinch("results", sweep(30), "--where", "depth >= 30 and gap > 0.5", "--json", json),
        err.toString());
    assertTrue(out.toString().contains("1 finished with depth >= 30"), out.toString());
    JsonNode results = new ObjectMapper().readTree(json.toFile());
    assertEquals(1, results.get("networks").asInt());
    assertEquals(59, results.get("counts").get("done").asInt());
    assertEquals(0.75, results.get("settings").get(0).get("means").get("gap").asDouble());
  }

  @Test
  void tablesAreWritten() throws IOException {
    Path csv = folder.resolve("networks.csv");
    Path parquet = folder.resolve("networks.parquet");
    assertEquals(
        0,
        flinch("results", sweep(3), "--where", "seed == 0", "--csv", csv, "--parquet", parquet),
        err.toString());
    assertEquals(4, Files.readAllLines(csv).size());
    byte[] bytes = Files.readAllBytes(parquet);
    assertEquals("PAR1", new String(bytes, 0, 4, StandardCharsets.US_ASCII));
    assertTrue(out.toString().contains("wrote 3 networks to " + csv), out.toString());
  }

  @Test
  void mistakesAreExplained() {
    assertEquals(2, flinch("results", folder.resolve("nowhere")));
    assertEquals(2, flinch("results", folder));
    assertTrue(err.toString().contains("found one without results.sqlite"), err.toString());
    assertEquals(2, flinch("results", sweep(1), "--where", "dept > 1"));
    assertTrue(err.toString().contains("perhaps depth?"), err.toString());
  }
}
