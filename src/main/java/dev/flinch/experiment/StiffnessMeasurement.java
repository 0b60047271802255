package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.Figure;
import dev.flinch.report.StiffnessFigure;
import dev.flinch.sensitivity.ClassStiffness;
import dev.flinch.sensitivity.CriticalLength;
import dev.flinch.sensitivity.DistanceStiffness;
import dev.flinch.sensitivity.Stiffness;
import dev.flinch.sensitivity.StiffnessSettings;
import dev.flinch.training.DeviceExamples;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Stiffness of one network at images of a data set (Fort et al., arXiv:1901.09491). What is not
 * defined is null, in JSON too.
 *
 * @param pairs which splits the two examples of a pair are of
 * @param examples how many examples the rows of pairs are of, and how many the columns
 * @param zeroGradients how many of those have a gradient that is zero, and so are in no pair
 * @param distance of pairs within classes, against 1 − the cosine between their inputs
 * @param criticalLength by the cosine
 * @param signCriticalLength by the sign
 * @param betweenWithinSuperClasses means between different classes of one super-class; null where
 *     the data set has none
 * @param perLayer of each layer's part of the gradients, from the first on
 * @param pairCounts how many pairs of each two classes there are, {@code [row's class][column's]}
 * @param notes what a reader should know beside the numbers, in sentences
 */
