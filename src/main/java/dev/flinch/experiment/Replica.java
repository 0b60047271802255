package dev.flinch.experiment;

import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.network.Architecture;
import dev.flinch.network.Convolution;
import dev.flinch.training.Augmentation;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * One network of a study.
 *
 * @param id unique in the study, such as {@code 3x100-true-s1} or {@code conv16_32-s1}: the shape,
 *     the factors that take several values, the augmentation if there is any, and the seed;
 *     letters, digits, hyphens and underscores only, so it can name a file and begin the name of a
 *     tensor
 * @param learningRate null with L-BFGS, which finds its own steps
 * @param seed keys the initial weights, the order of the mini-batches, random labels, and the moves
 *     of images
 */
public record Replica(
    String id,
    Shape shape,
    Activation activation,
    boolean biases,
    double initScale,
    Double learningRate,
    Labels labels,
    Augmentation augmentation,
    long seed) {
  private static final int LONGEST_SHAPE = 60;

  /** The network's architecture between images and classes that the data decides. */
  public Architecture architecture(ImageShape image, int classes) {
    return shape.architecture(image, classes, activation, biases);
  }

  static List<Replica> all(Configuration study) {
    Configuration.Networks networks = study.networks();
    Configuration.Training training = study.training();
    List<Double> rates =
        training.learningRates().isEmpty()
            ? Collections.singletonList(null)
            : training.learningRates();
    List<Replica> all = new ArrayList<>();
    for (Shape shape : networks.shapes()) {
      for (Activation activation : networks.activations()) {
        for (double initScale : networks.initScales()) {
          for (Double learningRate : rates) {
            for (Labels labels : training.labels()) {
              for (Augmentation augmentation : training.augmentations()) {
                String factors =
                    part(networks.activations(), activation.label())
                        + part(networks.initScales(), "i" + exact(initScale))
                        + (rates.size() > 1 ? "-lr" + exact(learningRate) : "")
                        + part(training.labels(), labels.toString())
                        + (augmentation == Augmentation.NONE ? "" : "-" + augmentation);
                for (long seed : networks.seeds()) {
                  all.add(
                      new Replica(
                          shapeName(shape, networks.shapes())
                              + factors.toLowerCase(Locale.ROOT)
                              + "-s"
                              + seed,
                          shape,
                          activation,
                          networks.biases(),
                          initScale,
                          learningRate,
                          labels,
                          augmentation,
                          seed));
                }
              }
            }
          }
        }
      }
    }
    return List.copyOf(all);
  }

  private static String part(List<?> values, String name) {
    return values.size() > 1 ? "-" + name : "";
  }

  private static String shapeName(Shape shape, List<Shape> shapes) {
    if (shape.isUniform()) {
      return shape.depth() + "x" + shape.hidden().get(0);
    }
    String convolutions =
        shape.convolutions().stream().map(Replica::name).collect(Collectors.joining("_"));
    String widths = shape.hidden().stream().map(String::valueOf).collect(Collectors.joining("_"));
    String name =
        convolutions.isEmpty()
            ? widths
            : "conv" + convolutions + (widths.isEmpty() ? "" : "-" + widths);
    // File systems limit names to 255 bytes; the place in the list is unique too.
    return name.length() <= LONGEST_SHAPE ? name : "shape" + shapes.indexOf(shape);
  }

  /** The channels, with the kernel and the pooling where they are not the default. */
  private static String name(Convolution convolution) {
    return convolution.channels()
        + (convolution.kernel() == 3 ? "" : "k" + convolution.kernel())
        + (convolution.pool() == 2 ? "" : "p" + convolution.pool());
  }

  /** All digits without a point: 0.005 is {@code 5e-3}. */
  private static String exact(double value) {
    BigDecimal decimal = BigDecimal.valueOf(value).stripTrailingZeros();
    String digits = decimal.unscaledValue().toString();
    return decimal.scale() == 0 ? digits : digits + "e" + -decimal.scale();
  }
}
