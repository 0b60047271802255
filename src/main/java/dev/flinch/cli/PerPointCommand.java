package dev.flinch.cli;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.experiment.ErrorDetection;
import dev.flinch.experiment.ErrorDetection.Area;
import dev.flinch.experiment.Measurement;
import dev.flinch.experiment.PerPointStudy;
import dev.flinch.experiment.RunNetworks;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkFile;
import dev.flinch.report.Table;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code flinch points}: studies networks at single points of a data set. */
@Command(
    name = "points",
    description = {
      "Measures loss and Jacobian norm at each point of a data set: how well the norm tells which"
          + " points are misclassified, and whether it keeps within its bounds."
    },
    footer = {
      "",
      "Example:",
      "  flinch points runs/figure-6-small/weights.safetensors --pick 5 \\",
      "      --dataset mnist --figure figure-6.png"
    })
final class PerPointCommand extends Action<PerPointCommand.Studies> {
  /** As many as Figure 6 shows, and as colours are told apart well. */
  private static final int MOST_NETWORKS = 5;

  /** The result of every network. */
  record Studies(List<PerPointStudy> networks) {}

  @Mixin private WeightsOptions weights;

  @Option(
      names = "--network",
      split = ",",
      paramLabel = "ID",
      description = {
        "Which networks, where the file holds several: up to 5, with commas or repeated."
      })
  private List<String> named = List.of();

  @Option(
      names = "--pick",
      paramLabel = "N",
      description = {
        "Instead: N networks, up to 5, at random among those of a finished run that were taught"
            + " true labels and fit them."
      })
  private Integer pick;

  @Option(
      names = "--accurate",
      paramLabel = "A",
      description = "With --pick: their least train accuracy (1.0).")
  private Double accurate;

  @Option(names = "--seed", paramLabel = "S", description = "With --pick: which draw (1).")
  private Long seed;

  @Mixin private ImageOptions images;

  @Option(
      names = "--bins",
      paramLabel = "N",
      defaultValue = "10",
      description = "Parts of equal counts by Jacobian norm (${DEFAULT-VALUE}).")
  private int bins;

  @Option(
      names = "--csv",
      paramLabel = "FILE",
      description = "Also list what was found at every point, as CSV.")
  private Path csv;

  @Option(
      names = "--figure",
      paramLabel = "FILE",
      description = {
        "Also draw loss and misclassification against the Jacobian norm: F.svg or F.png."
      })
  private Path figure;

  @Option(
      names = "--bounds-figure",
      paramLabel = "FILE",
      description = "Of a single network: also draw norm against loss, and its bounds.")
  private Path boundsFigure;

  @Mixin private DeviceOption device;
  @Mixin private DataDirectory data;

  @Override
  Studies work(Progress progress) throws IOException {
    OutputFile list = csv == null ? null : new OutputFile("--csv", csv);
    OutputFile drawing = figure == null ? null : OutputFile.drawing("--figure", figure);
    OutputFile bounded =
        boundsFigure == null ? null : OutputFile.drawing("--bounds-figure", boundsFigure);
    Map<String, Network> networks = networks();
    if (bounded != null && networks.size() > 1) {
      throw new RequestException(
          "--bounds-figure: expected one network, each has bounds of its own; found "
              + networks.size());
    }
    PerPointStudy.Request request =
        new PerPointStudy.Request(
            images.dataset, data.path(), images.split, images.count, images.crop, bins);
    Studies result;
    try (Device opened = device.open(err())) {
      result = new Studies(PerPointStudy.of(networks, request, opened, progress));
    }
    List<PerPointStudy> studies = result.networks();
    String points = "%s %s".formatted(images.dataset, images.split.name().toLowerCase(Locale.ROOT));
    if (list != null) {
      list.write(file -> PerPointStudy.writeCsv(file, studies));
    }
    if (drawing != null) {
      drawing.write(
          PerPointStudy.figure("Sensitivity and error at single points, " + points, studies)
              ::write);
    }
    if (bounded != null) {
      bounded.write(
          studies.get(0).boundsFigure("Sensitivity and loss at single points, " + points)::write);
    }
    return result;
  }

  /** The networks that are asked for, by their ids. */
  private Map<String, Network> networks() {
    if (pick == null && (accurate != null || seed != null)) {
      throw new RequestException(
          "%s: expected only with --pick".formatted(accurate != null ? "--accurate" : "--seed"));
    }
    if (pick != null && !named.isEmpty()) {
      throw new RequestException("--pick: expected without --network, which names networks");
    }
    int asked = pick != null ? pick : named.size();
    if (asked > MOST_NETWORKS) {
      throw new RequestException(
          "%s: expected up to %d networks, found %d"
              .formatted(pick != null ? "--pick" : "--network", MOST_NETWORKS, asked));
    }
    List<String> ids =
        pick == null
            ? named
            : RunNetworks.pick(
                weights.file, accurate == null ? 1 : accurate, pick, seed == null ? 1 : seed);
    Map<String, Network> networks = new LinkedHashMap<>();
    for (String id : ids) {
      Network network = read(Optional.of(id));
      if (networks.put(id, network) != null) {
        throw new RequestException("--network: %s is there twice".formatted(id));
      }
    }
    if (ids.isEmpty()) {
      List<String> held = NetworkFile.ids(weights.file);
      networks.put(held.size() == 1 ? held.get(0) : null, read(Optional.empty()));
    }
    return networks;
  }

