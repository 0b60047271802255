package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.HiddenLayers;
import dev.flinch.sensitivity.RegionMap;
import dev.flinch.trajectory.Plane;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A map of 1024 × 1024 pixels of the last hidden layer's regions (Novak et al., Figure 3), of a
 * fresh 15 × 300 ReLU6 network on the plane through three images.
 */
final class RegionsJob implements Job {
  private static final int SIZE = 1024;
  private static final int CHECKED_SIZE = 32;

  private final Architecture architecture =
      Architecture.uniform(784, 15, 300, 10, Activation.RELU6);
  private final HiddenLayers layers = HiddenLayers.last(architecture);

  @Override
  public String name() {
    return "regions-1024-15x300";
  }

  @Override
  public double flop() {
    return RegionMap.flop(architecture, SIZE, layers);
  }

  /**
   * The composed pass, in tiles of 32 × 32 pixels with a row and a column of neighbours: each point
   * is written once, read and written by every hidden layer's activation, and in the last one read
   * for either knot's hash, copied, and read and written by the activation downwards too; then its
   * hash twice over with its making and its fetching, and a count a pass.
   */
  @Override
  public double bytes() {
    double points = Math.pow(SIZE / 32.0 * 33, 2);
    int hidden = architecture.depth() - 1;
    double rows = 1 + 2 * hidden + 2 + 2 + 2;
    return points * (4.0 * architecture.rows(0) * rows + 8 * (2 * 2 + 2) + 4 * (hidden + 1));
  }

  private static Plane plane(BenchData data) {
    LabelledImages images = data.test();
    return Plane.through(images.normalised(0), images.normalised(1), images.normalised(2));
  }

  /**
   * Fewer pixels of the same square, of all layers: patterns within 1% of the pixels, so many does
   * float32 put across a knot at most, and transitions within 0.2% of double precision.
   */
  @Override
  public void check(Device device, BenchData data) {
    Network network = Network.initial(architecture, 1, 1);
    PlainNetwork plain = new PlainNetwork(network);
    Plane plane = plane(data);
    HiddenLayers all = HiddenLayers.all(architecture);
    int pixels = CHECKED_SIZE * CHECKED_SIZE;
    int[][] patterns =
        IntStream.range(0, pixels)
            .parallel()
            .mapToObj(i -> plain.pattern(point(plane, i)))
            .toArray(int[][]::new);
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      RegionMap map = RegionMap.of(stack, plane, CHECKED_SIZE, all, Progress.NONE)[0];
      long equal =
          IntStream.range(0, pixels)
              .filter(i -> PlainNetwork.hash(patterns[i]) == map.hashes()[i])
              .count();
      Job.require(name() + ", pixels of equal patterns", pixels, equal, 0.01);
      long expected = 0;
      long found = 0;
      for (int i = 0; i < pixels; i++) {
        expected +=
            (i % CHECKED_SIZE < CHECKED_SIZE - 1
                    ? PlainNetwork.transitions(patterns[i], patterns[i + 1])
                    : 0)
                + (i / CHECKED_SIZE < CHECKED_SIZE - 1
                    ? PlainNetwork.transitions(patterns[i], patterns[i + CHECKED_SIZE])
                    : 0);
        found += map.transitions()[i];
      }
      Job.require(name() + ", transitions between pixels", expected, found, 0.002);
    }
  }

  private static double[] point(Plane plane, int pixel) {
    return plane.point(
        Plane.x(pixel % CHECKED_SIZE, CHECKED_SIZE), Plane.y(pixel / CHECKED_SIZE, CHECKED_SIZE));
  }

  @Override
  public Run prepare(Device device, BenchData data) {
    NetworkStack stack = new NetworkStack(device, List.of(Network.initial(architecture, 1, 1)));
    Plane plane = plane(data);
    return new Run() {
      @Override
      public double time(Progress progress) {
        return device.seconds(() -> RegionMap.of(stack, plane, SIZE, layers, progress));
      }

      @Override
      public void close() {
        stack.close();
      }
    };
  }
}
