package dev.flinch.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.reference.Reference;
import dev.flinch.reference.ReferenceOptimizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class AugmentationTest {
  private static final CpuDevice DEVICE = new CpuDevice(2);

  /** Examples, in batches of 40, 40 and 3. */
  private static final int N = 83;

  private static final int BATCH = 40;
  private static final int CLASSES = 4;
  private static final ImageShape SQUARE = new ImageShape(2, 6, 6);
  private static final ImageShape WIDE = new ImageShape(1, 3, 5);
  private static final List<Augmentation> ALL = List.of(Augmentation.values());

  @AfterAll
  static void noMemoryIsLeftBehind() {
    assertEquals(0, DEVICE.liveBytes());
    DEVICE.close();
  }

  private static LabelledImages images(ImageShape shape) {
    byte[][] pixels = new byte[N][shape.size()];
    int[] labels = new int[N];
    for (int i = 0; i < N; i++) {
      var stream = RandomStreams.stream(1, Purpose.BENCHMARK, 3, i);
      stream.nextBytes(pixels[i]);
      labels[i] = stream.nextInt(CLASSES);
    }
    return new LabelledImages("test images", shape, CLASSES, pixels, labels);
  }

  private static Network network(long seed, ImageShape shape) {
    return RandomNetworks.network(seed, Activation.TANH, false, shape.size(), 17, 11, CLASSES);
  }

  private static TrainingSettings settings(int epochs) {
    return new TrainingSettings(
        OptimizerRule.MOMENTUM, BATCH, 0.1, 500, new StopRule(epochs, 0, 2));
  }

  private static ReplicaSettings replica(long seed, LabelledImages images, Augmentation how) {
    return new ReplicaSettings(seed, 0.02, images.labels(), how);
  }

  /** What training left. */
  private record Trained(List<Network> networks, List<EpochRecord> history) {}

  private static DeviceExamples examples(
      Device device, LabelledImages images, List<ReplicaSettings> replicas) {
    return replicas.stream().allMatch(r -> r.augmentation() == Augmentation.NONE)
        ? new DeviceExamples(device, images)
        : DeviceExamples.withPixels(device, images);
  }

  private static Trained train(
      Device device,
      LabelledImages images,
      TrainingSettings settings,
      List<Network> networks,
      List<ReplicaSettings> replicas) {
    try (DeviceExamples examples = examples(device, images, replicas);
        NetworkStack stack = new NetworkStack(device, networks);
        Trainer trainer = new Trainer(stack, examples, settings, replicas)) {
      return end(stack, trainer);
    }
  }

  private static Trained end(NetworkStack stack, Trainer trainer) {
    while (!trainer.done()) {
      trainer.step();
    }
    return new Trained(
        IntStream.range(0, stack.replicas()).mapToObj(stack::get).toList(), trainer.history());
  }

  private static void assertSame(Trained expected, Trained actual) {
    assertEquals(expected.history(), actual.history());
    for (int r = 0; r < expected.networks().size(); r++) {
      assertSameWeights(expected.networks().get(r), actual.networks().get(r));
    }
  }

  private static void assertSameWeights(Network expected, Network actual) {
    assertTrue(Arrays.deepEquals(expected.weights(), actual.weights()), "weights differ");
  }

  /** Whether about half of many moves are so: within five standard deviations. */
  private static void assertHalf(int[] moves, IntPredicate so) {
    double count = Arrays.stream(moves).filter(so).count();
    assertEquals(0.5 * moves.length, count, 2.5 * Math.sqrt(moves.length));
  }

  private static void assertUniform(int[] moves, int mask, int values) {
    Map<Integer, Integer> counts = new HashMap<>();
    Arrays.stream(moves).forEach(m -> counts.merge(m & mask, 1, Integer::sum));
    assertEquals(values, counts.size());
    double expected = (double) moves.length / values;
    counts.forEach(
        (value, count) -> assertEquals(expected, count, 5 * Math.sqrt(expected), "of " + value));
  }

  @Test
  void all81ShiftsOccurEquallyOftenAndHalfOfTheImagesAreFlipped() {
    int[] moves = Augmentation.TRANSLATE_FLIP.moves(5, 2, 81_000);
    assertUniform(moves, 0xffff, 81);
    for (int move : moves) {
      assertTrue(Math.abs((byte) move) <= 4 && Math.abs((byte) (move >> 8)) <= 4);
      assertEquals(0, move >> 17, "a vertical flip or a turn");
    }
    assertHalf(moves, m -> (m & 1 << 16) != 0);
    // A flip says nothing of the shift.
    assertUniform(moves, 0x1ffff, 162);
  }

  @Test
  void verticalFlipsAndQuarterTurnsComeInWithEqualChances() {
    int[] moves = Augmentation.TRANSLATE_FLIP_TURN.moves(5, 2, 81_000);
    assertUniform(moves, 0xffff, 81);
    assertHalf(moves, m -> (m & 1 << 16) != 0);
    assertHalf(moves, m -> (m & 1 << 17) != 0);
    assertUniform(moves, 3 << 18, 4);
    assertUniform(moves, 0xf << 16, 16);
  }

  @Test
  void movesAreKeyedBySeedAndEpoch() {
    int[] moves = Augmentation.TRANSLATE_FLIP.moves(5, 2, N);
    assertArrayEquals(moves, Augmentation.TRANSLATE_FLIP.moves(5, 2, N));
    assertFalse(Arrays.equals(moves, Augmentation.TRANSLATE_FLIP.moves(6, 2, N)));
    assertFalse(Arrays.equals(moves, Augmentation.TRANSLATE_FLIP.moves(5, 3, N)));
    assertArrayEquals(new int[N], Augmentation.NONE.moves(5, 2, N));
  }

  /** A pixel of a moved image, by the definitions: what stands where it came from. */
  private static byte pixel(byte[] image, ImageShape shape, int move, int c, int y, int x) {
    int height = shape.height();
    int width = shape.width();
    // Shifted by (right, down), a pixel now at x was at x − right, around the edge.
    int column = ((x - (byte) move) % width + width) % width;
    int row = ((y - (byte) (move >> 8)) % height + height) % height;
    if ((move & 1 << 16) != 0) {
      column = width - 1 - column;
    }
    if ((move & 1 << 17) != 0) {
      row = height - 1 - row;
    }
    return switch (move >> 18 & 3) {
      case 0 -> image[(c * height + row) * width + column];
      case 1 -> image[(c * height + column) * width + width - 1 - row];
      case 2 -> image[(c * height + height - 1 - row) * width + width - 1 - column];
      default -> image[(c * height + height - 1 - column) * width + row];
    };
  }

  /** An image moved and normalised, in double precision. */
  private static double[] moved(byte[] image, ImageShape shape, int move) {
    double[] out = new double[shape.size()];
    int j = 0;
    for (int c = 0; c < shape.channels(); c++) {
      for (int y = 0; y < shape.height(); y++) {
        for (int x = 0; x < shape.width(); x++) {
          out[j++] = pixel(image, shape, move, c, y, x) & 0xff;
        }
      }
    }
    double mean = Arrays.stream(out).average().orElseThrow();
    double variance = Arrays.stream(out).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
    return Arrays.stream(out).map(v -> (v - mean) / Math.sqrt(variance)).toArray();
  }

  @ParameterizedTest
  @EnumSource(Augmentation.class)
  void anEpochFollowsTheDoublePrecisionReferenceOnMovedImages(Augmentation how) {
    for (ImageShape shape : List.of(SQUARE, WIDE)) {
      if (!how.suits(shape)) {
        continue;
      }
      LabelledImages images = images(shape);
      Network start = network(5, shape);
      Trained trained =
          train(DEVICE, images, settings(3), List.of(start), List.of(replica(7, images, how)));
      Reference reference = Reference.of(start);
      double[][][] weights = reference.weights();
      double[][][] velocities =
          Arrays.stream(weights)
              .map(
                  w -> Arrays.stream(w).map(row -> new double[row.length]).toArray(double[][]::new))
              .toArray(double[][][]::new);
      for (int epoch = 0; epoch < 3; epoch++) {
        int[] order =
            RandomStreams.permutation(RandomStreams.stream(7, Purpose.SHUFFLE, epoch, 0), N);
        int[] moves = how.moves(7, epoch, N);
        double loss = 0;
        for (int from = 0; from < N; from += BATCH) {
          int[] batch = Arrays.copyOfRange(order, from, Math.min(N, from + BATCH));
          Reference.Gradient gradient =
              reference.gradient(
                  Arrays.stream(batch)
                      .mapToObj(i -> moved(images.pixels(i), shape, moves[i]))
                      .toList(),
                  Arrays.stream(batch).map(images::label).toArray());
          loss += gradient.loss() * batch.length / N;
          for (int l = 0; l < weights.length; l++) {
            for (int row = 0; row < weights[l].length; row++) {
              ReferenceOptimizer.momentum(
                  weights[l][row], gradient.weights()[l][row], velocities[l][row], 0.02);
            }
          }
        }
        assertEquals(loss, trained.history().get(epoch).loss(), 1e-4, how + ", epoch " + epoch);
      }
      for (int l = 0; l < weights.length; l++) {
        double[] expected = Arrays.stream(weights[l]).flatMapToDouble(Arrays::stream).toArray();
        for (int i = 0; i < expected.length; i++) {
          // Float32 against float64 over nine steps: a fraction of the weights' own scale.
          assertEquals(expected[i], trained.networks().get(0).weights()[l][i], 2e-4);
        }
      }
    }
  }

  @Test
  void lanesAndCompanyChangeNoBit() {
    LabelledImages images = images(SQUARE);
    List<Network> start = ALL.stream().map(how -> network(how.ordinal(), SQUARE)).toList();
    List<ReplicaSettings> replicas =
        ALL.stream().map(how -> replica(how.ordinal(), images, how)).toList();
    Trained together = train(DEVICE, images, settings(3), start, replicas);
    for (int lanes : new int[] {1, 5}) {
      try (CpuDevice device = new CpuDevice(lanes)) {
        assertSame(together, train(device, images, settings(3), start, replicas));
      }
    }
    for (int r = 0; r < start.size(); r++) {
      // The one without augmentation then trains from inputs that were normalised beforehand.
      Trained alone =
          train(DEVICE, images, settings(3), List.of(start.get(r)), List.of(replicas.get(r)));
      assertSameWeights(together.networks().get(r), alone.networks().get(0));
    }
  }

  @Test
  void aRestoredStateGoesOnBitForBitFromTheMiddleOfAnEpoch() {
    LabelledImages images = images(SQUARE);
    List<Network> start = ALL.stream().map(how -> network(how.ordinal(), SQUARE)).toList();
    List<ReplicaSettings> replicas =
        ALL.stream().map(how -> replica(how.ordinal(), images, how)).toList();
    Trained whole = train(DEVICE, images, settings(3), start, replicas);
    for (int interruptedAt : new int[] {1, 3, 5}) {
      TrainerState state;
      try (DeviceExamples examples = examples(DEVICE, images, replicas);
          NetworkStack stack = new NetworkStack(DEVICE, start);
          Trainer trainer = new Trainer(stack, examples, settings(3), replicas)) {
        for (int s = 0; s < interruptedAt; s++) {
          trainer.step();
        }
        state = trainer.state();
      }
      List<Network> others = ALL.stream().map(how -> network(9, SQUARE)).toList();
      try (DeviceExamples examples = examples(DEVICE, images, replicas);
          NetworkStack stack = new NetworkStack(DEVICE, others);
          Trainer trainer = new Trainer(stack, examples, settings(3), replicas)) {
        trainer.restore(state);
        assertSame(whole, end(stack, trainer));
      }
    }
  }

  /** Rows, columns or a chequerboard of light and dark under noise, which moves leave apart. */
  private static LabelledImages textures(int n) {
    byte[][] pixels = new byte[n][SQUARE.size()];
    int[] labels = new int[n];
    for (int i = 0; i < n; i++) {
      var stream = RandomStreams.stream(1, Purpose.BENCHMARK, 4, i);
      labels[i] = stream.nextInt(3);
      for (int j = 0; j < SQUARE.size(); j++) {
        int x = j % 6;
        int y = j / 6 % 6;
        int light = labels[i] == 0 ? y % 2 : labels[i] == 1 ? x % 2 : (x + y) % 2;
        pixels[i][j] = (byte) (60 * light + stream.nextInt(190));
      }
    }
    return new LabelledImages("textures", SQUARE, CLASSES, pixels, labels);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.8, 1})
  void trainingEndsAtTheFirstEpochAfterWhichImagesAsTheyAreAreLearnt(double target) {
    LabelledImages images = textures(1300);
    TrainingSettings settings =
        new TrainingSettings(OptimizerRule.ADAM, 130, 0.1, 500, new StopRule(200, 0, target));
    ReplicaSettings moving =
        new ReplicaSettings(3, 0.002, images.labels(), Augmentation.TRANSLATE_FLIP);
    Network start = RandomNetworks.network(3, Activation.RELU, false, SQUARE.size(), 64, CLASSES);
    try (DeviceExamples examples = DeviceExamples.withPixels(DEVICE, images);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(start));
        Trainer trainer = new Trainer(stack, examples, settings, List.of(moving))) {
      while (!trainer.done()) {
        trainer.step();
        if (trainer.steps() % trainer.stepsPerEpoch() == 0) {
          assertEquals(
              Evaluation.of(stack, examples)[0].accuracy() >= target,
              trainer.outcome(0) == Outcome.ACCURATE,
              "after step " + trainer.steps());
        }
      }
      assertEquals(Outcome.ACCURATE, trainer.outcome(0));
      assertTrue(trainer.history().size() > 1);
    }
  }

  @Test
  void turnsOfImagesThatAreNotSquareAreRefused() {
    LabelledImages images = images(WIDE);
    ReplicaSettings turning = replica(1, images, Augmentation.TRANSLATE_FLIP_TURN);
    try (DeviceExamples examples = DeviceExamples.withPixels(DEVICE, images);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network(1, WIDE)))) {
      String refusal =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new Trainer(stack, examples, settings(1), List.of(turning)))
              .getMessage();
      assertEquals("translateFlipTurn: expected square images, found images of 1 × 3 × 5", refusal);
    }
  }

  @Test
  void examplesWithoutPixelsCannotBeMoved() {
    LabelledImages images = images(WIDE);
    ReplicaSettings moving = replica(1, images, Augmentation.TRANSLATE_FLIP);
    try (DeviceExamples examples = new DeviceExamples(DEVICE, images);
        NetworkStack stack = new NetworkStack(DEVICE, List.of(network(1, WIDE)))) {
      String refusal =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new Trainer(stack, examples, settings(1), List.of(moving)))
              .getMessage();
      assertEquals("expected examples with pixels, found none", refusal);
    }
  }
}
