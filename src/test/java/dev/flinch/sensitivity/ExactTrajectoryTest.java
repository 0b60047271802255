package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import dev.flinch.sensitivity.Crossings.Crossing;
import dev.flinch.sensitivity.ExactTrajectory.Points;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class ExactTrajectoryTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final ImageShape SHAPE = new ImageShape(1, 4, 9);
  private static final int D = SHAPE.size();

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static ExactTrajectory walk(Network network, Trajectory trajectory, Points points) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return ExactTrajectory.along(stack, trajectory, points, 5, Progress.NONE)[0];
    }
  }

  private static Crossings crossings(Network network, Trajectory trajectory) {
    return walk(network, trajectory, Points.NONE).crossings();
  }

  private static List<Trajectory> trajectories(long seed) {
    float[] x = RandomNetworks.inputs(seed, 3, D);
    return List.of(
        Ellipse.random(D, seed),
        Ellipse.through(image(x, 0), image(x, 1), image(x, 2)),
        new TranslationLoop(SHAPE, image(x, 0)));
  }

  private static float[] image(float[] inputs, int i) {
    return Arrays.copyOfRange(inputs, i * D, (i + 1) * D);
  }

  /**
   * Crossings between patterns of double precision at points so dense that hardly any is missed.
   */
  private static long sampled(Network network, Trajectory trajectory, int k) {
    return Reference.of(network)
        .transitions(i -> trajectory.point(trajectory.period() * i / k), k, 5)
        .total();
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "TANH")
  void theCountIsNeverBelowTheSampledOneAndEqualsItOnceItIsDense(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {D, 17, 15, 9, 10},
              new Integer[] {D, 1, 3},
              new Integer[] {D, 23, 8, 7, 6, 5, 4, 2})) {
        RandomNetworks.forSeeds(
            2,
            seed -> {
              Network network = RandomNetworks.network(seed, activation, biases, units);
              for (Trajectory trajectory : trajectories(seed)) {
                ExactTrajectory exact = walk(network, trajectory, Points.NONE);
                String what =
                    trajectory.kind()
                        + " "
                        + network.architecture().title()
                        + ", drift "
                        + exact.drift();
                Transitions counts = exact.crossings().transitions(5);
                assertTrue(counts.total() >= sampled(network, trajectory, 300), what);
                Reference.Transitions dense =
                    Reference.of(network)
                        .transitions(
                            i -> trajectory.point(trajectory.period() * i / 4_000), 4_000, 5);
                if (dense.total() != counts.total()) {
                  // A pair that is nearer than the samples; ask again around each crossing.
                  assertEquals(
                      between(network, trajectory, exact.crossings()), counts.total(), what);
                }
                assertArrayEquals(perLayer(exact.crossings()), counts.perLayer(), what);
                assertTrue(exact.drift() < 1e-9, what);
              }
            });
      }
    }
  }

  private static long[] perLayer(Crossings crossings) {
    long[] perLayer = new long[crossings.transitions(1).perLayer().length];
    for (int i = 0; i < crossings.count(); i++) {
      perLayer[crossings.get(i).layer() - 1]++;
    }
    return perLayer;
  }

  /** Transitions sampled at the middle of every region that the walk tells of. */
  private static long between(Network network, Trajectory trajectory, Crossings crossings) {
    double[] at = crossings.parameters();
    double[] middles = new double[at.length];
    for (int i = 0; i < at.length; i++) {
      double end = i + 1 < at.length ? at[i + 1] : at[0] + trajectory.period();
      middles[i] = (at[i] + end) / 2 % trajectory.period();
    }
    Arrays.sort(middles);
    return Reference.of(network)
        .transitions(i -> trajectory.point(middles[i]), middles.length, 1)
        .total();
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "TANH")
  void codesChangeByTheCrossingsUnitAloneAndByOneStep(Activation activation) {
    RandomNetworks.forSeeds(
        3,
        seed -> {
          Network network = RandomNetworks.network(seed, activation, true, D, 12, 11, 10, 4);
          Reference reference = Reference.of(network);
          for (Trajectory trajectory : trajectories(seed)) {
            Crossings crossings = crossings(network, trajectory);
            int[] sums = new int[64];
            for (int i = 0; i < crossings.count(); i++) {
              Crossing c = crossings.get(i);
              double before = i == 0 ? 0 : crossings.get(i - 1).parameter();
              double after =
                  i + 1 < crossings.count()
                      ? crossings.get(i + 1).parameter()
                      : trajectory.period();
              sums[c.layer() * 12 + c.unit()] += c.change();
              if (c.parameter() - before < 1e-9 || after - c.parameter() < 1e-9) {
                continue;
              }
              int[][] one = reference.pattern(trajectory.point((before + c.parameter()) / 2));
              int[][] two = reference.pattern(trajectory.point((after + c.parameter()) / 2));
              assertEquals(c.code(), two[c.layer() - 1][c.unit()]);
              one[c.layer() - 1][c.unit()] += c.change();
              assertArrayEquals(one, two, "at " + c);
            }
            assertArrayEquals(new int[64], sums, "around the closed curve");
          }
        });
  }

  @ParameterizedTest
  @EnumSource(mode = Mode.EXCLUDE, names = "TANH")
  void normsEqualDirectOnesInDoublePrecision(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      RandomNetworks.forSeeds(
          2,
          seed -> {
            for (Integer[] units :
                List.of(new Integer[] {D, 14, 13, 12, 10}, new Integer[] {D, 40, 7, 3})) {
              Network network = RandomNetworks.network(seed, activation, biases, units);
              Reference reference = Reference.of(network);
              for (Trajectory trajectory : trajectories(seed)) {
                for (double parameter : parameters(seed, trajectory)) {
                  TrajectoryNorms norms = walk(network, trajectory, Points.of(parameter)).norms();
                  double expected =
                      Reference.frobenius(
                          reference.probabilityJacobian(trajectory.point(parameter)));
                  assertEquals(expected, norms.mean(), 1e-6 * expected + 1e-300);
                  assertEquals(norms.mean(), norms.maximum().norm());
                  assertEquals(parameter, norms.minimum().parameter());
                }
              }
            }
          });
    }
  }

  private static double[] parameters(long seed, Trajectory trajectory) {
    float[] random = RandomNetworks.inputs(seed + 100, 1, 4);
    return IntStream.range(0, 4)
        .mapToDouble(i -> Math.abs(random[i]) % 1 * trajectory.period())
        .toArray();
  }

  /** A trajectory whose vectors and curve are those of another, changed. */
  private static Trajectory like(Trajectory other, Curve curve, double[][] vectors) {
    return new Trajectory() {
      @Override
      public String kind() {
        return other.kind();
      }

      @Override
      public String parameter() {
        return other.parameter();
      }

      @Override
      public Curve curve() {
        return curve;
      }

      @Override
      public double[][] vectors() {
        return vectors;
      }
    };
  }

  @Test
  void aReversedTrajectoryHasTheSameCrossingsBackwards() {
    RandomNetworks.forSeeds(
        4,
        seed -> {
          Network network =
              RandomNetworks.network(seed, Activation.RELU6, seed % 2 == 0, D, 20, 20, 20, 5);
          Trajectory forwards = trajectories(seed).get(1);
          double[][] v = forwards.vectors();
          double[] back = Arrays.stream(v[2]).map(x -> -x).toArray();
          // cos(−θ − s) = cos(θ + s): the sine's vector and the start change their signs.
          Trajectory backwards =
              like(
                  forwards,
                  Curve.ellipse(-forwards.curve().start()),
                  new double[][] {v[0], v[1], back});
          Crossings one = crossings(network, forwards);
          Crossings two = crossings(network, backwards);
          assertEquals(one.count(), two.count());
          for (int i = 0; i < one.count(); i++) {
            Crossing a = one.get(i);
            Crossing b = two.get(two.count() - 1 - i);
            assertEquals(a.parameter(), forwards.period() - b.parameter(), 1e-9);
            assertEquals(a.layer(), b.layer());
            assertEquals(a.unit(), b.unit());
            assertEquals(a.change(), -b.change());
          }
        });
  }

  @Test
  void anotherStartChangesNothing() {
    RandomNetworks.forSeeds(
        4,
        seed -> {
          Network network = RandomNetworks.network(seed, Activation.RELU, true, D, 20, 20, 20, 5);
          Trajectory here = trajectories(seed).get(0);
          Trajectory there = like(here, Curve.ellipse(here.curve().start() + 1), here.vectors());
          double[] one = crossings(network, here).parameters();
          double[] two =
              Arrays.stream(crossings(network, there).parameters())
                  .map(t -> (t - 1 + here.period()) % here.period())
                  .sorted()
                  .toArray();
          assertArrayEquals(one, two, 1e-9);
        });
  }

  @Test
  void aBiasFreeReluNetworkHasTheSameCrossingsOnAScaledTrajectory() {
    RandomNetworks.forSeeds(
        4,
        seed -> {
          Network network = RandomNetworks.network(seed, Activation.RELU, false, D, 20, 20, 20, 5);
          for (Trajectory one : trajectories(seed)) {
            Trajectory three =
                like(
                    one,
                    one.curve(),
                    Arrays.stream(one.vectors())
                        .map(v -> Arrays.stream(v).map(x -> 3 * x).toArray())
                        .toArray(double[][]::new));
            assertArrayEquals(
                crossings(network, one).parameters(), crossings(network, three).parameters(), 1e-9);
          }
        });
  }

  @Test
  void replicasOfAStackAreWalkedAsIfAlone() {
    Network[] networks =
        IntStream.range(0, 3)
            .mapToObj(s -> RandomNetworks.network(s, Activation.HARD_TANH, true, D, 20, 10, 3))
            .toArray(Network[]::new);
    Trajectory trajectory = trajectories(7).get(0);
    Points points = Points.equidistant(trajectory, 500);
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(networks))) {
      ExactTrajectory[] together =
          ExactTrajectory.along(stack, trajectory, points, 5, Progress.NONE);
      for (int r = 0; r < 3; r++) {
        ExactTrajectory alone = walk(networks[r], trajectory, points);
        assertArrayEquals(alone.crossings().parameters(), together[r].crossings().parameters());
        assertEquals(alone.norms().mean(), together[r].norms().mean());
      }
    }
  }

  @Test
  void aWideNetworkOfTheStudiesDriftsByLittle() {
    Network network = Network.initial(Architecture.uniform(64, 20, 100, 10, Activation.RELU), 1, 1);
    Ellipse ellipse = Ellipse.random(64, 1);
    ExactTrajectory exact = walk(network, ellipse, Points.equidistant(ellipse, 1000));
    assertEquals(between(network, ellipse, exact.crossings()), exact.crossings().count());
  }
}
