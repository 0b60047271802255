package dev.flinch.check;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.flinch.bench.Benchmark;
import dev.flinch.bench.CopyRate;
import dev.flinch.bench.GemmRate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The bundle's {@code bin/flinch-gpu-check} as it is, in a folder where all that needs a card is a
 * stand-in: the tests, {@code flinch}, compute-sanitizer and Python. Its table is the real one, of
 * few jobs. The checks run side by side, since they mostly wait.
 */
@EnabledOnOs(OS.LINUX)
@TestInstance(Lifecycle.PER_CLASS)
class GpuCheckTest {
  /** What the script asks of a system. */
  private static final List<String> TOOLS =
      List.of(
          "bash",
          "cat",
          "cp",
          "env",
          "grep",
          "ls",
          "mkdir",
          "mv",
          "readlink",
          "rm",
          "sleep",
          "tail",
          "tee",
          "timeout");

  private static final List<String> GOALS =
      List.of("transitions-2^20-20x200", "jacobian-10k-20x200", "epoch-128x20x200");

  private static final Path SCRIPT = Path.of("dist/files/bin/flinch-gpu-check");

  private static final String TESTS_PASS =
      "echo '  AContractTest 480 passed'; echo '480 passed, 0 failed, on a card' >\"$report\"";

  private final ExecutorService side = Executors.newCachedThreadPool();

  @TempDir private static Path folder;

  private Future<Run> green;
  private Future<Run> failures;
  private Future<Run> hanging;
  private Future<Run> stubborn;
  private Future<Run> terminated;
  private Future<Run> interrupted;
  private Future<Run> bare;
  private Future<Run> peerless;
  private Future<Run> cardless;

  /** How a check ended, and what it left. */
  private record Run(int status, String printed, double seconds, List<String> calls, Path out) {
    List<String> left() throws IOException {
      try (Stream<Path> files = Files.list(out)) {
        return files.map(file -> file.getFileName().toString()).sorted().toList();
      }
    }

    String table() throws IOException {
      return Files.readString(out.resolve("table.md"));
    }

    JsonNode json() throws IOException {
      return new ObjectMapper().readTree(out.resolve("table.json").toFile());
    }

    String outcome(String step) throws IOException {
      for (JsonNode one : json().get("steps")) {
        if (one.get("step").asText().equals(step)) {
          return one.get("outcome").asText();
        }
      }
      return "not in the table";
    }

    long rows() throws IOException {
      return json().get("jobs").size();
    }

    /** The table is the last thing printed, and the same as in its file. */
    void endsWithItsTable() throws IOException {
      assertTrue(printed.endsWith("\n\n" + table()), printed);
      assertEquals(
          List.of(),
          left().stream().filter(f -> f.endsWith(".part") || f.startsWith(".")).toList());
    }
  }

  /** A bundle of stand-ins. Their behaviour is a line of bash each. */
  private final class Bundle {
    final Path home;
    final Path tools;
    final Path calls;

