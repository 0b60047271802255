package dev.flinch.sweep.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command, as its launcher starts it, with a Spark of its own. */
class SparkSubmissionTest {
  private static final String SWEEP =
      """
      {
        "title": "few networks",
        "data": {"train": 100, "test": 50},
        "training": {"stop": {"epochs": 2}},
        "measures": {"jacobian": null},
        "factors": {
          "dataset": "glyphs", "depth": 2, "width": 4, "learningRate": 0.01, "batchSize": 50,
          "seed": {"linear": [1, 6]}
        }
      }
      """;

  @TempDir Path temporary;
  private final List<SparkCluster.Node> commands = new ArrayList<>();

  private SparkCluster.Node flinch(String... arguments) throws IOException {
    return flinch(SparkCluster.home(), arguments);
  }

  private SparkCluster.Node flinch(Path sparkHome, String... arguments) throws IOException {
    SparkCluster.Node command =
        SparkCluster.flinch(
            temporary.resolve("flinch.log"), Map.of("SPARK_HOME", sparkHome.toString()), arguments);
    commands.add(command);
    return command;
  }

  @AfterEach
  void endCommands() {
    commands.forEach(SparkCluster.Node::kill);
  }

  private String[] sweep(String configuration, String master) throws IOException {
    Path file = Files.writeString(temporary.resolve("few.json"), configuration);
    return new String[] {
      "sweep",
      file.toString(),
      "--out",
      temporary.resolve("sweep").toString(),
      "--engine",
      "spark",
      "--master",
      master,
      "--conf",
      "spark.ui.enabled=false"
    };
  }

  @Test
  void theCommandRunsInSparkAndSaysWhatItWouldSayWithout() throws Exception {
    SparkCluster.Node command = flinch(sweep(SWEEP, "local[2]"));
    assertEquals(0, command.process().waitFor(), command.text());
    assertTrue(command.text().contains("6 networks: 6 done"), command.text());
    assertFalse(command.text().contains("\tat "), command.text());
  }

  /** As Maven has them, without scripts. */
  @Test
  void jarsAloneAreASparkToo() throws Exception {
    Path home = Files.createDirectories(temporary.resolve("spark"));
    Path jars = home.resolve("jars");
    Files.createSymbolicLink(jars, SparkCluster.home().resolve("jars"));
    try {
      SparkCluster.Node command = flinch(home, sweep(SWEEP, "local[1]"));
      assertEquals(0, command.process().waitFor(), command.text());
      assertTrue(command.text().contains("6 networks: 6 done"), command.text());
      assertFalse(command.text().contains("\tat "), command.text());
    } finally {
      Files.delete(jars);
    }
  }

  @Test
  void aMasterThatDoesntAnswerIsNamedAtOnce() throws Exception {
    SparkCluster.Node command = flinch(sweep(SWEEP, "spark://127.0.0.1:1"));
    assertEquals(2, command.process().waitFor(), command.text());
    List<String> said = command.text().lines().filter(line -> line.startsWith("flinch: ")).toList();
    assertEquals(1, said.size(), command.text());
    assertTrue(said.get(0).contains("spark://127.0.0.1:1: Spark's master doesn't answer"));
    assertFalse(command.text().contains("\tat "), command.text());
  }

  @Test
  void aDriverEndsWithItsCommandEvenIfThatIsKilled() throws Exception {
    SparkCluster.Node command =
        flinch(sweep(SWEEP.replace("\"epochs\": 2", "\"epochs\": 1000000"), "local[1]"));
    command.awaitText("Spark log level");
    List<ProcessHandle> drivers = command.process().children().toList();
    assertEquals(1, drivers.size(), drivers.toString());
    command.process().destroyForcibly();
    drivers.get(0).onExit().get(30, TimeUnit.SECONDS);
  }

  @Test
  void sparkIsFoundByItsHomeOrOnThePath() throws IOException {
    Path home = Files.createDirectories(temporary.resolve("spark/bin")).getParent();
    Path script = Files.writeString(home.resolve("bin/spark-submit"), "");
    assertTrue(script.toFile().setExecutable(true));
    assertEquals(script, SparkSubmission.script(Map.of("SPARK_HOME", home.toString())));
    assertEquals(
        script,
        SparkSubmission.script(
            Map.of("PATH", temporary + File.pathSeparator + script.getParent())));
    Path others = temporary.resolve("others");
    Files.createDirectories(others.resolve("jars/spark-launcher_2.12-3.5.0.jar"));
    for (Map<String, String> environment :
        List.of(
            Map.of("SPARK_HOME", temporary.toString()),
            Map.of("SPARK_HOME", others.toString()),
            Map.of("PATH", temporary.toString()))) {
      String refusal =
          assertThrows(RequestException.class, () -> SparkSubmission.script(environment))
              .getMessage();
      assertTrue(refusal.contains("set SPARK_HOME"), refusal);
    }
  }

  @Test
  void whatUsersAskOfSparkIsPassedOn() {
    Map<String, String> asked =
        Map.of(
            "spark.driver.extraJavaOptions", "-Dtheirs=1",
            "spark.jars", "theirs.jar",
            "spark.executor.memory", "3g");
    List<String> options =
        new SparkSubmission("yarn", asked, "a sweep").options(List.of(Path.of("ours.jar")));
    assertTrue(options.containsAll(List.of("--master", "yarn", "--name", "a sweep")));
    assertTrue(options.contains("spark.jars=ours.jar,theirs.jar"), options.toString());
    assertTrue(options.contains("spark.executor.memory=3g"), options.toString());
    String driver =
        options.stream()
            .filter(option -> option.startsWith("spark.driver.extraJavaOptions="))
            .collect(Collectors.joining());
    assertTrue(driver.contains(SparkSubmission.JVM_FLAGS) && driver.endsWith("-Dtheirs=1"), driver);
  }

  @Test
  void mastersThatAreNotOfSparkAreNamed() {
    for (String master :
        List.of(
            "spark://a:7077",
            "spark://a:7077,b:7077",
            "spark://[::1]:7077",
            "yarn",
            "local",
            "local[4]",
            "local[*]",
            "local[2, 3]",
            "local-cluster[2,1,1024]",
            "k8s://https://a")) {
      assertEquals(master, new SparkSubmission(master, Map.of(), "a sweep").master());
    }
    for (String master :
        List.of(
            "", "nonsense", "spark://a", "spark://a:b", "http://a:7077", "local[x]", "local[0]")) {
      String refusal =
          assertThrows(
                  RequestException.class, () -> new SparkSubmission(master, Map.of(), "a sweep"))
              .getMessage();
      assertTrue(
          refusal.startsWith("--master " + master + ": expected spark://HOST:PORT"), refusal);
    }
  }

  @Test
  void whatSparkHasItselfIsNotSent() throws IOException {
    List<Path> jars =
        Stream.of("jna-5.jar", "slf4j-api-2.0.17.jar", "jcl-over-slf4j-2.jar", "flinch.jar")
            .map(temporary::resolve)
            .toList();
    for (Path jar : jars) {
      Files.createFile(jar);
    }
    String classPath =
        jars.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
    assertEquals(
        List.of(jars.get(0)),
        SparkSubmission.libraries(classPath + File.pathSeparator + temporary, jars.get(3)));
  }
}
