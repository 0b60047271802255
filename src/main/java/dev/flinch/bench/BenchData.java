package dev.flinch.bench;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.DataSet;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.ImageShape;
import java.nio.file.Path;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * The images that jobs run on: 50,000 of MNIST's training split and its 10,000 test images where
 * they are found, else as many of random pixels and classes.
 *
 * @param source mnist or random
 */
record BenchData(String source, LabelledImages train, LabelledImages test) {
  static final int TRAIN = 50_000;
  static final int TEST = 10_000;

  static BenchData find(Path dataDirectory) {
    if (DataSets.entry("mnist", dataDirectory).found()) {
      DataSet mnist = DataSets.load("mnist", dataDirectory);
      return new BenchData("mnist", mnist.train().first(TRAIN), mnist.test().first(TEST));
    }
    return new BenchData("random", random("train", TRAIN, 0), random("test", TEST, 1));
  }

  private static LabelledImages random(String name, int count, int index) {
    UniformRandomProvider stream = RandomStreams.stream(1, Purpose.BENCHMARK, 0, index);
    ImageShape shape = new ImageShape(1, 28, 28);
    byte[][] pixels = new byte[count][shape.size()];
    int[] labels = new int[count];
    for (int i = 0; i < count; i++) {
      stream.nextBytes(pixels[i]);
      labels[i] = stream.nextInt(10);
    }
    return new LabelledImages("random " + name, shape, 10, pixels, labels);
  }
}
