package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.experiment.Json;
import dev.flinch.report.Table;
import dev.flinch.store.Column;
import dev.flinch.store.Condition;
import dev.flinch.store.Counts;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.ResultStore;
import dev.flinch.store.ResultTable;
import dev.flinch.store.SettingMeans;
import dev.flinch.store.StoreLocation;
import dev.flinch.store.SweepHeader;
import dev.flinch.sweep.SweepFolder;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code flinch results}: what came of a sweep, as far as it is. */
@Command(
    name = "results",
    description = {
      "Shows the results of a sweep, of which processes may still be at work, or writes them as a",
      "table with a row for each finished network."
    },
    footer = {
      "",
      "Examples:",
      "  flinch results runs/sweep --where \"depth >= 3 and optimizer == 'Adam' and gap > 0.1\"",
      "  flinch results runs/sweep --csv networks.csv"
    })
final class ResultsCommand extends Action<ResultsCommand.Results> {
  /** Up to so many networks are listed one by one, and so many settings by their means. */
  private static final int MOST_LINES = 20;

  private static final List<Column> SHOWN =
      List.of(
          Column.TRAIN_ACCURACY,
          Column.TEST_ACCURACY,
          Column.GAP,
          Column.JACOBIAN_NORM,
          Column.LOGIT_JACOBIAN_NORM,
          Column.TRANSITIONS);

  @Parameters(
      paramLabel = "SWEEP",
      description = {
        "A sweep's folder, or its store: a file results.sqlite, or",
        "jdbc:postgresql://HOST/DATABASE."
      })
  private String sweep;

  @Option(
      names = "--where",
      paramLabel = "EXPR",
      description = "Only networks of which this holds, such as depth >= 3 and gap > 0.1.")
  private String where;

  @Option(names = "--csv", paramLabel = "FILE", description = "Write a table as text (RFC 4180).")
  private Path csv;

  @Option(
      names = "--parquet",
      paramLabel = "FILE",
      description = "Write a table in Apache Parquet.")
  private Path parquet;

  /**
   * What there is.
   *
   * @param counts of the whole sweep
   * @param networks that are finished and chosen
   * @param settings their means
   */
  record Results(String title, Counts counts, long networks, List<SettingMeans.Setting> settings) {}

  /** Those that are listed; empty if they are too many. */
  private final List<NetworkRow> few = new ArrayList<>();

  private final List<String> written = new ArrayList<>();

  @Override
  Results work(Progress progress) throws IOException {
    Condition condition = where == null ? null : Condition.of(where);
    OutputFile csvFile = csv == null ? null : new OutputFile("--csv", csv);
    OutputFile parquetFile = parquet == null ? null : new OutputFile("--parquet", parquet);
    try (ResultStore store = ResultStore.openExisting(location())) {
      if (csvFile != null) {
        csvFile.write(part -> write(store, condition, ResultTable.csv(part)));
        written.add(csv.toString());
      }
      if (parquetFile != null) {
        parquetFile.write(part -> write(store, condition, ResultTable.parquet(part)));
        written.add(parquet.toString());
      }
      return results(store, condition);
    }
  }

  private StoreLocation location() {
    StoreLocation location = StoreLocation.of(sweep);
    if (location.isShared() || !Files.isDirectory(Path.of(sweep))) {
      return location;
    }
    SweepFolder folder = new SweepFolder(Path.of(sweep));
    if (!folder.isBegun()) {
      throw new RequestException(
          "%s: expected a sweep's folder, found one without %s"
              .formatted(sweep, folder.results().getFileName()));
    }
    return folder.store();
  }

