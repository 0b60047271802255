package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A command of Flinch that is to run as a Spark application: it is started once more by Spark's own
 * {@code spark-submit}, which brings Spark's classes and sends Flinch's to the executors. The
 * process that it makes is a child of this one, has its input and output, and ends with it.
 *
 * @param master where the cluster is, as Spark writes it; null for what Spark's configuration says
 * @param conf properties for Spark
 * @param name of the application, for those who look at the cluster
 * @throws RequestException for a master that isn't any of Spark's
 */
public record SparkSubmission(String master, Map<String, String> conf, String name) {
  /** Flags without which Flinch doesn't compute. */
  static final String JVM_FLAGS = "--add-modules jdk.incubator.vector -Djava.awt.headless=true";

  /** The process that waits for a driver, without which the driver ends. */
  static final String PARENT = "flinch.parent";

  private static final String MAIN = "dev.flinch.cli.Main";
  private static final String DRIVER_OPTIONS = "spark.driver.extraJavaOptions";
  private static final String JARS = "spark.jars";

  /** Whatever Spark itself doesn't refuse at once. */
  private static final Pattern MASTER =
      Pattern.compile(
          "spark://[^,/]+:\\d{1,5}(,[^,/]+:\\d{1,5})*|yarn|k8s://.+"
              + "|local(\\[([1-9]\\d*|\\*)( *, *\\d+)?])?|local-cluster\\[.+]");

  /** How the name of the jar begins that knows how to start Spark's programs. */
  private static final String LAUNCHER = "spark-launcher_2.13-";

  private static final String REMEDY = "set SPARK_HOME to the folder of a Spark 4.2 distribution";

  /** What the launcher tells Flinch, and Flinch tells the driver. */
  private static final List<String> PASSED_ON =
      List.of(
          "flinch.terminal", "flinch.cache", "org.bytedeco.javacpp.cachedir", "java.library.path");

  /** Of which Spark has its own: there must be one only. */
  private static final Pattern NOT_SENT =
      Pattern.compile("(slf4j-api-.*|jcl-over-slf4j-.*|spark-.*_2\\.13-.*|scala-library-.*)\\.jar");

  public SparkSubmission {
    conf = Map.copyOf(conf);
    if (master != null && !MASTER.matcher(master).matches()) {
      throw new RequestException(
          "--master %s: expected spark://HOST:PORT, yarn, k8s://URL, local or local[N]"
              .formatted(master));
    }
  }

  /** Whether Spark hasn't started this process, so that a submission is called for. */
  public static boolean isNeeded() {
    return System.getProperty("spark.master") == null;
  }

  /**
   * Runs the program with the same arguments as this one, and waits for it.
   *
   * @param arguments of the command line, from the name of the command on
   * @return its exit code
   * @throws RequestException if Spark isn't found, or doesn't start
   */
  public int run(List<String> arguments) {
    Path script = script(System.getenv());
    try {
      Path temporary = Files.createTempDirectory("flinch-spark");
      try {
        Path program = program(temporary);
        List<String> submitted = new ArrayList<>();
        submitted.addAll(options(libraries(System.getProperty("java.class.path"), program)));
        submitted.add(program.toString());
        submitted.addAll(arguments);
        return await(inSpark(command(script, submitted)).inheritIO().start());
      } finally {
        delete(temporary);
      }
    } catch (IOException e) {
      throw new RequestException(
          "%s: Spark can't be started: %s; %s"
              .formatted(script, RequestException.reason(e), REMEDY),
          e);
    }
  }

