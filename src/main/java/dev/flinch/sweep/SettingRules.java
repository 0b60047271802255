package dev.flinch.sweep;

import dev.flinch.data.DataSets;
import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration.JacobianNorm;
import dev.flinch.experiment.Configuration.Method;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.Configuration.Stiffness;
import dev.flinch.experiment.Configuration.Trajectory;
import dev.flinch.network.Architecture;
import dev.flinch.network.Architecture.Misfit;
import dev.flinch.network.Convolution;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Optimizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a setting's values ask of each other and of the data set, and its constraints. Threads may
 * share it.
 */
final class SettingRules {
  private final SweepConfiguration sweep;
  private final List<Constraint> constraints;
  private final Map<String, DataSetSize> sizes = new HashMap<>();

  SettingRules(SweepConfiguration sweep) {
    this.sweep = sweep;
    this.constraints = sweep.constraints().stream().map(Constraint::of).toList();
    for (String name : DataSets.names()) {
      sizes.put(name, DataSetSize.of(name));
    }
  }

  /** The setting's data; null for a data set that there isn't. */
  private DataSetSize published(Setting setting) {
    return sizes.get((String) setting.get(Factor.DATASET));
  }

  /** The data of a setting without problems, as its networks take it. */
  DataSetSize data(Setting setting) {
    return published(setting).cropped((Long) setting.get(Factor.CROP));
  }

  /** The images that a setting's networks are trained on. */
  long trainingImages(Setting setting) {
    Long train = (Long) setting.get(Factor.TRAIN);
    return train != null ? train : published(setting).train() - sweep.validation();
  }

  /** The number of weights, and of biases if there are any. */
  double parameters(Setting setting) {
    DataSetSize data = data(setting);
    if (setting.has(Factor.SHAPE)) {
      return parameters(setting.shape(), data, (Boolean) setting.get(Factor.BIASES));
    }
    double width = (Long) setting.get(Factor.WIDTH);
    double bias = (Boolean) setting.get(Factor.BIASES) ? 1 : 0;
    return width * (data.shape().size() + bias)
        + ((Long) setting.get(Factor.DEPTH) - 2) * width * (width + bias)
        + data.classes() * (width + bias);
  }

  private static double parameters(Shape shape, DataSetSize data, boolean biases) {
    int bias = biases ? 1 : 0;
    int height = data.shape().height();
    int width = data.shape().width();
    double channels = data.shape().channels();
    double parameters = 0;
    for (Convolution convolution : shape.convolutions()) {
      double patch = channels * convolution.kernel() * convolution.kernel();
      channels = convolution.channels();
      parameters += channels * (patch + bias);
      height /= convolution.pool();
      width /= convolution.pool();
    }
    double units = channels * height * width;
    for (int next : shape.hidden()) {
      parameters += next * (units + bias);
      units = next;
    }
    return parameters + data.classes() * (units + bias);
  }

  /** The first constraint that a setting breaks, or null. */
  Constraint broken(Setting setting) {
    if (published(setting) == null || !setting.saysLayers()) {
      return null;
    }
    for (Constraint constraint : constraints) {
      if (constraint.factors().stream().allMatch(f -> f.isOfLayers() || setting.has(f))
          && !constraint.holds(name -> variable(setting, name))) {
        return constraint;
      }
    }
    return null;
  }

  private Object variable(Setting setting, String name) {
    if (name.equals(Constraint.PARAMETERS)) {
      return parameters(setting);
    }
    Factor factor = Factor.named(name).orElseThrow();
    if (factor.isOfLayers() && !setting.has(factor)) {
      return (long) (factor == Factor.DEPTH ? setting.shape().depth() : setting.shape().width());
    }
    Object value = setting.get(factor);
    if (value != null) {
      return value instanceof Enum || value instanceof String ? factor.text(value) : value;
    }
    return switch (factor) {
      case TRAIN -> trainingImages(setting);
      case CROP ->
          (long) Math.min(published(setting).shape().height(), published(setting).shape().width());
      default -> Double.POSITIVE_INFINITY;
    };
  }

