package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Curve;
import dev.flinch.device.ImageShape;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.sensitivity.ExactTrajectory.Points;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a walk could lose its way: each case has a rule, and so a number. */
class ExactDegeneraciesTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static ExactTrajectory walk(Network network, Trajectory trajectory, Points points) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return ExactTrajectory.along(stack, trajectory, points, 4, Progress.NONE)[0];
    }
  }

  private static Crossings crossings(Network network, Trajectory trajectory) {
    return walk(network, trajectory, Points.NONE).crossings();
  }

  /** center + first cos (θ − start) + second sin (θ − start). */
  private static Trajectory ellipse(
      double start, double[] center, double[] first, double[] second) {
    return new Trajectory() {
      @Override
      public String kind() {
        return "random";
      }

      @Override
      public String parameter() {
        return "θ";
      }

      @Override
      public Curve curve() {
        return Curve.ellipse(start);
      }

      @Override
      public double[][] vectors() {
        return new double[][] {center, first, second};
      }
    };
  }

  private static Trajectory circle(double start) {
    return ellipse(start, new double[2], new double[] {1, 0}, new double[] {0, 1});
  }

  /** Layers of the given weights, {@code [layer][out × in]}. */
  private static Network network(
      Activation activation, List<Integer> units, float[][] weights, float[][] biases) {
    return new Network(new Architecture(units, activation, biases != null), weights, biases);
  }

  @Test
  void unitsThatCrossAtOnceCountEachAtOnePlace() {
    // The first two units are the same; the third is their mirror image, and crosses there too.
    Network network =
        network(
            Activation.RELU,
            List.of(2, 3, 2),
            new float[][] {{1, 2, 1, 2, -1, -2}, {1, 1, 1, -1, 2, 3}},
            null);
    Crossings crossings = crossings(network, circle(0));
    assertEquals(6, crossings.count());
    assertEquals(2, crossings.regions());
    for (int i = 0; i < 6; i++) {
      assertEquals(i % 3, crossings.get(i).unit());
    }
    assertEquals(Math.PI, crossings.shortestRegion().length(), 1e-12);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3, 1, 2, Math.PI / 8, 5})
  void aUnitThatTouchesItsKnotCrossesNothing(double start) {
    // z = 1 + cos θ, −1 − cos θ, and 1 − sin θ.
    Network network =
        network(
            Activation.RELU,
            List.of(2, 3, 2),
            new float[][] {{1, 0, -1, 0, 0, -1}, {1, 1, 1, -1, 2, 3}},
            new float[][] {{1, -1, 1}, {0, 0}});
    Crossings crossings = crossings(network, circle(start));
    assertEquals(0, crossings.count(), () -> Arrays.toString(crossings.parameters()));
    assertEquals(1, crossings.regions());
    assertEquals(2 * Math.PI, crossings.longestRegion().length());
  }

  @Test
  void aCrossingOnTheSeamOfTwoWalkersCountsOnce() {
    // z = sin θ and cos θ and their sum: zeros where pieces meet, the start among them.
    Network network =
        network(
            Activation.RELU,
            List.of(2, 4, 2),
            new float[][] {{0, 1, 1, 0, 1, 1, 1, -1}, {1, 1, 1, 1, -1, 2, 3, 1}},
            null);
    int healed = 0;
    for (int i = 0; i < 40; i++) {
      double start = i * Math.PI / 40 + (i % 3 - 1) * 1e-16;
      ExactTrajectory exact = walk(network, circle(start), Points.NONE);
      Crossings crossings = exact.crossings();
      assertEquals(8, crossings.count(), () -> Arrays.toString(crossings.parameters()));
      assertEquals(8, crossings.regions());
      healed += exact.healedSeams().length;
    }
    // Else none of these seams was where rounding matters.
    assertTrue(healed > 0);
  }

  @Test
  void aboveADeadLayerNothingCrosses() {
    // One unit in the first layer, dead on half of the circle; those above follow it.
    Network network =
        network(
            Activation.RELU,
            List.of(2, 1, 3, 3, 2),
            new float[][] {
              {1, 0.5f}, {0.7f, -0.3f, 0.1f}, {1, 2, 3, -1, 2, 1, 0.3f, 0, 0}, {1, 2, 3, 4, 5, 6}
            },
            null);
    ExactTrajectory exact = walk(network, circle(0.1), Points.equidistant(circle(0.1), 1000));
    Reference.Transitions sampled =
        Reference.of(network).transitions(i -> circle(0.1).point(2 * Math.PI * i / 1000), 1000, 1);
    assertEquals(sampled.total(), exact.crossings().count());
    assertArrayEquals(sampled.perLayer(), exact.crossings().transitions(1).perLayer());
    // All at the two places where the first unit crosses.
    assertEquals(2, exact.crossings().regions());
    assertEquals(0, exact.norms().minimum().norm());
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "TANH")
  void aConstantPieceHasNoCrossings(Activation activation) {
    ImageShape shape = new ImageShape(1, 3, 5);
    float[] rows = new float[15];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = i / 5 - 1;
    }
    Network network = RandomNetworks.network(1, activation, true, 15, 9, 8, 3);
    Trajectory loop = new TranslationLoop(shape, rows);
    ExactTrajectory exact = walk(network, loop, Points.equidistant(loop, 100));
    assertEquals(0, exact.crossings().count());
    double expected = Reference.frobenius(Reference.of(network).probabilityJacobian(loop.point(0)));
    assertEquals(expected, exact.norms().mean(), 1e-9 * expected);
  }

  @Test
  void anImageOfZerosIsOneRegion() {
    Network network = RandomNetworks.network(1, Activation.RELU, false, 15, 9, 8, 3);
    Trajectory loop = new TranslationLoop(new ImageShape(1, 3, 5), new float[15]);
    assertEquals(0, crossings(network, loop).count());
  }

  @Test
  void aTrajectoryThroughTheOriginOfABiasFreeNetworkCrossesAllUnitsThere() {
    RandomNetworks.forSeeds(
        4,
        seed -> {
          Network network =
              RandomNetworks.network(seed, Activation.RELU, false, 6, 12, 11, 10, 9, 3);
          float[] x = RandomNetworks.inputs(seed, 2, 6);
          double[] u = RandomNetworks.row(x, 0, 6);
          double[] v = RandomNetworks.row(x, 1, 6);
          double[] back = Arrays.stream(u).map(a -> -a).toArray();
          for (double start : new double[] {0, 0.7, 3}) {
            // −u + u cos + v sin is zero where the angle is.
            Trajectory through = ellipse(start, back, u, v);
            Crossings crossings = crossings(network, through);
            // Points that keep away from the origin by half a step.
            int k = 5_000;
            Reference.Transitions sampled =
                Reference.of(network)
                    .transitions(i -> through.point(start + 2 * Math.PI * (i + 0.5) / k), k, 1);
            assertEquals(sampled.total(), crossings.count(), "start " + start);
            assertArrayEquals(sampled.perLayer(), crossings.transitions(1).perLayer());
          }
        });
  }

  @Test
  void aSmoothNetworkIsRefused() {
    Network network = RandomNetworks.network(1, Activation.TANH, false, 2, 3, 2);
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> crossings(network, circle(0)))
            .getMessage()
            .contains("piecewise-linear"));
  }
}