    Bundle(String name, boolean sanitizer, boolean python) throws IOException {
      home = folder.resolve(name);
      calls = home.resolve("calls");
      tools = Files.createDirectories(home.resolve("tools"));
      for (String tool : TOOLS) {
        program("tools/" + tool, "#!/bin/sh", "exec %s \"$@\"\n".formatted(real(tool)));
      }
      Files.createDirectories(home.resolve("results"));
      for (String file : List.of("bin/flinch-gpu-check", "lib/launch.bash")) {
        Files.createDirectories(home.resolve(file).getParent());
        Files.copy(Path.of("dist/files", file), home.resolve(file));
      }
      for (String peer : List.of("peers.py", "peers_jax.py")) {
        write("peers/" + peer, "");
      }
      tests(TESTS_PASS);
      bench("");
      peer("");
      jobs(GOALS.subList(0, 2));
      program(
          "runtime/bin/java",
          """
          while [[ $1 != dev.flinch.check.* ]]; do shift; done
          if [[ $1 == *CardTests ]]; then
            report=$2
            echo "tests ${*:3}" >>%1$s/calls
            . %1$s/tests
          elif [[ $2 == --jobs ]]; then
            cat %1$s/jobs
          elif [[ -e %1$s/plain ]]; then
            [[ ! -e $2/steps.tsv ]] || cp "$2/steps.tsv" "$2/table.md"
            [[ -n ${3:-} ]] || cat "$2/table.md"
          else
            exec %2$s -Xshare:auto -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '%3$s' "$@"
          fi
          """
              .formatted(
                  home,
                  Path.of(System.getProperty("java.home"), "bin/java"),
                  System.getProperty(
                      "surefire.test.class.path", System.getProperty("java.class.path"))));
      program(
          "bin/flinch",
          """
          echo "flinch $1 ${5:-}" >>%1$s/calls
          [[ $1 == bench ]] || { echo 'a stand-in for a card'; exit 0; }
          while (($#)); do
            [[ $1 != --job ]] || job=$2
            [[ $1 != --json ]] || json=$2
            shift
          done
          . %1$s/bench
          cp "%1$s/results/$job" "$json"
          """
              .formatted(home));
      if (sanitizer) {
        program(
            "tools/compute-sanitizer",
            """
            echo "sanitizer $2" >>%1$s/calls
            while [[ $1 != env ]]; do shift; done
            "$@"
            status=$?
            echo '========= ERROR SUMMARY: 0 errors'
            exit $status
            """
                .formatted(home));
      }
      if (python) {
        program(
            "tools/python3",
            """
            if [[ $1 == -c ]]; then
              echo "$2" >>%1$s/calls
              [[ $2 != *jax* || ! -e %1$s/nojax ]] || exit 1
              exit 0
            fi
            peer=${1##*/}
            echo "$peer $5" >>%1$s/calls
            seconds=2.0 name=PyTorch
            [[ $peer != peers_jax.py ]] || seconds=1.0 name=JAX
            while (($#)); do
              [[ $1 != --job ]] || job=$2
              [[ $1 != --json ]] || json=$2
              shift
            done
            . %1$s/peer
            cat >"$json" <<JSON
            {"peer": "$name", "version": "2.9", "device": "cuda", "data": "random", "repeats": 3,
             "jobs": [{"name": "$job", "seconds": $seconds, "value": 1.0, "unit": "mean norm"}]}
            JSON
            """
                .formatted(home));
      }
    }

    private Path real(String tool) {
      return Stream.of("/usr/bin", "/bin")
          .map(directory -> Path.of(directory, tool))
          .filter(Files::isExecutable)
          .findFirst()
          .orElseThrow(() -> new IllegalStateException("there is no " + tool));
    }

    void write(String name, String text) throws IOException {
      Path file = home.resolve(name);
      Files.createDirectories(file.getParent());
      Files.writeString(file, text);
    }

    void program(String name, String text) throws IOException {
      program(name, "#!/usr/bin/env bash", text);
    }

    private void program(String name, String by, String text) throws IOException {
      write(name, by + "\n" + text);
      assertTrue(home.resolve(name).toFile().setExecutable(true));
    }

    void tests(String behaviour) throws IOException {
      write("tests", behaviour);
    }

    void bench(String behaviour) throws IOException {
      write("bench", behaviour);
    }

    void peer(String behaviour) throws IOException {
      write("peer", behaviour);
    }

    /** Which jobs there are; bench finds each to take half a second. */
    void jobs(List<String> names) throws IOException {
      write("jobs", String.join("\n", names) + "\n");
      for (String job : Benchmark.names()) {
        Benchmark.Result result =
            new Benchmark.Result(job, 0.5, 1.5e12, 3000, 0.0625, 1.2e11, 0.08, 1000, null);
        Benchmark benchmark =
            new Benchmark(
                "a stand-in for a card",
                "random",
                48000,
                "any",
                List.of(new GemmRate("any", 48000)),
                new CopyRate(3000),
                List.of(result));
        write("results/" + job, new ObjectMapper().writeValueAsString(benchmark));
      }
    }

