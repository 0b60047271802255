package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DryRunTest {
  private static final String SWEEP =
      """
      {"title": "Widths", "data": {"train": 1000, "test": 100},
       "training": {"stop": {"epochs": 10}},
       "factors": {"dataset": "glyphs", "depth": 2, "width": {"linear": [8, 30]},
         "batchSize": [10, 100], "train": [500, 1000, null], "learningRate": 0.1, "seed": [1, 2]},
       "constraints": ["batchSize == 100 or train < 2000"],
       "pairs": [{"name": "labels", "left": {"labels": "true"}, "right": {"labels": "random"}}]}
      """
          .replace("\"train\": 1000, \"test\"", "\"test\"");

  @Test
  void saysWhatThePlanHas() {
    SweepPlan plan = Sweeps.plan(SWEEP);
    DryRun run = DryRun.of(plan);
    assertEquals(23 * 5 * 2, run.settings());
    assertEquals(23 * 5 * 2 * 2, run.networks());
    assertEquals(Map.of("labels", 23 * 5 * 2), run.pairs());
    assertEquals(plan.stacks().size(), run.stacks());
    assertEquals(
        Map.of("500", 23 * 8, "1000", 23 * 8, "all", 23 * 4),
        run.factors().get("train").networks());
    assertEquals(Map.of("10", 23 * 8, "100", 23 * 12), run.factors().get("batchSize").networks());
    assertEquals("8", run.factors().get("width").least());
    assertEquals("30", run.factors().get("width").most());
    assertEquals(4, run.factors().size());
    double flop = 0;
    int networks = 0;
    for (int s = 0; s < plan.stacks().size(); s++) {
      flop += plan.cost(s).flop();
      networks += plan.stacks().get(s).identities().size();
    }
    assertEquals(run.networks(), networks);
    assertEquals(flop, run.trainingFlop() + run.measuringFlop(), 1e-9 * flop);
    assertEquals(plan.identity(4), run.first().get(4).identity());
  }

  @Test
  void saysHowMuchSoonerMoreWorkersWouldBeDone() {
    DryRun run = DryRun.of(Sweeps.plan(SWEEP));
    double onEight = run.secondsOnMore().get(8);
    assertTrue(onEight >= run.seconds() / 8 && onEight < run.seconds(), run.toString());
    assertTrue(run.secondsOnMore().get(64) <= onEight, run.toString());
    assertTrue(
        run.text().contains("on 1 worker, if every network trains to its limit\n          "),
        run.text());
  }

  @Test
  void textIsForPeopleAndJsonForPrograms() {
    DryRun run = DryRun.of(Sweeps.plan(SWEEP));
    String text = run.text();
    assertTrue(text.startsWith("Widths\n\nnetworks  460: 230 settings, 2 seeds each\n"), text);
    assertTrue(text.contains("\npairs     230 of labels\n"), text);
    assertTrue(text.contains("\nbatchSize  10"), text);
    assertTrue(text.contains("\nwidth      8 to 30\n"), text);
    assertTrue(text.contains(run.first().get(0).identity()), text);
    assertTrue(text.endsWith("… and 455 more\n"), text);
    assertTrue(text.lines().allMatch(line -> line.length() <= 100), text);
    assertTrue(run.toJson().contains("\"networks\" : 460"), run.toJson());
  }

  @ParameterizedTest
  @CsvSource({"0.25, 0.25 s", "59, 59 s", "90, 2 min", "12000, 3 h 20 min", "864000, 10.0 days"})
  void durations(double seconds, String words) {
    assertEquals(words, DryRun.duration(seconds));
  }
}
