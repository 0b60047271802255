package dev.flinch.experiment;

import dev.flinch.data.LabelledImages;
import dev.flinch.data.Splits;
import dev.flinch.experiment.Configuration.Split;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The images at which stiffness is measured as networks train, the same at every step: the first of
 * each class in the order of a study's split, the class being the data set's.
 *
 * @param train indices into the training images, ascending; null where no pair has any
 * @param test indices into the test images; likewise
 */
record FixedImages(int[] train, int[] test) {
  private static final String KEY = "measures.stiffness.perClass";

  /**
   * @param problems receives a line for each split that has too few images of a class
   */
  static FixedImages of(Configuration.Stiffness asked, Splits splits, List<String> problems) {
    return new FixedImages(
        asked.takes(Split.TRAIN) ? choose(asked, splits.train(), "data.train", problems) : null,
        asked.takes(Split.TEST) ? choose(asked, splits.test(), "data.test", problems) : null);
  }

  private static int[] choose(
      Configuration.Stiffness asked, LabelledImages images, String key, List<String> problems) {
    int wanted = asked.imagesOfClass(images.classes());
    int[] have = new int[images.classes()];
    IntStream.of(images.labels()).forEach(label -> have[label]++);
    int fewest = 0;
    for (int c = 1; c < have.length; c++) {
      fewest = have[c] < have[fewest] ? c : fewest;
    }
    if (have[fewest] < wanted) {
      problems.add(
          "%s: expected ≤ %d, the images of class %d among the %d of %s that are taken, found %d%s; ask for fewer, or for more images in %s"
              .formatted(
                  KEY,
                  have[fewest],
                  fewest,
                  images.count(),
                  images.name(),
                  wanted,
                  asked.perClass() == null ? ", which is taken where nothing is said" : "",
                  key));
    }
    return images.indicesOfFirst(wanted);
  }
}
