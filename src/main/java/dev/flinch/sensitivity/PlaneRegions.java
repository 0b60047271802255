package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.PatternHash;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Plane;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The linear regions of a piecewise-linear network on a square of a plane, exactly: convex polygons
 * that fill the square, each with one pattern of all hidden layers up to the last chosen one.
 *
 * <p>Within a region every pre-activation is an affine function of the plane's coordinates. So the
 * square is cut layer by layer: the knots of a layer's units are lines in each piece that the
 * layers before have left; the pieces between them have an affine map to the next layer, W times
 * the slopes times their own. All in float64.
 *
 * @param architecture of the network
 * @param layers whose codes the hashes are of
 * @param polygons that fill the square [−1, 1]²
 * @param hashes the {@link PatternHash} of each polygon's pattern, of the codes of {@code layers}
 */
public record PlaneRegions(
    Architecture architecture, HiddenLayers layers, List<PlanePolygon> polygons, long[] hashes) {

  /** Pieces whose maps to the next layer are one matrix product. */
  private static final int BATCH = 128;

  /** Pieces that are worth sharing among lanes. */
  private static final int WORTH_SHARING = 8 * BATCH;

  /**
   * Finds the regions of one replica.
   *
   * @param most regions that there may be
   * @throws RequestException if the activation is not piecewise linear, or if there are more
   *     regions than {@code most}
   */
  public static PlaneRegions of(
      NetworkStack stack,
      int replica,
      Plane plane,
      HiddenLayers layers,
      int most,
      Progress progress) {
    Architecture architecture = stack.architecture();
    layers.requireOf(architecture);
    if (architecture.isConvolutional()) {
      throw new RequestException(
          "exact boundaries are found for fully connected networks: found %s; a pixel map takes any"
              .formatted(architecture.title()));
    }
    if (!architecture.activation().isPiecewiseLinear()) {
      throw new RequestException(
          "exact boundaries are those of linear regions: expected a piecewise-linear activation, found %s; a pixel map needs none"
              .formatted(architecture.activation().label()));
    }
    try (Scope scope = new Scope(stack.device())) {
      return new Cutting(scope, stack, replica, plane, layers, most).regions(progress);
    }
  }

  /** The hidden layer of an edge's unit, 0 the first; −1 for the border of the square. */
  public int layerOf(int edge) {
    int layer = -1;
    long units = 0;
    while (units < Math.abs((long) edge)) {
      layer++;
      units += architecture.rows(layer);
    }
    return layer;
  }

  /** A piece of the square, affine maps of whose points to a layer's pre-activations are known. */
  private record Cell(PlanePolygon polygon, long hash, double[] maps) {}

  /** A piece of a cell in which no unit of the cell's layer changes its code. */
  private record Piece(Cell cell, PlanePolygon polygon, long hash, byte[] codes) {}

  /** One network being cut. */
  private static final class Cutting {
    private final Device device;
    private final Architecture architecture;
    private final Activation activation;
    private final HiddenLayers layers;
    private final int most;
    private final double[] knots;
    private final double[][] biases;
    private final Matrix[] weights;
    private final Matrix[] activations;
    private final Matrix[] products;
    private final Cell square;

    Cutting(
        Scope scope, NetworkStack stack, int replica, Plane plane, HiddenLayers layers, int most) {
      this.device = stack.device();
      this.architecture = stack.architecture();
      this.activation = architecture.activation();
      this.layers = layers;
      this.most = most;
      this.knots =
          activation.knots() == 1
              ? new double[] {activation.low()}
              : new double[] {activation.low(), activation.high()};
      this.biases = new double[layers.last() + 1][];
      this.weights = new Matrix[layers.last() + 1];
      int widest = 1;
      for (int l = 0; l <= layers.last(); l++) {
        int rows = architecture.rows(l);
        widest = Math.max(widest, rows);
        biases[l] = new double[rows];
        if (stack.biases(l) != null) {
          float[] narrow = new float[rows];
          device.download(stack.biases(l).data(), stack.biases(l).start(replica), narrow, 0, rows);
          Arrays.setAll(biases[l], i -> narrow[i]);
        }
        if (l > 0) {
          int columns = architecture.columns(l);
          weights[l] = Matrix.of(scope.doubles((long) rows * columns), 0, rows, columns);
          Matrix narrow = stack.weights(l).replicas(replica, 1);
          Matrix wide = weights[l];
          device.run(1, (lane, task) -> lane.widen(narrow, wide));
        }
      }
      this.activations = new Matrix[device.lanes()];
      this.products = new Matrix[device.lanes()];
      for (int lane = 0; lane < products.length; lane++) {
        long size = 3L * BATCH * widest;
        activations[lane] = Matrix.of(scope.doubles(size), 0, 3 * BATCH, widest);
        products[lane] = Matrix.of(scope.doubles(size), 0, 3 * BATCH, widest);
      }
      this.square = new Cell(PlanePolygon.square(), 0, firstMaps(scope, stack, replica, plane));
    }

    /** The first layer's maps: three rows, the factors of x and of y and the constants. */
    private double[] firstMaps(Scope scope, NetworkStack stack, int replica, Plane plane) {
      int units = architecture.rows(0);
      Matrix images = FirstLayer.images(scope, stack, plane.vectors())[replica];
      double[] products = new double[3 * units];
      device.download(images.data(), images.start(0), products, 0, products.length);
      double[] origin = new double[3];
      double[] right = new double[3];
      double[] up = new double[3];
      Plane.coordinates(0, 0, origin, 0);
      Plane.coordinates(1, 0, right, 0);
      Plane.coordinates(0, 1, up, 0);
      double[] maps = new double[3 * units];
      for (int k = 0; k < 3; k++) {
        for (int u = 0; u < units; u++) {
          double product = products[k * units + u];
          maps[u] += (right[k] - origin[k]) * product;
          maps[units + u] += (up[k] - origin[k]) * product;
          maps[2 * units + u] += origin[k] * product;
        }
      }
      for (int u = 0; u < units; u++) {
        maps[2 * units + u] += biases[0][u];
      }
      return maps;
    }

    PlaneRegions regions(Progress progress) {
      List<Piece> pieces = new ArrayList<>();
      cut(0, square, pieces);
      int layer = 0;
      while (layer < layers.last() && pieces.size() < WORTH_SHARING) {
        List<Piece> before = pieces;
        List<Piece> next = new ArrayList<>();
        int nextLayer = layer + 1;
        device.run(
            1,
            (lane, task) -> {
              for (int from = 0; from < before.size(); from += BATCH) {
                List<Piece> batch = before.subList(from, Math.min(from + BATCH, before.size()));
                cells(lane, nextLayer, batch).forEach(cell -> cut(nextLayer, cell, next));
              }
            });
        pieces = next;
        layer = nextLayer;
      }
      return finish(layer, pieces, progress);
    }

    /** Takes the pieces of a layer to the last one, each lane some of them. */
    private PlaneRegions finish(int layer, List<Piece> pieces, Progress progress) {
      int tasks = (pieces.size() + BATCH - 1) / BATCH;
      List<List<Piece>> found = new ArrayList<>();
      for (int task = 0; task < tasks; task++) {
        found.add(new ArrayList<>());
      }
      AtomicInteger regions = new AtomicInteger();
      AtomicLong done = new AtomicLong();
      device.run(
          tasks,
          (lane, task) -> {
            int from = task * BATCH;
            List<Piece> batch = pieces.subList(from, Math.min(from + BATCH, pieces.size()));
            deepen(lane, layer, batch, found.get(task), regions);
            progress.report(
                "exact regions of " + architecture.title(), done.incrementAndGet(), tasks);
          });
      List<PlanePolygon> polygons = new ArrayList<>();
      long[] hashes = new long[regions.get()];
      for (List<Piece> ofTask : found) {
        for (Piece piece : ofTask) {
          hashes[polygons.size()] = piece.hash();
          polygons.add(piece.polygon());
        }
      }
      return new PlaneRegions(architecture, layers, polygons, hashes);
    }

    /** Depth first, so that few maps are kept at a time. */
    private void deepen(
        Lane lane, int layer, List<Piece> pieces, List<Piece> found, AtomicInteger regions) {
      if (layer == layers.last()) {
        requireAtMost(regions.addAndGet(pieces.size()));
        for (Piece piece : pieces) {
          found.add(new Piece(null, piece.polygon(), piece.hash(), null));
        }
        return;
      }
      for (int from = 0; from < pieces.size(); from += BATCH) {
        List<Piece> batch = pieces.subList(from, Math.min(from + BATCH, pieces.size()));
        List<Piece> next = new ArrayList<>();
        cells(lane, layer + 1, batch).forEach(cell -> cut(layer + 1, cell, next));
        deepen(lane, layer + 1, next, found, regions);
      }
    }

    private void requireAtMost(long regions) {
      if (regions > most) {
        throw new RequestException(
            "%s has more than %,d linear regions on the plane, which are too many to draw exactly; choose an earlier --layer, or the pixel map alone"
                .formatted(architecture.title(), most));
      }
    }

    /** The maps of a layer from the pieces that the layer before it left, at most a batch. */
    private List<Cell> cells(Lane lane, int layer, List<Piece> pieces) {
      int units = architecture.columns(layer);
      int rows = architecture.rows(layer);
      double[] h = new double[3 * pieces.size() * units];
      for (int p = 0; p < pieces.size(); p++) {
        double[] maps = pieces.get(p).cell().maps();
        byte[] codes = pieces.get(p).codes();
        int at = 3 * p * units;
        for (int u = 0; u < units; u++) {
          if (codes[u] == 1) {
            h[at + u] = maps[u];
            h[at + units + u] = maps[units + u];
            h[at + 2 * units + u] = maps[2 * units + u] + activation.shift();
          } else {
            double end = codes[u] == 0 ? activation.low() : activation.high();
            h[at + 2 * units + u] = end + activation.shift();
          }
        }
      }
      Matrix below = Matrix.of(activations[lane.index()].data(), 0, 3 * pieces.size(), units);
      Matrix above = Matrix.of(products[lane.index()].data(), 0, 3 * pieces.size(), rows);
      device.upload(h, 0, below.data(), 0, h.length);
      lane.gemm(false, below, true, weights[layer], 0, above);
      List<Cell> cells = new ArrayList<>();
      for (int p = 0; p < pieces.size(); p++) {
        double[] maps = new double[3 * rows];
        device.download(above.data(), above.start(0, 3 * p), maps, 0, maps.length);
        for (int u = 0; u < rows; u++) {
          maps[2 * rows + u] += biases[layer][u];
        }
        cells.add(new Cell(pieces.get(p).polygon(), pieces.get(p).hash(), maps));
      }
      return cells;
    }

    /** Cuts a cell along the knots of its layer's units. */
    private void cut(int layer, Cell cell, List<Piece> out) {
      int units = architecture.rows(layer);
      double[] maps = cell.maps();
      double[] low = new double[units];
      double[] high = new double[units];
      Arrays.fill(low, Double.POSITIVE_INFINITY);
      Arrays.fill(high, Double.NEGATIVE_INFINITY);
      for (int i = 0; i < cell.polygon().corners(); i++) {
        double x = cell.polygon().x()[i];
        double y = cell.polygon().y()[i];
        for (int u = 0; u < units; u++) {
          double value = maps[u] * x + maps[units + u] * y + maps[2 * units + u];
          low[u] = Math.min(low[u], value);
          high[u] = Math.max(high[u], value);
        }
      }
      byte[] codes = new byte[units];
      long firstUnit = HiddenLayers.firstUnit(architecture, layer);
      boolean chosen = layers.contains(layer);
      long hash = cell.hash();
      List<int[]> cuts = new ArrayList<>();
      for (int u = 0; u < units; u++) {
        for (int k = 0; k < knots.length; k++) {
          int side = 1;
          if (low[u] <= knots[k] || high[u] <= knots[k]) {
            double tolerance =
                PlanePolygon.tolerance(maps[u], maps[units + u], maps[2 * units + u] - knots[k]);
            side = PlanePolygon.side(low[u] - knots[k], high[u] - knots[k], tolerance);
          }
          if (side == 0) {
            cuts.add(new int[] {u, k});
          } else if (side > 0) {
            codes[u]++;
            hash += chosen ? PatternHash.key(firstUnit + u) : 0;
          }
        }
      }
      List<Piece> pieces = List.of(new Piece(cell, cell.polygon(), hash, codes));
      for (int[] cut : cuts) {
        pieces = cut(pieces, cut[0], knots[cut[1]], Math.toIntExact(firstUnit + cut[0]), chosen);
        requireAtMost(out.size() + pieces.size());
      }
      out.addAll(pieces);
    }

    /** Cuts pieces of one cell along a knot of a unit, whose lower pieces keep their codes. */
    private static List<Piece> cut(
        List<Piece> pieces, int unit, double knot, int place, boolean chosen) {
      double[] maps = pieces.get(0).cell().maps();
      int units = maps.length / 3;
      double a = maps[unit];
      double b = maps[units + unit];
      double c = maps[2 * units + unit] - knot;
      long key = chosen ? PatternHash.key(place) : 0;
      List<Piece> result = new ArrayList<>(2 * pieces.size());
      for (Piece piece : pieces) {
        PlanePolygon polygon = piece.polygon();
        int side = polygon.sideOf(a, b, c);
        if (side <= 0) {
          PlanePolygon lower = side < 0 ? polygon : polygon.part(-1, a, b, c, -(place + 1));
          result.add(new Piece(piece.cell(), lower, piece.hash(), piece.codes()));
        }
        if (side >= 0) {
          PlanePolygon upper = side > 0 ? polygon : polygon.part(1, a, b, c, place + 1);
          byte[] codes = piece.codes().clone();
          codes[unit]++;
          result.add(new Piece(piece.cell(), upper, piece.hash() + key, codes));
        }
      }
      return result;
    }
  }
}
