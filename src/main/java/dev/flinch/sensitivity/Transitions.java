package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Trajectory;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

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

  /**
   * Counts the transitions of every replica. Memory does not grow with the number of points.
   *
   * @param points k
   * @param bins at most k
   */
  public static Transitions[] along(
      NetworkStack stack, Trajectory trajectory, long points, int bins, Progress progress) {
    return along(stack, trajectory, points, bins, false, progress);
  }

  /**
   * The same with whole activations in float32, as a network's own forward pass has them. Where
   * points are dense, rounding flips codes near every knot to and fro, and so invents transitions.
   */
  public static Transitions[] inPlainFloat32(
      NetworkStack stack, Trajectory trajectory, long points, int bins, Progress progress) {
    return along(stack, trajectory, points, bins, true, progress);
  }

  private static Transitions[] along(
      NetworkStack stack,
      Trajectory trajectory,
      long points,
      int bins,
      boolean plain,
      Progress progress) {
    int replicas = stack.replicas();
    Architecture architecture = stack.architecture();
    Tally[] tallies = Tally.perReplica(stack, points, bins);
    Device device = stack.device();
    if (architecture.depth() > 1) {
      String name = "transitions of " + architecture.title();
      try (Scope scope = new Scope(device, name)) {
        FirstLayer firstLayer = new FirstLayer(scope, stack, trajectory, points);
        TrajectoryPass pass = new TrajectoryPass(scope, stack, firstLayer, points, 0, plain);
        AtomicLong done = new AtomicLong();
        int tasks = Math.multiplyExact(replicas, pass.segments());
        device.run(
            tasks,
            (lane, task) -> {
              int replica = task / pass.segments();
              int segment = task % pass.segments();
              long[] perLayer = new long[architecture.depth() - 1];
              int[] perStep = new int[pass.steps(segment)];
              pass.segment(lane, replica, segment, perLayer, perStep, null);
              tallies[replica].add(pass.from(segment), perLayer, perStep);
              progress.report(name, done.incrementAndGet(), tasks);
            });
      }
    }
    return Tally.results(tallies);
  }

  /** Multiplications and additions that {@link #along} makes in matrix products. */
  public static long flop(Architecture architecture, long points) {
    long perPoint = 0;
    for (int l = 1; l < architecture.depth() - 1; l++) {
      perPoint += architecture.flop(l);
    }
    return points * perPoint;
  }

  /** The bin of a point: ⌊i · bins / k⌋. */
  static int bin(long point, int bins, long points) {
    return (int) (point * bins / points);
  }

  /** The bin of a fraction of the period; of a whole one, as rounding may make it, the last. */
  static int bin(double fraction, int bins) {
    return Math.min(bins - 1, (int) (fraction * bins));
  }

  /** One replica's counts, which segments add to in any order. */
  static final class Tally {
    private final long points;
    private final long[] perLayer;
    private final long[] perBin;
    private long regions;

    static Tally[] perReplica(NetworkStack stack, long points, int bins) {
      int hiddenLayers = stack.architecture().depth() - 1;
      return IntStream.range(0, stack.replicas())
          .mapToObj(r -> new Tally(hiddenLayers, points, bins))
          .toArray(Tally[]::new);
    }

    static Transitions[] results(Tally[] tallies) {
      return Arrays.stream(tallies).map(Tally::result).toArray(Transitions[]::new);
    }

    private Tally(int hiddenLayers, long points, int bins) {
      this.points = points;
      this.perLayer = new long[hiddenLayers];
      this.perBin = new long[bins];
    }

    synchronized void add(long from, long[] layers, int[] perStep) {
      for (int l = 0; l < perLayer.length; l++) {
        perLayer[l] += layers[l];
      }
      for (int i = 0; i < perStep.length; i++) {
        if (perStep[i] > 0) {
          perBin[bin(from + i, perBin.length, points)] += perStep[i];
          regions++;
        }
      }
    }

    private Transitions result() {
      return new Transitions(Arrays.stream(perLayer).sum(), perLayer, perBin, Math.max(1, regions));
    }
  }
}
