package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ImageMove;
import dev.flinch.device.ImageMoveTest;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gathered rows and images, bit for bit. */
@Tag("cuda")
class GatheringTest {
  /** What stands in gaps, which nobody may use or change. */
  private static final float GAP = 12345;

  private static KernelStand stand;
  private static Gathering gathering;

  @BeforeAll
  static void open() {
    stand = new KernelStand(TestedDevice.driver());
    gathering = new Gathering(stand.launcher());
  }

  @AfterAll
  static void close() {
    stand.close();
  }

  @AfterEach
  void clear() {
    stand.clear();
  }

  /** Matrices in an array full of gaps: rows at multiples of 16 bytes, or anywhere. */
  private static Matrix matrices(boolean aligned, int replicas, int rows, int columns) {
    int stride = aligned ? (columns + 3) / 4 * 4 + 4 : columns + 3;
    int offset = aligned ? 4 : 1;
    long replicaStride = (long) rows * stride + offset;
    float[] values = new float[(int) (offset + replicas * replicaStride)];
    Arrays.fill(values, GAP);
    DeviceArray data = stand.floats(values);
    return new Matrix(data, offset, rows, columns, stride, false, replicas, replicaStride);
  }

  /** Compares all of an array with rows, and what is not of a row with {@link #GAP}. */
  private static void check(String what, float[][] rows, Matrix out) {
    double[] actual = stand.values(out.data());
    float[] expected = new float[actual.length];
    Arrays.fill(expected, GAP);
    for (int i = 0; i < rows.length; i++) {
      int at = (int) out.start(i / out.rows(), i % out.rows());
      System.arraycopy(rows[i], 0, expected, at, rows[i].length);
    }
    for (int at = 0; at < actual.length; at++) {
      int place = at;
      assertEquals(expected[at], (float) actual[at], () -> what + ", at " + place);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 31, 32, 33, 127, 128, 784})
  void rowsAreThoseOfTheirIndices(int columns) {
    SplittableRandom random = new SplittableRandom(columns);
    for (int trial = 0; trial < 4; trial++) {
      boolean alignedSource = trial % 2 == 0;
      boolean alignedOut = trial / 2 == 0;
      int replicas = 1 + trial;
      int rows = 9;
      int stride = trial == 3 ? 0 : 10;
      Matrix source = matrices(alignedSource, 1, 7, columns);
      float[] values = new float[(int) source.data().length()];
      Arrays.fill(values, Float.NaN);
      float[][] own = new float[7][columns];
      for (int i = 0; i < 7; i++) {
        for (int j = 0; j < columns; j++) {
          own[i][j] = (float) random.nextGaussian();
          values[(int) source.start(0, i) + j] = own[i][j];
        }
      }
      Matrix filled =
          new Matrix(
              stand.floats(values), source.offset(), 7, columns, source.stride(), false, 1, 0);
      int[] list = random.ints(3 + 10L * replicas, 0, 7).toArray();
      Matrix out = matrices(alignedOut, replicas, rows, columns);
      gathering.gather(filled, stand.ints(list), 3, stride, out);
      float[][] expected = new float[replicas * rows][];
      for (int i = 0; i < expected.length; i++) {
        expected[i] = own[list[3 + i / rows * stride + i % rows]];
      }
      check("%d columns, trial %d".formatted(columns, trial), expected, out);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1,1,1", "1,1,2", "1,2,3", "3,5,5", "1,31,33", "1,28,28", "3,24,24", "3,32,32", "2,1,7"
  })
  void imagesHaveTheBitsOfTheSplitsOwnInputs(int channels, int height, int width) {
    ImageShape shape = new ImageShape(channels, height, width);
    int d = shape.size();
    int count = 6;
    int replicas = 2;
    int rows = 5;
    SplittableRandom random = new SplittableRandom(d);
    byte[][] images = ImageMoveTest.images(random, shape, count);
    // Dim and almost constant: the smallest variance that there is.
    Arrays.fill(images[2], (byte) 200);
    images[2][0]++;
    byte[] pixels = new byte[count * d];
    for (int i = 0; i < count; i++) {
      System.arraycopy(images[i], 0, pixels, i * d, d);
    }
    DeviceArray onCard = stand.bytes(pixels);
    int[] list = IntStream.range(0, 11).map(i -> i * 5 % count).toArray();
    ImageMove[] moves = new ImageMove[list.length];
    for (int i = 0; i < moves.length; i++) {
      moves[i] =
          i == 4
              ? new ImageMove(0, 0, false, false, 0)
              : i == 5
                  ? new ImageMove(-128, 127, true, false, 0)
                  : ImageMoveTest.any(random, shape);
    }
    DeviceArray indices = stand.ints(list);
    DeviceArray packed = stand.ints(Arrays.stream(moves).mapToInt(ImageMove::packed).toArray());
    for (boolean moved : new boolean[] {false, true}) {
      for (boolean aligned : new boolean[] {false, true}) {
        Matrix out = matrices(aligned, replicas, rows, d);
        gathering.gatherImages(onCard, shape, indices, moved ? packed : null, 1, rows, out);
        float[][] expected = new float[replicas * rows][];
        for (int i = 0; i < expected.length; i++) {
          byte[] image = images[list[1 + i]];
          byte[] seen = moved ? ImageMoveTest.moved(image, shape, moves[1 + i]) : image;
          expected[i] =
              new LabelledImages("one", shape, 2, new byte[][] {seen}, new int[1]).normalised(0);
        }
        check("%s, moved %s, seed %d".formatted(shape, moved, d), expected, out);
      }
    }
  }

