package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.PatternHash;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.trajectory.Plane;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RegionMapTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final int D = 13;

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static Plane plane(long seed) {
    return plane(seed, D);
  }

  private static Plane plane(long seed, int d) {
    float[] x = RandomNetworks.inputs(seed, 3, d);
    return Plane.through(
        Arrays.copyOf(x, d), Arrays.copyOfRange(x, d, 2 * d), Arrays.copyOfRange(x, 2 * d, 3 * d));
  }

  private static RegionMap map(Network network, Plane plane, int size, HiddenLayers layers) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return RegionMap.of(stack, plane, size, layers, Progress.NONE)[0];
    }
  }

  /** Codes of each pixel's chosen layers by plain loops in double precision. */
  private static int[][][] patterns(Network network, Plane plane, int size, HiddenLayers layers) {
    Reference reference = Reference.of(network);
    return IntStream.range(0, size * size)
        .parallel()
        .mapToObj(
            i -> {
              double[] x = plane.point(Plane.x(i % size, size), Plane.y(i / size, size));
              int[][] pattern = reference.pattern(x);
              for (int l = 0; l < pattern.length; l++) {
                pattern[l] = layers.contains(l) ? pattern[l] : new int[pattern[l].length];
              }
              return pattern;
            })
        .toArray(int[][][]::new);
  }

  static long hash(int[][] pattern) {
    long hash = 0;
    long unit = 0;
    for (int[] layer : pattern) {
      for (int code : layer) {
        hash += code * PatternHash.key(unit++);
      }
    }
    return hash;
  }

  private static int changes(int[][] a, int[][] b) {
    int sum = 0;
    for (int l = 0; l < a.length; l++) {
      for (int j = 0; j < a[l].length; j++) {
        sum += Math.abs(a[l][j] - b[l][j]);
      }
    }
    return sum;
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void patternsAndTransitionsAgreeWithDoublePrecision(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {D, 33, 31, 17, 10},
              new Integer[] {D, 1, 3},
              new Integer[] {D, 65, 16, 15, 16, 2})) {
        int hidden = units.length - 2;
        List<HiddenLayers> choices =
            List.of(
                new HiddenLayers(0, hidden - 1), HiddenLayers.one(hidden - 1), HiddenLayers.one(0));
        for (int size : new int[] {1, 2, 3, 31, 47}) {
          for (HiddenLayers layers : choices) {
            RandomNetworks.forSeeds(
                1,
                seed -> {
                  Network network = RandomNetworks.network(seed, activation, biases, units);
                  agrees(network, plane(seed + 50), size, layers);
                });
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void patternsOfConvolutionalNetworksAgreeToo(Activation activation) {
    for (Architecture architecture : RandomNetworks.convolutional(activation, true)) {
      Network network = RandomNetworks.network(3, architecture);
      Plane plane = plane(53, architecture.inputs());
      for (HiddenLayers layers :
          List.of(HiddenLayers.all(architecture), HiddenLayers.one(0), HiddenLayers.one(1))) {
        agrees(network, plane, 31, layers);
      }
    }
  }

  private static void agrees(Network network, Plane plane, int size, HiddenLayers layers) {
    int[][][] expected = patterns(network, plane, size, layers);
    RegionMap map = map(network, plane, size, layers);
    long different =
        IntStream.range(0, size * size).filter(i -> hash(expected[i]) != map.hashes()[i]).count();
    String what = "%s, %d pixels, %s".formatted(network.architecture().title(), size, layers);
    // A pixel's centre may lie on a boundary up to rounding; one in a thousand never does.
    assertTrue(different <= size * size / 1000, what + ": " + different + " pixels differ");
    long total = 0;
    long off = 0;
    for (int i = 0; i < size * size; i++) {
      int at =
          (i % size < size - 1 ? changes(expected[i], expected[i + 1]) : 0)
              + (i / size < size - 1 ? changes(expected[i], expected[i + size]) : 0);
      total += at;
      off += Math.abs(at - map.transitions()[i]);
    }
    assertTrue(off <= 0.001 * total, what + ": %d of %d transitions".formatted(off, total));
  }

  @Test
  void aDeepNetworkAtHighResolutionInventsNoRegions() {
    Network network =
        RandomNetworks.network(
            3, Activation.RELU6, false, D, 40, 40, 40, 40, 40, 40, 40, 40, 40, 10);
    HiddenLayers last = HiddenLayers.last(network.architecture());
    agrees(network, plane(3), 200, last);
  }

  @Test
  void replicasOfAStackHaveTheMapsThatTheyHaveAlone() {
    List<Network> networks =
        List.of(
            RandomNetworks.network(1, Activation.HARD_TANH, true, D, 20, 17, 4),
            RandomNetworks.network(2, Activation.HARD_TANH, true, D, 20, 17, 4));
    Plane plane = plane(1);
    HiddenLayers all = HiddenLayers.all(networks.get(0).architecture());
    try (NetworkStack stack = new NetworkStack(DEVICE, networks)) {
      RegionMap[] maps = RegionMap.of(stack, plane, 40, all, Progress.NONE);
      for (int r = 0; r < maps.length; r++) {
        RegionMap alone = map(networks.get(r), plane, 40, all);
        assertTrue(Arrays.equals(alone.hashes(), maps[r].hashes()), "replica " + r);
        assertTrue(Arrays.equals(alone.transitions(), maps[r].transitions()), "replica " + r);
      }
    }
  }

  @Test
  void statisticsCountWhatFloodingTheMapFinds() {
    Network network = RandomNetworks.network(5, Activation.RELU, true, D, 30, 20, 4);
    RegionMap map = map(network, plane(5), 120, HiddenLayers.all(network.architecture()));
    RegionStatistics statistics = RegionStatistics.of(map);
    assertEquals(flooded(map), statistics.regions());
    assertEquals(Arrays.stream(map.hashes()).distinct().count(), statistics.patterns());
    assertTrue(statistics.patterns() > 20, "too plain a map to tell");
    assertEquals(120.0 * 120 / statistics.regions(), statistics.meanRegionPixels(), 1e-9);
  }

  private static long flooded(RegionMap map) {
    int size = map.size();
    boolean[] seen = new boolean[size * size];
    long regions = 0;
    for (int start = 0; start < seen.length; start++) {
      if (seen[start]) {
        continue;
      }
      regions++;
      Deque<Integer> open = new ArrayDeque<>(List.of(start));
      seen[start] = true;
      while (!open.isEmpty()) {
        int i = open.pop();
        List<Integer> neighbours = new ArrayList<>();
        if (i % size > 0) {
          neighbours.add(i - 1);
        }
        if (i % size < size - 1) {
          neighbours.add(i + 1);
        }
        if (i >= size) {
          neighbours.add(i - size);
        }
        if (i < size * (size - 1)) {
          neighbours.add(i + size);
        }
        for (int next : neighbours) {
          if (!seen[next] && map.hashes()[next] == map.hashes()[i]) {
            seen[next] = true;
            open.push(next);
          }
        }
      }
    }
    return regions;
  }

  @Test
  void densityIsTransitionsPerUnitOfLength() {
    // Ten code changes between any two columns, none between rows: 10 · size/2 to the right, and
    // half of that over both directions; nothing at the lower anchor.
    int size = 200;
    long[] hashes = new long[size * size];
    int[] transitions = new int[size * size];
    for (int i = 0; i < hashes.length; i++) {
      boolean upper = i / size < size / 2;
      hashes[i] = upper ? i % size : 0;
      transitions[i] = upper && i % size < size - 1 ? 10 : 0;
    }
    RegionMap map = new RegionMap(size, hashes, transitions);
    double[] cells = map.densities(4);
    assertEquals(500, cells[0], 1e-9);
    assertEquals(0, cells[15]);
    RegionStatistics statistics = RegionStatistics.of(map);
    assertEquals(500, statistics.anchorDensities()[0], 1e-9);
    assertEquals(500, statistics.anchorDensities()[1], 1e-9);
    assertEquals(0, statistics.anchorDensities()[2]);
    assertEquals(250, statistics.restDensity(), 15);
    assertEquals(size, statistics.regions());
    assertEquals(size, statistics.patterns());
  }
}
