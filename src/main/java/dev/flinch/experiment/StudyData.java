package dev.flinch.experiment;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.data.Splits;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration.Anchors;
import dev.flinch.experiment.Configuration.JacobianNorm;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.network.Architecture;
import dev.flinch.training.Augmentation;
import dev.flinch.training.LbfgsTrainer;
import dev.flinch.training.Optimizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * What a study takes from its data set, once everything that its configuration asks of the data is
 * known to be there.
 *
 * @param dataSet cropped where asked for
 * @param courses one for each trajectory of the configuration
 * @param planes one for each plane of the configuration on which regions are mapped
 * @param fixedImages at which stiffness is measured; null where it isn't
 */
public record StudyData(
    DataSet dataSet,
    Splits splits,
    List<Course> courses,
    List<AnchoredPlane> planes,
    FixedImages fixedImages) {

  /**
   * @throws RequestException naming every key that the data cannot satisfy
   */
  public static StudyData load(Configuration configuration, Path dataDirectory) {
    Configuration.Data asked = configuration.data();
    DataSet data =
        keyed("data", () -> cropped(DataSets.load(asked.dataset(), dataDirectory), asked.crop()));
    Splits splits =
        keyed(
            "data",
            () -> {
              int train =
                  asked.train() != null ? asked.train() : data.train().count() - asked.validation();
              int test = asked.test() != null ? asked.test() : data.test().count();
              return Splits.of(data, train, asked.validation(), test, configuration.seed());
            });

    List<String> problems = new ArrayList<>();
    Integer batchSize = configuration.training().batchSize();
    if (batchSize != null && batchSize > splits.train().count()) {
      problems.add(
          "training.batchSize: expected ≤ %d, the training images, found %d"
              .formatted(splits.train().count(), batchSize));
    }
    requireSuitable(configuration.training().augmentations(), data.train().shape(), problems);
    Configuration.Measures measures = configuration.measures();
    requireCount("measures.jacobian", measures.jacobian(), splits, problems);
    requireCount("measures.logitJacobian", measures.logitJacobian(), splits, problems);
    int[] trained = Arrays.copyOf(Splits.order(data, configuration.seed()), splits.train().count());
    List<Course> courses =
        each(
            "measures.trajectories",
            measures.trajectories(),
            trajectory -> course(trajectory, data, trained),
            problems);
    List<AnchoredPlane> planes =
        each(
            "measures.regions",
            measures.regions(),
            regions ->
                AnchoredPlane.through(
                    data.train(), images(regions.anchors(), regions.seed(), data, trained)),
            problems);
    FixedImages fixed =
        measures.stiffness() == null
            ? null
            : FixedImages.of(measures.stiffness(), splits, problems);
    if (requireMaps(configuration.networks().shapes(), data.train().shape(), problems)) {
      requireMemory(configuration, data, problems);
    }
    if (!problems.isEmpty()) {
      throw new RequestException(
          "%s doesn't allow what is asked:\n  %s"
              .formatted(data.name(), String.join("\n  ", problems)));
    }
    return new StudyData(data, splits, courses, planes, fixed);
  }

  /** The architecture of a stack's networks between this data's inputs and classes. */
  public Architecture architecture(Stack stack) {
    LabelledImages train = splits.train();
    return stack.architecture(train.shape(), train.classes());
  }

  /** The images of a split that a measure is taken at. */
  static int count(JacobianNorm measure, Splits splits) {
    return measure.count() != null ? measure.count() : split(measure, splits).count();
  }

  private static LabelledImages split(JacobianNorm measure, Splits splits) {
    return measure.split() == Split.TRAIN ? splits.train() : splits.test();
  }

  /** A data set whose images are cropped to the central square of a side; null for whole ones. */
  static DataSet cropped(DataSet data, Integer side) {
    return side == null
        ? data
        : new DataSet(
            data.name(),
            data.train().crop(side),
            data.test().crop(side),
            data.checksums(),
            data.superClasses());
  }

  private static <T> T keyed(String key, Supplier<T> work) {
    try {
      return work.get();
    } catch (RequestException e) {
      throw new RequestException(key + ": " + e.getMessage(), e);
    }
  }

  /** The work of every entry of a list; what is refused goes to the problems. */
  private static <A, T> List<T> each(
      String key, List<A> asked, Function<A, T> work, List<String> problems) {
    List<T> results = new ArrayList<>();
    for (int i = 0; i < asked.size(); i++) {
      A entry = asked.get(i);
      try {
        results.add(keyed("%s[%d]".formatted(key, i), () -> work.apply(entry)));
      } catch (RequestException e) {
        problems.add(e.getMessage());
      }
    }
    return List.copyOf(results);
  }

  static void requireSuitable(
      List<Augmentation> augmentations, ImageShape shape, List<String> problems) {
    for (int i = 0; i < augmentations.size(); i++) {
      if (!augmentations.get(i).suits(shape)) {
        problems.add(
            "training.augmentations[%d]: expected square images for %s, found images of %s"
                .formatted(i, augmentations.get(i), shape));
      }
    }
  }

  private static void requireCount(
      String key, JacobianNorm measure, Splits splits, List<String> problems) {
    if (measure != null && count(measure, splits) > split(measure, splits).count()) {
      problems.add(
          "%s.count: expected ≤ %d, the %s images, found %d"
              .formatted(
                  key,
                  split(measure, splits).count(),
                  measure.split() == Split.TRAIN ? "training" : "test",
                  measure.count()));
    }
  }

  /** Whether the images allow all convolutions. */
  private static boolean requireMaps(List<Shape> shapes, ImageShape image, List<String> problems) {
    int before = problems.size();
    for (int s = 0; s < shapes.size(); s++) {
      String path = "networks.shapes[%d]".formatted(s);
      Architecture.misfit(image, shapes.get(s).convolutions())
          .ifPresent(
              misfit ->
                  problems.add(
                      "%s.convolutions[%d].%s: expected %s of images of %s, found %d"
                          .formatted(
                              path,
                              misfit.layer(),
                              misfit.part(),
                              misfit.most(),
                              image,
                              misfit.found())));
    }
    return problems.size() == before;
  }

  /**
   * The weights of all networks are in memory together when they are written to one file, and a
   * network's with its optimizer's state when they go to a checkpoint.
   */
  private static void requireMemory(
      Configuration configuration, DataSet data, List<String> problems) {
    int copies = 1 + configuration.training().optimizer().slots();
    long all = 0;
    long largest = 0;
    for (Stack stack : configuration.stacks()) {
      Architecture architecture = stack.architecture(data.train().shape(), data.train().classes());
      long network = Float.BYTES * architecture.parameters();
      all += stack.replicas().size() * network;
      largest = Math.max(largest, copies * network);
      if (configuration.training().optimizer() == Optimizer.LBFGS
          && architecture.parameters() > LbfgsTrainer.MOST_PARAMETERS) {
        problems.add(
            "networks.shapes: %s: expected at most %d weights with optimizer L-BFGS, found %d"
                .formatted(
                    architecture.title(), LbfgsTrainer.MOST_PARAMETERS, architecture.parameters()));
      }
      for (int l = 0; l < architecture.depth(); l++) {
        long weights = (long) architecture.rows(l) * architecture.columns(l);
        if (weights > Integer.MAX_VALUE) {
          problems.add(
              "networks.shapes: %s: expected layers of at most 2^31 − 1 weights, found %d × %d"
                  .formatted(architecture.title(), architecture.rows(l), architecture.columns(l)));
        }
      }
    }
    long needed = Math.max(all, largest);
    long most = Runtime.getRuntime().maxMemory() / 2;
    if (needed > most) {
      problems.add(
          "networks: expected weights (all together, or one network's with its optimizer's state) of at most %d MiB, half of what Java may use, found %d MiB; split the study, or run with more memory (java -Xmx)"
              .formatted(most >> 20, needed >> 20));
    }
  }

  private static Course course(Configuration.Trajectory trajectory, DataSet data, int[] trained) {
    return switch (trajectory.kind()) {
      case RANDOM -> Course.random(data.train().shape().size(), trajectory.seed());
      case TRANSLATION -> Course.translation(data.test(), trajectory.image());
      case THROUGH ->
          Course.through(
              data.train(), images(trajectory.anchors(), trajectory.seed(), data, trained));
    };
  }

  /**
   * The indices of anchors.
   *
   * @param trained those that networks are trained on, which anchors are drawn from
   */
  private static List<Integer> images(Anchors anchors, Long seed, DataSet data, int[] trained) {
    return anchors.drawn() == null
        ? anchors.images()
        : draw(data.train(), trained, anchors.drawn(), seed);
  }

  /**
   * Three of the images that networks are trained on, whose classes by the data set are the same or
   * all different: in a random order, the first image and the next two that suit it.
   */
  private static List<Integer> draw(
      LabelledImages images, int[] candidates, Anchors.Drawn drawn, long seed) {
    // Epochs 0 of this purpose are the axes of random ellipses.
    int[] order =
        RandomStreams.permutation(
            RandomStreams.stream(seed, Purpose.TRAJECTORY, 1, 0), candidates.length);
    int[] shuffled = IntStream.of(order).map(i -> candidates[i]).toArray();
    for (int start = 0; start < shuffled.length; start++) {
      List<Integer> anchors = new ArrayList<>();
      for (int i = start; i < shuffled.length && anchors.size() < 3; i++) {
        int label = images.label(shuffled[i]);
        boolean suits =
            anchors.stream()
                .allMatch(a -> images.label(a) == label == (drawn == Anchors.Drawn.SAME_CLASS));
        if (suits) {
          anchors.add(shuffled[i]);
        }
      }
      if (anchors.size() == 3) {
        return List.copyOf(anchors);
      }
    }
    throw new RequestException(
        "anchors: expected three training images of %s, found none among %d images; train on more, or name three images"
            .formatted(
                drawn == Anchors.Drawn.SAME_CLASS ? "one class" : "different classes",
                candidates.length));
  }
}
