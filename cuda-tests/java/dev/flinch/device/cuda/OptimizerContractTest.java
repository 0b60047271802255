package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import dev.flinch.reference.ReferenceOptimizer;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("cuda")
class OptimizerContractTest extends LaneContract {
  private static final double[] RATES = {0.5, 0.1, 0.02, 0.003, 0.7};

  @ParameterizedTest
  @MethodSource("shapes")
  void everyRuleAgreesWithTheCpu(Shape shape) {
    for (OptimizerRule rule : OptimizerRule.values()) {
      // The first replica's stand at 1.
      int stand = shape.replicas() + 2;
      Operand rates = twins.floats(1, 1, stand, Layout.DENSE, (r, i, j) -> RATES[j % 5]);
      long[] all = new long[stand];
      Arrays.fill(all, 1, stand - 1, 1);
      Numbers running = twins.ints(all);
      Operand weights = operand(shape, 21);
      Operand gradient = operand(shape, 22);
      Operand[] slots = new Operand[rule.slots()];
      for (int s = 0; s < slots.length; s++) {
        slots[s] =
            twins.floats(
                shape.replicas(),
                shape.rows(),
                shape.columns(),
                shape.layout(),
                (r, i, j) -> Math.abs(normal(23).at(r, i, j)));
      }
      twins.run(
          (lane, on) ->
              lane.update(
                  rule,
                  on.of(rates).data(),
                  on.of(running),
                  1,
                  on.of(weights),
                  on.of(gradient),
                  Stream.of(slots).map(on::of).toArray(Matrix[]::new)));
      // Both round each product, sum, root and quotient; the card fuses some of them.
      for (Operand slot : slots) {
        slot.agrees(
            rule + " slot, " + shape,
            (r, i, j, expected) ->
                4
                    * ROUNDING
                    * (slot.before(r, i, j)
                        + Math.abs(gradient.before(r, i, j))
                        + Math.abs(expected)));
      }
      weights.agrees(
          rule + ", " + shape,
          (r, i, j, expected) -> {
            double before = weights.before(r, i, j);
            return ROUNDING
                * (2 * Math.abs(before)
                    + 2 * Math.abs(expected)
                    + 12 * Math.abs(expected - before)
                    // A velocity may cancel: its error is that of its terms.
                    + 4
                        * RATES[(1 + r) % 5]
                        * (Math.abs(gradient.before(r, i, j))
                            + (slots.length == 0 ? 0 : slots[0].before(r, i, j))));
          });
      twins.release();
    }
  }

  private static Operand operand(Shape shape, long seed) {
    return twins.floats(
        shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(seed));
  }

  @ParameterizedTest
  @EnumSource(OptimizerRule.class)
  void replicasThatHaltedAreLeftUntouched(OptimizerRule rule) {
    Operand rates = twins.floats(1, 1, 5, Layout.DENSE, (r, i, j) -> RATES[j]);
    Numbers running = twins.ints(1, 0, 1, 0, 1);
    Shape shape = new Shape(5, 3, 33, Layout.ALIGNED);
    Operand weights = operand(shape, 24);
    Operand gradient = operand(shape, 25);
    Operand[] slots = new Operand[rule.slots()];
    for (int s = 0; s < slots.length; s++) {
      slots[s] = twins.floats(5, 3, 33, Layout.ALIGNED, (r, i, j) -> 1);
    }
    twins.run(
        (lane, on) ->
            lane.update(
                rule,
                on.of(rates).data(),
                on.of(running),
                0,
                on.of(weights),
                on.of(gradient),
                Stream.of(slots).map(on::of).toArray(Matrix[]::new)));
    for (int r = 0; r < 5; r++) {
      for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 33; j++) {
          boolean changed = weights.before(r, i, j) != weights.after(r, i, j);
          assertEquals(r % 2 == 0, changed, "replica " + r);
          for (Operand slot : slots) {
            assertEquals(r % 2 == 0, slot.before(r, i, j) != slot.after(r, i, j), "slot of " + r);
          }
        }
      }
    }
  }

  @Test
  void threeStepsFollowTheDoublePrecisionReference() {
    int n = 7;
    for (OptimizerRule rule : OptimizerRule.values()) {
      Operand weights = twins.floats(1, 1, n, Layout.DENSE, normal(26));
      Operand gradient = twins.floats(1, 1, n, Layout.DENSE, normal(27));
      Operand[] slots = new Operand[rule.slots()];
      for (int s = 0; s < slots.length; s++) {
        slots[s] = twins.floats(1, 1, n, Layout.DENSE, (r, i, j) -> rule.initialSlot());
      }
      // The rate of step t stands where replica t's would.
      Numbers running = twins.ints(1, 1, 1);
      Operand rates =
          twins.floats(1, 1, 3, Layout.DENSE, (r, i, j) -> 0.1 * rule.rateFactor(j + 1));
      double[] w = new double[n];
      double[] g = new double[n];
      double[] first = new double[n];
      double[] second = new double[n];
      for (int j = 0; j < n; j++) {
        w[j] = weights.before(0, 0, j);
        g[j] = gradient.before(0, 0, j);
        first[j] = rule.initialSlot();
      }
      for (int t = 1; t <= 3; t++) {
        switch (rule) {
          case SGD -> ReferenceOptimizer.sgd(w, g, 0.1);
          case MOMENTUM -> ReferenceOptimizer.momentum(w, g, first, 0.1);
          case ADAM -> ReferenceOptimizer.adam(w, g, first, second, t, 0.1);
          case RMSPROP -> ReferenceOptimizer.rmsProp(w, g, first, 0.1);
          default -> throw new AssertionError(rule);
        }
      }
      twins.run(
          (lane, on) -> {
            Matrix[] kept = Stream.of(slots).map(on::of).toArray(Matrix[]::new);
            for (int t = 0; t < 3; t++) {
              lane.update(
                  rule,
                  on.of(rates).data(),
                  on.of(running),
                  t,
                  on.of(weights),
                  on.of(gradient),
                  kept);
            }
          });
      // A dozen roundings a step, of numbers around 1; and 1 - 0.999f is 0.001 but for 1e-5 of it,
      // which a root halves.
      double decay = rule == OptimizerRule.ADAM ? 1e-5 : 0;
      weights.agrees(
          rule.label(),
          (r, i, j) -> w[j],
          (r, i, j, expected) -> 40 * ROUNDING * (1 + Math.abs(expected)) + 0.3 * decay);
      twins.release();
    }
  }

  @Test
  void replicasWithoutAFiniteLossHalt() {
    double[] losses = {
      1, Double.NaN, 0, Double.POSITIVE_INFINITY, -1e30, Double.NEGATIVE_INFINITY, 2
    };
    Operand sums = twins.floats(7, 1, 1, Layout.ODD, (r, i, j) -> losses[r]);
    Numbers running = twins.ints(9, 1, 1, 1, 1, 1, 1, 0, 9);
    twins.run((lane, on) -> lane.haltNonFinite(on.of(sums), on.of(running), 1));
    running.agreesExactly("running");
    assertArrayEquals(new long[] {9, 1, 0, 1, 0, 1, 0, 0, 9}, running.after());
  }
}
