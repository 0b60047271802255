package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.data.DataSet;
import dev.flinch.data.DataSets;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.experiment.Configuration.Split;
import dev.flinch.experiment.NetworkResult.MeanNorm;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.report.Figure;
import dev.flinch.report.PointBoundsFigure;
import dev.flinch.report.PointErrorFigure;
import dev.flinch.sensitivity.BoundComparison;
import dev.flinch.sensitivity.JacobianBounds;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.sensitivity.NormBin;
import dev.flinch.sensitivity.PointMeasures;
import dev.flinch.training.DeviceExamples;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The per-point study of one network (Novak et al., §4.4, §A.3): loss, Jacobian norm and prediction
 * at each point of a split, how well the norm tells which points are misclassified, and how the
 * bounds of the norm hold.
 *
 * @param id of the network, or null where its file holds one without a name
 * @param count the first so many images of the split
 * @param misclassified how many of them
 * @param crossEntropy mean over the points, in nats
 * @param jacobianNorm mean over the points
 * @param logitGradientNorm mean over points and classes of ‖∂fᵢ/∂x‖₂
 * @param bins points of about equal Jacobian norm, in ascending order
 * @param points what was found at each point, in columns
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record PerPointStudy(
    String id,
    NetworkDescription network,
    String dataset,
    Split split,
    int count,
    int misclassified,
    double accuracy,
    double crossEntropy,
    MeanNorm jacobianNorm,
    double logitGradientNorm,
    ErrorDetection errorDetection,
    List<NormBin> bins,
    BoundComparison bounds,
    PointMeasures points) {

  /** Losses between which the bounds are drawn as curves have so many points. */
  private static final int CURVE_POINTS = 400;

  private static final List<String> COLUMNS =
      List.of(
          "network",
          "point",
          "label",
          "prediction",
          "correct",
          "crossEntropy",
          "jacobianNorm",
          "rowNorm",
          "maximumProbability",
          "uncertainty",
          "logitGradientNorm",
          "lowerBound",
          "rowUpperBound",
          "maximumEntropyCurve");

  /**
   * A study that is asked for.
   *
   * @param count the first so many images, or null for all
   * @param crop side of the central square that images are cropped to, or null for whole images
   * @param bins of equal counts by Jacobian norm, from 1
   */
  public record Request(
      String dataset, Path dataDirectory, Split split, Integer count, Integer crop, int bins) {}

  /**
   * Studies a network.
   *
   * @throws RequestException if the data set is not there or doesn't fit the network, if it has
   *     fewer images than asked for, if there are no bins, or if the network's outputs are not
   *     finite
   */
  public static PerPointStudy of(
      Network network, Request request, Device device, Progress progress) {
    return of(Collections.singletonMap(null, network), request, device, progress).get(0);
  }

  /**
   * The same for several networks on one data set, which is loaded once.
   *
   * @param networks one or more by id, in the order of the results
   */
  public static List<PerPointStudy> of(
      Map<String, Network> networks, Request request, Device device, Progress progress) {
    requireBins(request.bins());
    DataSet data =
        StudyData.cropped(
            DataSets.load(request.dataset(), request.dataDirectory()), request.crop());
    networks.values().forEach(network -> Measurement.requireFit(network.architecture(), data));
    LabelledImages split = request.split() == Split.TRAIN ? data.train() : data.test();
    LabelledImages images = request.count() == null ? split : split.first(request.count());
    List<PerPointStudy> studies = new ArrayList<>();
    try (DeviceExamples examples = new DeviceExamples(device, images)) {
      networks.forEach(
          (id, network) ->
              studies.add(
                  at(
                      id,
                      network,
                      request.dataset(),
                      request.split(),
                      examples,
                      request.bins(),
                      device,
                      progress)));
    }
    return studies;
  }

  /**
   * The same at examples that are on the device.
   *
   * @param id of the network, or null
   */
  public static PerPointStudy at(
      String id,
      Network network,
      String dataset,
      Split split,
      DeviceExamples examples,
      int bins,
      Device device,
      Progress progress) {
    requireBins(bins);
    PointMeasures points;
    try (NetworkStack stack = new NetworkStack(device, List.of(network))) {
      points = PointMeasures.at(stack, examples.inputs(), examples.images().labels(), progress)[0];
    }
    double crossEntropy = mean(points.crossEntropy());
    Measurement.requireFinite("cross-entropy", crossEntropy, examples.images());
    JacobianNorms norms = JacobianNorms.of(points.jacobianNorm());
    Measurement.requireFinite("mean Jacobian norm", norms.mean(), examples.images());
    double gradients = mean(points.logitGradientNorm());
    Measurement.requireFinite("mean norm of logit gradients", gradients, examples.images());
    boolean[] wrong = points.misclassified();
    int errors = count(wrong);
    int n = points.count();
    return new PerPointStudy(
        id,
        NetworkDescription.of(network.architecture()),
        dataset,
        split,
        n,
        errors,
        (n - errors) / (double) n,
        crossEntropy,
        MeanNorm.of(norms),
        gradients,
        ErrorDetection.of(points),
        NormBin.equalCounts(points.jacobianNorm(), wrong, bins),
        BoundComparison.of(points, network.architecture().classes()),
        points);
  }

  private static void requireBins(int bins) {
    if (bins < 1) {
      throw new RequestException("bins: expected 1 or more, found " + bins);
    }
  }

  static int count(boolean[] which) {
    int count = 0;
    for (boolean one : which) {
      count += one ? 1 : 0;
    }
    return count;
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElseThrow();
  }

  /** The network's id, or its architecture where it has none. */
  public String title() {
    return id != null ? id : network.architecture();
  }

  /**
   * Loss and misclassification against Jacobian norm, a colour for each network (Figure 6).
   *
   * @param studies of up to five networks
   */
  public static Figure figure(String title, List<PerPointStudy> studies) {
    return PointErrorFigure.of(
        title,
        studies.stream()
            .map(
                study ->
                    new PointErrorFigure.Series(
                        study.title(),
                        study.points.jacobianNorm(),
                        study.points.crossEntropy(),
                        study.bins.stream()
                            .map(
                                bin ->
                                    new PointErrorFigure.Bin(
                                        bin.median(),
                                        bin.fraction().value(),
                                        bin.fraction().low(),
                                        bin.fraction().high()))
                            .toList()))
            .toList());
  }

  /** Jacobian norm against loss, with the bounds of the mean M (Figure App. 11). */
  public Figure boundsFigure(String title) {
    JacobianBounds mean =
        new JacobianBounds(network.units().get(network.units().size() - 1), logitGradientNorm);
    double[] losses = curveLosses();
    return PointBoundsFigure.of(
        title,
        title(),
        new PointBoundsFigure.Points(
            points.crossEntropy(), points.jacobianNorm(), points.misclassified()),
        new PointBoundsFigure.Curves(
            losses,
            Arrays.stream(losses).map(mean::lower).toArray(),
            Arrays.stream(losses).map(mean::maximumEntropy).toArray(),
            logitGradientNorm));
  }

  /** Losses from the smallest to the largest one, in equal ratios. */
  private double[] curveLosses() {
    double[] positive = Arrays.stream(points.crossEntropy()).filter(l -> l > 0).toArray();
    double low = Math.log(Arrays.stream(positive).min().orElse(1));
    double high = Math.log(Arrays.stream(positive).max().orElse(1));
    return IntStream.rangeClosed(0, CURVE_POINTS)
        .mapToDouble(i -> Math.exp(low + (high - low) * i / CURVE_POINTS))
        .toArray();
  }

  /** Writes what was found at every point of every network, a line each, as CSV. */
  public static void writeCsv(Path file, List<PerPointStudy> studies) throws IOException {
    try (Writer out = Files.newBufferedWriter(file)) {
      out.write(String.join(",", COLUMNS) + "\n");
      for (PerPointStudy study : studies) {
        for (int i = 0; i < study.count; i++) {
          out.write(study.line(i) + "\n");
        }
      }
    }
  }

  private String line(int i) {
    return Stream.of(
            id == null ? "" : id,
            i,
            points.labels()[i],
            points.predictions()[i],
            points.misclassified()[i] ? 0 : 1,
            points.crossEntropy()[i],
            points.jacobianNorm()[i],
            points.rowNorm()[i],
            points.maximumProbability()[i],
            points.uncertainty()[i],
            points.logitGradientNorm()[i],
            bounds.lower()[i],
            bounds.rowUpper()[i],
            bounds.maximumEntropy()[i])
        .map(String::valueOf)
        .collect(Collectors.joining(","));
  }
}
