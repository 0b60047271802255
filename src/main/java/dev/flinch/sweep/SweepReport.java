package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import dev.flinch.experiment.FinishedRun;
import dev.flinch.experiment.Replica;
import dev.flinch.report.Figure;
import dev.flinch.report.ReportPage;
import dev.flinch.report.SweepFigures;
import dev.flinch.store.Column;
import dev.flinch.store.Counts;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import dev.flinch.store.ResultStore;
import dev.flinch.store.SweepHeader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What a reader of a sweep, or of a run, is given: the paper's figures, and a page to explore. */
public final class SweepReport {
  private static final List<String> FORMATS = List.of(".svg", ".png");

  /** All but series, which would make a page many times as long. */
  private static final Set<Column> SHOWN = EnumSet.complementOf(EnumSet.of(Column.STIFFNESS));

  private SweepReport() {}

  /**
   * What was written.
   *
   * @param notes what could not be drawn, and why
   */
  public record Written(Path page, List<Path> figures, int networks, List<String> notes) {}

  /** What a report is made of. */
  private record Material(ReportPage.Origin origin, List<NetworkRow> rows, List<Pair> pairs) {}

  /**
   * Writes {@code report.html} and figures into the folder of a run or a sweep, over those that are
   * there. A sweep may still be at work.
   *
   * @throws RequestException if the folder is neither, no network has ended yet, or a file cannot
   *     be written
   */
  public static Written write(Path folder) {
    SweepFolder place = new SweepFolder(folder);
    Material material = read(place);
    if (material.rows().isEmpty()) {
      throw new RequestException(folder + ": no network has ended yet; try again later");
    }
    place.write(
        place.report(),
        file -> ReportPage.write(file, material.origin(), material.rows(), material.pairs()));
    SweepFigures drawn =
        SweepFigures.of(material.origin().title(), material.rows(), material.pairs());
    List<Path> figures = new ArrayList<>();
    for (Map.Entry<String, Figure> figure : drawn.figures().entrySet()) {
      for (String format : FORMATS) {
        Path file = place.figures().resolve(figure.getKey() + format);
        place.write(file, figure.getValue()::write);
        figures.add(file);
      }
    }
    return new Written(place.report(), figures, material.rows().size(), drawn.notes());
  }

  private static Material read(SweepFolder place) {
    if (place.isBegun()) {
      return ofSweep(place);
    }
    if (FinishedRun.isRun(place.path())) {
      return ofRun(place.path());
    }
    throw new RequestException(
        place.path()
            + ": expected the folder of a run or of a sweep, found none; flinch run or flinch sweep makes one");
  }

  private static Material ofSweep(SweepFolder folder) {
    try (ResultStore store = ResultStore.openExisting(folder.store())) {
      SweepHeader header =
          store
              .header()
              .orElseThrow(
                  () -> new RequestException(folder.store() + ": no sweep has begun there"));
      List<NetworkRow> rows = new ArrayList<>();
      store.forEachRow(SHOWN, null, rows::add);
      Counts counts = store.counts();
      Map<String, String> provenance = new LinkedHashMap<>();
      provenance.put("Flinch", distinct(rows, Column.VERSION));
      provenance.put("device", distinct(rows, Column.DEVICE));
      provenance.put("began", header.created().toString());
      provenance.put(
          "networks",
          "%,d: %,d done, %,d diverged, %,d failed"
              .formatted(counts.networks(), counts.done(), counts.diverged(), counts.failed()));
      header.dataChecksums().forEach((file, sum) -> provenance.put("SHA-256 of " + file, sum));
      return new Material(
          new ReportPage.Origin(
              header.title(), folder.path().toString(), provenance, header.configuration()),
          rows,
          store.pairs());
    }
  }

  private static Material ofRun(Path folder) {
    FinishedRun run = FinishedRun.read(folder);
    Map<String, Replica> replicas =
        run.configuration().replicas().stream()
            .collect(Collectors.toMap(Replica::id, replica -> replica));
    List<NetworkRow> rows =
        run.networks().stream()
            .map(
                result ->
                    NetworkRows.of(run.configuration().only(replicas.get(result.id())), result))
            .map(row -> row.toBuilder().set(Column.STIFFNESS, null).build())
            .toList();
    return new Material(
        new ReportPage.Origin(
            run.configuration().title(),
            folder.toString(),
            run.provenance(),
            run.configuration().toJson()),
        rows,
        List.of());
  }

  private static String distinct(List<NetworkRow> rows, Column column) {
    return rows.stream()
        .map(row -> row.text(column))
        .filter(text -> text != null)
        .distinct()
        .collect(Collectors.joining("; "));
  }
}
