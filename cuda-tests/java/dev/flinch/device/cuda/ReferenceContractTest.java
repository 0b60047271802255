package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.Activation;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** activateReferences and activateDifferences. */
@Tag("cuda")
class ReferenceContractTest extends LaneContract {
  @ParameterizedTest
  @MethodSource("shapes")
  void referencesLeaveTheirKnotsAndTheirActivations(Shape shape) {
    for (Activation activation : Activation.values()) {
      Operand z =
          twins.doubles(
              shape.replicas(), shape.rows(), shape.columns(), shape.layout(), normal(51, 3));
      Operand bias =
          shape.rows() % 2 == 0
              ? null
              : twins.floats(shape.replicas(), 1, shape.columns(), Layout.ODD, normal(52));
      Operand knots =
          twins.floats(
              shape.replicas(), 3 * shape.rows(), shape.columns(), shape.layout(), zeros());
      twins.run(
          (lane, on) -> lane.activateReferences(activation, on.of(z), on.of(bias), on.of(knots)));
      boolean exact = activation.isPiecewiseLinear();
      // tanh is good to a few units in the last place of a float64; its rounding may differ.
      knots.agrees(
          activation + ", " + shape,
          (r, i, j, expected) -> exact ? 0 : 2 * ROUNDING * Math.abs(expected));
      z.agrees(
          activation + ", " + shape, (r, i, j, expected) -> exact ? 0 : 1e-14 * Math.abs(expected));
      z.agrees(
          activation + ", " + shape,
          (r, i, j) ->
              activation.value(z.before(r, i, j) + (bias == null ? 0 : bias.before(r, 0, j))),
          (r, i, j, expected) -> 1e-14 * Math.abs(expected));
      twins.release();
    }
  }

  @Test
  void noDifferenceCrossesThePadding() {
    Operand z = twins.doubles(2, 3, 5, Layout.DENSE, normal(53));
    Operand knots = twins.floats(2, 9, 5, Layout.PADDED, zeros());
    twins.run(
        (lane, on) -> lane.activateReferences(Activation.RELU6, on.of(z), null, on.of(knots)));
    for (int r = 0; r < 2; r++) {
      for (int i = 0; i < 9; i++) {
        for (int j = 5; j < Matrix.paddedColumns(5); j++) {
          assertEquals(i % 3 == 2 ? 0 : Float.MAX_VALUE, knots.after(r, i, j));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void differencesAndTransitionsAgreeWithTheCpu(Shape shape) {
    for (Activation activation : Activation.values()) {
      int rows = shape.rows();
      Operand knots =
          twins.floats(1, 3, shape.columns(), shape.layout(), (r, i, j) -> knot(activation, i, j));
      // Steps small beside the distance to the knots, as along a trajectory, and large ones.
      double size = rows % 2 == 0 ? 0.1 : 3;
      Operand z = twins.floats(1, rows, shape.columns(), shape.layout(), normal(55, size));
      Numbers counts = twins.ints(new long[rows + 5]);
      twins.run(
          (lane, on) ->
              lane.activateDifferences(activation, on.of(z), on.of(knots), on.of(counts), 3));
      counts.agreesExactly("transitions of " + activation + ", " + shape);
      long[] expected = new long[rows + 5];
      for (int i = 0; i + 1 < rows; i++) {
        for (int j = 0; j < shape.columns(); j++) {
          expected[3 + i] += Math.abs(code(knots, z, i, j) - code(knots, z, i + 1, j));
        }
      }
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], counts.after()[i], "transitions of step " + (i - 3));
      }
      boolean exact = activation.isPiecewiseLinear();
      z.agrees(
          activation + ", " + shape, (r, i, j, value) -> exact ? 0 : 2 * tanhError(knots, z, i, j));
      if (!exact) {
        z.agrees(
            activation + ", " + shape,
            (r, i, j) -> {
              double t = knots.before(0, 2, j);
              double u = Math.tanh(z.before(0, i, j));
              return u * (1 - t * t) / (1 + t * u);
            },
            (r, i, j, value) -> tanhError(knots, z, i, j));
      }
      twins.release();
    }
  }

  /** The knots of a random reference point. */
  private static double knot(Activation activation, int i, int j) {
    double v = normal(54, 2).at(0, 0, j);
    float low = (float) (activation.low() - v);
    float high = (float) (activation.high() - v);
    return switch (i) {
      case 0 -> low;
      case 1 -> high;
      default -> activation == Activation.TANH ? Math.tanh(v) : Math.min(Math.max(0, low), high);
    };
  }

  private static int code(Operand knots, Operand z, int i, int j) {
    double v = z.before(0, i, j);
    return (v > knots.before(0, 0, j) ? 1 : 0) + (v > knots.before(0, 1, j) ? 1 : 0);
  }

  /**
   * u = tanh z has two units in the last place, which the quotient multiplies by its derivative;
   * the CPU's vectors take 1 − t² in float32, whose error is that of t².
   */
  private static double tanhError(Operand knots, Operand z, int i, int j) {
    double t = knots.before(0, 2, j);
    double u = Math.tanh(z.before(0, i, j));
    double below = 1 + t * u;
    double derivative = (1 - t * t) / (below * below);
    return ROUNDING
        * (6 * Math.abs(u) * derivative
            + 4 * Math.abs(u * (1 - t * t) / below)
            + 3 * Math.abs(u) / below
            + 2 * Math.abs(u) * (1 - t * t) / (below * below));
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void aDifferenceOfZeroStaysZeroAndNaNStaysNaN(Activation activation) {
    Operand z = twins.doubles(1, 1, 40, Layout.DENSE, normal(56, 2));
    Operand knots = twins.floats(1, 3, 40, Layout.DENSE, zeros());
    Operand differences =
        twins.floats(1, 2, 40, Layout.DENSE, (r, i, j) -> i == 0 ? 0 : Double.NaN);
    Numbers counts = twins.ints(0);
    twins.run(
        (lane, on) -> {
          lane.activateReferences(activation, on.of(z), null, on.of(knots));
          lane.activateDifferences(activation, on.of(differences), on.of(knots), on.of(counts), 0);
        });
    differences.agrees(
        activation.label(), (r, i, j) -> i == 0 ? 0 : Double.NaN, (r, i, j, expected) -> 0);
  }
}
