package dev.flinch.sensitivity;

import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Plane;
import java.util.Arrays;

/**
 * Takes the pixels of a region map through a network, in square tiles.
 *
 * <p>As along a trajectory, only differences from a tile's centre go through in float32 and the
 * centre in float64 ({@link References}), so that no unit near a knot flips its code at random. A
 * tile takes in one more row and column of pixels than are its own, so that every pixel meets its
 * right and its lower neighbour in the tile.
 *
 * <p>There is one composed form for all devices: the fused pass along a curve would leave the
 * patterns of all layers only, and transitions in one direction.
 */
final class RegionPass {
  /** Tiles whose centres go through the network together. */
  private static final int TILES = 16;

  /** A tile reaches over this part of the map's side at most: more would bring rounding back. */
  private static final int LEAST_TILES_OF_SIDE = 16;

  /** Smaller tiles would stay in cache, but the neighbours that tiles share would cost more. */
  private static final int LARGEST_TILE = 32;

  private final NetworkStack stack;
  private final Device device;
  private final Architecture architecture;
  private final Activation activation;
  private final HiddenLayers layers;
  private final int size;

  /** Pixels of a tile's own, to a side. */
  private final int side;

  /** The same with the neighbours. */
  private final int reach;

  private final int tilesOfSide;
  private final int bandsOfRow;
  private final Matrix[] images;

  /** {@code [replica][layer]}: float64, a row a knot: knot − bias; of the chosen layers. */
  private final Matrix[][] thresholds;

  /** The pixels of a tile column by column. */
  private final DeviceArray transposition;

  private final Buffers[] buffers;

  /**
   * @param scope owns the buffers
   */
  RegionPass(Scope scope, NetworkStack stack, Plane plane, int size, HiddenLayers layers) {
    this.stack = stack;
    this.device = stack.device();
    this.architecture = stack.architecture();
    this.activation = architecture.activation();
    this.layers = layers;
    this.size = size;
    this.side = Math.min(LARGEST_TILE, (size + LEAST_TILES_OF_SIDE - 1) / LEAST_TILES_OF_SIDE);
    this.reach = side + 1;
    this.tilesOfSide = (size + side - 1) / side;
    this.bandsOfRow = (tilesOfSide + TILES - 1) / TILES;
    this.images = FirstLayer.images(scope, stack, plane.vectors());
    this.thresholds = new Matrix[stack.replicas()][architecture.depth() - 1];
    for (int r = 0; r < thresholds.length; r++) {
      for (int l = layers.first(); l <= layers.last(); l++) {
        thresholds[r][l] = thresholds(scope, r, l);
      }
    }
    int[] columnByColumn = new int[reach * reach];
    Arrays.setAll(columnByColumn, i -> i % reach * reach + i / reach);
    this.transposition = scope.ints(columnByColumn.length);
    device.upload(columnByColumn, 0, transposition, 0, columnByColumn.length);
    this.buffers = new Buffers[device.lanes()];
    for (int lane = 0; lane < buffers.length; lane++) {
      buffers[lane] = new Buffers(scope);
    }
  }

  private Matrix thresholds(Scope scope, int replica, int layer) {
    int units = architecture.unitsOut(layer);
    float[] bias = new float[architecture.rows(layer)];
    if (stack.biases(layer) != null) {
      Matrix b = stack.biases(layer);
      device.download(b.data(), b.start(replica), bias, 0, bias.length);
    }
    int knots = activation.knots();
    double[] values = new double[knots * units];
    for (int j = 0; j < units; j++) {
      double shift = bias[j % bias.length];
      values[j] = activation.low() - shift;
      if (knots > 1) {
        values[units + j] = activation.high() - shift;
      }
    }
    Matrix matrix = Matrix.of(scope.doubles(values.length), 0, knots, units);
    device.upload(values, 0, matrix.data(), 0, values.length);
    return matrix;
  }

  /** What one lane works in. */
  private final class Buffers {
    final References references;

    /** Per knot and chosen layer, a row a centre: pre-activation − knot. */
    final Matrix[][] above;

    final Differences differences;
    final Matrix transposed;
    final DeviceArray hashes;
    final DeviceArray counts;

    Buffers(Scope scope) {
      int rows = reach * reach;
      int widest = architecture.widest();
      references = new References(scope, stack, TILES);
      above = new Matrix[activation.knots()][architecture.depth() - 1];
      for (Matrix[] ofKnot : above) {
        for (int l = layers.first(); l <= layers.last(); l++) {
          int units = architecture.unitsOut(l);
          ofKnot[l] = Matrix.of(scope.floats((long) TILES * units), 0, TILES, units);
        }
      }
      differences = new Differences(scope, stack, rows);
      transposed = scope.matrix(rows, widest);
      hashes = scope.longs(rows);
      counts = scope.ints(rows);
    }
  }

