package dev.flinch.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.PatternHash;
import dev.flinch.device.Scope;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CpuPatternsTest {
  private static final int ROWS = 127;

  private final CpuDevice device = new CpuDevice(1);
  private final Scope scope = new Scope(device);

  @AfterEach
  void noMemoryIsLeftBehind() {
    scope.close();
    assertEquals(0, device.liveBytes());
    device.close();
  }

  private long[] hashes(Activation activation, float[] z, float[] bias, int units, long[] before) {
    Matrix m = scope.matrix(ROWS, units);
    for (int i = 0; i < ROWS; i++) {
      device.upload(z, i * units, m.data(), m.start(0, i), units);
    }
    Matrix b = Matrix.of(scope.floats(units), 0, 1, units);
    device.upload(bias, 0, b.data(), 0, units);
    DeviceArray hashes = scope.longs(ROWS + 2);
    device.upload(before, 0, hashes, 1, ROWS);
    device.run(1, (lane, task) -> lane.hashPatterns(activation, m, b, 10, hashes, 1));
    long[] after = new long[ROWS];
    device.download(hashes, 1, after, 0, ROWS);
    return after;
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void pointsHaveOneHashExactlyWhereTheyHaveOnePattern(Activation activation) {
    int units = 3;
    SplittableRandom random = new SplittableRandom(81);
    float[] z = new float[ROWS * units];
    for (int i = 0; i < z.length; i++) {
      z[i] = (float) random.nextDouble(-3, 9);
    }
    float[] bias = {0, 0.5f, -2};
    long[] before = new long[ROWS];
    Arrays.fill(before, 1234);
    long[] hashes = hashes(activation, z, bias, units, before);
    Map<String, Long> hashOf = new HashMap<>();
    for (int i = 0; i < ROWS; i++) {
      StringBuilder pattern = new StringBuilder();
      long expected = 1234;
      for (int j = 0; j < units; j++) {
        int code = activation.code(z[i * units + j] + bias[j]);
        pattern.append(code);
        expected += code * PatternHash.key(10 + j);
      }
      assertEquals(expected, hashes[i]);
      Long seen = hashOf.put(pattern.toString(), expected);
      assertTrue(seen == null || seen == expected, "pattern " + pattern);
    }
    assertEquals(hashOf.size(), hashOf.values().stream().distinct().count());
  }

  @Test
  void hashesOfLayersAddUpInAnyOrder() {
    SplittableRandom random = new SplittableRandom(82);
    float[] first = new float[ROWS * 2];
    float[] second = new float[ROWS * 2];
    for (int i = 0; i < first.length; i++) {
      first[i] = (float) random.nextGaussian();
      second[i] = (float) random.nextGaussian();
    }
    float[] none = new float[2];
    long[] zeros = new long[ROWS];
    long[] oneWay =
        hashes(Activation.RELU, second, none, 2, hashes(Activation.RELU, first, none, 2, zeros));
    long[] otherWay =
        hashes(Activation.RELU, first, none, 2, hashes(Activation.RELU, second, none, 2, zeros));
    assertArrayEquals(oneWay, otherWay);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 31, 32, 33, 127, 1000})
  void patternsAndRunsAreCounted(int count) {
    SplittableRandom random = new SplittableRandom(83);
    long[] values = new long[count];
    for (int i = 0; i < count; i++) {
      values[i] = i > 0 && random.nextBoolean() ? values[i - 1] : random.nextLong(-5, 5);
    }
    DeviceArray hashes = scope.longs(count + 3);
    DeviceArray out = scope.longs(4);
    device.upload(values, 0, hashes, 2, count);
    device.run(1, (lane, task) -> lane.countPatterns(hashes, 2, count, out, 1));
    long runs = count == 0 ? 0 : 1;
    for (int i = 1; i < count; i++) {
      runs += values[i] == values[i - 1] ? 0 : 1;
    }
    long[] found = new long[4];
    device.download(out, 0, found, 0, 4);
    assertArrayEquals(new long[] {0, Arrays.stream(values).distinct().count(), runs, 0}, found);
  }
}
