package dev.flinch.check;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.flinch.bench.Benchmark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes {@code table.md} and {@code table.json} from what a check has left in its folder so far,
 * and prints the table, or one job's row.
 *
 * <p>It reads {@code steps.tsv} (step, outcome, detail) and, for each job, {@code flinch-JOB.json}
 * from {@code flinch bench --json} and {@code peers-JOB.json} and {@code peers_jax-JOB.json} from
 * the peers. What isn't there yet, or not whole, leaves its cells empty.
 */
public final class CheckTable {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** The names of the peers, by the start of their files' names. */
  private static final Map<String, String> PEERS = new LinkedHashMap<>();

  static {
    PEERS.put("peers", "PyTorch");
    PEERS.put("peers_jax", "JAX");
  }

  /** What matters most, should there be no time for all. */
  private static final List<String> FIRST =
      List.of("transitions-2^20-20x200", "jacobian-10k-20x200", "epoch-128x20x200");

  private final Path folder;

  private CheckTable(Path folder) {
    this.folder = folder;
  }

  /**
   * {@code --jobs} prints the names of all jobs in the order to run them; {@code OUT [JOB]} writes
   * and prints the table.
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments[0].equals("--jobs")) {
      jobs().forEach(System.out::println);
      return;
    }
    CheckTable table = new CheckTable(Path.of(arguments[0]));
    ObjectNode result = table.collect();
    String markdown = markdown(result);
    table.write("table.json", JSON.writerWithDefaultPrettyPrinter().writeValueAsString(result));
    table.write("table.md", markdown);
    if (arguments.length == 1) {
      System.out.print(markdown);
    } else {
      for (JsonNode job : result.get("jobs")) {
        if (job.get("name").asText().equals(arguments[1])) {
          System.out.println(row(job));
        }
      }
    }
  }

  /** All jobs, in the order to run them. */
  static List<String> jobs() {
    return Stream.concat(FIRST.stream(), Benchmark.names().stream()).distinct().toList();
  }

  /** Whole or not at all, so a check that is stopped leaves the table before. */
  private void write(String name, String text) throws IOException {
    Path part = folder.resolve(name + ".part");
    Files.writeString(part, text.endsWith("\n") ? text : text + "\n");
    Files.move(part, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
  }

  private ObjectNode collect() throws IOException {
    ObjectNode result = JSON.createObjectNode();
    ArrayNode steps = result.putArray("steps");
    Path file = folder.resolve("steps.tsv");
    if (Files.exists(file)) {
      for (String line : Files.readAllLines(file)) {
        String[] cells = line.split("\t", 3);
        steps
            .addObject()
            .put("step", cells[0])
            .put("outcome", cells.length > 1 ? cells[1] : "")
            .put("detail", cells.length > 2 ? cells[2] : "");
      }
    }
    ArrayNode jobs = result.putArray("jobs");
    for (String name : Benchmark.names()) {
      JsonNode bench = read("flinch-%s.json".formatted(name));
      JsonNode mine = job(bench, name);
      if (mine == null) {
        continue;
      }
      result.set("device", bench.get("device"));
      ObjectNode job = jobs.addObject();
      job.put("name", name);
      for (String key : List.of("seconds", "gflops", "fractionOfGemm", "fractionOfCopy")) {
        job.set(key, mine.get(key));
      }
      ObjectNode peers = job.putObject("peers");
      PEERS.forEach(
          (start, label) -> {
            String same = Benchmark.peer(name);
            JsonNode theirs = job(read("%s-%s.json".formatted(start, same)), same);
            if (theirs != null) {
              double seconds = theirs.get("seconds").asDouble();
              peers
                  .putObject(label)
                  .put("seconds", seconds)
                  .put("ratio", seconds / mine.get("seconds").asDouble());
            }
          });
    }
    return result;
  }

  /** A file's JSON, or null where there is none, or only a part of it. */
  private JsonNode read(String name) {
    try {
      return JSON.readTree(Files.readString(folder.resolve(name)));
    } catch (IOException e) {
      return null;
    }
  }

  private static JsonNode job(JsonNode result, String name) {
    if (result != null) {
      for (JsonNode job : result.path("jobs")) {
        if (job.path("name").asText().equals(name) && job.hasNonNull("seconds")) {
          return job;
        }
      }
    }
    return null;
  }

  private static String markdown(JsonNode result) {
    List<String> lines = new ArrayList<>();
    if (result.hasNonNull("device")) {
      lines.add(result.get("device").asText());
      lines.add("");
    }
    lines.add(line(List.of("step", "outcome", "detail")));
    lines.add("| --- | --- | --- |");
    for (JsonNode step : result.get("steps")) {
      lines.add(
          line(
              List.of(
                  step.get("step").asText(),
                  step.get("outcome").asText(),
                  step.get("detail").asText().replace("|", "\\|"))));
    }
    if (!result.get("jobs").isEmpty()) {
      List<String> head =
          new ArrayList<>(List.of("job", "seconds", "GFLOP/s", "of GEMM", "of copy"));
      PEERS.values().forEach(peer -> head.addAll(List.of(peer + " s", "ratio")));
      lines.add("");
      lines.add(line(head));
      lines.add("| --- |" + " ---: |".repeat(head.size() - 1));
      result.get("jobs").forEach(job -> lines.add(row(job)));
    }
    return String.join("\n", lines) + "\n";
  }

  private static String row(JsonNode job) {
    List<String> cells = new ArrayList<>();
    cells.add(job.get("name").asText());
    cells.add(number("%.4f", job.get("seconds")));
    // A job whose products depend on what it finds doesn't count them.
    boolean counted = job.path("gflops").asDouble() > 0;
    cells.add(counted ? number("%.0f", job.get("gflops")) : "");
    cells.add(counted ? number("%.2f", job.get("fractionOfGemm")) : "");
    cells.add(counted ? number("%.2f", job.get("fractionOfCopy")) : "");
    for (String peer : PEERS.values()) {
      JsonNode theirs = job.get("peers").path(peer);
      cells.add(number("%.4f", theirs.path("seconds")));
      cells.add(number("%.2f", theirs.path("ratio")));
    }
    return line(cells);
  }

  private static String number(String format, JsonNode value) {
    return value == null || !value.isNumber()
        ? ""
        : String.format(Locale.ROOT, format, value.asDouble());
  }

  private static String line(List<String> cells) {
    return cells.stream().collect(Collectors.joining(" | ", "| ", " |"));
  }
}