  private Network read(Optional<String> id) {
    return weights.read(id, Measurement.imagesOf(images.dataset, data.path(), images.crop));
  }

  @Override
  void print(Studies result, PrintWriter out) {
    List<PerPointStudy> studies = result.networks();
    if (studies.size() == 1) {
      printOne(studies.get(0), out);
    } else {
      printAll(studies, out);
    }
    for (Path file : new Path[] {csv, figure, boundsFigure}) {
      if (file != null) {
        out.printf("%-24s %s%n", "written", file);
      }
    }
  }

  private static void printOne(PerPointStudy study, PrintWriter out) {
    line(
        out,
        "network",
        "%s%s, %,d parameters"
            .formatted(
                study.id() == null ? "" : study.id() + ", ",
                study.network().architecture(),
                study.network().parameters()));
    line(out, "data", "%s, %,d misclassified".formatted(data(study), study.misclassified()));
    line(out, "cross-entropy", "%.4g".formatted(study.crossEntropy()));
    line(
        out,
        "Jacobian norm",
        "%.4g ± %.2g".formatted(study.jacobianNorm().mean(), study.jacobianNorm().standardError()));
    line(out, "norm of logit gradients", "%.4g".formatted(study.logitGradientNorm()));
    out.println();
    List<List<String>> rows = new ArrayList<>();
    study
        .bins()
        .forEach(
            bin ->
                rows.add(
                    List.of(
                        "%.3g".formatted(bin.from()),
                        "%.3g".formatted(bin.to()),
                        "%,d".formatted(bin.points()),
                        "%,d".formatted(bin.misclassified()),
                        "%.4f".formatted(bin.fraction().value()),
                        "%.4f to %.4f".formatted(bin.fraction().low(), bin.fraction().high()))));
    out.print(
        Table.format(
            List.of("norm from", "to", "points", "misclassified", "fraction", "95% interval"),
            rows));
    out.println();
    ErrorDetection detection = study.errorDetection();
    if (detection.undefined() != null) {
      line(out, "errors told by", "undefined: " + detection.undefined());
    } else {
      line(
          out,
          "errors told by",
          "Jacobian norm %s, 1 − largest probability %s (area under the ROC curve)"
              .formatted(area(detection.jacobianNorm()), area(detection.uncertainty())));
      line(out, "difference", difference(detection));
    }
    line(
        out,
        "bounds hold at",
        "‖J‖ ≥ lower %s, ‖J_y‖ ≥ lower %s, ‖J_y‖ ≤ upper %s of the points"
            .formatted(
                percent(study.bounds().lowerHolds()),
                percent(study.bounds().rowLowerHolds()),
                percent(study.bounds().rowUpperHolds())));
    line(
        out,
        "maximum-entropy curve",
        "‖J‖ below it at %s of the points"
            .formatted(percent(study.bounds().belowMaximumEntropy())));
  }

  private static void printAll(List<PerPointStudy> studies, PrintWriter out) {
    line(out, "data", data(studies.get(0)));
    out.println();
    List<List<String>> rows = new ArrayList<>();
    for (PerPointStudy study : studies) {
      ErrorDetection detection = study.errorDetection();
      boolean defined = detection.undefined() == null;
      rows.add(
          List.of(
              study.title(),
              "%.4f".formatted(study.accuracy()),
              "%.4g ± %.2g"
                  .formatted(study.jacobianNorm().mean(), study.jacobianNorm().standardError()),
              defined ? area(detection.jacobianNorm()) : "–",
              defined ? area(detection.uncertainty()) : "–",
              defined ? difference(detection) : "–",
              percent(study.bounds().lowerHolds()),
              percent(study.bounds().rowUpperHolds()),
              percent(study.bounds().belowMaximumEntropy())));
    }
    out.print(
        Table.format(
            List.of(
                "network",
                "accuracy",
                "Jacobian norm",
                "AUC of norm",
                "of 1 − largest p",
                "difference",
                "‖J‖ ≥ lower",
                "‖J_y‖ ≤ upper",
                "‖J‖ ≤ max. entropy"),
            rows));
    studies.stream()
        .filter(study -> study.errorDetection().undefined() != null)
        .forEach(
            study ->
                out.printf("%s: no AUC, %s%n", study.title(), study.errorDetection().undefined()));
  }

  private static String data(PerPointStudy study) {
    return "%s %s, %,d images"
        .formatted(study.dataset(), study.split().name().toLowerCase(Locale.ROOT), study.count());
  }

  private static String area(Area area) {
    return "%.4f".formatted(area.area()) + error(area.standardError());
  }

  private static String difference(ErrorDetection detection) {
    return "%+.4f".formatted(detection.difference()) + error(detection.differenceStandardError());
  }

  private static String error(Double standardError) {
    return standardError == null ? "" : " ± %.4f".formatted(standardError);
  }

  private static String percent(double fraction) {
    return "%.2f%%".formatted(100 * fraction);
  }

  private static void line(PrintWriter out, String name, String value) {
    out.printf("%-24s %s%n", name, value);
  }
}
