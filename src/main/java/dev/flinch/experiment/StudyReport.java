package dev.flinch.experiment;

import dev.flinch.device.Curve;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import dev.flinch.network.Architecture;
import dev.flinch.report.Estimate;
import dev.flinch.report.Figure;
import dev.flinch.report.GapFigure;
import dev.flinch.report.HistoryFigure;
import dev.flinch.report.HistoryFigure.History;
import dev.flinch.report.NetworkPoint;
import dev.flinch.report.Table;
import dev.flinch.report.TrajectoryFigure;
import dev.flinch.report.TrajectoryFigure.Series;
import dev.flinch.training.Augmentation;
import dev.flinch.training.EpochRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What a study's reader sees: figures, and the table that ends a run. */
final class StudyReport {
  private static final List<String> FORMATS = List.of(".svg", ".png");

  /** More lines than these in one figure of a trajectory, and each architecture gets its own. */
  private static final int MOST_SERIES = 6;

  private StudyReport() {}

  /** Networks that differ in their seeds alone. */
  private record Group(String name, Labels labels, Augmentation augmentation) {
    String teaching() {
      return StudyReport.teaching(labels, augmentation);
    }
  }

  private static Map<Group, List<NetworkResult>> groups(
      Configuration study, List<NetworkResult> networks) {
    return networks.stream()
        .collect(
            Collectors.groupingBy(
                n -> new Group(name(study, n), n.labels(), n.augmentation()),
                LinkedHashMap::new,
                Collectors.toList()));
  }

  /** What networks are told apart by within figures: {@code true labels, translateFlip}. */
  private static String teaching(Labels labels, Augmentation augmentation) {
    return labels + " labels" + (augmentation == Augmentation.NONE ? "" : ", " + augmentation);
  }

  /** What networks that differ in their seeds alone are called. */
  static String group(Configuration study, NetworkResult network) {
    return "%s, %s"
        .formatted(name(study, network), teaching(network.labels(), network.augmentation()));
  }

  /** What networks that differ in their seeds and learning rates alone are called. */
  static String groupOfRates(Configuration study, NetworkResult network) {
    return "%s, %s"
        .formatted(
            nameWithoutRate(study, network), teaching(network.labels(), network.augmentation()));
  }

  /** The architecture, with the settings of which the study has several. */
  private static String name(Configuration study, NetworkResult network) {
    return nameWithoutRate(study, network)
        + (study.training().learningRates().size() > 1 ? ", " + rate(study, network) : "");
  }

  /** The learning rate, such as {@code rate 1e-4}; the optimizer where that has none. */
  static String rate(Configuration study, NetworkResult network) {
    return network.learningRate() == null
        ? study.training().optimizer().toString()
        : "rate " + number(network.learningRate());
  }

  private static String nameWithoutRate(Configuration study, NetworkResult network) {
    return Architecture.title(
            network.convolutions(), network.hidden(), network.activation(), network.biases())
        + (study.networks().initScales().size() > 1
            ? ", scale " + number(network.initScale())
            : "");
  }

  /** As people write it: 0.5, 0.001, 2.5e-4. */
  private static String number(double value) {
    return Double.toString(value).replaceFirst("\\.0(?=E|$)", "").replace('E', 'e');
  }