  @Test
  void wrongIndicesMakeTheirRowsNaNAndReadNothing() {
    int columns = 5;
    Matrix source = Matrix.of(stand.floats(new float[4 * columns]), 0, 4, columns);
    Matrix out = Matrix.of(stand.floats(new float[6 * columns]), 0, 6, columns);
    int[] list = {3, 4, -1, 0, Integer.MIN_VALUE, Integer.MAX_VALUE};
    gathering.gather(source, stand.ints(list), 0, 0, out);
    checkNaN(list, 4, columns, out);

    ImageShape shape = new ImageShape(1, 1, columns);
    DeviceArray pixels = stand.bytes(new byte[4 * columns]);
    Matrix images = Matrix.of(stand.floats(new float[6 * columns]), 0, 6, columns);
    gathering.gatherImages(pixels, shape, stand.ints(list), null, 0, 0, images);
    checkNaN(list, 4, columns, images);
    // An image that isn't square can't be turned.
    int turn = new ImageMove(0, 0, false, false, 1).packed();
    Matrix turned = Matrix.of(stand.floats(new float[2 * columns]), 0, 2, columns);
    gathering.gatherImages(pixels, shape, stand.ints(0, 0), stand.ints(0, turn), 0, 0, turned);
    checkNaN(new int[] {0, -1}, 4, columns, turned);
  }

  private static void checkNaN(int[] list, int rows, int columns, Matrix out) {
    double[] actual = stand.values(out.data());
    for (int i = 0; i < actual.length; i++) {
      int index = list[i / columns];
      assertEquals(index < 0 || index >= rows, Double.isNaN(actual[i]), "element " + i);
    }
  }

  @Test
  void listsThatAreTooShortAndRowsOfOtherLengthsAreRefused() {
    Matrix source = Matrix.of(stand.floats(new float[20]), 0, 4, 5);
    Matrix out = Matrix.stacked(stand.floats(new float[20]), 0, 2, 2, 5);
    DeviceArray list = stand.ints(0, 1, 2);
    assertThrows(IndexOutOfBoundsException.class, () -> gathering.gather(source, list, 0, 2, out));
    Matrix wide = Matrix.of(stand.floats(new float[12]), 0, 2, 6);
    assertThrows(IllegalArgumentException.class, () -> gathering.gather(source, list, 0, 0, wide));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            gathering.gatherImages(
                stand.bytes(new byte[10]), new ImageShape(1, 1, 5), list, null, 0, 0, wide));
  }

  @Test
  void memoryTrafficIsWhatTheHeaderSays() {
    if (!(stand.driver() instanceof EmulatedDriver emulator)) {
      return;
    }
    int d = 784;
    int rows = 16;
    DeviceArray list = stand.ints(IntStream.range(0, rows).map(i -> i * 7 % rows).toArray());
    Matrix source = Matrix.of(stand.floats(new float[rows * d]), 0, rows, d);
    Matrix out = Matrix.of(stand.floats(new float[rows * d]), 0, rows, d);
    emulator.resetCounters();
    gathering.gather(source, list, 0, 0, out);
    Counters rowsCost = emulator.counters().get("gather.gather_rows");
    assertEquals(4L * rows * d, rowsCost.globalStoreBytes());
    assertEquals(rowsCost.globalStoreBytes() / 32, rowsCost.globalStoreSectors());
    // And an index a row, in a sector of its own.
    assertEquals(rows * (4L * d / 32 + 1), rowsCost.globalLoadSectors());

    byte[] pixels = new byte[rows * d];
    new SplittableRandom(5).nextBytes(pixels);
    DeviceArray images = stand.bytes(pixels);
    emulator.resetCounters();
    gathering.gatherImages(images, new ImageShape(1, 28, 28), list, null, 0, 0, out);
    Counters cost = emulator.counters().get("gather.gather_images");
    assertEquals(4L * rows * d, cost.globalStoreBytes());
    assertEquals(cost.globalStoreBytes() / 32, cost.globalStoreSectors());
    // Every byte twice, by warps of 128 bytes that may straddle a sector more where an image starts
    // inside of one; and each of 8 warps reads the index.
    long sectors = 2L * rows * (d / 32 + d / 128 + 2) + 8L * rows;
    assertTrue(
        cost.globalLoadSectors() <= sectors,
        "%d sectors of %d".formatted(cost.globalLoadSectors(), sectors));
    // 256 values an image, and a few steps for its mean and deviation.
    assertTrue(cost.flops() <= rows * (2 * 256 + 10), cost.flops() + " FLOP");
  }
}
