package dev.flinch.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.reference.Reference;
import dev.flinch.training.Lbfgs.Ending;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LbfgsTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  /** A function in double precision that adds its gradient to zeros. */
  private interface Function {
    double value(double[] x, double[] gradient);
  }

  /**
   * Functions with known minima of 0, and the iterations that SciPy 1.17.1 takes to them in double
   * precision: {@code minimize(f, x0, jac=True, method="L-BFGS-B", options={"maxcor": 10}).nit}.
   */
  private enum Problem {
    ROSENBROCK(LbfgsTest::rosenbrock, repeated(2, -1.2f, 1), 1, 36),
    ROSENBROCK_100(LbfgsTest::rosenbrock, repeated(100, -1.2f, 1), 1, 36),
    /** More variables than a task has; by symmetry as many iterations as with 6000. */
    ROSENBROCK_70000(LbfgsTest::rosenbrock, repeated(70_000, -1.2f, 1), 1, 36),
    /** J. C. Nash's chain, in which neighbours share a variable. */
    CHAINED_ROSENBROCK_20(LbfgsTest::chainedRosenbrock, repeated(20, -1.2f, 1), 1, 122),
    BEALE(LbfgsTest::beale, new float[] {1, 1}, Double.NaN, 15),
    /** Curvatures from 1 to 1000. */
    QUADRATIC_50(LbfgsTest::quadratic, new float[50], 1, 176),
    /** Its Hessian is singular at the minimum, where all variables are 0. */
    POWELL(LbfgsTest::powell, new float[] {3, -1, 0, 1}, 0, 27);

    private final Function function;
    private final float[] start;
    private final double minimum;
    private final int scipyIterations;

    Problem(Function function, float[] start, double minimum, int scipyIterations) {
      this.function = function;
      this.start = start;
      this.minimum = minimum;
      this.scipyIterations = scipyIterations;
    }
  }

  private static float[] repeated(int n, float even, float odd) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = i % 2 == 0 ? even : odd;
    }
    return x;
  }

  private static double rosenbrock(double[] x, double[] g) {
    double value = 0;
    for (int i = 0; i < x.length; i += 2) {
      value += valley(x, g, i);
    }
    return value;
  }

  private static double chainedRosenbrock(double[] x, double[] g) {
    double value = 0;
    for (int i = 0; i + 1 < x.length; i++) {
      value += valley(x, g, i);
    }
    return value;
  }

  private static double valley(double[] x, double[] g, int i) {
    double a = x[i + 1] - x[i] * x[i];
    double b = 1 - x[i];
    g[i] += -400 * a * x[i] - 2 * b;
    g[i + 1] += 200 * a;
    return 100 * a * a + b * b;
  }

  private static double beale(double[] x, double[] g) {
    double[] c = {1.5, 2.25, 2.625};
    double value = 0;
    for (int i = 0; i < 3; i++) {
      double power = Math.pow(x[1], i + 1);
      double t = c[i] - x[0] * (1 - power);
      g[0] -= 2 * t * (1 - power);
      g[1] += 2 * t * x[0] * (i + 1) * Math.pow(x[1], i);
      value += t * t;
    }
    return value;
  }

  private static double quadratic(double[] x, double[] g) {
    double value = 0;
    for (int i = 0; i < x.length; i++) {
      double curvature = Math.pow(10, 3.0 * i / (x.length - 1));
      g[i] += curvature * (x[i] - 1);
      value += curvature * (x[i] - 1) * (x[i] - 1) / 2;
    }
    return value;
  }

  private static double powell(double[] x, double[] g) {
    double a = x[0] + 10 * x[1];
    double b = x[2] - x[3];
    double c = x[1] - 2 * x[2];
    double d = x[0] - x[3];
    g[0] += 2 * a + 40 * d * d * d;
    g[1] += 20 * a + 4 * c * c * c;
    g[2] += 10 * b - 8 * c * c * c;
    g[3] += -10 * b - 40 * d * d * d;
    return a * a + 5 * b * b + Math.pow(c, 4) + 10 * Math.pow(d, 4);
  }

  /** Where a replica stood at its start and after every iteration, and how it ended. */
  private static final class Path {
    private final List<float[]> points = new ArrayList<>();
    private Ending ending = Ending.NONE;

    float[] end() {
      return points.get(points.size() - 1);
    }
  }

  /** Functions of equally many variables, each its own replica's. */
  private static List<Path> minimise(
      CpuDevice device, List<Function> functions, List<float[]> starts, int most) {
    int n = starts.get(0).length;
    int replicas = functions.size();
    List<Path> paths = functions.stream().map(f -> new Path()).toList();
    try (Scope scope = new Scope(device)) {
      Lbfgs lbfgs = new Lbfgs(device, scope, replicas, n);
      Matrix points = lbfgs.points(0, 1, n);
      Matrix trials = lbfgs.trials(0, 1, n);
      Matrix gradients = lbfgs.gradients(0, 1, n);
      for (int r = 0; r < replicas; r++) {
        device.upload(starts.get(r), 0, points.data(), points.start(r), n);
        paths.get(r).points.add(starts.get(r));
      }
      Lbfgs.Objective objective =
          (chosen, losses) -> {
            for (int r : chosen) {
              float[] x = new float[n];
              device.download(trials.data(), trials.start(r), x, 0, n);
              double[] gradient = new double[n];
              losses[r] = functions.get(r).value(Reference.doubles(x), gradient);
              float[] rounded = new float[n];
              IntStream.range(0, n).forEach(i -> rounded[i] = (float) gradient[i]);
              device.upload(rounded, 0, gradients.data(), gradients.start(r), n);
            }
          };
      int[] active = IntStream.range(0, replicas).toArray();
      Ending[] endings = lbfgs.start(active, objective);
      for (int iteration = 0; ; iteration++) {
        for (int i = 0; i < active.length; i++) {
          paths.get(active[i]).ending = endings[i];
        }
        active = Arrays.stream(active).filter(r -> paths.get(r).ending == Ending.NONE).toArray();
        if (active.length == 0 || iteration == most) {
          return paths;
        }
        endings = lbfgs.iterate(active, objective);
        for (int r : active) {
          float[] x = new float[n];
          device.download(points.data(), points.start(r), x, 0, n);
          paths.get(r).points.add(x);
        }
      }
    }
  }

  private static Path minimise(Problem problem) {
    return minimise(DEVICE, List.of(problem.function), List.of(problem.start), 1000).get(0);
  }

  private static double value(Problem problem, float[] x) {
    return problem.function.value(Reference.doubles(x), new double[x.length]);
  }

  @ParameterizedTest
  @EnumSource(Problem.class)
  void minimaAreReachedInAboutAsManyIterationsAsSciPyTakes(Problem problem) {
    Path path = minimise(problem);
    int iterations = path.points.size() - 1;
    System.out.println(
        problem + " " + iterations + " " + path.ending + " " + value(problem, path.end()));
    // Rounding sends the paths apart after some iterations.
    assertTrue(iterations <= 1.2 * problem.scipyIterations, problem + ": " + iterations);
    assertTrue(value(problem, path.end()) < 1e-6, problem + ": " + value(problem, path.end()));
    double[] expected = problem == Problem.BEALE ? new double[] {3, 0.5} : null;
    for (int i = 0; i < path.end().length; i++) {
      double minimum = expected != null ? expected[i] : problem.minimum;
      // A value of 1e-7 leaves this in the flattest direction of these functions; Powell's is flat
      // to the fourth order.
      double tolerance = problem == Problem.POWELL ? 0.05 : 2e-3;
      assertEquals(minimum, path.end()[i], tolerance, problem + " " + i);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Problem.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"ROSENBROCK_70000"})
  void everyStepSatisfiesTheStrongWolfeConditions(Problem problem) {
    Path path = minimise(problem);
    int n = problem.start.length;
    for (int k = 0; k + 1 < path.points.size(); k++) {
      double[] from = Reference.doubles(path.points.get(k));
      double[] to = Reference.doubles(path.points.get(k + 1));
      if (Arrays.equals(from, to)) {
        assertEquals(path.points.size(), k + 2, "only a search that fails leaves a point in place");
        return;
      }
      double[] before = new double[n];
      double[] after = new double[n];
      double decrease = problem.function.value(from, before) - problem.function.value(to, after);
      double slope = 0;
      double slopeAfter = 0;
      double rounding = 0;
      for (int i = 0; i < n; i++) {
        slope += before[i] * (to[i] - from[i]);
        slopeAfter += after[i] * (to[i] - from[i]);
        // The point that is stepped to is rounded, and so is its gradient.
        rounding +=
            0x1p-23 * (Math.abs(before[i] * to[i]) + Math.abs(after[i] * (to[i] - from[i])));
      }
      assertTrue(slope < 0, problem + ", iteration " + k + ": not downhill");
      assertTrue(
          decrease >= LineSearch.DECREASE * (-slope - rounding),
          "%s, iteration %d: decrease %s of slope %s".formatted(problem, k, decrease, slope));
      assertTrue(
          Math.abs(slopeAfter) <= LineSearch.CURVATURE * -slope + 2 * rounding,
          "%s, iteration %d: slopes %s, %s".formatted(problem, k, slope, slopeAfter));
    }
  }

  @Test
  void companyAndLanesChangeNoBit() {
    List<Function> functions =
        List.of(LbfgsTest::quadratic, LbfgsTest::chainedRosenbrock, LbfgsTest::rosenbrock);
    int n = 5000;
    List<float[]> starts = List.of(new float[n], repeated(n, -1.2f, 1), repeated(n, 0.5f, 2));
    List<Path> together = minimise(DEVICE, functions, starts, 25);
    try (CpuDevice one = new CpuDevice(1);
        CpuDevice five = new CpuDevice(5)) {
      for (int r = 0; r < functions.size(); r++) {
        for (CpuDevice device : List.of(one, five)) {
          Path alone =
              minimise(device, List.of(functions.get(r)), List.of(starts.get(r)), 25).get(0);
          assertEquals(alone.ending, together.get(r).ending);
          assertArrayEquals(alone.points.toArray(), together.get(r).points.toArray());
        }
      }
    }
  }

  @Test
  void aStepOutOfTheDomainIsShortened() {
    // Its minimum is at 0.8; it is not finite from 1 on, where the first steps lead.
    Function barrier =
        (x, g) -> {
          g[0] += 1 / (1 - x[0]) - 5;
          return -Math.log(1 - x[0]) - 5 * x[0];
        };
    Path path = minimise(DEVICE, List.of(barrier), List.of(new float[] {-100}), 100).get(0);
    assertEquals(0.8, path.end()[0], 1e-3);
    assertTrue(path.ending == Ending.CONVERGED || path.ending == Ending.STUCK, "" + path.ending);
  }

  @Test
  void functionsThatAreNotFiniteEndAndLeaveTheOthersAlone() {
    Function never = (x, g) -> Double.NaN;
    Function nowhereElse =
        (x, g) -> {
          g[0] += 1;
          return x[0] == 3 ? 0 : Double.POSITIVE_INFINITY;
        };
    float[] start = {3, 2};
    List<Path> paths =
        minimise(
            DEVICE,
            List.of(never, LbfgsTest::rosenbrock, nowhereElse),
            List.of(start, start, start),
            100);
    assertEquals(Ending.NOT_FINITE, paths.get(0).ending);
    assertEquals(Ending.CONVERGED, paths.get(1).ending);
    // Its steps were shortened until they led nowhere.
    assertEquals(Ending.STUCK, paths.get(2).ending);
    assertArrayEquals(start, paths.get(2).end());
    Path alone = minimise(DEVICE, List.of(LbfgsTest::rosenbrock), List.of(start), 100).get(0);
    assertArrayEquals(alone.end(), paths.get(1).end());
  }

  @Test
  void aMinimumIsLeftAtOnce() {
    Path path =
        minimise(DEVICE, List.of(LbfgsTest::rosenbrock), List.of(new float[] {1, 1}), 10).get(0);
    assertEquals(Ending.CONVERGED, path.ending);
    assertEquals(1, path.points.size());
  }
}
