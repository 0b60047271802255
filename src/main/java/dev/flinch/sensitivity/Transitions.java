package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Transitions of linear regions along a closed trajectory sampled at k equidistant parameters: t =
 * Σᵢ ‖c(zᵢ) − c(z₍ᵢ₊₁₎ mod k)‖₁ (Novak et al., §3.2).
 *
 * @param total t
 * @param perLayer t of each hidden layer
 * @param perBin t of each of the equal bins of the parameter; the step from zᵢ counts where zᵢ is
 * @param regions how many steps change the pattern: the linear regions that sampling sees; 1 where
 *     none does
 */
public record Transitions(long total, long[] perLayer, long[] perBin, long regions) {
  /** Tiles whose reference points go through the network together. */
  private static final int TILES = 16;

  /**
   * Counts the transitions of every replica.
   *
   * <p>Consecutive points are so close that float32 would flip codes at random near a knot. So only
   * differences from a reference point in the middle of each tile go through the network in
   * float32; the reference goes in float64. Rounding is then relative to the tile's extent, some
   * hundred steps, instead of to the activations themselves.
   *
   * @param points k
   * @param bins at most k
   */
  public static Transitions[] along(
      NetworkStack stack, Trajectory trajectory, long points, int bins, Progress progress) {
    int replicas = stack.replicas();
    Architecture architecture = stack.architecture();
    if (architecture.depth() == 1) {
      Transitions none = new Transitions(0, new long[0], new long[bins], 1);
      return java.util.stream.Stream.generate(() -> none)
          .limit(replicas)
          .toArray(Transitions[]::new);
    }
    Device device = stack.device();
    try (Scope scope = new Scope(device)) {
      Count count = new Count(scope, stack, trajectory, points, bins);
      AtomicLong done = new AtomicLong();
      long segments = replicas * count.segments;
      device.run(
          Math.toIntExact(segments),
          (lane, task) -> {
            count.segment(lane, (int) (task / count.segments), task % count.segments);
            progress.report(
                "transitions of " + architecture.title(), done.incrementAndGet(), segments);
          });
      return count.results();
    }
  }

  /** Multiplications and additions that {@link #along} makes in matrix products. */
  public static long flop(Architecture architecture, long points) {
    long perPoint = 0;
    for (int l = 1; l < architecture.depth() - 1; l++) {
      perPoint += 2L * architecture.rows(l) * architecture.columns(l);
    }
    return points * perPoint;
  }

  /** One count: buffers, and tallies that segments add to. */
  private static final class Count {
    private final NetworkStack stack;
    private final Architecture architecture;
    private final int hidden;
    private final long points;
    private final int bins;
    private final int tile;
    private final long segmentPoints;
    private final long segments;
    private final FirstLayer firstLayer;
    private final Buffers[] buffers;
    private final long[][] perLayer;
    private final long[][] perBin;
    private final long[] regions;

    Count(Scope scope, NetworkStack stack, Trajectory trajectory, long points, int bins) {
      this.stack = stack;
      this.architecture = stack.architecture();
      this.hidden = architecture.depth() - 1;
      this.points = points;
      this.bins = bins;
      Device device = stack.device();
      this.tile = ForwardBuffers.tileRows(device, 2L * widestHidden(), points);
      this.segmentPoints = (long) tile * TILES;
      this.segments = (points + segmentPoints - 1) / segmentPoints;
      this.firstLayer = new FirstLayer(scope, stack, trajectory, points);
      this.buffers = new Buffers[device.lanes()];
      for (int lane = 0; lane < buffers.length; lane++) {
        buffers[lane] = new Buffers(scope);
      }
      this.perLayer = new long[stack.replicas()][hidden];
      this.perBin = new long[stack.replicas()][bins];
      this.regions = new long[stack.replicas()];
    }

    private int widestHidden() {
      int widest = 1;
      for (int l = 0; l < hidden; l++) {
        widest = Math.max(widest, architecture.rows(l));
      }
      return widest;
    }

    /** What one lane works in. */
    private final class Buffers {
      final Matrix[] pair;
      final Matrix[] references;
      final Matrix firstReferences;
      final Matrix wideWeights;
      final Matrix[] knots;
      final DeviceArray counts;
      final int[] hostCounts;

