package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.ExampleGradients;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.training.DeviceExamples;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The cosines between the loss gradients of all pairs of training images, by the dense network of
 * Fort et al., 500–300–100 ReLU, before training: from the images in the device's memory to the
 * matrix in the host's.
 *
 * @param images how many
 */
record StiffnessJob(int images) implements Job {
  private static final int CHECKED_IMAGES = 40;

  /** Pairs that are timed together at the least, so that the JVM has compiled what it runs. */
  private static final long PAIRS = 10_000_000;

  @Override
  public String name() {
    return "stiffness-" + (images % 1000 == 0 ? images / 1000 + "k" : images);
  }

  /** The peers materialise gradients: 500 of them, not 10,000. */
  @Override
  public String peer() {
    return images == 500 ? name() : null;
  }

  private static Architecture architecture() {
    return new Architecture(List.of(784, 500, 300, 100, 10), Activation.RELU, false);
  }

  @Override
  public double flop() {
    return Stiffness.flop(architecture(), images, images, true);
  }

  /**
   * At an image, each layer's input and error are read to be made unit rows, and written; slopes
   * are written, read, and scale errors, which are read and written. The matrix is written once,
   * and copied to the host.
   */
  @Override
  public double bytes() {
    Architecture a = architecture();
    long perImage = 0;
    for (int l = 0; l < a.depth(); l++) {
      perImage += 2L * (a.columns(l) + a.rows(l)) + (l < a.depth() - 1 ? 6L * a.rows(l) : 0);
    }
    double pairs = images * (images + 1.0) / 2;
    return 4.0 * perImage * images + 2 * 4 * pairs;
  }

  @Override
  public void check(Device device, BenchData data) {
    Network network = Network.initial(architecture(), 1, 1);
    PlainNetwork plain = new PlainNetwork(network);
    LabelledImages few = data.train().first(CHECKED_IMAGES);
    double[][] gradients =
        IntStream.range(0, CHECKED_IMAGES)
            .parallel()
            .mapToObj(i -> plain.unitGradient(JacobianJob.doubles(few.normalised(i)), few.label(i)))
            .toArray(double[][]::new);
    try (NetworkStack stack = new NetworkStack(device, List.of(network));
        DeviceExamples examples = new DeviceExamples(device, few)) {
      float[][] cosines = cosines(stack, examples, Progress.NONE);
      for (int i = 0; i < CHECKED_IMAGES; i++) {
        for (int j = 0; j < CHECKED_IMAGES; j++) {
          double cosine = 0;
          for (int k = 0; k < gradients[i].length; k++) {
            cosine += gradients[i][k] * gradients[j][k];
          }
          String what = "%s, 1 + cosine of images %d and %d".formatted(name(), i, j);
          Job.require(what, 1 + cosine, 1 + cosines[i][j], 1e-5);
        }
      }
    }
  }

  private static float[][] cosines(NetworkStack stack, DeviceExamples examples, Progress progress) {
    try (ExampleGradients gradients =
        ExampleGradients.of(stack, 0, examples.inputs(), examples.images().labels())) {
      return gradients.cosines(gradients, progress);
    }
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(Network.initial(architecture(), 1, 1)));
    DeviceExamples examples = new DeviceExamples(device, data.train().first(images));
    return new Run() {
      @Override
      public double time(Progress progress) {
        int runs = (int) Math.max(1, PAIRS / ((long) images * images));
        return device.seconds(
                () -> {
                  for (int run = 0; run < runs; run++) {
                    cosines(stack, examples, progress);
                  }
                })
            / runs;
      }

      @Override
      public void close() {
        examples.close();
        stack.close();
      }
    };
  }
}