  /** How many bands of tiles a map is cut into. */
  int bands() {
    return tilesOfSide * bandsOfRow;
  }

  /** Fills in one band of a replica's map. */
  void band(Lane lane, int replica, int band, RegionMap map) {
    Buffers b = buffers[lane.index()];
    int row = band / bandsOfRow * side;
    int firstTile = band % bandsOfRow * TILES;
    int tiles = Math.min(TILES, tilesOfSide - firstTile);
    centres(lane, replica, row, firstTile * side, tiles, b);
    for (int t = 0; t < tiles; t++) {
      tile(lane, replica, row, (firstTile + t) * side, t, b, map);
    }
  }

  /** The centres of tiles through the chosen layers in float64. */
  private void centres(Lane lane, int replica, int row, int column, int tiles, Buffers b) {
    double[] factors = new double[3 * tiles];
    int[] vectors = new int[3 * tiles];
    for (int t = 0; t < tiles; t++) {
      place(row + side / 2, column + t * side + side / 2, vectors, factors, 3 * t);
    }
    Matrix first = b.references.first(tiles);
    lane.combine(images[replica], 3, vectors, factors, null, 1, first);
    int[] rows = new int[tiles];
    Arrays.setAll(rows, t -> t);
    double[] ones = new double[tiles];
    Arrays.fill(ones, 1);
    b.references.through(
        lane,
        replica,
        tiles,
        layers.last() + 1,
        (layer, z) -> {
          for (int k = 0; k < activation.knots() && layers.contains(layer); k++) {
            Matrix above = b.above[k][layer].rows(0, tiles);
            lane.combine(z, 1, rows, ones, thresholds[replica][layer].rows(k, 1), -1, above);
          }
        });
  }

  private void place(int row, int column, int[] vectors, double[] factors, int at) {
    Plane.coordinates(Plane.x(column, size), Plane.y(row, size), factors, at);
    for (int k = 0; k < 3; k++) {
      vectors[at + k] = k;
    }
  }

  /** The pixels of one tile, and their right and lower neighbours, through the chosen layers. */
  private void tile(
      Lane lane, int replica, int row, int column, int tile, Buffers b, RegionMap map) {
    int points = reach * reach;
    int[] vectors = new int[3 * points];
    double[] factors = new double[3 * points];
    for (int i = 0; i < points; i++) {
      place(row + i / reach, column + i % reach, vectors, factors, 3 * i);
    }
    Matrix z = b.differences.first(points);
    Matrix centre = b.references.first(tile + 1).rows(tile, 1);
    lane.combine(images[replica], 3, vectors, factors, centre, -1, z);
    device.upload(new long[points], 0, b.hashes, 0, points);
    int[] toTheRight = new int[points];
    int[] downwards = new int[points];
    for (int l = 0; l <= layers.last(); l++) {
      int units = architecture.unitsOut(l);
      if (l > 0) {
        z = b.differences.next(lane, replica, l, z, b.references, tile);
      }
      Matrix knots = b.references.knotsOf(l, tile);
      boolean chosen = layers.contains(l);
      if (chosen) {
        long firstUnit = HiddenLayers.firstUnit(architecture, l);
        for (Matrix[] above : b.above) {
          // A code is the number of knots that z is above: for each, whether z − knot > 0. The sum
          // with the centre's is exact where it matters, near zero.
          Matrix ofCentre = above[l].rows(tile, 1);
          lane.hashPatterns(Activation.RELU, z, ofCentre, firstUnit, b.hashes, 0);
        }
        Matrix columns = Matrix.padded(b.transposed.data(), points, units);
        lane.gather(z, transposition, 0, 0, columns);
        lane.activateDifferences(activation, columns, knots, b.counts, 0);
        add(b.counts, downwards);
      }
      if (chosen || l < layers.last()) {
        lane.activateDifferences(activation, z, knots, b.counts, 0);
      }
      if (chosen) {
        add(b.counts, toTheRight);
      }
    }
    long[] hashes = new long[points];
    device.download(b.hashes, 0, hashes, 0, points);
    for (int i = 0; i < Math.min(side, size - row); i++) {
      for (int j = 0; j < Math.min(side, size - column); j++) {
        int pixel = (row + i) * size + column + j;
        map.hashes()[pixel] = hashes[i * reach + j];
        map.transitions()[pixel] =
            (column + j < size - 1 ? toTheRight[i * reach + j] : 0)
                + (row + i < size - 1 ? downwards[j * reach + i] : 0);
      }
    }
  }

  private void add(DeviceArray counts, int[] sums) {
    int[] found = new int[sums.length - 1];
    device.download(counts, 0, found, 0, found.length);
    for (int i = 0; i < found.length; i++) {
      sums[i] += found[i];
    }
  }
}