  /** What a setting asks for that can't be; empty for one that can be trained. */
  List<String> problems(Setting setting) {
    DataSetSize published = published(setting);
    if (published == null) {
      return List.of(
          "factors.dataset: expected one of %s, found \"%s\""
              .formatted(String.join(", ", DataSets.names()), setting.get(Factor.DATASET)));
    }
    if (!setting.saysLayers()) {
      return List.of(
          "pairs: expected depth and width on a side that has one of them, where factors.shape gives neither");
    }
    List<String> problems = new ArrayList<>();
    String dataset = (String) setting.get(Factor.DATASET);
    long train = trainingImages(setting);
    if (train < 1 || train + sweep.validation() > published.train()) {
      problems.add(
          "%s: expected ≤ %d with %d images set aside, as %s has %d, found %s"
              .formatted(
                  path(Factor.TRAIN),
                  published.train() - sweep.validation(),
                  sweep.validation(),
                  dataset,
                  published.train(),
                  setting.get(Factor.TRAIN)));
    }
    long test = sweep.test() != null ? sweep.test() : published.test();
    if (test > published.test()) {
      problems.add(
          "data.test: expected ≤ %d, the test images of %s, found %d"
              .formatted(published.test(), dataset, test));
    }
    Long crop = (Long) setting.get(Factor.CROP);
    int side = Math.min(published.shape().height(), published.shape().width());
    if (crop != null && crop > side) {
      problems.add(
          "%s: expected ≤ %d, the side of images of %s, found %d"
              .formatted(path(Factor.CROP), side, dataset, crop));
      return problems;
    }
    if (setting.has(Factor.BATCH_SIZE) && (Long) setting.get(Factor.BATCH_SIZE) > train) {
      problems.add(
          "factors.batchSize: expected ≤ %d, the training images, found %d; \"constraints\": [\"batchSize <= train\"] leaves such settings out"
              .formatted(train, setting.get(Factor.BATCH_SIZE)));
    }
    boolean fullBatch = setting.optimizer() == Optimizer.LBFGS;
    if (!fullBatch && setting.get(Factor.EPOCHS) == null && setting.get(Factor.STEPS) == null) {
      problems.add(
          "%s: expected a limit in epochs or steps, found neither".formatted(path(Factor.EPOCHS)));
    }
    Augmentation augmentation = (Augmentation) setting.get(Factor.AUGMENTATION);
    if (!augmentation.suits(data(setting).shape())) {
      problems.add(
          "factors.augmentation: expected square images for %s, found images of %s"
              .formatted(augmentation, data(setting).shape()));
    }
    if (fullBatch && augmentation != Augmentation.NONE) {
      problems.add(
          "factors.augmentation: expected \"none\" with optimizer L-BFGS, whose batch is all images as they are, found \"%s\"; \"constraints\": [\"optimizer != 'L-BFGS' or augmentation == 'none'\"] leaves such settings out"
              .formatted(augmentation));
    }
    layers(setting, problems);
    measures(setting, train, test, published, problems);
    return problems;
  }

  private void layers(Setting setting, List<String> problems) {
    ImageShape image = data(setting).shape();
    if (!setting.has(Factor.SHAPE)) {
      double width = (Long) setting.get(Factor.WIDTH);
      double before = (Long) setting.get(Factor.DEPTH) > 2 ? width : 0;
      double largest = width * Math.max(before, image.size());
      if (largest > Integer.MAX_VALUE) {
        problems.add(
            "factors.width: expected layers of at most 2^31 − 1 weights, found %.0f × %.0f"
                .formatted(width, largest / width));
      }
      return;
    }
    Shape shape = setting.shape();
    Optional<Misfit> misfit = Architecture.misfit(image, shape.convolutions());
    if (misfit.isPresent()) {
      Misfit found = misfit.get();
      problems.add(
          "factors.shape: %s: convolutions[%d].%s: expected %s of images of %s, found %d"
              .formatted(
                  shape.title(), found.layer(), found.part(), found.most(), image, found.found()));
      return;
    }
    Architecture architecture =
        shape.architecture(
            image,
            data(setting).classes(),
            (Activation) setting.get(Factor.ACTIVATION),
            (Boolean) setting.get(Factor.BIASES));
    for (int l = 0; l < architecture.depth(); l++) {
      if ((long) architecture.rows(l) * architecture.columns(l) > Integer.MAX_VALUE) {
        problems.add(
            "factors.shape: %s: expected layers of at most 2^31 − 1 weights, found %d × %d"
                .formatted(shape.title(), architecture.rows(l), architecture.columns(l)));
      }
    }
  }