  /** A row for every group: means over seeds with their standard errors. */
  static String summary(Configuration study, List<NetworkResult> networks) {
    Configuration.Measures measures = study.measures();
    List<String> header = new ArrayList<>(List.of("network", "labels"));
    boolean augmented = !study.training().augmentations().equals(List.of(Augmentation.NONE));
    if (augmented) {
      header.add("augmentation");
    }
    header.addAll(List.of("networks", "train accuracy", "test accuracy", "gap"));
    if (measures.jacobian() != null) {
      header.add("Jacobian norm");
    }
    if (measures.logitJacobian() != null) {
      header.add("logit Jacobian norm");
    }
    int trajectories = measures.trajectories().size();
    for (int t = 0; t < trajectories; t++) {
      header.add(trajectories == 1 ? "transitions" : "transitions " + (t + 1));
    }
    int planes = measures.regions().size();
    for (int p = 1; p <= planes; p++) {
      String which = planes == 1 ? "" : " " + p;
      header.add("density at images" + which);
      header.add("elsewhere" + which);
    }
    Configuration.Stiffness stiffness = measures.stiffness();
    if (stiffness != null) {
      header.addAll(List.of("stiffness within", "between"));
      if (stiffness.distance()) {
        header.add("critical length");
      }
    }
    List<List<String>> rows = new ArrayList<>();
    groups(study, networks)
        .forEach(
            (group, members) -> {
              List<NetworkResult> trained =
                  members.stream().filter(NetworkResult::isTrained).toList();
              int diverged = members.size() - trained.size();
              List<String> row = new ArrayList<>();
              row.add(group.name());
              row.add(group.labels().toString());
              if (augmented) {
                row.add(group.augmentation().toString());
              }
              row.add(members.size() + (diverged > 0 ? " (" + diverged + " diverged)" : ""));
              row.add(cell(trained, 4, n -> n.train().accuracy()));
              row.add(cell(trained, 4, n -> n.test().accuracy()));
              row.add(cell(trained, 4, NetworkResult::generalizationGap));
              if (measures.jacobian() != null) {
                row.add(cell(trained, 4, n -> mean(n.jacobianNorm())));
              }
              if (measures.logitJacobian() != null) {
                row.add(cell(trained, 4, n -> mean(n.logitJacobianNorm())));
              }
              for (int t = 0; t < trajectories; t++) {
                int which = t;
                row.add(cell(trained, 4, n -> n.trajectories().get(which).transitions().total()));
              }
              for (int p = 1; p <= planes; p++) {
                List<RegionResult> mapped = mapped(trained, p);
                row.add(cell(mapped, 4, r -> r.after().meanAnchorDensity()));
                row.add(cell(mapped, 4, r -> r.after().restDensity()));
              }
              if (stiffness != null) {
                List<OfPairs> last = last(trained);
                row.add(cell(last, 4, s -> orUndefined(s.cosine().within())));
                row.add(cell(last, 4, s -> orUndefined(s.cosine().between())));
                if (stiffness.distance()) {
                  row.add(cell(last, 4, s -> orUndefined(s.criticalLength().value())));
                }
              }
              rows.add(row);
            });
    return Table.format(header, rows);
  }

  /** What was found on a plane, 1 the first. */
  private static List<RegionResult> mapped(List<NetworkResult> networks, int plane) {
    return networks.stream()
        .filter(n -> n.regions() != null)
        .flatMap(n -> n.regions().stream())
        .filter(r -> r.plane() == plane)
        .toList();
  }

  /** Stiffness of the first pairs, of those networks that have it at the end of training. */
  private static List<OfPairs> last(List<NetworkResult> networks) {
    return networks.stream()
        .map(NetworkResult::lastStiffness)
        .filter(Objects::nonNull)
        .map(record -> record.stiffness().get(0))
        .toList();
  }

  private static double orUndefined(Double value) {
    return value == null ? Double.NaN : value;
  }

  private static double mean(NetworkResult.MeanNorm norm) {
    return norm == null ? Double.NaN : norm.mean();
  }

  /** Mean ± standard error, both to the mean's last of so many significant digits. */
  private static <T> String cell(List<T> results, int digits, ToDoubleFunction<T> value) {
    Estimate estimate = Estimate.of(results.stream().mapToDouble(value));
    double mean = estimate.mean();
    if (Double.isNaN(mean)) {
      return "–";
    }
    int magnitude = mean == 0 ? 0 : (int) Math.floor(Math.log10(Math.abs(mean)));
    boolean plain = magnitude >= -4 && magnitude < 7;
    String format =
        plain
            ? "%." + Math.min(digits, Math.max(0, digits - 1 - magnitude)) + "f"
            : "%." + (digits - 1) + "e";
    return String.format(
        Locale.ROOT,
        format + (results.size() > 1 ? " ± " + format : ""),
        mean,
        estimate.standardError());
  }

  /** Figures by the name of their file; those without a network to draw are left out. */
  static Map<String, Figure> figures(
      Configuration study,
      StudyData data,
      List<NetworkResult> networks,
      Map<String, List<EpochRecord>> histories) {
    Map<String, Figure> figures = new LinkedHashMap<>();
    List<NetworkPoint> points =
        networks.stream()
            .filter(n -> n.jacobianNorm() != null)
            .map(
                n ->
                    new NetworkPoint(
                        name(study, n),
                        teaching(n.labels(), n.augmentation()),
                        n.generalizationGap(),
                        n.jacobianNorm().mean()))
            .toList();
    if (!points.isEmpty()) {
      put(figures, "gap", GapFigure.of(study.title(), points));
    }
    List<History> trainings =
        networks.stream()
            .filter(n -> !histories.get(n.id()).isEmpty())
            .map(
                n ->
                    new History(
                        teaching(n.labels(), n.augmentation()),
                        column(histories.get(n.id()), EpochRecord::loss),
                        column(histories.get(n.id()), EpochRecord::accuracy)))
            .toList();
    if (!trainings.isEmpty()) {
      put(figures, "history", HistoryFigure.of(study.title(), trainings));
    }
    for (int t = 0; t < data.courses().size(); t++) {
      Course course = data.courses().get(t);
      String file = "trajectory-%d-%s".formatted(t + 1, course.curve().kind());
      Map<String, List<Series>> series = series(study, networks, t);
      List<Series> all = series.values().stream().flatMap(List::stream).toList();
      if (all.size() > MOST_SERIES) {
        series.forEach(
            (name, ofName) ->
                put(
                    figures,
                    file + "-" + fileName(name),
                    TrajectoryFigure.of(
                        study.title() + ", " + name, course.parameter(), course.marks(), ofName)));
      } else if (!all.isEmpty()) {
        put(
            figures,
            file,
            TrajectoryFigure.of(study.title(), course.parameter(), course.marks(), all));
      }
    }
    putEllipses(figures, study, data.courses(), networks);
    StiffnessFigures.of(study, networks).forEach((file, figure) -> put(figures, file, figure));
    return figures;
  }

