package dev.flinch.report;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The figures of a sweep over hyper-parameters (Novak et al., Figures 1, 4, 5 and App. 8).
 *
 * @param figures by the names of their files without an ending, in the order that they are read in:
 *     {@code size}, {@code pairs}, {@code jacobian} and {@code transitions}, those that there are
 *     data for
 * @param notes sentences about the others
 */
public record SweepFigures(Map<String, Figure> figures, List<String> notes) {
  /** What colours tell, the first of these that differs between the settings of a figure. */
  private static final List<Column> COLOURS =
      List.of(
          Column.WIDTH,
          Column.DEPTH,
          Column.OPTIMIZER,
          Column.ACTIVATION,
          Column.LEARNING_RATE,
          Column.INIT_SCALE,
          Column.BATCH_SIZE);

  /** Of sizes, width would tell what the axis says already. */
  private static final List<Column> COLOURS_OF_SIZES =
      List.of(
          Column.DEPTH,
          Column.OPTIMIZER,
          Column.ACTIVATION,
          Column.LEARNING_RATE,
          Column.INIT_SCALE,
          Column.BATCH_SIZE);

  /** Copies both, in their order. */
  public SweepFigures {
    figures = Collections.unmodifiableMap(new LinkedHashMap<>(figures));
    notes = List.copyOf(notes);
  }

  /**
   * The figures of some networks, a panel for each data set.
   *
   * @param title of the sweep; stands above every figure
   * @param pairs of networks; those whose networks are not among the rows are left out
   */
  public static SweepFigures of(String title, List<NetworkRow> rows, List<Pair> pairs) {
    Map<String, Figure> figures = new LinkedHashMap<>();
    List<String> notes = new ArrayList<>();
    AccurateSettings settings = AccurateSettings.of(rows);
    GapScatter sizes = SizeFigure.scatter(settings, Column.DATASET);
    if (sizes.isEmpty()) {
      notes.add(missing("Gap against size", Column.PARAMETERS));
    } else {
      Column colour = colour(COLOURS_OF_SIZES, sizes.settings());
      figures.put("size", SizeFigure.figure(title + ": generalization and size", sizes, colour));
    }
    PairFigure compared = PairFigure.of(rows, pairs);
    if (compared.isEmpty()) {
      notes.add(
          pairs.isEmpty()
              ? "Pairs: there are none in this sweep."
              : String.format(
                  Locale.ROOT,
                  "Pairs: of %,d, there is none whose networks have all been trained to the end"
                      + " and, but for augmentation, to train accuracy 1.",
                  pairs.size()));
    } else {
      figures.put("pairs", compared.figure(title + ": networks that differ in one factor"));
    }
    for (Column measure : List.of(Column.JACOBIAN_NORM, Column.TRANSITIONS)) {
      boolean norms = measure == Column.JACOBIAN_NORM;
      GapScatter scatter = GapScatter.of(settings, measure, Column.DATASET);
      if (scatter.isEmpty()) {
        notes.add(
            missing(norms ? "Gap against Jacobian norm" : "Gap against transitions", measure));
      } else {
        figures.put(
            norms ? "jacobian" : "transitions",
            SensitivityFigure.figure(
                title
                    + (norms
                        ? ": generalization and Jacobian norm"
                        : ": generalization and transitions"),
                scatter,
                measure,
                colour(COLOURS, scatter.settings())));
      }
    }
    return new SweepFigures(figures, notes);
  }

  private static String missing(String figure, Column measure) {
    return figure
        + ": no setting with true labels whose networks all reach train accuracy 1 has a gap and a"
        + " value of "
        + measure.sqlName()
        + ".";
  }

  private static Column colour(List<Column> factors, List<Setting> settings) {
    return factors.stream()
        .filter(f -> settings.stream().map(s -> s.factor(f)).distinct().limit(2).count() > 1)
        .findFirst()
        .orElse(factors.get(0));
  }
}
