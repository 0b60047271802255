package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Crossings;
import dev.flinch.sensitivity.ExactTrajectory;
import dev.flinch.sensitivity.ExactTrajectory.Points;
import dev.flinch.trajectory.Ellipse;
import dev.flinch.trajectory.Trajectory;
import dev.flinch.trajectory.TranslationLoop;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Exact walks of a fresh ReLU network: all transitions along trajectories, or Jacobian norms at 2²⁰
 * points of them as well.
 *
 * @param peer samples 2²⁰ points for the same answer; or null
 * @param points where norms are found, 0 for none
 * @param loops how many test images are translated; 0 for one random ellipse
 */
record ExactJob(String name, String peer, int depth, int width, long points, int loops)
    implements Job {
  private static final int BINS = 60;

  /** How many regions, and points, are checked. */
  private static final int CHECKED = 300;

  private static final int CHECKED_NORMS = 40;

  static ExactJob transitions() {
    return new ExactJob("exact-20x200", new TransitionsJob().name(), 20, 200, 0, 0);
  }

  static ExactJob norms() {
    return new ExactJob(
        "jacobian-exact-2^20-20x200", new TrajectoryNormsJob().name(), 20, 200, 1 << 20, 0);
  }

  static ExactJob translations() {
    return new ExactJob("exact-translations-100-5x100", null, 5, 100, 0, 100);
  }

  /** What is multiplied depends on how many regions are found. */
  @Override
  public double flop() {
    return 0;
  }

  /** As does what is moved. */
  @Override
  public double bytes() {
    return 0;
  }

  private Network network() {
    return Network.initial(Architecture.uniform(784, depth, width, 10, Activation.RELU), 1, 1);
  }

  private List<Trajectory> trajectories(BenchData data) {
    return loops == 0
        ? List.of(Ellipse.random(784, 1))
        : IntStream.range(0, loops)
            .<Trajectory>mapToObj(
                i -> new TranslationLoop(data.test().shape(), data.test().normalised(i)))
            .toList();
  }

  /**
   * The first regions of the first trajectory: between their middles, double precision sees as many
   * transitions as there are crossings; and norms at points all along it.
   */
  @Override
  public void check(Device device, BenchData data) {
    Network network = network();
    PlainNetwork plain = new PlainNetwork(network);
    Trajectory trajectory = trajectories(data).get(0);
    double[] at =
        IntStream.range(0, points > 0 ? CHECKED_NORMS : 0)
            .mapToDouble(i -> trajectory.period() * (i + 0.5) / CHECKED_NORMS)
            .toArray();
    ExactTrajectory exact;
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      exact = ExactTrajectory.along(stack, trajectory, Points.of(at), BINS, Progress.NONE)[0];
    }
    Crossings crossings = exact.crossings();
    int regions = Math.min(CHECKED, crossings.count() - 2);
    double[] middles =
        IntStream.rangeClosed(0, regions)
            .mapToDouble(i -> (crossings.parameters()[i] + crossings.parameters()[i + 1]) / 2)
            .toArray();
    long expected =
        IntStream.range(0, regions)
            .parallel()
            .mapToLong(
                i ->
                    plain.transitions(
                        trajectory.point(middles[i]), trajectory.point(middles[i + 1])))
            .sum();
    Job.require(name + ", transitions of %d regions".formatted(regions), expected, regions, 0);
    if (at.length > 0) {
      double norms =
          Arrays.stream(at)
              .parallel()
              .map(t -> plain.jacobianNorm(trajectory.point(t)))
              .average()
              .orElseThrow();
      Job.require(
          name + ", mean norm of %d points".formatted(at.length),
          norms,
          exact.norms().mean(),
          1e-6);
    }
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(network()));
    List<Trajectory> trajectories = trajectories(data);
    return new Run() {
      @Override
      public double time(Progress progress) {
        return device.seconds(
            () ->
                ExactTrajectory.along(
                    stack,
                    trajectories,
                    trajectory -> Points.equidistant(trajectory, points),
                    BINS,
                    progress));
      }

      @Override
      public void close() {
        stack.close();
      }
    };
  }
}