  /** The figure of a network's regions on a plane, 0 the first. */
  static Map<String, Figure> figures(
      Configuration study, NetworkResult network, int plane, RegionMeasurement regions) {
    Map<String, Figure> figures = new LinkedHashMap<>();
    put(
        figures,
        "regions-%d-%s".formatted(plane + 1, network.id()),
        regions.figure(
            "%s: %s, %s, seed %d"
                .formatted(
                    study.title(),
                    name(study, network),
                    teaching(network.labels(), network.augmentation()),
                    network.seed())));
    return figures;
  }

  /** All ellipses in one figure, for each group of networks (Novak et al., Figure 2). */
  private static void putEllipses(
      Map<String, Figure> figures,
      Configuration study,
      List<Course> courses,
      List<NetworkResult> networks) {
    List<Integer> ellipses =
        IntStream.range(0, courses.size())
            .filter(t -> courses.get(t).curve().curve().shape() == Curve.Shape.ELLIPSE)
            .boxed()
            .toList();
    List<NetworkResult> trained = networks.stream().filter(NetworkResult::isTrained).toList();
    boolean comparable =
        ellipses.stream().map(t -> study.measures().trajectories().get(t).bins()).distinct().count()
            == 1;
    if (ellipses.size() < 2 || !comparable) {
      return;
    }
    Map<Group, List<NetworkResult>> groups = groups(study, trained);
    groups.forEach(
        (group, members) -> {
          String what = "%s, %s".formatted(group.name(), group.teaching());
          put(
              figures,
              groups.size() == 1 ? "ellipses" : "ellipses-" + fileName(what),
              TrajectoryFigure.of(
                  study.title() + ", " + what,
                  TrajectoryFigure.Parameter.angle(),
                  Course.anchorMarks(),
                  ellipses.stream()
                      .map(
                          t ->
                              series(
                                  courses.get(t).label(),
                                  members.stream().map(n -> n.trajectories().get(t)).toList()))
                      .toList()));
        });
  }

  private static void put(Map<String, Figure> figures, String name, Figure figure) {
    FORMATS.forEach(format -> figures.put(name + format, figure));
  }

  private static double[] column(List<EpochRecord> records, ToDoubleFunction<EpochRecord> value) {
    return records.stream().mapToDouble(value).toArray();
  }

  static String fileName(String name) {
    return name.toLowerCase(Locale.ROOT).replace('×', 'x').replaceAll("[^a-z0-9.]+", "-");
  }

  /** The lines of a trajectory, by architecture. */
  private static Map<String, List<Series>> series(
      Configuration study, List<NetworkResult> networks, int trajectory) {
    List<NetworkResult> trained = networks.stream().filter(NetworkResult::isTrained).toList();
    Map<String, List<Series>> series = new LinkedHashMap<>();
    groups(study, trained)
        .forEach(
            (group, members) -> {
              List<TrajectoryResult> results =
                  members.stream().map(n -> n.trajectories().get(trajectory)).toList();
              series
                  .computeIfAbsent(group.name(), name -> new ArrayList<>())
                  .add(series(group.name() + ", " + group.teaching(), results));
            });
    return series;
  }

  /** Networks that are drawn as one line. */
  static Series series(String label, List<TrajectoryResult> networks) {
    boolean norms =
        networks.stream().map(TrajectoryResult::jacobianNorm).allMatch(Objects::nonNull);
    return new Series(
        label,
        bins(networks, n -> Arrays.stream(n.transitions().perBin()).asDoubleStream().toArray()),
        norms ? bins(networks, n -> n.jacobianNorm().perBin()) : null);
  }

  private static double[][] bins(
      List<TrajectoryResult> networks, Function<TrajectoryResult, double[]> values) {
    return networks.stream().map(values).toArray(double[][]::new);
  }
}
