package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.data.DataFetcher;
import dev.flinch.data.DataSets;
import dev.flinch.report.Table;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flinch data}: the data sets. */
@Command(
    name = "data",
    description = "Lists the data sets, and fetches them from their publishers.",
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "(list | fetch)",
    subcommands = {DataCommand.ListCommand.class, DataCommand.FetchCommand.class},
    footer = {"", "Example:", "  flinch data fetch mnist"})
final class DataCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    return Main.showUsage(spec);
  }

  /** {@code flinch data list}. */
  @Command(
      name = "list",
      description = "Lists the data sets and where they are.",
      footer = {"", "Example:", "  flinch data list"})
  static final class ListCommand extends Action<List<DataSets.Entry>> {
    @Mixin private DataDirectory data;

    @Override
    List<DataSets.Entry> work(Progress progress) {
      return DataSets.list(data.path());
    }

    @Override
    void print(List<DataSets.Entry> result, PrintWriter out) {
      out.print(
          Table.format(
              List.of("name", "train", "test", "classes", "image", "found", "what"),
              result.stream()
                  .map(
                      e ->
                          List.of(
                              e.name(),
                              String.valueOf(e.train()),
                              String.valueOf(e.test()),
                              String.valueOf(e.classes()),
                              e.shape().toString(),
                              e.folder() == null
                                  ? "built in"
                                  : e.found() ? e.folder().toString() : "no",
                              e.description()))
                  .toList()));
    }
  }

  /** {@code flinch data fetch NAME}. */
  @Command(
      name = "fetch",
      description = {
        "Fetches a data set from its publisher and checks it against its published SHA-256.",
        "A transfer that broke off goes on where it ended."
      },
      footer = {"", "Example:", "  flinch data fetch mnist"})
  static final class FetchCommand extends Action<FetchCommand.Fetched> {
    /** Where a data set is. */
    record Fetched(String name, Path folder) {}

    @Parameters(paramLabel = "NAME", description = "mnist, fashion-mnist, cifar10 or cifar100.")
    private String name;

    @Mixin private DataDirectory data;

    @Override
    Fetched work(Progress progress) throws Exception {
      return new Fetched(name, new DataFetcher(data.path(), progress).fetch(name));
    }

    @Override
    void print(Fetched result, PrintWriter out) {
      out.printf("%s is in %s%n", result.name(), result.folder());
    }
  }
}