    /** The list of steps in the table's stead, where time counts and other work may be going on. */
    void plainTable() throws IOException {
      write("plain", "");
    }

    Process start(String... arguments) throws IOException {
      List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
      command.add(home.resolve("bin/flinch-gpu-check").toString());
      command.addAll(Arrays.asList(arguments));
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(home.resolve("printed").toFile());
      Map<String, String> environment = builder.environment();
      environment.put("PATH", tools.toString());
      environment.put("CUDA_HOME", home.resolve("none").toString());
      environment.put("XDG_CACHE_HOME", home.resolve("cache").toString());
      environment.remove("FLINCH_OPTS");
      return builder.start();
    }

    Run run(String... arguments) throws IOException, InterruptedException {
      List<String> all = new ArrayList<>(List.of("--out", home.resolve("out").toString()));
      all.addAll(Arrays.asList(arguments));
      long started = System.nanoTime();
      Process process = start(all.toArray(String[]::new));
      return ended(process, started);
    }

    private Run ended(Process process, long started) throws IOException, InterruptedException {
      boolean done = process.waitFor(60, TimeUnit.SECONDS);
      double seconds = (System.nanoTime() - started) / 1e9;
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
      assertTrue(done, "still running: " + Files.readString(home.resolve("printed")));
      return new Run(
          process.exitValue(),
          Files.readString(home.resolve("printed")),
          seconds,
          Files.exists(calls) ? Files.readAllLines(calls) : List.of(),
          home.resolve("out"));
    }

    /** Sends a signal once the stand-in for bench says that it hangs; seconds are from then on. */
    Run signalled(String signal) throws IOException, InterruptedException {
      bench("[[ $job != jacobian* ]] || { echo $$ >" + home + "/hangs; sleep 100; }");
      Process process = start("--out", home.resolve("out").toString());
      for (int i = 0; i < 600 && !Files.exists(home.resolve("hangs")); i++) {
        Thread.sleep(50);
      }
      long started = System.nanoTime();
      new ProcessBuilder("kill", "-" + signal, Long.toString(process.pid())).start().waitFor();
      return ended(process, started);
    }

