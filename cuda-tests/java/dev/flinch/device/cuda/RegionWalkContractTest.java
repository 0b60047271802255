package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.WalkedNetworks.Found;
import dev.flinch.device.cuda.WalkedNetworks.Setting;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.rng.UniformRandomProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Exact walks on a card are those on the CPU, crossing by crossing. */
@Tag("cuda")
@TestInstance(Lifecycle.PER_CLASS)
class RegionWalkContractTest {
  /** How far apart roots of one polynomial may be that two devices carried in different orders. */
  private static final double PLACE = 1e-12;

  /** How far apart such polynomials and their products may be, by the largest of a region. */
  private static final double VALUE = 1e-9;

  private final Device cpu = new CpuDevice(1);
  private Device tested;

  /** The card to test on, for the caller to close. */
  Driver driver() {
    return TestedDevice.driver();
  }

  @BeforeAll
  void open() {
    tested = device(driver());
  }

  private static CudaDevice device(Driver driver) {
    return new CudaDevice(TestedDevice.isEmulated() ? "emulator" : "cuda", driver);
  }

  @AfterAll
  void close() {
    tested.close();
    cpu.close();
  }

  /** The same driver as of a card with so little memory. */
  private static Driver as(Driver driver, int sharedBytes, long memoryBytes) {
    Card card = driver.card();
    Card small =
        new Card(
            card.index(),
            card.name(),
            card.major(),
            card.minor(),
            card.multiprocessors(),
            sharedBytes,
            memoryBytes,
            card.driverVersion());
    return (Driver)
        Proxy.newProxyInstance(
            Driver.class.getClassLoader(),
            new Class<?>[] {Driver.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("card")) {
                return small;
              }
              try {
                return method.invoke(driver, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** Walks from the start on both devices; no more crossings than before anything is refound. */
  private Found assertAgrees(Setting setting, Device device, int capacity, boolean withGrams) {
    try (WalkedNetworks expected = new WalkedNetworks(setting, cpu);
        WalkedNetworks found = new WalkedNetworks(setting, device)) {
      Found e = expected.walk(capacity, withGrams);
      Found f = found.walk(capacity, withGrams);
      assertAgrees(setting.toString(), e, f);
      return f;
    }
  }

  private static void assertAgrees(String what, Found e, Found f) {
    assertArrayEquals(e.counts(), f.counts(), what + ": counts");
    for (int i = 0; i < e.counts().length; i++) {
      String walker = what + ", walker " + i;
      assertArrayEquals(e.crossings()[i], f.crossings()[i], walker + ": crossings");
      assertArrayEquals(e.parameters()[i], f.parameters()[i], PLACE, walker + ": parameters");
      assertNear(e.logits()[i], f.logits()[i], e.counts()[i] + 1, walker + ": logits");
      assertNear(e.grams()[i], f.grams()[i], e.counts()[i] + 1, walker + ": Gram matrices");
    }
    assertArrayEquals(e.reached(), f.reached(), PLACE, what + ": reached");
    assertArrayEquals(e.codes(), f.codes(), what + ": codes");
    assertArrayEquals(e.hashes(), f.hashes(), what + ": hashes");
    for (double drift : f.drift()) {
      assertTrue(drift >= 0 && drift < VALUE, what + ": drift " + drift);
    }
  }

  /** Compares regions, each by its largest number. */
  private static void assertNear(double[] e, double[] f, int regions, String what) {
    if (e == null || f == null) {
      assertTrue(e == f, what);
      return;
    }
    int each = e.length / regions;
    for (int r = 0; r < regions; r++) {
      double[] one = Arrays.copyOfRange(e, r * each, (r + 1) * each);
      double largest = Arrays.stream(one).map(Math::abs).max().orElseThrow();
      assertArrayEquals(
          one,
          Arrays.copyOfRange(f, r * each, (r + 1) * each),
          VALUE * largest,
          what + " of region " + r);
    }
  }

  private static int crossings(Found found) {
    return Arrays.stream(found.counts()).sum();
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"TANH"})
  void crossingsAreThoseOnTheCpu(Activation activation) {
    int crossings = 0;
    for (boolean biases : new boolean[] {false, true}) {
      for (boolean arcs : new boolean[] {false, true}) {
        long seed = 4 * activation.ordinal() + (biases ? 2 : 0) + (arcs ? 1 : 0);
        Setting setting = Setting.of(seed, activation, biases, arcs, 2, 2, 7, 33, 20, 41, 5);
        crossings += crossings(assertAgrees(setting, tested, 200, true));
        crossings += crossings(assertAgrees(setting, tested, 200, false));
        // Room for few: walkers stop where it ends.
        assertAgrees(setting, tested, 3, true);
      }
    }
    assertTrue(crossings > 500, "only " + crossings);
  }

  @Test
  void anyShapeAgrees() {
    int crossings = 0;
    for (Setting setting :
        List.of(
            Setting.of(1, Activation.RELU, true, true, 1, 1, 1, 1, 1),
            Setting.of(2, Activation.HARD_TANH, true, true, 1, 2, 3, 31, 2),
            Setting.of(3, Activation.RELU, true, false, 3, 1, 40, 8, 1, 9, 4),
            Setting.of(4, Activation.RELU6, true, true, 1, 3, 5, 64, 65, 33),
            Setting.of(5, Activation.HARD_SIGMOID, true, true, 1, 1, 4, 9, 8, 7, 8, 9, 8, 7, 3),
            // Wider than a block has threads, at the bottom, between and in the logits.
            Setting.of(6, Activation.RELU, false, true, 1, 1, 3, 270, 20, 2),
            Setting.of(7, Activation.RELU, true, true, 1, 1, 3, 20, 290, 12, 6),
            Setting.of(8, Activation.RELU, true, true, 1, 1, 300, 12, 5, 260))) {
      crossings += crossings(assertAgrees(setting, tested, 60, true));
      assertAgrees(setting, tested, 60, false);
    }
    assertTrue(crossings > 200, "only " + crossings);
  }

  @Test
  void walkersThatWereStoppedGoOn() {
    for (boolean withGrams : new boolean[] {false, true}) {
      Setting setting = Setting.of(20, Activation.RELU6, true, true, 2, 2, 9, 30, 28, 26, 4);
      try (WalkedNetworks onCpu = new WalkedNetworks(setting, cpu);
          WalkedNetworks onTested = new WalkedNetworks(setting, tested)) {
        Found whole = onCpu.walk(1000, withGrams);
        List<Found> parts = onTested.walkOn(11, withGrams);
        assertTrue(parts.size() > 3, "only " + parts.size());
        assertArrayEquals(whole.codes(), parts.get(parts.size() - 1).codes());
        for (int i = 0; i < setting.walkers(); i++) {
          assertSameCrossings(List.of(whole), parts, i);
          assertEquals(whole.hashes()[2 * i], parts.get(0).hashes()[2 * i]);
          for (int p = 1; p < parts.size(); p++) {
            assertEquals(parts.get(p - 1).hashes()[2 * i + 1], parts.get(p).hashes()[2 * i]);
          }
        }
      }
    }
  }

  /** A crossing of a walker. */
  private record Crossing(double t, int packed) {
    /** Whether one goes to and the other fro over one knot, within rounding. */
    boolean undoes(Crossing other) {
      return (packed ^ other.packed) == 1 && Math.abs(t - other.t) < PLACE;
    }
  }

  /** A walker's crossings without those that go to and fro where rounding decides. */
  private static List<Crossing> crossings(List<Found> parts, int walker) {
    List<Crossing> all = new ArrayList<>();
    for (Found part : parts) {
      for (int j = 0; j < part.counts()[walker]; j++) {
        Crossing next = new Crossing(part.parameters()[walker][j], part.crossings()[walker][j]);
        int last = all.size() - 1;
        if (last >= 0 && next.undoes(all.get(last))) {
          all.remove(last);
        } else {
          all.add(next);
        }
      }
    }
    return all;
  }

  private static void assertSameCrossings(List<Found> expected, List<Found> found, int walker) {
    List<Crossing> e = crossings(expected, walker);
    List<Crossing> f = crossings(found, walker);
    String what = "walker " + walker;
    assertEquals(
        e.stream().map(Crossing::packed).toList(), f.stream().map(Crossing::packed).toList(), what);
    for (int j = 0; j < e.size(); j++) {
      assertEquals(e.get(j).t, f.get(j).t, PLACE, what);
    }
  }

  @Test
  void everythingIsFoundAfreshNowAndThen() {
    Setting setting = Setting.of(30, Activation.RELU6, true, true, 1, 1, 8, 120, 120, 120, 3);
    try (WalkedNetworks onCpu = new WalkedNetworks(setting, cpu);
        WalkedNetworks onTested = new WalkedNetworks(setting, tested)) {
      Found expected = onCpu.walk(2000, true);
      Found found = onTested.walk(2000, true);
      assertTrue(found.counts()[0] > 256, "only " + found.counts()[0]);
      assertSameCrossings(List.of(expected), List.of(found), 0);
      assertArrayEquals(expected.codes(), found.codes());
      assertEquals(1, found.reached()[0]);
      // What was carried 256 times differs from what is new, but not by much.
      assertTrue(found.drift()[0] > 0 && found.drift()[0] < VALUE, "drift " + found.drift()[0]);
      int numbers = 3 * 3;
      assertNear(
          last(expected.logits()[0], numbers), last(found.logits()[0], numbers), 1, "logits");
      assertNear(last(expected.grams()[0], 9), last(found.grams()[0], 9), 1, "Gram matrix");
    }
  }

  private static double[] last(double[] values, int count) {
    return Arrays.copyOfRange(values, values.length - count, values.length);
  }

  @Test
  void aboveALayerWithoutActiveUnitsNothingMoves() {
    int dead = 0;
    for (long seed = 40; seed < 46; seed++) {
      for (Activation activation : new Activation[] {Activation.RELU, Activation.HARD_TANH}) {
        // Of two units in the middle, both are often off.
        Setting setting = Setting.of(seed, activation, true, true, 1, 1, 4, 16, 2, 16, 3);
        Found found = assertAgrees(setting, tested, 200, true);
        double[] grams = found.grams()[0];
        double[] logits = found.logits()[0];
        for (int r = 0; r <= found.counts()[0]; r++) {
          if (Arrays.stream(grams, 9 * r, 9 * r + 9).allMatch(g -> g == 0)) {
            dead++;
            for (int c = 0; c < 3; c++) {
              // A constant times 1 + t², to the bit.
              assertEquals(logits[9 * r + c], logits[9 * r + 6 + c]);
              assertEquals(0, logits[9 * r + 3 + c]);
            }
          }
        }
      }
    }
    assertTrue(dead > 10, "only " + dead + " regions");
  }

  @Test
  void whatCrossesAtOnceCrossesInAnyOrder() {
    // Without biases all that a single active unit feeds meets its knot when that unit does.
    int crossings = 0;
    for (long seed = 90; seed < 96; seed++) {
      Setting setting = Setting.of(seed, Activation.RELU, false, true, 1, 1, 4, 16, 2, 16, 9, 3);
      try (WalkedNetworks onCpu = new WalkedNetworks(setting, cpu);
          WalkedNetworks onTested = new WalkedNetworks(setting, tested)) {
        List<Crossing> expected = crossings(List.of(onCpu.walk(400, true)), 0);
        List<Crossing> found = crossings(List.of(onTested.walk(400, true)), 0);
        assertEquals(atOnce(expected), atOnce(found), setting.toString());
        crossings += found.size();
      }
    }
    assertTrue(crossings > 100, "only " + crossings);
  }

  /** What crosses at each place, less what goes to and fro there. */
  private static List<List<Integer>> atOnce(List<Crossing> crossings) {
    List<List<Integer>> groups = new ArrayList<>();
    double last = Double.NEGATIVE_INFINITY;
    for (Crossing crossing : crossings) {
      if (crossing.t - last > PLACE) {
        groups.add(new ArrayList<>());
      }
      last = crossing.t;
      List<Integer> group = groups.get(groups.size() - 1);
      if (!group.remove((Integer) (crossing.packed ^ 1))) {
        group.add(crossing.packed);
      }
    }
    groups.forEach(group -> group.sort(null));
    groups.removeIf(List::isEmpty);
    return groups;
  }

  @Test
  void bitsAreTheSameOnEveryRun() {
    Setting setting = Setting.of(50, Activation.RELU, false, true, 2, 3, 6, 40, 35, 4);
    try (WalkedNetworks networks = new WalkedNetworks(setting, tested)) {
      Found once = networks.walk(150, true);
      Found again = networks.walk(150, true);
      assertArrayEquals(once.counts(), again.counts());
      assertArrayEquals(once.parameters(), again.parameters());
      assertArrayEquals(once.crossings(), again.crossings());
      assertArrayEquals(once.codes(), again.codes());
      assertArrayEquals(once.hashes(), again.hashes());
      assertArrayEquals(once.drift(), again.drift());
      assertArrayEquals(once.logits(), again.logits());
      assertArrayEquals(once.grams(), again.grams());
    }
  }

  @Test
  void littleMemoryChangesNoBit() {
    Setting setting = Setting.of(60, Activation.RELU6, true, true, 2, 3, 6, 40, 35, 4);
    Found expected;
    try (WalkedNetworks networks = new WalkedNetworks(setting, tested)) {
      expected = networks.walk(150, true);
    }
    // No shared memory for vectors, and scratch memory for two walkers at once.
    try (Device small = device(as(driver(), 1024, 120_000));
        WalkedNetworks networks = new WalkedNetworks(setting, small)) {
      Found found = networks.walk(150, true);
      assertArrayEquals(expected.counts(), found.counts());
      assertArrayEquals(expected.parameters(), found.parameters());
      assertArrayEquals(expected.crossings(), found.crossings());
      assertArrayEquals(expected.hashes(), found.hashes());
      assertArrayEquals(expected.logits(), found.logits());
      assertArrayEquals(expected.grams(), found.grams());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Activation.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = {"TANH"})
  void normsAreThoseOnTheCpu(Activation activation) {
    for (boolean arcs : new boolean[] {false, true}) {
      Setting setting = Setting.of(70, activation, true, arcs, 2, 3, 12, 24, 20, 10);
      int walkers = setting.walkers();
      UniformRandomProvider random = RandomStreams.stream(1, Purpose.BENCHMARK, 4, 0);
      int[] from = new int[walkers + 1];
      // Few, none or many; the first ones are nobody's.
      from[0] = 2;
      for (int i = 0; i < walkers; i++) {
        from[i + 1] = from[i] + 20 * (i % 3);
      }
      double[] points = new double[from[walkers]];
      for (int i = 0; i < walkers; i++) {
        double start = setting.place(i % setting.pieces());
        double length = setting.place(i % setting.pieces() + 1) - start;
        for (int p = from[i]; p < from[i + 1]; p++) {
          points[p] = start + length * random.nextDouble();
        }
        Arrays.sort(points, from[i], from[i + 1]);
      }
      try (WalkedNetworks onCpu = new WalkedNetworks(setting, cpu);
          WalkedNetworks onTested = new WalkedNetworks(setting, tested)) {
        double[] expected = onCpu.norms(200, from, points);
        double[] found = onTested.norms(200, from, points);
        double largest = Arrays.stream(expected).max().orElseThrow();
        assertTrue(largest > 0);
        for (int p = 0; p < points.length; p++) {
          assertEquals(expected[p], found[p], VALUE * expected[p] + 1e-300, "point " + p);
        }
      }
    }
  }

  @Test
  void wrongShapesAreRefused() {
    Setting setting = Setting.of(80, Activation.RELU, true, true, 1, 1, 3, 4, 3, 2);
    try (WalkedNetworks networks = new WalkedNetworks(setting, tested)) {
      assertThrows(IllegalArgumentException.class, () -> networks.walk(0, true));
      assertThrows(
          IllegalArgumentException.class, () -> networks.norms(5, new int[] {1, 0}, new double[1]));
      assertThrows(
          IllegalArgumentException.class, () -> networks.norms(5, new int[] {0, 2}, new double[1]));
    }
    Stream.of(Activation.TANH)
        .map(smooth -> Setting.of(81, smooth, true, true, 1, 1, 3, 4, 3, 2))
        .forEach(
            smooth ->
                assertThrows(
                    IllegalArgumentException.class, () -> new WalkedNetworks(smooth, tested)));
  }
}
