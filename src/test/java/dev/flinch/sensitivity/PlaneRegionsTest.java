package dev.flinch.sensitivity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.trajectory.Plane;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class PlaneRegionsTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);
  private static final int D = 13;

  /** Nearer than this to an edge, rounding decides which side a pixel is on. */
  private static final double AT_EDGE = 1e-6;

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static Plane plane(long seed) {
    float[] x = RandomNetworks.inputs(seed, 3, D);
    return Plane.through(
        Arrays.copyOf(x, D), Arrays.copyOfRange(x, D, 2 * D), Arrays.copyOfRange(x, 2 * D, 3 * D));
  }

  private static PlaneRegions regions(Network network, Plane plane, HiddenLayers layers) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return PlaneRegions.of(stack, 0, plane, layers, 1_000_000, Progress.NONE);
    }
  }

  private static RegionMap map(Network network, Plane plane, int size, HiddenLayers layers) {
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      return RegionMap.of(stack, plane, size, layers, Progress.NONE)[0];
    }
  }

  /** How deep in a convex polygon a point is: its distance to the nearest edge, or negative. */
  private static double depth(PlanePolygon polygon, double x, double y) {
    double depth = Double.POSITIVE_INFINITY;
    for (int i = 0; i < polygon.corners(); i++) {
      int next = (i + 1) % polygon.corners();
      double dx = polygon.x()[next] - polygon.x()[i];
      double dy = polygon.y()[next] - polygon.y()[i];
      double cross = dx * (y - polygon.y()[i]) - dy * (x - polygon.x()[i]);
      double length = Math.hypot(dx, dy);
      if (length > 1e-9) {
        depth = Math.min(depth, cross / length);
      }
    }
    return depth;
  }

  @ParameterizedTest
  @EnumSource(value = Activation.class, mode = Mode.EXCLUDE, names = "TANH")
  void everyPixelHasThePatternOfThePolygonThatContainsIt(Activation activation) {
    for (boolean biases : new boolean[] {false, true}) {
      for (Integer[] units :
          List.of(
              new Integer[] {D, 33, 10},
              new Integer[] {D, 1, 3},
              new Integer[] {D, 17, 16, 15, 2},
              new Integer[] {D, 9, 1, 8, 7, 12, 3})) {
        RandomNetworks.forSeeds(
            2,
            seed -> {
              Network network = RandomNetworks.network(seed, activation, biases, units);
              Architecture architecture = network.architecture();
              for (HiddenLayers layers :
                  List.of(
                      HiddenLayers.all(architecture),
                      HiddenLayers.last(architecture),
                      HiddenLayers.one(0))) {
                agree(network, plane(seed + 20), layers);
              }
            });
      }
    }
  }

  private static void agree(Network network, Plane plane, HiddenLayers layers) {
    PlaneRegions regions = regions(network, plane, layers);
    String what = network.architecture().title() + ", " + layers;
    double area = regions.polygons().stream().mapToDouble(PlanePolygon::area).sum();
    assertEquals(4, area, 1e-9, what);
    int size = 48;
    RegionMap map = map(network, plane, size, layers);
    Reference reference = Reference.of(network);
    int onKnots = 0;
    int compared = 0;
    for (int pixel = 0; pixel < size * size; pixel++) {
      double x = Plane.x(pixel % size, size);
      double y = Plane.y(pixel / size, size);
      int inside = -1;
      boolean atEdge = false;
      for (int i = 0; i < regions.polygons().size() && inside < 0; i++) {
        double depth = depth(regions.polygons().get(i), x, y);
        atEdge |= Math.abs(depth) <= AT_EDGE;
        inside = depth > AT_EDGE ? i : -1;
      }
      assertTrue(inside >= 0 || atEdge, what + ": no polygon holds pixel " + pixel);
      // Above a layer that is off altogether, what has no biases stays on the knot at 0.
      if (inside >= 0 && onKnot(reference, plane.point(x, y))) {
        onKnots++;
      } else if (inside >= 0) {
        compared++;
        assertEquals(regions.hashes()[inside], map.hashes()[pixel], what + ", pixel " + pixel);
      }
    }
    assertTrue(compared + onKnots >= 0.99 * size * size, what + ": compared " + compared);
  }

  private static boolean onKnot(Reference reference, double[] x) {
    double[][] z = reference.preActivations(x);
    return Arrays.stream(z, 0, z.length - 1)
        .flatMapToDouble(Arrays::stream)
        .anyMatch(value -> value == 0);
  }

  /** The pattern in the middle of each polygon, in double precision, is the polygon's own. */
  @ParameterizedTest
  @EnumSource(value = Activation.class, mode = Mode.EXCLUDE, names = "TANH")
  void everyPolygonHasThePatternOfItsCentre(Activation activation) {
    RandomNetworks.forSeeds(
        2,
        seed -> {
          Network network = RandomNetworks.network(seed, activation, true, D, 30, 20, 25, 4);
          Plane plane = plane(seed + 3);
          PlaneRegions regions = regions(network, plane, HiddenLayers.all(network.architecture()));
          Reference reference = Reference.of(network);
          Set<Long> patterns = new HashSet<>();
          int compared = 0;
          for (int i = 0; i < regions.polygons().size(); i++) {
            PlanePolygon polygon = regions.polygons().get(i);
            double x = Arrays.stream(polygon.x()).average().orElseThrow();
            double y = Arrays.stream(polygon.y()).average().orElseThrow();
            patterns.add(regions.hashes()[i]);
            if (depth(polygon, x, y) > 1e-9) {
              compared++;
              long hash = RegionMapTest.hash(reference.pattern(plane.point(x, y)));
              assertEquals(hash, regions.hashes()[i], "polygon " + i);
            }
          }
          assertTrue(compared > 0.99 * regions.polygons().size(), compared + " compared");
          // A pattern of all layers is an intersection of half-planes, so one polygon.
          assertEquals(regions.polygons().size(), patterns.size());
        });
  }

  /** Lines in general position cut a convex set into 1 + lines + crossings inside it. */
  @Test
  void oneHiddenLayerHasAsManyRegionsAsLinesInGeneralPosition() {
    RandomNetworks.forSeeds(
        5,
        seed -> {
          int units = 40;
          Network network = RandomNetworks.network(seed, Activation.RELU, true, D, units, 3);
          Plane plane = plane(seed);
          Reference reference = Reference.of(network);
          double[] origin = reference.preActivations(plane.point(0, 0))[0];
          double[] right = reference.preActivations(plane.point(1, 0))[0];
          double[] up = reference.preActivations(plane.point(0, 1))[0];
          int expected = 1;
          for (int i = 0; i < units; i++) {
            double a = right[i] - origin[i];
            double b = up[i] - origin[i];
            boolean crosses = Math.abs(origin[i]) < Math.abs(a) + Math.abs(b);
            expected += crosses ? 1 : 0;
            for (int j = 0; j < i; j++) {
              double c = right[j] - origin[j];
              double d = up[j] - origin[j];
              double determinant = a * d - b * c;
              double x = (b * origin[j] - d * origin[i]) / determinant;
              double y = (c * origin[i] - a * origin[j]) / determinant;
              expected += Math.abs(x) < 1 && Math.abs(y) < 1 ? 1 : 0;
            }
          }
          assertTrue(expected > 50, "too few lines to tell");
          HiddenLayers all = HiddenLayers.all(network.architecture());
          assertEquals(expected, regions(network, plane, all).polygons().size());
        });
  }

  @Test
  void edgesLieOnTheKnotsOfTheirUnits() {
    Network network = RandomNetworks.network(2, Activation.HARD_TANH, true, D, 20, 15, 10, 4);
    Plane plane = plane(9);
    Architecture architecture = network.architecture();
    PlaneRegions regions = regions(network, plane, HiddenLayers.all(architecture));
    Reference reference = Reference.of(network);
    int inner = 0;
    for (PlanePolygon polygon : regions.polygons()) {
      for (int i = 0; i < polygon.corners(); i++) {
        int next = (i + 1) % polygon.corners();
        double x = (polygon.x()[i] + polygon.x()[next]) / 2;
        double y = (polygon.y()[i] + polygon.y()[next]) / 2;
        int edge = polygon.edges()[i];
        int layer = regions.layerOf(edge);
        if (layer < 0) {
          assertEquals(1, Math.max(Math.abs(x), Math.abs(y)), 1e-12);
        } else {
          inner++;
          int unit = Math.abs(edge) - 1 - (int) HiddenLayers.firstUnit(architecture, layer);
          double z = reference.preActivations(plane.point(x, y))[layer][unit];
          assertEquals(1, Math.abs(z), 1e-9, "layer %d, unit %d".formatted(layer, unit));
        }
      }
    }
    assertTrue(inner > 100, inner + " inner edges");
  }

  @Test
  void manyPiecesAreSharedAmongLanesWithoutChangingThem() {
    Network network = RandomNetworks.network(4, Activation.RELU, true, D, 60, 30, 20, 4);
    Plane plane = plane(2);
    HiddenLayers last = HiddenLayers.last(network.architecture());
    PlaneRegions two = regions(network, plane, last);
    assertTrue(two.polygons().size() > 2000, two.polygons().size() + " polygons");
    assertEquals(4, two.polygons().stream().mapToDouble(PlanePolygon::area).sum(), 1e-9);
    try (CpuDevice single = new CpuDevice(1);
        NetworkStack stack = new NetworkStack(single, List.of(network))) {
      PlaneRegions one = PlaneRegions.of(stack, 0, plane, last, 1_000_000, Progress.NONE);
      assertTrue(Arrays.equals(one.hashes(), two.hashes()));
    }
  }

  @Test
  void tooManyRegionsAndSmoothActivationsAreRefused() {
    Network network = RandomNetworks.network(4, Activation.RELU, true, D, 60, 30, 20, 4);
    HiddenLayers all = HiddenLayers.all(network.architecture());
    try (NetworkStack stack = new NetworkStack(DEVICE, List.of(network))) {
      for (int most : new int[] {10, 1500}) {
        RequestException e =
            assertThrows(
                RequestException.class,
                () -> PlaneRegions.of(stack, 0, plane(2), all, most, Progress.NONE));
        assertTrue(e.getMessage().contains("more than"), e.getMessage());
      }
    }
    Network smooth = RandomNetworks.network(4, Activation.TANH, true, D, 6, 4);
    RequestException e =
        assertThrows(
            RequestException.class,
            () -> regions(smooth, plane(2), HiddenLayers.all(smooth.architecture())));
    assertTrue(e.getMessage().contains("Tanh"), e.getMessage());
  }
}