  private static void write(ResultStore store, Condition condition, ResultTable table)
      throws IOException {
    try (table) {
      store.forEachRow(
          condition,
          row -> {
            try {
              table.add(row);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private Results results(ResultStore store, Condition condition) {
    Set<Column> columns = EnumSet.allOf(Column.class);
    columns.removeAll(Set.of(Column.CONFIGURATION, Column.STIFFNESS));
    SettingMeans means = new SettingMeans();
    long[] count = {0};
    store.forEachRow(
        columns,
        condition,
        row -> {
          means.add(row);
          if (++count[0] <= MOST_LINES) {
            few.add(row);
          }
        });
    if (count[0] > MOST_LINES) {
      few.clear();
    }
    String title = store.header().map(SweepHeader::title).orElse("");
    return new Results(title, store.counts(), count[0], means.settings());
  }

  @Override
  String json(Results results) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("title", results.title());
    values.put("counts", results.counts());
    values.put("networks", results.networks());
    values.put(
        "settings",
        results.settings().stream()
            .map(
                s -> {
                  Map<String, Object> setting = new LinkedHashMap<>();
                  setting.put("setting", s.setting());
                  setting.put("factors", named(s.factors()));
                  setting.put("networks", s.networks());
                  setting.put("means", named(s.means()));
                  return setting;
                })
            .toList());
    return Json.text(values);
  }

  /** By the names that expressions have, too. */
  private static Map<String, Object> named(Map<Column, ?> values) {
    Map<String, Object> named = new LinkedHashMap<>();
    values.forEach((column, value) -> named.put(column.variable(), value));
    return named;
  }

  @Override
  void print(Results results, PrintWriter out) {
    if (!written.isEmpty()) {
      written.forEach(file -> out.printf("wrote %,d networks to %s%n", results.networks(), file));
      return;
    }
    Counts counts = results.counts();
    if (!results.title().isBlank()) {
      out.println(results.title());
    }
    out.printf(
        "%,d networks: %,d done, %,d diverged, %,d failed, %,d planned%n",
        counts.networks(), counts.done(), counts.diverged(), counts.failed(), counts.planned());
    if (counts.workers() > 0) {
      out.printf(
          "%,d stacks are being worked on, by %,d%n", counts.runningStacks(), counts.workers());
    }
    if (where != null) {
      out.printf("%,d finished with %s%n", results.networks(), where);
    }
    if (results.networks() > 0) {
      out.println();
      out.print(few.isEmpty() ? means(results.settings()) : networks(results.settings()));
      int more = results.settings().size() - MOST_LINES;
      if (few.isEmpty() && more > 0) {
        out.printf("and %,d more settings; --csv writes all networks%n", more);
      }
    }
  }

  private String means(List<SettingMeans.Setting> settings) {
    List<Column> factors = SettingMeans.varying(settings);
    List<Column> measures =
        SHOWN.stream()
            .filter(c -> settings.stream().anyMatch(s -> s.means().containsKey(c)))
            .toList();
    List<List<String>> lines =
        settings.stream()
            .limit(MOST_LINES)
            .map(
                s ->
                    Stream.of(
                            factors.stream().map(c -> cell(s.factors().get(c))),
                            Stream.of("%,d".formatted(s.count())),
                            measures.stream().map(c -> cell(s.means().get(c))))
                        .flatMap(cells -> cells)
                        .toList())
            .toList();
    return Table.format(header(factors, "networks", measures), lines);
  }

  private String networks(List<SettingMeans.Setting> settings) {
    List<Column> factors =
        Stream.concat(SettingMeans.varying(settings).stream(), Stream.of(Column.SEED)).toList();
    List<Column> measures =
        SHOWN.stream().filter(c -> few.stream().anyMatch(row -> row.get(c) != null)).toList();
    boolean failed = few.stream().anyMatch(row -> row.get(Column.ERROR) != null);
    List<Column> last = failed ? List.of(Column.ERROR) : List.of();
    List<List<String>> lines =
        few.stream()
            .map(
                row ->
                    Stream.of(factors, List.of(Column.STATUS), measures, last)
                        .flatMap(List::stream)
                        .map(c -> cell(row.get(c)))
                        .toList())
            .toList();
    List<String> header = new ArrayList<>(header(factors, Column.STATUS.variable(), measures));
    last.forEach(c -> header.add(c.variable()));
    return Table.format(header, lines);
  }

  private static List<String> header(List<Column> factors, String middle, List<Column> measures) {
    return Stream.of(
            factors.stream().map(Column::variable),
            Stream.of(middle),
            measures.stream().map(Column::variable))
        .flatMap(names -> names)
        .toList();
  }

  /** For people: numbers to four digits; one line. */
  private static String cell(Object value) {
    if (value instanceof Double number) {
      return "%.4g".formatted(number);
    }
    return Objects.toString(value, "–").lines().findFirst().orElse("");
  }
}
