package dev.flinch.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LineSearchTest {
  /**
   * The first three test functions of Moré and Thuente, §5, the second less steep, for steps of
   * float32; and a quartic.
   */
  private enum Curve {
    FLAT_FAR_OUT(t -> -t / (t * t + 2), t -> (t * t - 2) / ((t * t + 2) * (t * t + 2))),
    STEEP_NEAR_THE_MINIMUM(
        t -> Math.pow(t + 0.04, 5) - 2 * Math.pow(t + 0.04, 4),
        t -> 5 * Math.pow(t + 0.04, 4) - 8 * Math.pow(t + 0.04, 3)),
    WAVY(
        t -> {
          double wave = 2 * (1 - 0.01) / (39 * Math.PI) * Math.sin(39 * Math.PI / 2 * t);
          return wave + (t <= 0.99 ? 1 - t : t >= 1.01 ? t - 1 : (t - 1) * (t - 1) / 0.02 + 0.005);
        },
        t ->
            (1 - 0.01) * Math.cos(39 * Math.PI / 2 * t)
                + (t <= 0.99 ? -1 : t >= 1.01 ? 1 : (t - 1) / 0.01)),
    QUARTIC(t -> Math.pow(t - 3, 4), t -> 4 * Math.pow(t - 3, 3));

    private final DoubleUnaryOperator value;
    private final DoubleUnaryOperator slope;

    Curve(DoubleUnaryOperator value, DoubleUnaryOperator slope) {
      this.value = value;
      this.slope = slope;
    }
  }

  @ParameterizedTest
  @EnumSource(Curve.class)
  void stepsSatisfyTheStrongWolfeConditionsWhereverTheSearchBegins(Curve curve) {
    double value = curve.value.applyAsDouble(0);
    double slope = curve.slope.applyAsDouble(0);
    for (double first = 1e-4; first < 1e4; first *= 3) {
      LineSearch search = new LineSearch(value, slope, first);
      int evaluations = 0;
      while (search.status() == LineSearch.Status.SEARCHING) {
        double t = search.step();
        search.observe(curve.value.applyAsDouble(t), curve.slope.applyAsDouble(t));
        evaluations++;
      }
      double t = search.step();
      String what = "%s from %s: %s after %d".formatted(curve, first, t, evaluations);
      assertEquals(LineSearch.Status.FOUND, search.status(), what);
      assertTrue(curve.value.applyAsDouble(t) <= value + 1e-4 * t * slope, what);
      assertTrue(Math.abs(curve.slope.applyAsDouble(t)) <= 0.9 * Math.abs(slope), what);
      assertTrue(evaluations <= 15, what);
    }
  }

  @Test
  void linesThatDoNotFallAndLinesWithoutEndFail() {
    assertEquals(LineSearch.Status.FAILED, new LineSearch(1, 0, 1).status());
    assertEquals(LineSearch.Status.FAILED, new LineSearch(1, 2, 1).status());
    assertEquals(LineSearch.Status.FAILED, new LineSearch(1, Double.NaN, 1).status());
    LineSearch endless = new LineSearch(0, -1, 1);
    int evaluations = 0;
    while (endless.status() == LineSearch.Status.SEARCHING) {
      endless.observe(-endless.step(), -1);
      evaluations++;
    }
    assertEquals(LineSearch.Status.FAILED, endless.status());
    assertTrue(evaluations <= LineSearch.MOST_EVALUATIONS);
  }

  @Test
  void aPlateauOfRoundingFails() {
    // The slope says down, but the value never changes.
    LineSearch search = new LineSearch(1, -1e-9, 1);
    while (search.status() == LineSearch.Status.SEARCHING) {
      search.observe(1, -1e-9);
    }
    assertEquals(LineSearch.Status.FAILED, search.status());
  }

  @Test
  void aStepThatIsNotFiniteIsShortened() {
    LineSearch search = new LineSearch(0, -1, 64);
    double[] tried = new double[20];
    int evaluations = 0;
    while (search.status() == LineSearch.Status.SEARCHING) {
      double t = search.step();
      tried[evaluations++] = t;
      search.observe(t > 1 ? Double.NaN : t * t - t, 2 * t - 1);
    }
    assertEquals(LineSearch.Status.FOUND, search.status());
    assertTrue(search.step() <= 0.95, "" + search.step());
    assertTrue(evaluations <= 4);
  }
}
