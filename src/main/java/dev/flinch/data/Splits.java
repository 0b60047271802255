package dev.flinch.data;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import java.util.Arrays;

/**
 * What a study takes from a data set. The training subset and the validation split are disjoint
 * parts of the training split; the test subset is the beginning of the test split.
 *
 * @param validation may be of no images
 */
public record Splits(LabelledImages train, LabelledImages validation, LabelledImages test) {
  /**
   * Takes from a random order of the training split, which depends on the seed alone, the first
   * {@code train} images for training and the {@code validation} ones after them for validation.
   *
   * @param train 1 or more
   * @param validation 0 or more; with {@code train} not more than the training split has
   * @param test 1 to the size of the test split
   */
  public static Splits of(DataSet data, int train, int validation, int test, long seed) {
    LabelledImages all = data.train();
    if (train < 1 || validation < 0 || (long) train + validation > all.count()) {
      throw new RequestException(
          "%s has %d images: expected at most so many, 1 or more to train on and 0 or more to validate on, found %d and %d"
              .formatted(all.name(), all.count(), train, validation));
    }
    int[] order = order(data, seed);
    return new Splits(
        all.subset(all.name(), Arrays.copyOf(order, train)),
        all.subset(
            data.name() + " validation", Arrays.copyOfRange(order, train, train + validation)),
        data.test().first(test));
  }

  /** The random order of the training split whose first images are those to train on. */
  public static int[] order(DataSet data, long seed) {
    return RandomStreams.permutation(
        RandomStreams.stream(seed, Purpose.SUBSET, 0, 0), data.train().count());
  }
}
