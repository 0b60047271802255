package dev.flinch.report;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.util.List;

/**
 * Generalization gap against the number of weights (Novak et al., Figure 1), of settings whose
 * networks all classify everything they were trained on. The line is the lower envelope: of each of
 * 20 bins of weights, all as wide on the logarithmic axis, the setting with the least mean gap.
 */
public final class SizeFigure {
  private SizeFigure() {}

  /**
   * The figure of some networks; those that it leaves out are counted in the subtitle.
   *
   * @param panels the factor that panels differ in, such as {@link Column#DATASET}
   * @param colour the factor that colours tell
   */
  public static Figure of(String title, List<NetworkRow> rows, Column panels, Column colour) {
    return figure(title, scatter(AccurateSettings.of(rows), panels), colour);
  }

  static GapScatter scatter(AccurateSettings settings, Column panels) {
    return GapScatter.of(settings, Column.PARAMETERS, panels);
  }

  static Figure figure(String title, GapScatter scatter, Column colour) {
    return scatter.figure(title, "weights", colour, true);
  }
}
