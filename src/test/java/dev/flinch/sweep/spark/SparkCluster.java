package dev.flinch.sweep.spark;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A standalone cluster of Spark on the loopback interface: a master, and workers of one core each,
 * every one a process of its own. Spark's jars are fetched by Maven when they are first needed.
 */
final class SparkCluster implements AutoCloseable {
  private static final Path TARGET = Path.of("target").toAbsolutePath();
  private static final Path HOME = TARGET.resolve("spark-home");
  private static final Path JAVA = Path.of(System.getProperty("java.home"), "bin", "java");
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Libraries of tests, which a sweep doesn't need. */
  private static final Pattern OF_TESTS =
      Pattern.compile(
          ".*/(org/junit|org/seleniumhq|io/zonky|com/tngtech|org/apache/spark|org/scala-lang|org/opentest4j"
              + "|org/apiguardian|io/opentelemetry|net/bytebuddy|dev/failsafe|com/google)/.*");

  private static final String SUBMIT =
      """
      #!/usr/bin/env bash
      # What a distribution's script does, without the scripts that it does it by.
      mapfile -d '' -t command < <("$JAVA_HOME/bin/java" -cp "$SPARK_HOME/jars/*" \\
        org.apache.spark.launcher.Main org.apache.spark.deploy.SparkSubmit "$@")
      command[1]=${command[1]#$'\\n'}
      exec "${command[@]:1}"
      """;

  private final Path folder;
  private final Node master;
  private final String url;
  private final List<Node> workers = new ArrayList<>();

