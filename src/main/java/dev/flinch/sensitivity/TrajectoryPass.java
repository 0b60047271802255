package dev.flinch.sensitivity;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.FusedPasses;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;
import java.util.Arrays;

/**
 * Takes the points of a sampled trajectory through a network, a segment at a time.
 *
 * <p>Consecutive points are so close that in float32 a unit near a knot would flip its code at
 * random. So only differences from a reference point in the middle of each tile go through the
 * network in float32; the reference goes in float64. Rounding is then relative to the tile's
 * extent, some hundred steps, instead of to the activations themselves.
 *
 * <p>In a network without biases, a unit that sees nothing but units at rest is on its knot
 * exactly; rounding may put it on either side. That takes units that see very few, as those of a
 * convolution of one pixel and two or three channels.
 *
 * <p>The differences of a segment's tiles go through in one kernel where the device has one, else
 * tile by tile and layer by layer.
 */
final class TrajectoryPass {
  /** Tiles whose reference points go through the network together, layer by layer. */
  private static final int TILES = 16;

  /** The same for a kernel: what fills a large card several times over. */
  private static final int FUSED_TILES = 256;

  /** What a caller may keep for all steps of a segment together. */
  private static final long SEGMENT_BYTES = 256 << 20;

  /** The most steps that share a reference point: more would bring the rounding back. */
  private static final int MOST_STEPS = 512;

  private final NetworkStack stack;
  private final Architecture architecture;
  private final int hidden;
  private final long points;
  private final FusedPasses fused;

  /** Whether all reference points are zero, so that float32 has to carry whole activations. */
  private final boolean plain;

  /** Steps that share a reference point. */
  private final int tile;

  /** Tiles of a segment. */
  private final int tiles;

  private final FirstLayer firstLayer;
  private final Buffers[] buffers;

  /**
   * @param scope owns the buffers
   * @param stack networks of at least one hidden layer
   * @param points k, as {@code firstLayer} counts them
   * @param bytesPerStep what the caller keeps for each step of a segment
   * @param plain whether whole activations go through the network in float32, not differences
   */
  TrajectoryPass(
      Scope scope,
      NetworkStack stack,
      FirstLayer firstLayer,
      long points,
      long bytesPerStep,
      boolean plain) {
    this.stack = stack;
    this.plain = plain;
    this.architecture = stack.architecture();
    this.hidden = architecture.depth() - 1;
    this.points = points;
    Device device = stack.device();
    int widest = architecture.widest();
    this.fused =
        device
            .fused()
            .filter(f -> !plain && !architecture.isConvolutional() && f.trajectoryTile(widest) > 0)
            .orElse(null);
    this.tile =
        fused != null
            ? MOST_STEPS / fused.trajectoryTile(widest) * fused.trajectoryTile(widest)
            : Math.min(
                MOST_STEPS, ForwardBuffers.tileRows(device, architecture, 2L * widest, points));
    long all = (points + tile - 1) / tile;
    long fit = Math.max(1, SEGMENT_BYTES / tile / Math.max(1, bytesPerStep));
    this.tiles = (int) Math.min(Math.min(fused != null ? FUSED_TILES : TILES, all), fit);
    this.firstLayer = firstLayer;
    this.buffers = new Buffers[device.lanes()];
    for (int lane = 0; lane < buffers.length; lane++) {
      buffers[lane] = new Buffers(scope);
    }
  }

  /** What one lane works in. */
  private final class Buffers {
    final References references;
    final Matrix logitReferences;
    final Differences differences;
    final DeviceArray perStep;
    final DeviceArray perLayer;

    Buffers(Scope scope) {
      references = new References(scope, stack, tiles);
      logitReferences = scope.matrix(tiles, architecture.classes());
      differences = new Differences(scope, stack, fused != null ? 0 : tile + 1);
      perStep = scope.ints(fused != null ? segmentPoints() : tile);
      perLayer = scope.longs(hidden);
    }
  }

  private long segmentPoints() {
    return (long) tile * tiles;
  }

  /** How many segments the trajectory is cut into. */
  int segments() {
    return Math.toIntExact((points + segmentPoints() - 1) / segmentPoints());
  }

  /** The most steps of a segment. */
  int segmentSteps() {
    return (int) Math.min(segmentPoints(), points);
  }

  /** The first point of a segment. */
  long from(int segment) {
    return segment * segmentPoints();
  }

  /** How many steps start in a segment. */
  int steps(int segment) {
    return (int) Math.min(segmentPoints(), points - from(segment));
  }