public record StiffnessMeasurement(
    NetworkDescription network,
    String dataset,
    Pairs pairs,
    int[] examples,
    int[] zeroGradients,
    ClassStiffness cosine,
    ClassStiffness sign,
    List<DistanceStiffness.Bin> distance,
    Length criticalLength,
    Length signCriticalLength,
    SuperClasses betweenWithinSuperClasses,
    List<Stiffness.Layer> perLayer,
    long[][] pairCounts,
    List<String> notes) {

  /** Images of each class that are taken where nothing is said: 500 of ten, as in the paper. */
  public static final int PER_CLASS = 50;

  /**
   * Images of each class where a study says nothing and there are more than {@link #FEW_CLASSES}:
   * 3000 of a hundred.
   */
  public static final int PER_CLASS_OF_MANY = 30;

  static final int FEW_CLASSES = 10;

  /** Which splits the two examples of a pair are of. */
  public enum Pairs {
    TRAIN_TRAIN(Split.TRAIN, Split.TRAIN),
    TRAIN_TEST(Split.TRAIN, Split.TEST),
    TEST_TEST(Split.TEST, Split.TEST);

    private final Split rows;
    private final Split columns;

    Pairs(Split rows, Split columns) {
      this.rows = rows;
      this.columns = columns;
    }

    /** The split of the images that the rows of a class matrix are of. */
    public Split rows() {
      return rows;
    }

    /** The split of the images that its columns are of. */
    public Split columns() {
      return columns;
    }

    /** The word that users write, such as {@code train-test}. */
    @JsonValue
    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The pairs of a word, in any case; refuses others. */
    public static Pairs named(String word) {
      return Arrays.stream(values())
          .filter(pairs -> pairs.label().equalsIgnoreCase(word.strip()))
          .findFirst()
          .orElseThrow(
              () ->
                  new RequestException(
                      "unknown pairs '%s': expected one of %s"
                          .formatted(
                              word,
                              Arrays.stream(values())
                                  .map(Pairs::label)
                                  .collect(Collectors.joining(", ")))));
    }
  }

  /**
   * A critical length, as {@link CriticalLength} has it.
   *
   * @param interval where the interval of 95% of resamples begins, and where it ends
   * @param undefined why there is none: what the line needs or does; null where there is a value
   */
  public record Length(
      Double value, Double[] interval, Double slope, Double intercept, String undefined) {
    static Length of(CriticalLength length) {
      return new Length(
          length.value(),
          new Double[] {length.low(), length.high()},
          length.slope(),
          length.intercept(),
          length.undefined());
    }
  }

  /** Means over the elements of class matrices of different classes of one super-class. */
  public record SuperClasses(Double cosine, Double sign) {
    /** Null for a data set without super-classes. */
    static SuperClasses of(Stiffness stiffness, DataSet data) {
      int[] groups = groups(data);
      return groups == null
          ? null
          : new SuperClasses(
              stiffness.cosine().betweenWithinGroups(groups),
              stiffness.sign().betweenWithinGroups(groups));
    }

    /**
     * The group of each class, null for a data set without super-classes. Classes without images
     * are in no group with another.
     */
    static int[] groups(DataSet data) {
      List<Integer> of = data.superClasses();
      return of.isEmpty()
          ? null
          : IntStream.range(0, of.size())
              .map(c -> of.get(c) == DataSet.NO_IMAGES ? -1 - c : of.get(c))
              .toArray();
    }
  }

  /**
   * A measurement that is asked for. Without a number of images it is of the first {@link
   * #PER_CLASS} of each class.
   *
   * @param count the first so many images of each split, or null
   * @param perClass the first so many of each class, in the split's order, or null
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Request(
      String dataset,
      Path dataDirectory,
      Pairs pairs,
      Integer count,
      Integer perClass,
      Integer crop) {
    public Request {
      if (count != null && perClass != null) {
        throw new RequestException(
            "--count and --per-class: expected one of them, found both, %d and %d"
                .formatted(count, perClass));
      }
    }

    private LabelledImages images(DataSet data, Split split) {
      LabelledImages images = split == Split.TRAIN ? data.train() : data.test();
      return count != null
          ? images.first(count)
          : images.firstOfEach(perClass == null ? PER_CLASS : perClass);
    }
  }

  /**
   * Measures a network.
   *
   * @throws RequestException if the data set is not there or doesn't fit the network, if it or a
   *     class of it has fewer images than asked for, or if the network's outputs are not finite
   */
  public static StiffnessMeasurement of(
      Network network, Request request, Device device, Progress progress) {
    DataSet data =
        Measurement.dataSet(network, request.dataset(), request.dataDirectory(), request.crop());
    Pairs pairs = request.pairs();
    LabelledImages rows = request.images(data, pairs.rows);
    LabelledImages columns =
        pairs.rows == pairs.columns ? rows : request.images(data, pairs.columns);
    try (NetworkStack stack = new NetworkStack(device, List.of(network));
        DeviceExamples rowExamples = new DeviceExamples(device, rows)) {
      Stiffness stiffness;
      if (rows == columns) {
        stiffness =
            Stiffness.within(stack, 0, examples(rowExamples), StiffnessSettings.ALL, progress);
      } else {
        try (DeviceExamples columnExamples = new DeviceExamples(device, columns)) {
          stiffness =
              Stiffness.between(
                  stack,
                  0,
                  examples(rowExamples),
                  examples(columnExamples),
                  StiffnessSettings.ALL,
                  progress);
        }
      }
      return of(NetworkDescription.of(network.architecture()), data, pairs, stiffness);
    }
  }

  private static Stiffness.Examples examples(DeviceExamples examples) {
    return new Stiffness.Examples(examples.inputs(), examples.images().labels());
  }

  private static StiffnessMeasurement of(
      NetworkDescription network, DataSet data, Pairs pairs, Stiffness stiffness) {
    return new StiffnessMeasurement(
        network,
        data.name(),
        pairs,
        stiffness.examples(),
        stiffness.zeroGradients(),
        stiffness.cosine(),
        stiffness.sign(),
        stiffness.distance().bins(),
        Length.of(stiffness.distance().cosine()),
        Length.of(stiffness.distance().sign()),
        SuperClasses.of(stiffness, data),
        stiffness.perLayer(),
        stiffness.pairs(),
        stiffness.notes());
  }

  /** The class matrix of the cosine, and the cosine against distance. */
  public Figure figure(String title) {
    return StiffnessFigure.of(
        title,
        "%s.  Points: pairs of about one distance, larger for more pairs; line: least squares; ξ: where it crosses zero."
            .formatted(images()),
        new StiffnessFigure.Matrix(cosine.classMatrix(), label(pairs.rows), label(pairs.columns)),
        distance.stream()
            .map(bin -> new StiffnessFigure.Bin(bin.distance(), bin.cosine(), bin.pairs()))
            .toList(),
        new StiffnessFigure.Line(
            criticalLength.slope,
            criticalLength.intercept,
            criticalLength.value,
            criticalLength.interval[0],
            criticalLength.interval[1]));
  }

  /** Which images it is of, such as {@code glyphs train, 500 images}. */
  public String images() {
    String rows = images(pairs.rows, examples[0]);
    return dataset
        + " "
        + (pairs.rows == pairs.columns
            ? rows
            : "%s (rows) with %s (columns)".formatted(rows, images(pairs.columns, examples[1])));
  }

  private static String images(Split split, int count) {
    return String.format(Locale.ROOT, "%s, %,d images", word(split), count);
  }

  private static String label(Split split) {
    return "class of the %s image".formatted(word(split));
  }

  private static String word(Split split) {
    return split.name().toLowerCase(Locale.ROOT);
  }
}