  /** A process of the cluster, or a driver, and what it says. */
  record Node(Process process, Path log) {
    String text() {
      try {
        return Files.readString(log);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Waits until it says something. */
    Matcher awaitText(String regex) {
      Pattern pattern = Pattern.compile(regex);
      return await(
          () -> {
            Matcher matcher = pattern.matcher(text());
            if (matcher.find()) {
              return matcher;
            }
            if (!process.isAlive()) {
              throw new IllegalStateException("ended without '%s':\n%s".formatted(regex, text()));
            }
            return null;
          });
    }

    /** Ends it as a failing machine would, with all that it has started. */
    void kill() {
      List<ProcessHandle> children = process.descendants().toList();
      process.destroyForcibly();
      children.forEach(ProcessHandle::destroyForcibly);
      process.onExit().join();
    }
  }

  private SparkCluster(Path folder) throws IOException {
    this.folder = Files.createDirectories(folder);
    this.master =
        start(
            "master",
            "127.0.0.1",
            List.of(
                "-Dspark.master.rest.enabled=false",
                "org.apache.spark.deploy.master.Master",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--webui-port",
                "0"));
    this.url = master.awaitText("Starting Spark master at (spark://\\S+)").group(1);
  }

  /**
   * Starts a cluster.
   *
   * @param folder of logs and of what workers write
   * @param options for each worker, such as a file of properties
   */
  static SparkCluster start(Path folder, int workers, String... options) throws IOException {
    home();
    SparkCluster cluster = new SparkCluster(folder);
    try {
      for (int i = 0; i < workers; i++) {
        cluster.addWorker(options);
      }
      cluster.workers.forEach(worker -> worker.awaitText("Successfully registered with master"));
      return cluster;
    } catch (RuntimeException | IOException e) {
      cluster.close();
      throw e;
    }
  }

  /** Where Spark is. */
  static synchronized Path home() throws IOException {
    Files.createDirectories(TARGET);
    try (FileChannel lock =
            FileChannel.open(
                TARGET.resolve("spark-home.lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock held = lock.lock()) {
      Path jars = HOME.resolve("jars");
      if (!Files.isDirectory(jars)) {
        Path part = HOME.resolve("jars.part");
        fetch(part);
        Files.move(part, jars, StandardCopyOption.ATOMIC_MOVE);
      }
      Path script = HOME.resolve("bin/spark-submit");
      Files.createDirectories(script.getParent());
      Files.writeString(script, SUBMIT);
      Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
      return HOME;
    }
  }

  private static void fetch(Path jars) throws IOException {
    Process maven =
        new ProcessBuilder(
                "mvn",
                "-q",
                "-B",
                "-f",
                "src/test/spark/pom.xml",
                "dependency:copy-dependencies",
                "-DoutputDirectory=" + jars)
            .redirectErrorStream(true)
            .start();
    try (BufferedReader lines = maven.inputReader()) {
      String said = String.join("\n", lines.lines().toList());
      if (maven.waitFor() != 0) {
        throw new IOException("Spark could not be fetched:\n" + said);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** The class path of Flinch, without what its tests alone need. */
  private static List<Path> flinch() {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    return Stream.of(path.split(File.pathSeparator))
        .filter(entry -> !OF_TESTS.matcher(entry).matches())
        .map(Path::of)
        .filter(entry -> !entry.endsWith("test-classes"))
        .toList();
  }

  /** Where applications are submitted to. */
  String url() {
    return url;
  }

  Node addWorker(String... options) throws IOException {
    String name = "worker-" + workers.size();
    // Spark runs copies of a task on different hosts only.
    String host = "127.0.0." + (workers.size() + 1);
    List<String> command = new ArrayList<>();
    command.add("org.apache.spark.deploy.worker.Worker");
    command.addAll(List.of("--host", host, "--cores", "1", "--memory", "1g", "--port", "0"));
    command.addAll(List.of("--webui-port", "0", "--work-dir", folder.resolve(name).toString()));
    command.addAll(List.of(options));
    command.add(url);
    Node worker = start(name, host, command);
    workers.add(worker);
    return worker;
  }

  private Node start(String name, String host, List<String> arguments) throws IOException {
    List<String> command =
        new ArrayList<>(List.of(JAVA.toString(), "-Xmx256m", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-cp", HOME.resolve("jars") + "/*"));
    command.addAll(arguments);
    return started(command, host, Map.of(), folder.resolve(name + ".log"));
  }

  private static Node started(
      List<String> command, String host, Map<String, String> environment, Path log)
      throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command);
    environment(builder.environment());
    builder.environment().put("SPARK_LOCAL_IP", host);
    builder.environment().putAll(environment);
    return new Node(
        builder.redirectErrorStream(true).redirectOutput(Redirect.to(log.toFile())).start(), log);
  }

  /** What processes of Spark, and those that submit to it, find in their environment. */
  private static void environment(Map<String, String> environment) {
    environment.put("SPARK_HOME", HOME.toString());
    environment.put("SPARK_SCALA_VERSION", "2.13");
    environment.put("SPARK_LOCAL_IP", "127.0.0.1");
    environment.put("JAVA_HOME", System.getProperty("java.home"));
  }

  /**
   * Starts the command as its launcher does; what it says goes to a file.
   *
   * @param environment in the place of what processes of the cluster have, {@code SPARK_HOME} too
   */
  static Node flinch(Path log, Map<String, String> environment, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>(List.of(JAVA.toString()));
    command.addAll(List.of(SparkSubmission.JVM_FLAGS.split(" ")));
    command.add("-cp");
    command.add(classPath());
    command.add("dev.flinch.cli.Main");
    command.addAll(List.of(arguments));
    return started(command, "127.0.0.1", environment, log);
  }

  private static String classPath() {
    return flinch().stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator));
  }

  /** A program of these tests that is to run as a driver, with the arguments given. */
  static final class Driver {
    private final String program;
    private final Map<String, String> conf = new LinkedHashMap<>();
    private final Map<String, String> environment = new LinkedHashMap<>();

    Driver(Class<?> program, String master) {
      this.program = program.getName();
      conf.put("spark.master", master);
      conf.put("spark.ui.enabled", "false");
      conf.put("spark.driver.memory", "600m");
      // Short work: the least effort for starting it.
      conf.put(
          "spark.driver.extraJavaOptions",
          SparkSubmission.JVM_FLAGS + " -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
      conf.put("spark.executor.extraJavaOptions", "-XX:+UseSerialGC");
      conf.put("spark.log.level", "WARN");
    }

    Driver with(String key, String value) {
      conf.put(key, value);
      return this;
    }

    /** Has Spark write what it shows of the application. */
    Driver withEventsIn(Path folder) {
      return with("spark.eventLog.enabled", "true")
          .with("spark.eventLog.compress", "false")
          .with("spark.eventLog.dir", folder.toUri().toString());
    }

    Driver withEnvironment(String key, String value) {
      environment.put(key, value);
      return this;
    }

    /** Starts it; what it says goes to a file. */
    Node start(Path log, Object... arguments) throws IOException {
      home();
      List<String> command = new ArrayList<>();
      command.add(HOME.resolve("bin/spark-submit").toString());
      command.addAll(List.of("--class", program));
      command.addAll(List.of("--jars", String.join(",", libraries())));
      conf.forEach((key, value) -> command.addAll(List.of("--conf", key + "=" + value)));
      command.add(jar("test-classes").toString());
      Stream.of(arguments).map(String::valueOf).forEach(command::add);
      return started(command, "127.0.0.1", environment, log);
    }
  }

  /** Flinch and what it needs of libraries, as a driver's executors get them. */
  private static List<String> libraries() throws IOException {
    List<String> libraries = new ArrayList<>();
    libraries.add(jar("classes").toString());
    SparkSubmission.libraries(classPath(), null).forEach(jar -> libraries.add(jar.toString()));
    return libraries;
  }

  private static final Map<String, Path> JARS = new HashMap<>();

  /** A folder of classes as a file. */
  private static synchronized Path jar(String classes) throws IOException {
    Path known = JARS.get(classes);
    if (known == null) {
      known = Files.createTempFile(TARGET, "flinch-", ".jar");
      known.toFile().deleteOnExit();
      JARS.put(classes, SparkSubmission.jar(TARGET.resolve(classes), known));
    }
    return known;
  }

  /** Everything that the cluster and its executors have written. */
  String everythingWritten() throws IOException {
    StringBuilder all = new StringBuilder();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        if (!file.toString().endsWith(".jar")) {
          all.append(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1));
        }
      }
    }
    return all.toString();
  }

  /** Waits for what is not null. */
  static <T> T await(Supplier<T> found) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      T value = found.get();
      if (value != null) {
        return value;
      }
      if (System.nanoTime() > end) {
        throw new IllegalStateException("nothing came within " + PATIENCE);
      }
      try {
        TimeUnit.MILLISECONDS.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  @Override
  public void close() {
    workers.forEach(Node::kill);
    master.kill();
  }
}