      Buffers(Scope scope) {
        int widest = widestHidden();
        pair = new Matrix[] {scope.matrix(tile + 1, widest), scope.matrix(tile + 1, widest)};
        references = new Matrix[] {wide(scope, TILES, widest), wide(scope, TILES, widest)};
        firstReferences = wide(scope, TILES, architecture.rows(0));
        int largest = 1;
        knots = new Matrix[hidden];
        for (int l = 0; l < hidden; l++) {
          knots[l] = scope.matrix(3 * TILES, architecture.rows(l));
          if (l > 0) {
            largest =
                Math.max(
                    largest, Math.multiplyExact(architecture.rows(l), architecture.columns(l)));
          }
        }
        wideWeights = wide(scope, 1, largest);
        counts = scope.ints(tile);
        hostCounts = new int[tile];
      }

      private Matrix wide(Scope scope, int rows, int columns) {
        return Matrix.of(scope.doubles((long) rows * columns), 0, rows, columns);
      }
    }

    /** Counts the steps from the points of one segment, and adds them to the tallies. */
    void segment(Lane lane, int replica, long segment) {
      Buffers b = buffers[lane.index()];
      long from = segment * segmentPoints;
      int steps = (int) Math.min(segmentPoints, points - from);
      int tiles = (steps + tile - 1) / tile;
      references(lane, replica, from, tiles, b);
      long[] layers = new long[hidden];
      int[] perStep = new int[steps];
      for (int t = 0; t < tiles; t++) {
        int first = t * tile;
        int rows = Math.min(tile, steps - first);
        tile(lane, replica, from + first, rows, t, b, layers, perStep, first);
      }
      tally(replica, from, layers, perStep);
    }

    /** The reference points of a segment through the network in float64. */
    private void references(Lane lane, int replica, long from, int tiles, Buffers b) {
      Matrix raw = b.firstReferences.rows(0, tiles);
      firstLayer.preactivations(lane, replica, from + tile / 2, tile, null, raw);
      Matrix z = Matrix.of(b.references[0].data(), 0, tiles, architecture.rows(0));
      firstLayer.preactivations(lane, replica, from + tile / 2, tile, null, z);
      for (int l = 0; l < hidden; l++) {
        if (l > 0) {
          Matrix weights =
              Matrix.of(b.wideWeights.data(), 0, architecture.rows(l), architecture.columns(l));
          Matrix next = Matrix.of(b.references[l % 2].data(), 0, tiles, architecture.rows(l));
          lane.widen(stack.weights(l).replicas(replica, 1), weights);
          lane.gemm(false, z, true, weights, 0, next);
          z = next;
        }
        Matrix bias = stack.biases(l) == null ? null : stack.biases(l).replicas(replica, 1);
        lane.activateReferences(architecture.activation(), z, bias, b.knots[l].rows(0, 3 * tiles));
      }
    }

    /** Differences from one reference point through the network, and their transitions. */
    private void tile(
        Lane lane,
        int replica,
        long from,
        int steps,
        int tileOfSegment,
        Buffers b,
        long[] layers,
        int[] perStep,
        int firstStep) {
      // One point more than steps: the last step's end.
      Matrix z = Matrix.padded(b.pair[0].data(), steps + 1, architecture.rows(0));
      Matrix reference = b.firstReferences.rows(tileOfSegment, 1);
      firstLayer.preactivations(lane, replica, from, 1, reference, z);
      for (int l = 0; l < hidden; l++) {
        if (l > 0) {
          Matrix next = Matrix.padded(b.pair[l % 2].data(), steps + 1, architecture.rows(l));
          lane.gemm(false, z, true, stack.weights(l).replicas(replica, 1), 0, next);
          z = next;
        }
        Matrix knots = b.knots[l].rows(3 * tileOfSegment, 3);
        lane.activateDifferences(architecture.activation(), z, knots, b.counts, 0);
        stack.device().download(b.counts, 0, b.hostCounts, 0, steps);
        for (int i = 0; i < steps; i++) {
          layers[l] += b.hostCounts[i];
          perStep[firstStep + i] += b.hostCounts[i];
        }
      }
    }

    private synchronized void tally(int replica, long from, long[] layers, int[] perStep) {
      for (int l = 0; l < hidden; l++) {
        perLayer[replica][l] += layers[l];
      }
      for (int i = 0; i < perStep.length; i++) {
        if (perStep[i] > 0) {
          perBin[replica][(int) ((from + i) * bins / points)] += perStep[i];
          regions[replica]++;
        }
      }
    }

    Transitions[] results() {
      Transitions[] results = new Transitions[perLayer.length];
      for (int r = 0; r < results.length; r++) {
        results[r] =
            new Transitions(
                Arrays.stream(perLayer[r]).sum(), perLayer[r], perBin[r], Math.max(1, regions[r]));
      }
      return results;
    }
  }
}