    /** Orphans that have ended are there until the system's first process looks after them. */
    boolean hangsOn() throws Exception {
      long pid = Long.parseLong(Files.readString(home.resolve("hangs")).strip());
      for (int look = 0; look < 100; look++) {
        if (!ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false)) {
          return false;
        }
        Thread.sleep(100);
      }
      return true;
    }
  }

  private Bundle terminatedBundle;
  private Bundle interruptedBundle;

  @BeforeAll
  void start() throws IOException {
    Bundle all = new Bundle("green", true, true);
    all.jobs(GOALS);
    green = side.submit(() -> all.run());

    Bundle failing = new Bundle("failing", true, false);
    failing.tests(
        """
        echo '  FAILED products: they differ'; echo '479 passed, 1 failed, on a card' >"$report"
        [[ $report != *racecheck* ]] || { echo '========= RACECHECK SUMMARY: 1 hazard'; exit 99; }
        [[ $report == *memcheck* ]] || exit 1
        """);
    failing.bench("[[ $job != transitions* ]] || { echo 'transitions: 3, expected 4'; exit 1; }");
    failures = side.submit(() -> failing.run());

    Bundle slow = new Bundle("hanging", false, false);
    slow.bench("[[ $job != transitions* ]] || sleep 100");
    slow.plainTable();
    hanging = side.submit(() -> slow.run("--seconds", "40"));

    Bundle deaf = new Bundle("stubborn", false, true);
    deaf.tests("trap '' TERM; echo 'AContractTest 2 passed' >\"$report\"; sleep 100; sleep 100");
    deaf.bench("trap '' TERM; sleep 100; sleep 100");
    deaf.plainTable();
    stubborn = side.submit(() -> deaf.run("--seconds", "12"));

    terminatedBundle = new Bundle("terminated", false, false);
    terminated = side.submit(() -> terminatedBundle.signalled("TERM"));
    interruptedBundle = new Bundle("interrupted", false, false);
    interruptedBundle.plainTable();
    interrupted = side.submit(() -> interruptedBundle.signalled("INT"));

    Bundle none = new Bundle("bare", false, false);
    none.jobs(GOALS.subList(0, 1));
    bare = side.submit(() -> none.run());

    Bundle broken = new Bundle("peerless", false, true);
    broken.jobs(GOALS.subList(0, 1));
    broken.write("nojax", "");
    broken.peer("echo 'RuntimeError: out of memory'; exit 1");
    peerless = side.submit(() -> broken.run());

    Bundle empty = new Bundle("cardless", true, true);
    empty.tests("echo 'no card to test on: no driver' >\"$report\"; exit 3");
    cardless = side.submit(() -> empty.run());
  }

  @AfterAll
  void stop() {
    side.shutdownNow();
  }

  @Test
  void testsComeFirstThenSanitizersThenEachJobBesideItsPeers() throws Exception {
    Run run = green.get();
    assertEquals(0, run.status(), run.printed());
    List<String> expected =
        new ArrayList<>(
            List.of(
                "flinch doctor ",
                "tests ",
                "sanitizer memcheck",
                "tests " + String.join(" ", few()),
                "sanitizer racecheck",
                "tests " + String.join(" ", few()),
                "import torch; assert torch.cuda.is_available()",
                "import jax; assert jax.devices('gpu')"));
    for (String job : GOALS) {
      expected.addAll(List.of("flinch bench " + job, "peers.py " + job, "peers_jax.py " + job));
    }
    assertEquals(expected, run.calls());
    run.endsWithItsTable();
    assertEquals("passed", run.outcome("memcheck"));
    assertEquals("passed", run.outcome("racecheck"));
    for (String job : GOALS) {
      String row =
          "| %s | 0.5000 | 3000 | 0.06 | 0.08 | 2.0000 | 4.00 | 1.0000 | 2.00 |".formatted(job);
      assertTrue(run.table().contains(row), run.table());
      assertTrue(run.printed().indexOf(row) < run.printed().lastIndexOf(row), "row by row");
    }
    assertTrue(run.table().contains("480 passed, 0 failed, on a card"), run.table());
  }

  @Test
  void whatFailsIsToldAndTheRestGoesOn() throws Exception {
    Run run = failures.get();
    assertEquals(1, run.status(), run.printed());
    run.endsWithItsTable();
    assertEquals("failed", run.outcome("tests"));
    assertTrue(run.table().contains("479 passed, 1 failed"), run.table());
    assertEquals("passed", run.outcome("memcheck"));
    assertEquals("failed", run.outcome("racecheck"));
    assertEquals("failed", run.outcome("bench transitions-2^20-20x200"));
    assertEquals(1, run.rows());
    assertEquals("jacobian-10k-20x200", run.json().at("/jobs/0/name").asText());
  }

  @Test
  void aJobThatHangsIsCutAndTheNextOneRuns() throws Exception {
    Run run = hanging.get();
    assertEquals(1, run.status(), run.printed());
    run.endsWithItsTable();
    assertTrue(
        run.table().contains("bench transitions-2^20-20x200\ttimed out\tafter 5 s"), run.table());
    assertTrue(run.left().contains("flinch-jacobian-10k-20x200.json"), run.printed());
    assertTrue(run.seconds() < 40, "seconds: " + run.seconds());
  }

  @Test
  void theLimitIsKeptThoughNothingEndsWhenItIsAskedTo() throws Exception {
    Run run = stubborn.get();
    assertEquals(1, run.status(), run.printed());
    run.endsWithItsTable();
    assertTrue(run.table().contains("tests\ttimed out"), run.table());
    assertTrue(run.table().contains("check\tstopped\tat its limit"), run.table());
    // With some seconds for a busy machine; what hangs does so for 200.
    assertTrue(run.seconds() < 12 + 8, "seconds: " + run.seconds());
  }

  @Test
  void aSignalEndsItWithTheTableOfWhatIsKnown() throws Exception {
    for (Future<Run> stopped : List.of(terminated, interrupted)) {
      Run run = stopped.get();
      assertEquals(1, run.status(), run.printed());
      run.endsWithItsTable();
      assertTrue(run.table().contains("stopped"), run.table());
      assertTrue(run.table().contains("480 passed"), run.table());
      assertTrue(run.left().contains("flinch-transitions-2^20-20x200.json"), run.printed());
      assertFalse(run.left().contains("flinch-jacobian-10k-20x200.json"), run.printed());
      assertTrue(run.seconds() < 30, "seconds: " + run.seconds());
    }
    assertEquals(1, terminated.get().rows());
    assertFalse(terminatedBundle.hangsOn());
    assertFalse(interruptedBundle.hangsOn());
  }

  @Test
  void withoutPythonAndSanitizerFlinchIsCheckedAllTheSame() throws Exception {
    Run run = bare.get();
    assertEquals(0, run.status(), run.printed());
    run.endsWithItsTable();
    for (String missing : List.of("memcheck", "racecheck", "torch", "jax")) {
      assertEquals("skipped", run.outcome(missing));
    }
    assertTrue(run.table().contains("| 0.5000 | 3000 | 0.06 | 0.08 |  |  |  |  |"), run.table());
  }

  @Test
  void aPeerThatFailsOrIsntThereSaysNothingAboutFlinch() throws Exception {
    Run run = peerless.get();
    assertEquals(0, run.status(), run.printed());
    run.endsWithItsTable();
    assertEquals("did not run", run.outcome("peers transitions-2^20-20x200"));
    assertTrue(run.table().contains("RuntimeError: out of memory"), run.table());
    assertEquals("skipped", run.outcome("jax"));
    assertEquals(1, run.rows());
    assertFalse(run.left().contains("peers-transitions-2^20-20x200.json"));
  }

  @Test
  void withoutACardNothingIsTimed() throws Exception {
    Run run = cardless.get();
    assertEquals(1, run.status(), run.printed());
    run.endsWithItsTable();
    assertTrue(run.table().contains("no card to test on: no driver"), run.table());
    assertEquals(List.of("flinch doctor ", "tests "), run.calls());
  }

  @Test
  void aRequestThatIsWrongLeavesNothing() throws Exception {
    Bundle bundle = new Bundle("wrong", false, false);
    String out = bundle.home.resolve("out").toString();
    for (List<String> wrong :
        List.of(
            List.of("--out", out, "--device", "tpu"),
            List.of("--out", out, "--seconds", "soon"),
            List.of("--out", out, "--seconds", "9"),
            List.of("--out", out, "--data-dir", out + "/none"),
            List.of("--out", out, "--data-dir"),
            List.of("--out", out, "everything"),
            List.of("--out", bundle.home.resolve("jobs").toString()))) {
      Process process = bundle.start(wrong.toArray(String[]::new));
      assertTrue(process.waitFor(20, TimeUnit.SECONDS));
      String printed = Files.readString(bundle.home.resolve("printed"), UTF_8);
      assertEquals(2, process.exitValue(), wrong + ": " + printed);
      assertTrue(printed.startsWith("flinch-gpu-check: "), printed);
      assertEquals(1, printed.lines().count(), printed);
      assertFalse(Files.exists(Path.of(out)), wrong.toString());
    }
    assertFalse(Files.exists(bundle.calls));
  }

  /** The tests that the script runs under sanitizers. */
  private static List<String> few() throws IOException {
    String script = Files.readString(SCRIPT);
    int start = script.indexOf("\nfew=(") + "\nfew=(".length();
    return List.of(script.substring(start, script.indexOf(')', start)).split("[\\s']+"));
  }

  @Test
  void theTestsForSanitizersExist() throws Exception {
    for (String name : few()) {
      String[] parts = name.split("#");
      Class<?> type = Class.forName("dev.flinch.device.cuda." + parts[0]);
      assertTrue(
          parts.length == 1
              || Stream.of(type.getDeclaredMethods()).anyMatch(m -> m.getName().equals(parts[1])),
          name);
    }
  }
}
