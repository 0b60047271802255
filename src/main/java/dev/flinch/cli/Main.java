package dev.flinch.cli;

import dev.flinch.base.RequestException;
import dev.flinch.bench.WrongAnswerException;
import dev.flinch.device.Activation;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.experiment.Configuration.Kind;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Measurement.Quantity;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The program: {@code flinch COMMAND …}. */
@Command(
    name = "flinch",
    description = "Measures how a trained neural network flinches when its input is nudged.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      RunCommand.class,
      SweepCommand.class,
      ResultsCommand.class,
      ReportCommand.class,
      MeasureCommand.class,
      TrajectoryCommand.class,
      RegionsCommand.class,
      PerPointCommand.class,
      StiffnessCommand.class,
      DataCommand.class,
      DoctorCommand.class,
      BenchCommand.class,
      ProfileCommand.class
    },
    footer = {
      "",
      "Example:",
      "  flinch run configs/quickstart.json",
      "",
      "flinch COMMAND --help says more of a command.",
      "Exit codes: 0 done, 1 the work failed, 2 the request was wrong."
    })
public final class Main implements Callable<Integer> {
  @Spec private CommandSpec spec;

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
        .registerConverter(Activation.class, asked(Activation::named))
        .registerConverter(Quantity.class, asked(Quantity::named))
        .registerConverter(Pairs.class, asked(Pairs::named))
        .registerConverter(Split.class, word(Split.class))
        .registerConverter(Kind.class, word(Kind.class))
        .registerConverter(SweepCommand.Engine.class, word(SweepCommand.Engine.class))
        .registerConverter(int.class, whole(Integer::valueOf))
        .registerConverter(Integer.class, whole(Integer::valueOf))
        .registerConverter(long.class, whole(Long::valueOf))
        .registerConverter(Long.class, whole(Long::valueOf))
        .setUsageHelpAutoWidth(true)
        .setUsageHelpLongOptionsMaxWidth(28)
        .setParameterExceptionHandler(Main::explain)
        .setExecutionExceptionHandler(Main::report);
  }

  /** A converter whose refusals are told in its own words. */
  private static <T> ITypeConverter<T> asked(ITypeConverter<T> named) {
    return text -> {
      try {
        return named.convert(text);
      } catch (RequestException e) {
        throw new TypeConversionException(e.getMessage());
      }
    };
  }

  private static <N extends Number> ITypeConverter<N> whole(ITypeConverter<N> number) {
    return text -> {
      try {
        return number.convert(text);
      } catch (NumberFormatException e) {
        boolean large = text.matches("[+-]?\\d+");
        throw new TypeConversionException(
            "expected a whole number%s, found '%s'"
                .formatted(large ? " that is smaller" : "", text));
      }
    };
  }

  /** A converter for the names of an enum, which users write in lower case. */
  private static <E extends Enum<E>> ITypeConverter<E> word(Class<E> type) {
    return text ->
        Stream.of(type.getEnumConstants())
            .filter(value -> value.name().equalsIgnoreCase(text))
            .findFirst()
            .orElseThrow(
                () ->
                    new TypeConversionException(
                        "expected one of %s, found '%s'"
                            .formatted(
                                Stream.of(type.getEnumConstants())
                                    .map(value -> value.name().toLowerCase(Locale.ROOT))
                                    .collect(Collectors.joining(", ")),
                                text)));
  }

  @Override
  public Integer call() {
    return showUsage(spec);
  }

  /** For a command that was given without one of its subcommands. */
  static int showUsage(CommandSpec spec) {
    spec.commandLine().usage(spec.commandLine().getErr());
    return 2;
  }

  private static int explain(ParameterException mistake, String[] args) {
    CommandLine command = mistake.getCommandLine();
    PrintWriter err = command.getErr();
    boolean unknownCommand =
        mistake instanceof UnmatchedArgumentException unmatched
            && !unmatched.isUnknownOption()
            && !command.getSubcommands().isEmpty();
    err.println(
        "flinch: "
            + (unknownCommand
                ? "unknown command '%s'"
                    .formatted(((UnmatchedArgumentException) mistake).getUnmatched().get(0))
                : mistake.getMessage()));
    UnmatchedArgumentException.printSuggestions(mistake, err);
    err.println(
        "%s --help shows what there is.".formatted(command.getCommandSpec().qualifiedName()));
    err.flush();
    return 2;
  }

  private static int report(Exception failure, CommandLine command, ParseResult parsed) {
    if (failure instanceof ExitException exit) {
      return exit.code();
    }
    if (command.getCommand() instanceof Action<?> action && action.isVerbose()) {
      failure.printStackTrace(command.getErr());
    } else {
      command.getErr().println("flinch: " + message(failure));
    }
    command.getErr().flush();
    return failure instanceof RequestException ? 2 : 1;
  }

  private static String message(Exception failure) {
    if (failure instanceof RequestException
        || failure instanceof WrongAnswerException
        || failure instanceof OutOfDeviceMemoryException
        || failure instanceof DeviceLostException
        || failure instanceof DriverException) {
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
