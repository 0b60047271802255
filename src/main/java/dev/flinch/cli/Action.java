package dev.flinch.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import dev.flinch.base.Progress;
import dev.flinch.experiment.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What all commands share: their options, and the order of things: check, work, write, print.
 *
 * @param <T> the result
 */
@Command(mixinStandardHelpOptions = true, sortOptions = false)
abstract class Action<T> implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Also write the result to a file, as JSON.")
  private Path json;

  @Option(
      names = "--verbose",
      description = "Say what is going on, and show where in the code an error arose.")
  private boolean verbose;

  /** Does what the command is for. */
  abstract T work(Progress progress) throws Exception;

  /** Prints a result for people. */
  abstract void print(T result, PrintWriter out);

  /** A result for machines. */
  String json(T result) throws IOException {
    return Json.text(result);
  }

  @Override
  public final Integer call() throws Exception {
    // Within Spark, it is Spark's own logging that decides.
    if (verbose && LoggerFactory.getLogger("dev.flinch") instanceof Logger logger) {
      logger.setLevel(Level.DEBUG);
    }
    OutputFile file = json == null ? null : new OutputFile("--json", json);
    T result;
    try (ConsoleProgress progress = ConsoleProgress.onStderr(err())) {
      result = work(progress);
    } catch (OutOfMemoryError e) {
      throw new IOException(
          "out of memory (%s); FLINCH_OPTS=-Xmx… sets the JVM's share".formatted(e.getMessage()),
          e);
    }
    if (file != null) {
      String text = json(result);
      file.write(part -> Files.writeString(part, text));
    }
    PrintWriter out = spec.commandLine().getOut();
    print(result, out);
    out.flush();
    return 0;
  }

  /** What the user typed after {@code flinch}. */
  final List<String> arguments() {
    return spec.root().commandLine().getParseResult().originalArgs();
  }

  /** Where messages go that are no result. */
  final PrintWriter err() {
    return spec.commandLine().getErr();
  }

  final boolean isVerbose() {
    return verbose;
  }
}
