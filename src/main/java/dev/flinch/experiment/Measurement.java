package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.network.Architecture;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Evaluation;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What was measured of one network at images of a data set. What was not asked for is null, and
 * absent from JSON.
 *
 * @param count the first so many images of the split
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Measurement(
    NetworkDescription network,
    String dataset,
    Split split,
    int count,
    Double accuracy,
    Double crossEntropy,
    JacobianNorms jacobianNorm,
    JacobianNorms logitJacobianNorm) {

  /** What can be asked for. */
  public enum Quantity {
    ACCURACY,
    LOSS,
    JACOBIAN,
    LOGIT_JACOBIAN;

    /** The word that users write, such as {@code logit-jacobian}. */
    public String label() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The quantity of a word, in any case; refuses others. */
    public static Quantity named(String word) {
      return Arrays.stream(values())
          .filter(q -> q.label().equalsIgnoreCase(word.strip()))
          .findFirst()
          .orElseThrow(
              () ->
                  new RequestException(
                      "unknown measure '%s': expected one of %s"
                          .formatted(
                              word,
                              Arrays.stream(values())
                                  .map(Quantity::label)
                                  .collect(Collectors.joining(", ")))));
    }
  }

  /**
   * A measurement that is asked for.
   *
   * @param count the first so many images, or null for all
   * @param crop side of the central square that images are cropped to, or null for whole images
   */
  public record Request(
      String dataset,
      Path dataDirectory,
      Split split,
      Integer count,
      Integer crop,
      Set<Quantity> quantities) {}

  /**
   * Measures a network.
   *
   * @throws RequestException if the data set is not there or doesn't fit the network, if it has
   *     fewer images than asked for, or if the network's outputs are not finite
   */
  public static Measurement of(Network network, Request request, Device device, Progress progress) {
    DataSet data = dataSet(network, request.dataset(), request.dataDirectory(), request.crop());
    LabelledImages split = request.split() == Split.TRAIN ? data.train() : data.test();
    LabelledImages images = request.count() == null ? split : split.first(request.count());
    Set<Quantity> asked = request.quantities();
    try (NetworkStack stack = new NetworkStack(device, List.of(network));
        DeviceExamples examples = new DeviceExamples(device, images)) {
      Evaluation evaluation = Evaluation.of(stack, examples)[0];
      // Of outputs that are not finite neither accuracy nor norms mean anything.
      requireFinite("cross-entropy", evaluation.crossEntropy(), images);
      return new Measurement(
          NetworkDescription.of(network.architecture()),
          data.name(),
          request.split(),
          images.count(),
          asked.contains(Quantity.ACCURACY) ? evaluation.accuracy() : null,
          asked.contains(Quantity.LOSS) ? evaluation.crossEntropy() : null,
          asked.contains(Quantity.JACOBIAN)
              ? norms(stack, examples, Jacobian.PROBABILITIES, progress)
              : null,
          asked.contains(Quantity.LOGIT_JACOBIAN)
              ? norms(stack, examples, Jacobian.LOGITS, progress)
              : null);
    }
  }

  private static JacobianNorms norms(
      NetworkStack stack, DeviceExamples examples, Jacobian jacobian, Progress progress) {
    JacobianNorms norms = JacobianNorms.at(stack, examples.inputs(), jacobian, progress)[0];
    requireFinite("mean Jacobian norm", norms.mean(), examples.images());
    return norms;
  }

  static void requireFinite(String what, double value, LabelledImages images) {
    if (!Double.isFinite(value)) {
      throw new RequestException(
          "the network's %s over %s is %s: expected a finite number; its weights are too large for float32"
              .formatted(what, images.name(), value));
    }
  }

  /** A data set, cropped if asked for, whose images and classes are those of a network. */
  static DataSet dataSet(Network network, String name, Path dataDirectory, Integer crop) {
    DataSet data = StudyData.cropped(DataSets.load(name, dataDirectory), crop);
    requireFit(network.architecture(), data);
    return data;
  }

  /**
   * The shape of a data set's images, without reading them; nothing where no data set is named.
   *
   * @param crop as {@link Request} has it
   * @throws RequestException for an unknown name
   */
  public static Optional<ImageShape> imagesOf(String dataset, Path dataDirectory, Integer crop) {
    if (dataset == null) {
      return Optional.empty();
    }
    ImageShape whole = DataSets.entry(dataset, dataDirectory).shape();
    // Impossible crops are refused when images are cropped.
    boolean cropped = crop != null && crop > 0 && crop <= Math.min(whole.height(), whole.width());
    return Optional.of(cropped ? new ImageShape(whole.channels(), crop, crop) : whole);
  }

  /** Refuses data whose images or classes are not those of a network. */
  static void requireFit(Architecture architecture, DataSet data) {
    ImageShape shape = data.train().shape();
    int inputs = architecture.inputs();
    String name = data.name();
    if (architecture.isConvolutional() && !shape.equals(architecture.image())) {
      ImageShape image = architecture.image();
      throw new RequestException(
          "the network's convolutions take images of %s, but those of %s are %s; measure it on what it was trained on%s"
              .formatted(
                  image,
                  name,
                  shape,
                  image.channels() == shape.channels()
                          && image.height() == image.width()
                          && image.height() < Math.min(shape.height(), shape.width())
                      ? ": --crop %d makes them fit".formatted(image.height())
                      : ", or with its --crop (as of CIFAR to 24)"));
    }
    if (shape.size() != inputs) {
      throw new RequestException(
          "the network has %d inputs, but images of %s have %d components (%s); measure it on what it was trained on%s"
              .formatted(
                  inputs,
                  name,
                  shape.size(),
                  shape,
                  IntStream.range(1, Math.min(shape.height(), shape.width()))
                      .filter(side -> shape.channels() * side * side == inputs)
                      .mapToObj(side -> ": --crop %d makes them fit".formatted(side))
                      .findFirst()
                      .orElse(", or with its --crop (as of CIFAR to 24)")));
    }
    int classes = architecture.classes();
    if (data.train().classes() != classes) {
      throw new RequestException(
          "the network has %d classes, but %s has %d; measure it on what it was trained on"
              .formatted(classes, name, data.train().classes()));
    }
  }
}
