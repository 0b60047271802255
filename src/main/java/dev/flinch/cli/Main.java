package dev.flinch.cli;

import dev.flinch.base.RequestException;
import dev.flinch.bench.WrongAnswerException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParseResult;

/** The program: {@code flinch COMMAND …}. */
@Command(
    name = "flinch",
    description = "Measures how a trained neural network flinches when its input is nudged.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {DataCommand.class, DoctorCommand.class, BenchCommand.class},
    footer = {
      "",
      "Example:",
      "  flinch run configs/quickstart.json",
      "",
      "flinch COMMAND --help says more of a command.",
      "Exit codes: 0 done, 1 the work failed, 2 the request was wrong."
    })
public final class Main {
  /** The terminal that the launcher found stderr to be. */
  static final String TERMINAL = "flinch.terminal";

  /** Exits with 0 when done, 1 when the work failed, 2 when the request was wrong. */
  public static void main(String[] args) throws IOException {
    String terminal = System.getProperty(TERMINAL);
    if (terminal != null) {
      System.setErr(new PrintStream(new FileOutputStream(terminal), true, StandardCharsets.UTF_8));
    }
    System.exit(commandLine().execute(args));
  }

  /** All commands, with errors printed as users are to see them. */
  static CommandLine commandLine() {
    return new CommandLine(new Main())
        .registerConverter(Points.class, Points::parse)
        .setUsageHelpAutoWidth(true)
        .setUsageHelpLongOptionsMaxWidth(28)
        .setExecutionExceptionHandler(Main::report);
  }

  private static int report(Exception failure, CommandLine command, ParseResult parsed) {
    if (command.getCommand() instanceof Action<?> action && action.isVerbose()) {
      failure.printStackTrace(command.getErr());
    } else {
      command.getErr().println("flinch: " + message(failure));
    }
    command.getErr().flush();
    return failure instanceof RequestException ? 2 : 1;
  }

  private static String message(Exception failure) {
    if (failure instanceof RequestException || failure instanceof WrongAnswerException) {
      return failure.getMessage();
    }
    if (failure instanceof FileSystemException file && file.getReason() == null) {
      return "%s: %s".formatted(file.getFile(), file.getClass().getSimpleName());
    }
    return failure instanceof IOException
        ? failure.getMessage()
        : "%s%nThis should not have happened; --verbose shows where it did.".formatted(failure);
  }
}
