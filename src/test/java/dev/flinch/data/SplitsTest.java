package dev.flinch.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.device.ImageShape;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SplitsTest {
  /** Image i has the two bytes of the number i, so it can be told from every other. */
  private static LabelledImages numbered(String name, int count) {
    byte[][] pixels =
        IntStream.range(0, count)
            .mapToObj(i -> new byte[] {(byte) (i >> 8), (byte) i})
            .toArray(byte[][]::new);
    return new LabelledImages(
        name,
        new ImageShape(1, 1, 2),
        10,
        pixels,
        IntStream.range(0, count).map(i -> i % 10).toArray());
  }

  private static final DataSet DATA =
      new DataSet("some", numbered("some train", 1000), numbered("some test", 50), Map.of());

  private static List<Integer> numbers(LabelledImages images) {
    return IntStream.range(0, images.count())
        .map(i -> (images.pixels(i)[0] & 0xff) << 8 | images.pixels(i)[1] & 0xff)
        .boxed()
        .toList();
  }

  @Test
  void trainingAndValidationShareTheTrainingSplitWithoutOverlap() {
    Splits splits = Splits.of(DATA, 700, 300, 50, 3);
    assertArrayEquals(
        IntStream.range(0, 1000).toArray(),
        Stream.of(splits.train(), splits.validation())
            .flatMap(split -> numbers(split).stream())
            .mapToInt(i -> i)
            .sorted()
            .toArray());
    for (LabelledImages split : List.of(splits.train(), splits.validation())) {
      List<Integer> numbers = numbers(split);
      for (int i = 0; i < split.count(); i++) {
        assertEquals(numbers.get(i) % 10, split.label(i));
      }
    }
  }

  @Test
  void validationFollowsTrainingInAnOrderThatTheSeedAloneGives() {
    List<Integer> order = numbers(Splits.of(DATA, 1000, 0, 50, 3).train());
    Splits splits = Splits.of(DATA, 20, 5, 7, 3);
    assertEquals(order.subList(0, 20), numbers(splits.train()));
    assertEquals(order.subList(20, 25), numbers(splits.validation()));
    assertNotEquals(order, numbers(Splits.of(DATA, 1000, 0, 50, 4).train()));
    assertNotEquals(order, order.stream().sorted().toList());
  }

  @Test
  void theTestSubsetIsTheBeginningOfTheTestSplit() {
    assertEquals(List.of(0, 1, 2), numbers(Splits.of(DATA, 1, 0, 3, 9).test()));
  }

  @ParameterizedTest
  @CsvSource({
    "0,0,1",
    "-1,0,1",
    "1001,0,1",
    "900,101,1",
    "1,-1,1",
    "1,0,0",
    "1,0,51",
    "2147483647,2147483647,1"
  })
  void whatTheSplitsCannotGiveIsRefused(int train, int validation, int test) {
    String message =
        assertThrows(RequestException.class, () -> Splits.of(DATA, train, validation, test, 1))
            .getMessage();
    assertTrue(
        Arrays.asList("some train has 1000 images", "some test has 50 images").stream()
            .anyMatch(message::startsWith),
        message);
  }
}