  private void measures(
      Setting setting, long train, long test, DataSetSize published, List<String> problems) {
    atMost("jacobian", sweep.measures().jacobian(), train, test, problems);
    atMost("logitJacobian", sweep.measures().logitJacobian(), train, test, problems);
    stiffness(setting, train, test, problems);
    List<Trajectory> trajectories = sweep.measures().trajectories();
    for (int t = 0; t < trajectories.size(); t++) {
      Trajectory trajectory = trajectories.get(t);
      String path = "measures.trajectories[%d].".formatted(t);
      if (trajectory.method() == Method.EXACT
          && !((Activation) setting.get(Factor.ACTIVATION)).isPiecewiseLinear()) {
        problems.add(
            path
                + "method: expected \"auto\" or \"sampled\" with Tanh, which has no linear"
                + " regions, found \"exact\"");
      }
      if (trajectory.method() == Method.EXACT
          && setting.has(Factor.SHAPE)
          && !setting.shape().convolutions().isEmpty()) {
        problems.add(
            path + "method: expected \"auto\" or \"sampled\" with convolutions, found \"exact\"");
      }
      if (trajectory.image() != null && trajectory.image() >= published.test()) {
        problems.add(
            path
                + "image: expected < %d, the test images of %s, found %d"
                    .formatted(published.test(), setting.get(Factor.DATASET), trajectory.image()));
      }
      if (trajectory.anchors() != null && trajectory.anchors().images() != null) {
        for (int image : trajectory.anchors().images()) {
          if (image >= published.train()) {
            problems.add(
                path
                    + "anchors: expected < %d, the training images of %s, found %d"
                        .formatted(published.train(), setting.get(Factor.DATASET), image));
          }
        }
      }
    }
  }

  /** What can be told without the data: classes may still have fewer images than all of a split. */
  private void stiffness(Setting setting, long train, long test, List<String> problems) {
    Stiffness asked = sweep.measures().stiffness();
    if (asked == null) {
      return;
    }
    int classes = data(setting).classes();
    long images = (long) asked.imagesOfClass(classes) * classes;
    for (Split split : Split.values()) {
      long there = split == Split.TRAIN ? train : test;
      if (asked.takes(split) && images > there) {
        problems.add(
            "measures.stiffness.perClass: expected ≤ %d, of %d classes among %d %s images, found %d%s"
                .formatted(
                    there / classes,
                    classes,
                    there,
                    split == Split.TRAIN ? "training" : "test",
                    asked.imagesOfClass(classes),
                    asked.perClass() == null ? ", which is taken where nothing is said" : ""));
      }
    }
  }

  private static void atMost(
      String key, JacobianNorm norm, long train, long test, List<String> problems) {
    if (norm != null && norm.count() != null) {
      long images = norm.split() == Split.TRAIN ? train : test;
      if (norm.count() > images) {
        problems.add(
            "measures.%s.count: expected ≤ %d, the %s images, found %d"
                .formatted(
                    key, images, norm.split() == Split.TRAIN ? "training" : "test", norm.count()));
      }
    }
  }

  /** Where a factor's values come from, of those that may stand in a section. */
  private static String path(Factor factor) {
    return "%s or factors.%s".formatted(factor.section() + "." + factor.key(), factor.key());
  }
}
