package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.Activation;
import dev.flinch.device.PatternHash;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** hashPatterns and countPatterns. */
@Tag("cuda")
class PatternContractTest extends LaneContract {
  @ParameterizedTest
  @CsvSource({
    "1,1,DENSE",
    "2,3,ODD",
    "3,2,PADDED",
    "31,33,ALIGNED",
    "32,32,DENSE",
    "33,31,ODD",
    "5,127,PADDED",
    "2,1000,DENSE",
    "1000,2,DENSE"
  })
  void hashesAreSumsOfCodesTimesKeys(int rows, int columns, Layout layout) {
    for (Activation activation : Activation.values()) {
      for (boolean biased : new boolean[] {false, true}) {
        Operand z = twins.floats(1, rows, columns, layout, normal(71, 4));
        Operand bias = biased ? twins.floats(1, 1, columns, Layout.ODD, normal(72, 4)) : null;
        long[] before = new SplittableRandom(73).longs(rows + 5).toArray();
        Numbers hashes = twins.longs(before);
        long firstUnit = 5_000_000_000L;
        twins.run(
            (lane, on) ->
                lane.hashPatterns(activation, on.of(z), on.of(bias), firstUnit, on.of(hashes), 3));
        hashes.agreesExactly(activation + ", " + rows + " × " + columns);
        for (int i = 0; i < rows; i++) {
          long hash = before[3 + i];
          for (int j = 0; j < columns; j++) {
            float v = (float) z.before(0, i, j) + (biased ? (float) bias.before(0, 0, j) : 0);
            hash += activation.code(v) * PatternHash.key(firstUnit + j);
          }
          assertEquals(hash, hashes.after()[3 + i], activation + ", row " + i);
        }
        twins.release();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 31, 32, 33, 127, 1000, 5000})
  void patternsAndRunsAreCounted(int count) {
    SplittableRandom random = new SplittableRandom(74);
    long[] values = random.longs(Math.max(1, count / 8)).toArray();
    // Runs of a few, patterns that come back, and the pattern whose hash is zero.
    values[0] = 0;
    long[] hashes = new long[count];
    for (int i = 0; i < count; i++) {
      hashes[i] =
          i > 0 && random.nextInt(3) > 0 ? hashes[i - 1] : values[random.nextInt(values.length)];
    }
    counts(hashes);
  }

  @Test
  void hashesThatMeetInOnePlaceOfTheTableAreAllCounted() {
    // Multiples of the inverse of the table's multiplier fall on the same place.
    long inverse = 0xF1DE83E19937733DL;
    assertEquals(1, inverse * 0x9E3779B97F4A7C15L);
    counts(LongStream.range(0, 200).map(i -> i % 150 * inverse).toArray());
  }

  private static void counts(long[] values) {
    long[] around = new long[values.length + 5];
    Arrays.fill(around, -1);
    System.arraycopy(values, 0, around, 3, values.length);
    Numbers hashes = twins.longs(around);
    Numbers out = twins.longs(-7, -7, -7, -7);
    twins.run((lane, on) -> lane.countPatterns(on.of(hashes), 3, values.length, on.of(out), 1));
    out.agreesExactly("counts of " + values.length);
    long runs = values.length == 0 ? 0 : 1;
    for (int i = 1; i < values.length; i++) {
      runs += values[i] != values[i - 1] ? 1 : 0;
    }
    assertEquals(Arrays.stream(values).distinct().count(), out.after()[1]);
    assertEquals(runs, out.after()[2]);
    assertEquals(-7, out.after()[0]);
    assertEquals(-7, out.after()[3]);
  }
}
