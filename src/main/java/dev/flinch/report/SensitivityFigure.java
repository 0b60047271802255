package dev.flinch.report;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.util.List;

/**
 * Generalization gap against a measure of sensitivity over all hyper-parameters: against the
 * Jacobian norm (Novak et al., Figure 5) or transitions (Figure App. 8), of settings whose networks
 * all classify everything they were trained on.
 */
public final class SensitivityFigure {
  private SensitivityFigure() {}

  /**
   * The figure of some networks; those that it leaves out are counted in the subtitle.
   *
   * @param measure {@link Column#JACOBIAN_NORM}, {@link Column#TRANSITIONS} or another measure that
   *     is a number ≥ 0
   * @param panels the factor that panels differ in, such as {@link Column#DATASET}
   * @param colour the factor that colours tell
   */
  public static Figure of(
      String title, List<NetworkRow> rows, Column measure, Column panels, Column colour) {
    return figure(
        title, GapScatter.of(AccurateSettings.of(rows), measure, panels), measure, colour);
  }

  static Figure figure(String title, GapScatter scatter, Column measure, Column colour) {
    return scatter.figure(title, label(measure), colour, false);
  }

  private static String label(Column measure) {
    return switch (measure) {
      case JACOBIAN_NORM -> "mean Jacobian norm";
      case TRANSITIONS -> "transitions along a trajectory";
      default -> measure.meaning();
    };
  }
}
