package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.TrajectoryMeasures;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.trajectory.Ellipse;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Jacobian norms of the probabilities along a random ellipse: 2²⁰ points, a fresh 20 × 200 ReLU
 * network. Transitions come with them, from the same pass.
 */
final class TrajectoryNormsJob implements Job {
  private static final long POINTS = 1 << 20;
  private static final int CHECKED_POINTS = 500;
  private static final int BINS = 60;

  private final Architecture architecture = Architecture.uniform(784, 20, 200, 10, Activation.RELU);
  private final Ellipse ellipse = Ellipse.random(784, 1);

  @Override
  public String name() {
    return "jacobian-trajectory-2^20-20x200";
  }

  /**
   * The forward passes of all points alone: how many linear regions there are, each with a backward
   * pass that its points share, is not known before.
   */
  @Override
  public double flop() {
    return Transitions.flop(architecture, POINTS);
  }

  /** As {@link #flop}, of the forward passes alone. */
  @Override
  public double bytes() {
    return TransitionsJob.weightBytes(architecture);
  }

  /**
   * The mean over fewer points of the same ellipse. They lie so far apart that hardly two share a
   * region, so every norm has a backward pass of its own; a point that float32 puts across a knot
   * has another region's norm, which the tolerance has room for.
   */
  @Override
  public void check(Device device, BenchData data) {
    Network network = Network.initial(architecture, 1, 1);
    PlainNetwork plain = new PlainNetwork(network);
    double step = ellipse.period() / CHECKED_POINTS;
    double expected =
        IntStream.range(0, CHECKED_POINTS)
            .parallel()
            .mapToDouble(i -> plain.jacobianNorm(ellipse.point(i * step)))
            .sum();
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      double found = measure(stack, CHECKED_POINTS, Progress.NONE).norms().mean();
      Job.require(
          name() + ", mean norm of %d points".formatted(CHECKED_POINTS),
          expected / CHECKED_POINTS,
          found,
          1e-3);
    }
  }

  private TrajectoryMeasures measure(NetworkStack stack, long points, Progress progress) {
    return TrajectoryMeasures.along(stack, ellipse, points, BINS, progress)[0];
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(Network.initial(architecture, 1, 1)));
    return new Run() {
      @Override
      public double time(Progress progress) {
        return device.seconds(() -> measure(stack, POINTS, progress));
      }

      @Override
      public void close() {
        stack.close();
      }
    };
  }
}
