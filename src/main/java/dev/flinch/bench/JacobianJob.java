package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.training.DeviceExamples;
import java.util.List;

/** Jacobian norms of the probabilities at 10,000 images, of a fresh ReLU network. */
record JacobianJob(int depth, int width) implements Job {
  private static final int CHECKED_POINTS = 10;

  @Override
  public String name() {
    return "jacobian-10k-%dx%d".formatted(depth, width);
  }

  private Architecture architecture() {
    return Architecture.uniform(784, depth, width, 10, Activation.RELU);
  }

  @Override
  public double flop() {
    return JacobianNorms.flop(architecture(), Jacobian.PROBABILITIES, BenchData.TEST);
  }

  /** At a point 4 a unit of the first layer, and 8 of its norm; and all weights above once. */
  @Override
  public double bytes() {
    Architecture a = architecture();
    long above = a.parameters() - (long) a.rows(0) * a.columns(0);
    return (4.0 * a.rows(0) + 8) * BenchData.TEST + 4.0 * above;
  }

  /** The job itself, at some of its points: with fewer, other shortcuts would pay. */
  @Override
  public void check(Device device, BenchData data) {
    Network network = Network.initial(architecture(), 1, 1);
    PlainNetwork plain = new PlainNetwork(network);
    LabelledImages images = data.test();
    try (NetworkStack stack = new NetworkStack(device, List.of(network));
        DeviceExamples examples = new DeviceExamples(device, images)) {
      JacobianNorms norms = norms(stack, examples, Progress.NONE);
      for (int i = 0; i < CHECKED_POINTS; i++) {
        int image = i * (images.count() - 1) / (CHECKED_POINTS - 1);
        double expected = plain.jacobianNorm(doubles(images.normalised(image)));
        Job.require(name() + ", norm at image " + image, expected, norms.points()[image], 1e-4);
      }
    }
  }

  private static JacobianNorms norms(NetworkStack stack, DeviceExamples at, Progress progress) {
    return JacobianNorms.at(stack, at.inputs(), Jacobian.PROBABILITIES, progress)[0];
  }

  static double[] doubles(float[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[i];
    }
    return result;
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(Network.initial(architecture(), 1, 1)));
    DeviceExamples examples = new DeviceExamples(device, data.test());
    return new Run() {
      @Override
      public double time(Progress progress) {
        return device.seconds(() -> norms(stack, examples, progress));
      }

      @Override
      public void close() {
        examples.close();
        stack.close();
      }
    };
  }
}
