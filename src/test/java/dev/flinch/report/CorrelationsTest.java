package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.report.Correlations.Association;
import dev.flinch.report.Correlations.Group;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;
import org.junit.jupiter.api.Test;

class CorrelationsTest {
  /**
   * Normal pairs of correlation r, so Kendall's τ is 2/π arcsin r.
   *
   * @param seeds networks of a setting, all with the same values
   */
  private static List<NetworkRow> normal(long sample, int settings, int seeds, double r) {
    UniformRandomProvider random = RandomStreams.stream(sample, Purpose.BOOTSTRAP, 7, settings);
    ZigguratSampler.NormalizedGaussian gaussian = ZigguratSampler.NormalizedGaussian.of(random);
    List<NetworkRow> rows = new ArrayList<>();
    for (int s = 0; s < settings; s++) {
      double x = gaussian.sample();
      double y = r * x + Math.sqrt(1 - r * r) * gaussian.sample();
      for (int seed = 0; seed < seeds; seed++) {
        rows.add(
            NetworkRow.builder()
                .set(Column.SETTING, "setting " + s)
                .set(Column.SEED, seed)
                .set(Column.JACOBIAN_NORM, Math.exp(x))
                .set(Column.GAP, y)
                .build());
      }
    }
    return rows;
  }

  private static Association association(List<NetworkRow> rows) {
    return Correlations.between(rows, Column.JACOBIAN_NORM, Column.GAP);
  }

  @Test
  void intervalsHoldTheTruthAboutAsOftenAsTheySay() {
    double truth = 2 / Math.PI * Math.asin(0.6);
    double rho = 6 / Math.PI * Math.asin(0.3);
    for (int settings : new int[] {60, 3000}) {
      int kendall = 0;
      int spearman = 0;
      int samples = 60;
      for (int sample = 0; sample < samples; sample++) {
        Association found = association(normal(sample, settings, 1, 0.6));
        kendall += found.kendall().low() <= truth && truth <= found.kendall().high() ? 1 : 0;
        spearman += found.spearman().low() <= rho && rho <= found.spearman().high() ? 1 : 0;
      }
      // 57 of 60 expected; below 50 with a chance of less than 1 in 1,000, were 95% exact.
      assertTrue(kendall >= 50, settings + " settings: τ within in " + kendall);
      assertTrue(spearman >= 50, settings + " settings: ρ within in " + spearman);
    }
  }

  @Test
  void drawingFewerSettingsKeepsTheWidth() {
    // Asymptotically the width falls with the root: 16 times the settings, a quarter of the width.
    Association whole = association(normal(1, 900, 1, 0.5));
    Association fewer = association(normal(1, 14_400, 1, 0.5));
    double ratio =
        (whole.kendall().high() - whole.kendall().low())
            / (fewer.kendall().high() - fewer.kendall().low());
    assertEquals(4, ratio, 0.8);
  }

  @Test
  void seedsOfASettingAreNoObservationsOfTheirOwn() {
    Association single = association(normal(3, 200, 1, 0.5));
    Association repeated = association(normal(3, 200, 5, 0.5));
    assertEquals(1000, repeated.networks());
    // The same networks five times over teach nothing.
    double width = single.kendall().high() - single.kendall().low();
    assertEquals(width, repeated.kendall().high() - repeated.kendall().low(), 0.03 * width);
  }

  @Test
  void networksWithoutAValueAreLeftOut() {
    List<NetworkRow> rows = new ArrayList<>(normal(4, 20, 1, 0.5));
    Association before = association(rows);
    rows.add(NetworkRow.builder().set(Column.GAP, 0.5).set(Column.STATUS, "failed").build());
    assertEquals(before, association(rows));
    assertEquals(20, before.networks());
  }

  @Test
  void eachValueOfEachFactorIsAGroup() {
    List<NetworkRow> rows = new ArrayList<>();
    for (NetworkRow row : normal(5, 90, 1, 0.5)) {
      int i = rows.size();
      rows.add(
          row.toBuilder()
              .set(Column.ACTIVATION, i % 3 == 0 ? "tanh" : "relu")
              .set(Column.OPTIMIZER, "adam")
              .set(Column.LEARNING_RATE, 1e-4 * (1 + i))
              .build());
    }
    List<Group> groups = Correlations.of(rows);
    assertEquals(
        List.of("", "relu", "tanh", "1e-4 … 0.0018", "0.0019 … 0.0036"),
        groups.stream().map(Group::value).limit(5).toList());
    assertEquals(1 + 2 + 5, groups.size());
    assertEquals(90, groups.get(0).networks());
    assertEquals(60, groups.get(1).networks());
    Predicate<NetworkRow> relu = r -> r.text(Column.ACTIVATION).equals("relu");
    assertEquals(
        association(rows.stream().filter(relu).toList()), groups.get(1).associations().get(0));
  }
}
