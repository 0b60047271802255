package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TransitionsTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static Transitions along(Network network, Trajectory trajectory, long k, int bins) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return Transitions.along(stack, trajectory, k, bins, Progress.NONE)[0];
    }
  }

  private static Reference.Transitions reference(
      Network network, Trajectory trajectory, int k, int bins) {
    return Reference.of(network)
        .transitions(i -> trajectory.point(trajectory.period() * i / k), k, bins);
  }

  private static void assertWithinTwoPerMille(
      Reference.Transitions expected, Transitions actual, String what) {
    assertEquals(expected.total(), actual.total(), 0.002 * expected.total(), what);
    assertEquals(expected.regions(), actual.regions(), 0.002 * expected.regions(), what);
    assertEquals(actual.total(), Arrays.stream(actual.perLayer()).sum(), what);
    assertEquals(actual.total(), Arrays.stream(actual.perBin()).sum(), what);
    for (int l = 0; l < actual.perLayer().length; l++) {
      assertEquals(
          expected.perLayer()[l],
          actual.perLayer()[l],
          1 + 0.002 * expected.total(),
          what + ", layer " + l);
    }
    for (int b = 0; b < actual.perBin().length; b++) {
      assertEquals(
          expected.perBin()[b],
          actual.perBin()[b],
          1 + 0.002 * expected.total(),
          what + ", bin " + b);
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void agreeWithDoublePrecisionOnAllKindsOfTrajectory(Activation activation) {
    ImageShape shape = new ImageShape(1, 4, 9);
    int d = shape.size();
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {d, 33, 31, 17, 10},
              new Integer[] {d, 1, 3},
              new Integer[] {d, 65, 16, 15, 16, 2})) {
        RandomNetworks.forSeeds(
            2,
            seed -> {
              Network network = RandomNetworks.network(seed, activation, biases, units);
              float[] x = RandomNetworks.inputs(seed, 3, d);
              for (Trajectory trajectory :
                  List.of(
                      Ellipse.random(d, seed),
                      Ellipse.through(image(x, 0, d), image(x, 1, d), image(x, 2, d)),
                      new TranslationLoop(shape, image(x, 0, d)))) {
                for (int k : new int[] {1, 2, 7, 1031, 4001}) {
                  int bins = Math.min(k, 5);
                  assertWithinTwoPerMille(
                      reference(network, trajectory, k, bins),
                      along(network, trajectory, k, bins),
                      trajectory.kind() + ", k = " + k);
                }
              }
            });
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void convolutionalNetworksAgreeOnAllKindsOfTrajectory(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Architecture architecture : RandomNetworks.convolutional(activation, biases)) {
        if (!biases && architecture.convolutions().get(1).kernel() == 1) {
          // Without a bias, a unit that sees nothing but units at rest is on its knot exactly, and
          // rounding puts it on either side: here it sees only three.
          continue;
        }
        int d = architecture.inputs();
        Network network = RandomNetworks.network(8, architecture);
        float[] x = RandomNetworks.inputs(8, 3, d);
        for (Trajectory trajectory :
            List.of(
                Ellipse.through(image(x, 0, d), image(x, 1, d), image(x, 2, d)),
                new TranslationLoop(architecture.image(), image(x, 0, d)))) {
          for (int k : new int[] {1, 3, 1201}) {
            int bins = Math.min(k, 5);
            assertWithinTwoPerMille(
                reference(network, trajectory, k, bins),
                along(network, trajectory, k, bins),
                architecture.title() + ", " + trajectory.kind() + ", k = " + k);
          }
        }
      }
    }
  }

  @Test
  void aConvolutionalNetworkAtHighDensityInventsNoTransitions() {
    Network network =
        RandomNetworks.network(
            4,
            Architecture.convolutional(
                new ImageShape(1, 6, 6),
                List.of(
                    new Convolution(4, 3, 2), new Convolution(6, 3, 2), new Convolution(5, 3, 1)),
                List.of(8, 3),
                Activation.RELU,
                true));
    Ellipse ellipse = Ellipse.random(36, 4);
    int k = 1 << 14;
    assertWithinTwoPerMille(
        reference(network, ellipse, k, 60), along(network, ellipse, k, 60), "2^14 points");
  }

  private static float[] image(float[] inputs, int i, int d) {
    return Arrays.copyOfRange(inputs, i * d, (i + 1) * d);
  }

  @Test
  void aDeepNetworkAtHighDensityInventsNoTransitions() {
    // Steps so small that float32 activations would flip codes at random near every knot.
    Network network =
        RandomNetworks.network(
            3, Activation.RELU, false, 30, 40, 40, 40, 40, 40, 40, 40, 40, 40, 10);
    Ellipse ellipse = Ellipse.random(30, 3);
    int k = 1 << 16;
    assertWithinTwoPerMille(
        reference(network, ellipse, k, 60), along(network, ellipse, k, 60), "2^16 points");
  }

  @Tag("slow")
  @Test
  void atTwoToTheTwentyPointsNothingIsInventedEither() {
    Network network =
        RandomNetworks.network(
            4, Activation.RELU, false, 50, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 10);
    Ellipse ellipse = Ellipse.random(50, 4);
    int k = 1 << 20;
    assertWithinTwoPerMille(
        reference(network, ellipse, k, 60), along(network, ellipse, k, 60), "2^20 points");
  }

  @Test
  void aBiasFreeReluNetworkIgnoresTheScaleOfItsInput() {
    Network network = RandomNetworks.network(8, Activation.RELU, false, 20, 33, 32, 5);
    float[] x = RandomNetworks.inputs(8, 3, 20);
    float[] scaled = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      scaled[i] = 3 * x[i];
    }
    Transitions one =
        along(
            network,
            Ellipse.through(image(x, 0, 20), image(x, 1, 20), image(x, 2, 20)),
            50_000,
            10);
    Transitions three =
        along(
            network,
            Ellipse.through(image(scaled, 0, 20), image(scaled, 1, 20), image(scaled, 2, 20)),
            50_000,
            10);
    assertEquals(one.total(), three.total());
    assertArrayEquals(one.perLayer(), three.perLayer());
  }

  @Test
  void aClosedTrajectoryCrossesEveryKnotAnEvenNumberOfTimes() {
    RandomNetworks.forSeeds(
        20,
        seed -> {
          Network network = RandomNetworks.network(seed, Activation.RELU6, true, 6, 1, 4);
          Transitions t = along(network, Ellipse.random(6, seed), 4099, 1);
          assertEquals(0, t.total() % 2);
        });
  }

  @Test
  void aStackGivesEachNetworkWhatItGetsAloneOnAnyNumberOfLanes() {
    List<Network> networks =
        IntStream.range(0, 3)
            .mapToObj(s -> RandomNetworks.network(s, Activation.HARD_SIGMOID, true, 12, 19, 18, 4))
            .toList();
    Ellipse ellipse = Ellipse.random(12, 1);
    try (CpuDevice oneLane = new CpuDevice(1);
        NetworkStack stack = new NetworkStack(oneLane, networks)) {
      Transitions[] together = Transitions.along(stack, ellipse, 30_001, 9, Progress.NONE);
      for (int r = 0; r < 3; r++) {
        Transitions alone = along(networks.get(r), ellipse, 30_001, 9);
        assertArrayEquals(alone.perLayer(), together[r].perLayer());
        assertArrayEquals(alone.perBin(), together[r].perBin());
        assertEquals(alone.regions(), together[r].regions());
      }
    }
  }

  @Test
  void aLinearNetworkHasOneRegion() {
    Network network = RandomNetworks.network(1, Activation.RELU, true, 7, 3);
    Transitions t = along(network, Ellipse.random(7, 1), 1000, 4);
    assertEquals(0, t.total());
    assertEquals(1, t.regions());
    assertTrue(Arrays.stream(t.perBin()).allMatch(b -> b == 0));
  }
}
