package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Operand;
import dev.flinch.device.cuda.Twins.Tolerance;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** addBias, activate and scale. */
@Tag("cuda")
class ActivationContractTest extends LaneContract {
  /** Clamps and sums round as on the CPU; tanh is good to two units in the last place on each. */
  private static Tolerance of(Activation activation) {
    return (r, i, j, expected) ->
        activation.isPiecewiseLinear() ? 0 : 8 * ROUNDING * Math.abs(expected);
  }

  /** 1 − t² takes twice the error of t, and rounds twice. */
  private static Tolerance ofSlopes(Activation activation) {
    return (r, i, j, expected) -> activation.isPiecewiseLinear() ? 0 : 18 * ROUNDING;
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void activationsAndSlopesAgreeWithTheCpuAndWithDoublePrecision(Shape shape) {
    for (Activation activation : Activation.values()) {
      for (boolean biased : new boolean[] {false, true}) {
        // Bias and activations in another layout than z, so that every stride matters.
        Operand z =
            twins.floats(
                shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(1, 3));
        Operand h =
            twins.floats(shape.replicas(), shape.rows(), shape.columns(), other(shape), zeros());
        Operand bias =
            biased
                ? twins.floats(shape.replicas(), 1, shape.columns(), shape.layout(), normal(2))
                : null;
        twins.run((lane, on) -> lane.activate(activation, on.of(z), on.of(bias), on.of(h)));
        String what = activation + (biased ? " with bias, " : ", ") + shape;
        h.agrees(what, of(activation));
        z.agrees("slopes of " + what, ofSlopes(activation));
        h.agrees(
            what,
            (r, i, j) -> activation.value(preactivation(z, bias, r, i, j)),
            // The CPU adds HardSigmoid's shift in float32 too.
            (r, i, j, expected) -> of(activation).at(r, i, j, expected) + ROUNDING);
        z.agrees(
            "slopes of " + what,
            (r, i, j) -> activation.derivative(preactivation(z, bias, r, i, j)),
            ofSlopes(activation));
        twins.release();
      }
    }
  }

  private static Layout other(Shape shape) {
    return switch (shape.layout()) {
      case DENSE, ODD -> shape.layout();
      case PADDED -> Layout.ALIGNED;
      case ALIGNED -> Layout.PADDED;
    };
  }

  private static float preactivation(Operand z, Operand bias, int r, int i, int j) {
    return (float) z.before(r, i, j) + (bias == null ? 0 : (float) bias.before(r, 0, j));
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void knotsAndSpecialValuesAreTakenAsOnTheCpu(Activation activation) {
    double[] values = {
      0,
      -0.0,
      1,
      -1,
      6,
      0.5,
      -0.5,
      Math.nextUp(6f),
      Math.nextDown(0.5f),
      Float.MIN_VALUE,
      -Float.MIN_VALUE,
      1e30,
      -1e30,
      Float.MAX_VALUE,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      Double.NaN,
      20,
      -20,
      0.625,
      1e-4
    };
    Operand z = twins.floats(1, 1, values.length, Layout.PADDED, (r, i, j) -> values[j]);
    Operand h = twins.floats(1, 1, values.length, Layout.PADDED, zeros());
    twins.run((lane, on) -> lane.activate(activation, on.of(z), null, on.of(h)));
    // A denormal rounds to a multiple of the least one.
    h.agrees(
        activation.label(),
        (r, i, j, expected) -> of(activation).at(r, i, j, expected) + Float.MIN_VALUE);
    z.agrees("slopes of " + activation.label(), ofSlopes(activation));
    assertTrue(Double.isNaN(h.after(0, 0, 16)), "a NaN passes");
    if (activation == Activation.RELU) {
      assertEquals(Double.POSITIVE_INFINITY, h.after(0, 0, 14));
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void biasesAreAdded(Shape shape) {
    Operand z =
        twins.floats(shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(3));
    Operand bias = twins.floats(shape.replicas(), 1, shape.columns(), Layout.PADDED, normal(4));
    twins.run((lane, on) -> lane.addBias(on.of(z), on.of(bias)));
    z.agreesExactly("sums");
    z.agrees(
        "sums",
        (r, i, j) -> (float) (z.before(r, i, j) + bias.before(r, 0, j)),
        (r, i, j, expected) -> 0);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void errorsAreScaledByTheSlopesOfTheirGroup(Shape shape) {
    for (int group : new int[] {1, 3}) {
      int rows = group * shape.rows();
      Operand a = twins.floats(shape.replicas(), rows, shape.columns(), shape.layout(), normal(5));
      Operand slopes =
          twins.floats(shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(6));
      Operand out = twins.floats(shape.replicas(), rows, shape.columns(), other(shape), zeros());
      twins.run((lane, on) -> lane.scale(on.of(a), on.of(slopes), group, on.of(out)));
      out.agreesExactly("errors");
      out.agrees(
          "errors",
          (r, i, j) -> (float) (a.before(r, i, j) * slopes.before(r, i / group, j)),
          (r, i, j, expected) -> 0);
      twins.run((lane, on) -> lane.scale(on.of(a), on.of(slopes), group, on.of(a)));
      a.agreesExactly("errors in place");
      if (group == 1) {
        twins.run((lane, on) -> lane.scale(on.of(a), on.of(slopes), 1, on.of(slopes)));
        slopes.agreesExactly("errors in place of slopes");
      }
      twins.release();
    }
  }
}