  private static List<String> command(Path script, List<String> submitted) throws IOException {
    List<String> command = new ArrayList<>();
    if (Files.exists(script)) {
      command.add(script.toString());
      command.addAll(submitted);
      return command;
    }
    // Jars alone, as Maven has them: this is what the script itself asks for the driver's command.
    Path jars = script.resolveSibling("../jars/*").normalize();
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            jars.toString(),
            "org.apache.spark.launcher.Main",
            "org.apache.spark.deploy.SparkSubmit"));
    command.addAll(submitted);
    Process launcher = inSpark(command).redirectError(Redirect.INHERIT).start();
    String found = new String(launcher.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int first = found.indexOf("\0\n");
    if (first < 0) {
      throw new IOException("its launcher gives no command");
    }
    return List.of(found.substring(first + 2).split("\0"));
  }

  /** A process that has the environment which Spark's scripts make. */
  private static ProcessBuilder inSpark(List<String> command) {
    ProcessBuilder process = new ProcessBuilder(command);
    process.environment().put("JAVA_HOME", System.getProperty("java.home"));
    process.environment().putIfAbsent("SPARK_SCALA_VERSION", "2.13");
    return process;
  }

  private static int await(Process driver) {
    Thread ending = new Thread(() -> end(driver), "end of the driver");
    Runtime.getRuntime().addShutdownHook(ending);
    try {
      int code = driver.waitFor();
      Runtime.getRuntime().removeShutdownHook(ending);
      return code;
    } catch (InterruptedException e) {
      end(driver);
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    } catch (IllegalStateException e) {
      // This process is ending already, and takes the driver along.
      return 1;
    }
  }

  private static void end(Process driver) {
    driver.destroy();
    try {
      driver.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Spark's program that submits applications.
   *
   * @throws RequestException if it isn't found
   */
  static Path script(Map<String, String> environment) {
    String home = environment.getOrDefault("SPARK_HOME", "");
    if (!home.isEmpty()) {
      Path script = Path.of(home, "bin", "spark-submit");
      if (!Files.isExecutable(script) && !hasLauncher(Path.of(home, "jars"))) {
        throw new RequestException(
            "SPARK_HOME is %s: expected bin/spark-submit or jars/%s….jar there, found neither; %s"
                .formatted(home, LAUNCHER, REMEDY));
      }
      return script;
    }
    return Stream.of(environment.getOrDefault("PATH", "").split(File.pathSeparator))
        .filter(folder -> !folder.isEmpty())
        .map(folder -> Path.of(folder, "spark-submit"))
        .filter(Files::isExecutable)
        .findFirst()
        .orElseThrow(
            () ->
                new RequestException(
                    "--engine spark: expected spark-submit on the PATH, found none; " + REMEDY));
  }

  private static boolean hasLauncher(Path jars) {
    if (!Files.isDirectory(jars)) {
      return false;
    }
    try (Stream<Path> files = Files.list(jars)) {
      return files.anyMatch(file -> file.getFileName().toString().startsWith(LAUNCHER));
    } catch (IOException e) {
      throw new RequestException(
          "SPARK_HOME: %s cannot be read: %s".formatted(jars, RequestException.reason(e)), e);
    }
  }

  /** The program as a file that can be sent: its jar, or one made of its classes. */
  private static Path program(Path temporary) throws IOException {
    Path classes;
    try {
      classes =
          Path.of(
              SparkSubmission.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
    return Files.isDirectory(classes) ? jar(classes, temporary.resolve("flinch.jar")) : classes;
  }

  /** Puts a folder of classes into a file. */
  static Path jar(Path classes, Path file) throws IOException {
    try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(file));
        Stream<Path> files = Files.walk(classes)) {
      for (Path each : files.filter(Files::isRegularFile).sorted().toList()) {
        jar.putNextEntry(
            new JarEntry(classes.relativize(each).toString().replace(File.separatorChar, '/')));
        Files.copy(each, jar);
        jar.closeEntry();
      }
    }
    return file;
  }

  /** The jars of a class path that executors need. */
  static List<Path> libraries(String classPath, Path program) {
    return Stream.of(classPath.split(File.pathSeparator))
        .map(Path::of)
        .filter(Files::isRegularFile)
        .filter(jar -> !jar.equals(program))
        .filter(jar -> !NOT_SENT.matcher(jar.getFileName().toString()).matches())
        .toList();
  }

  /** What {@code spark-submit} is told before the program and its arguments. */
  List<String> options(List<Path> libraries) {
    Map<String, String> properties = new LinkedHashMap<>(conf);
    properties.merge(
        DRIVER_OPTIONS, driverFlags(), (theirs, ours) -> String.join(" ", ours, theirs));
    properties.merge(
        JARS,
        libraries.stream().map(Path::toString).collect(Collectors.joining(",")),
        (theirs, ours) -> String.join(",", ours, theirs));
    List<String> options = new ArrayList<>(List.of("--class", MAIN, "--name", name));
    if (master != null) {
      options.addAll(List.of("--master", master));
    }
    properties.forEach((key, value) -> options.addAll(List.of("--conf", key + "=" + value)));
    return options;
  }

  private String driverFlags() {
    List<String> flags = new ArrayList<>(List.of(JVM_FLAGS));
    PASSED_ON.forEach(key -> property(key).ifPresent(flags::add));
    if (!"cluster".equals(conf.get("spark.submit.deployMode"))) {
      flags.add("-D%s=%d".formatted(PARENT, ProcessHandle.current().pid()));
    }
    return String.join(" ", flags);
  }

  /** A flag that sets a property as it is set here, as Spark parses it. */
  private static Optional<String> property(String key) {
    return Optional.ofNullable(System.getProperty(key))
        .map(value -> value.replace("\\", "\\\\").replace("\"", "\\\""))
        .map(value -> "\"-D%s=%s\"".formatted(key, value));
  }

  private static void delete(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.deleteIfExists(file);
      }
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      // A temporary folder that stays does no harm.
      return;
    }
  }
}