  /**
   * Takes one segment's points through the network.
   *
   * @param perLayer each hidden layer's transitions are added to it
   * @param perStep takes the transitions of each step, from its point to the next
   * @param logits steps × C: takes each point's logits; or null
   */
  void segment(Lane lane, int replica, int segment, long[] perLayer, int[] perStep, Matrix logits) {
    Buffers b = buffers[lane.index()];
    long from = from(segment);
    int steps = steps(segment);
    references(lane, replica, from, (steps + tile - 1) / tile, b, logits != null);
    if (fused != null) {
      fused(lane, replica, from, steps, b, perLayer, perStep, logits);
    } else {
      composed(lane, replica, from, steps, b, perLayer, perStep, logits);
    }
  }

  private void fused(
      Lane lane,
      int replica,
      long from,
      int steps,
      Buffers b,
      long[] perLayer,
      int[] perStep,
      Matrix logits) {
    Device device = stack.device();
    Matrix[] weights = new Matrix[hidden];
    Arrays.setAll(weights, l -> weights(l + 1, replica));
    int rows = (steps + tile - 1) / tile;
    Matrix[] knots = new Matrix[hidden];
    Arrays.setAll(knots, l -> b.references.knots(l, rows));
    device.upload(new long[hidden], 0, b.perLayer, 0, hidden);
    fused.trajectory(
        lane,
        architecture.activation(),
        firstLayer.points(replica),
        from,
        steps,
        tile,
        weights,
        knots,
        logits == null ? null : b.logitReferences.rows(0, rows),
        new FusedPasses.TrajectoryCounts(b.perLayer, null, b.perStep, null, logits));
    long[] counts = new long[hidden];
    device.download(b.perLayer, 0, counts, 0, hidden);
    for (int l = 0; l < hidden; l++) {
      perLayer[l] += counts[l];
    }
    device.download(b.perStep, 0, perStep, 0, steps);
  }

  private void composed(
      Lane lane,
      int replica,
      long from,
      int steps,
      Buffers b,
      long[] perLayer,
      int[] perStep,
      Matrix logits) {
    for (int first = 0; first < steps; first += tile) {
      int t = first / tile;
      int rows = Math.min(tile, steps - first);
      Matrix differences = tile(lane, replica, from, t, rows, b, perLayer, perStep);
      if (logits != null) {
        Matrix out = logits.rows(first, rows);
        b.differences.next(lane, replica, hidden, differences.rows(0, rows), b.references, t, out);
        lane.addBias(out, b.logitReferences.rows(t, 1));
      }
    }
  }

  private Matrix weights(int layer, int replica) {
    return stack.weights(layer).replicas(replica, 1);
  }

  private Matrix biases(int layer, int replica) {
    return stack.biases(layer) == null ? null : stack.biases(layer).replicas(replica, 1);
  }

  /** The reference points of a segment through the network in float64. */
  private void references(
      Lane lane, int replica, long from, int tiles, Buffers b, boolean withLogits) {
    Matrix first = b.references.first(tiles);
    if (plain) {
      firstLayer.combine(lane, replica, 1, new int[tiles], new double[tiles], first);
    } else {
      firstLayer.preactivations(lane, replica, from + tile / 2, tile, null, first);
    }
    Matrix h = b.references.through(lane, replica, tiles, hidden, (layer, z) -> {});
    if (withLogits) {
      Matrix logits = b.logitReferences.rows(0, tiles);
      lane.narrow(b.references.next(lane, replica, hidden, h), logits);
      if (biases(hidden, replica) != null) {
        lane.addBias(logits, biases(hidden, replica));
      }
    }
  }

  /**
   * Differences from one reference point through the hidden layers, with their transitions.
   *
   * @return differences of the last hidden layer's activations, steps + 1 rows
   */
  private Matrix tile(
      Lane lane,
      int replica,
      long segmentFrom,
      int tileOfSegment,
      int steps,
      Buffers b,
      long[] perLayer,
      int[] perStep) {
    int firstStep = tileOfSegment * tile;
    // One point more than steps: the last step's end.
    Matrix z = b.differences.first(steps + 1);
    Matrix reference = b.references.first(tileOfSegment + 1).rows(tileOfSegment, 1);
    firstLayer.preactivations(lane, replica, segmentFrom + firstStep, 1, reference, z);
    for (int l = 0; l < hidden; l++) {
      if (l > 0) {
        z = b.differences.next(lane, replica, l, z, b.references, tileOfSegment);
      }
      Matrix knots = b.references.knotsOf(l, tileOfSegment);
      lane.activateDifferences(architecture.activation(), z, knots, b.perStep, 0);
      int[] counts = new int[steps];
      stack.device().download(b.perStep, 0, counts, 0, steps);
      for (int i = 0; i < steps; i++) {
        perLayer[l] += counts[i];
        perStep[firstStep + i] += counts[i];
      }
    }
    return z;
  }
}
