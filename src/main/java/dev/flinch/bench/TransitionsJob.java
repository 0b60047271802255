package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.trajectory.Ellipse;
import java.util.List;
import java.util.stream.IntStream;

/** Sampled transitions along a random ellipse: 2²⁰ points, a fresh 20 × 200 ReLU network. */
final class TransitionsJob implements Job {
  private static final long POINTS = 1 << 20;
  private static final int CHECKED_POINTS = 1000;
  private static final int BINS = 60;

  private final Architecture architecture = Architecture.uniform(784, 20, 200, 10, Activation.RELU);
  private final Ellipse ellipse = Ellipse.random(784, 1);

  @Override
  public String name() {
    return "transitions-2^20-20x200";
  }

  @Override
  public double flop() {
    return Transitions.flop(architecture, POINTS);
  }

  /** Hardly any: the weights between hidden layers once, since points are made on chip. */
  @Override
  public double bytes() {
    return weightBytes(architecture);
  }

  /** Bytes of the weights from the first hidden layer to the last. */
  static double weightBytes(Architecture architecture) {
    return 4.0 * Transitions.flop(architecture, 1) / 2;
  }

  /** Fewer points of the same ellipse; within 0.2% of double precision. */
  @Override
  public void check(Device device, BenchData data) {
    Network network = Network.initial(architecture, 1, 1);
    PlainNetwork plain = new PlainNetwork(network);
    double step = ellipse.period() / CHECKED_POINTS;
    long expected =
        IntStream.range(0, CHECKED_POINTS)
            .parallel()
            .mapToLong(
                i ->
                    plain.transitions(
                        ellipse.point(i * step), ellipse.point((i + 1) % CHECKED_POINTS * step)))
            .sum();
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      long found =
          Transitions.along(stack, ellipse, CHECKED_POINTS, BINS, Progress.NONE)[0].total();
      Job.require(
          name() + ", transitions at %d points".formatted(CHECKED_POINTS), expected, found, 0.002);
    }
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(Network.initial(architecture, 1, 1)));
    return new Run() {
      @Override
      public double time(Progress progress) {
        return device.seconds(() -> Transitions.along(stack, ellipse, POINTS, BINS, progress));
      }

      @Override
      public void close() {
        stack.close();
      }
    };
  }
}
