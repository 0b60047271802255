package dev.flinch.experiment;

import dev.flinch.experiment.StiffnessMeasurement.Length;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import dev.flinch.experiment.StiffnessRecord.Reading;
import dev.flinch.report.CriticalLengthFigure;
import dev.flinch.report.Estimate;
import dev.flinch.report.Figure;
import dev.flinch.report.StiffnessCourseFigure;
import dev.flinch.report.StiffnessCourseFigure.StiffnessCourse;
import dev.flinch.report.StiffnessDistanceFigure;
import dev.flinch.report.StiffnessFigure;
import dev.flinch.report.StiffnessLossFigure;
import dev.flinch.report.StiffnessMatricesFigure;
import dev.flinch.sensitivity.CriticalLength;
import dev.flinch.sensitivity.DistanceStiffness;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collector;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Figures of stiffness along training, of means over networks that differ in their seeds alone; all
 * of them of the cosine.
 */
final class StiffnessFigures {
  /** The moments of training that are looked at closely. */
  private enum Moment {
    BEFORE("before training"),
    LOWEST("lowest test loss"),
    END("end of training");

    private final String title;

    Moment(String title) {
      this.title = title;
    }

    /** A network's record of this moment; null where it has none. */
    StiffnessRecord of(NetworkResult network) {
      List<StiffnessRecord> records = network.stiffness();
      StiffnessRecord first = records.get(0);
      StiffnessRecord last = records.get(records.size() - 1);
      return switch (this) {
        case BEFORE -> first.step() == 0 ? first : null;
        case LOWEST -> records.get(StiffnessRecord.lowestTestLoss(records));
        case END -> last.step() > 0 ? network.lastStiffness() : null;
      };
    }
  }

  /** Networks' records of one moment. */
  private record At(Moment moment, List<StiffnessRecord> records) {
    static At of(Moment moment, List<NetworkResult> networks) {
      return new At(moment, networks.stream().map(moment::of).filter(Objects::nonNull).toList());
    }

    /** The moments of some networks, in the order of training. */
    static List<At> each(List<NetworkResult> networks) {
      return moments(networks).stream()
          .map(moment -> of(moment, networks))
          .filter(at -> !at.records.isEmpty())
          .toList();
    }

    /** Without the lowest test loss where that is each network's first or last. */
    static List<Moment> moments(List<NetworkResult> networks) {
      boolean between =
          networks.stream().anyMatch(n -> StiffnessRecord.moments(n.stiffness()).size() == 3);
      return Arrays.stream(Moment.values()).filter(m -> m != Moment.LOWEST || between).toList();
    }

    String label() {
      double first = records.stream().mapToDouble(StiffnessRecord::epoch).min().orElseThrow();
      double last = records.stream().mapToDouble(StiffnessRecord::epoch).max().orElseThrow();
      return moment == Moment.BEFORE
          ? moment.title
          : first == last
              ? "%s (epoch %s)".formatted(moment.title, number(first))
              : "%s (epochs %s to %s)".formatted(moment.title, number(first), number(last));
    }

    List<OfPairs> of(int pairs) {
      return records.stream().map(r -> r.stiffness().get(pairs)).toList();
    }
  }

  private final Configuration.Stiffness asked;
  private final Map<String, Figure> figures = new LinkedHashMap<>();

  private StiffnessFigures(Configuration.Stiffness asked) {
    this.asked = asked;
  }

  /** Figures by the name of their file, without its ending; empty where stiffness was not asked. */
  static Map<String, Figure> of(Configuration study, List<NetworkResult> networks) {
    Configuration.Stiffness asked = study.measures().stiffness();
    if (asked == null) {
      return Map.of();
    }
    List<NetworkResult> measured =
        networks.stream().filter(n -> n.isTrained() && !n.stiffness().isEmpty()).toList();
    StiffnessFigures drawn = new StiffnessFigures(asked);
    Map<String, List<NetworkResult>> groups =
        measured.stream().collect(grouping(n -> StudyReport.group(study, n)));
    groups.forEach(
        (group, members) ->
            drawn.put(
                study.title() + ", " + group,
                groups.size() == 1 ? "" : "-" + StudyReport.fileName(group),
                members));
    boolean severalRates = study.training().learningRates().size() > 1;
    Map<String, List<NetworkResult>> rates =
        measured.stream().collect(grouping(n -> StudyReport.groupOfRates(study, n)));
    rates.forEach(
        (group, members) -> {
          String title = study.title() + ", " + group;
          String suffix = rates.size() == 1 ? "" : "-" + StudyReport.fileName(group);
          if (asked.distance() && severalRates) {
            drawn.putLengths(title, suffix, members);
          }
          drawn.putLosses(study, title, suffix, members);
        });
    return drawn.figures;
  }

  private static <K> Collector<NetworkResult, ?, Map<K, List<NetworkResult>>> grouping(
      Function<NetworkResult, K> by) {
    return Collectors.groupingBy(by, LinkedHashMap::new, Collectors.toList());
  }

  /** The figures of one group of networks. */
  private void put(String title, String group, List<NetworkResult> networks) {
    figures.put(
        "stiffness-course" + group,
        StiffnessCourseFigure.of(
            title,
            IntStream.range(0, asked.pairs().size()).mapToObj(p -> course(networks, p)).toList()));
    List<At> moments = At.each(networks);
    for (int p = 0; p < asked.pairs().size() && !moments.isEmpty(); p++) {
      int pairs = p;
      String whole = title + ofPairs(pairs, ", ");
      figures.put(
          "stiffness-classes" + group + ofPairs(pairs, "-"),
          StiffnessMatricesFigure.of(
              whole,
              moments.stream()
                  .map(at -> new StiffnessMatricesFigure.Moment(at.label(), matrix(at.of(pairs))))
                  .toList()));
      if (asked.distance()) {
        figures.put(
            "stiffness-distance" + group + ofPairs(pairs, "-"),
            StiffnessDistanceFigure.of(
                whole,
                moments.stream()
                    .map(
                        at ->
                            new StiffnessDistanceFigure.Moment(
                                at.label(), bins(at.of(pairs)), line(at.of(pairs))))
                    .toList()));
      }
    }
  }

  /** The critical length against the learning rate. */
  private void putLengths(String title, String group, List<NetworkResult> networks) {
    SortedMap<Double, List<NetworkResult>> byRate =
        networks.stream()
            .collect(
                Collectors.groupingBy(
                    NetworkResult::learningRate, TreeMap::new, Collectors.toList()));
    for (int p = 0; p < asked.pairs().size(); p++) {
      List<CriticalLengthFigure.Point> points = new ArrayList<>();
      for (Moment moment : At.moments(networks)) {
        for (Map.Entry<Double, List<NetworkResult>> rate : byRate.entrySet()) {
          List<OfPairs> ofRate = At.of(moment, rate.getValue()).of(p);
          if (!ofRate.isEmpty()) {
            StiffnessFigure.Line line = line(ofRate);
            points.add(
                new CriticalLengthFigure.Point(
                    moment.title,
                    rate.getKey(),
                    orNaN(line.crossing()),
                    orNaN(line.low()),
                    orNaN(line.high())));
          }
        }
      }
      figures.put(
          "critical-length" + group + ofPairs(p, "-"),
          CriticalLengthFigure.of(title + ofPairs(p, ", "), points));
    }
  }

  /** Stiffness against the train loss, a course for each learning rate. */
  private void putLosses(
      Configuration study, String title, String group, List<NetworkResult> networks) {
    Map<String, List<NetworkResult>> byRate =
        networks.stream()
            .sorted(
                Comparator.comparing(
                    NetworkResult::learningRate, Comparator.nullsFirst(Comparator.naturalOrder())))
            .collect(grouping(n -> StudyReport.rate(study, n)));
    for (int p = 0; p < asked.pairs().size(); p++) {
      int pairs = p;
      figures.put(
          "stiffness-loss" + group + ofPairs(pairs, "-"),
          StiffnessLossFigure.of(
              title + ofPairs(pairs, ", "),
              byRate.entrySet().stream()
                  .map(rate -> againstLoss(rate.getKey(), moments(rate.getValue()), pairs))
                  .toList()));
    }
  }

  private StiffnessLossFigure.Course againstLoss(
      String label, List<List<StiffnessRecord>> moments, int pairs) {
    return new StiffnessLossFigure.Course(
        label,
        means(moments, r -> r.train().crossEntropy()),
        means(moments, r -> orNaN(cosine(r, pairs).within())),
        means(moments, r -> orNaN(cosine(r, pairs).between())),
        asked.distance()
            ? moments.stream()
                .map(records -> records.stream().map(r -> r.stiffness().get(pairs)).toList())
                .mapToDouble(StiffnessFigures::crossing)
                .toArray()
            : null);
  }

  /** What tells figures of several pairs apart. */
  private String ofPairs(int pairs, String separator) {
    return asked.pairs().size() == 1 ? "" : separator + asked.pairs().get(pairs).label();
  }

  /** Records of those steps at which most of the networks that are still trained have one. */
  private static List<List<StiffnessRecord>> moments(List<NetworkResult> networks) {
    List<SortedMap<Long, StiffnessRecord>> bySteps =
        networks.stream()
            .map(
                n -> {
                  SortedMap<Long, StiffnessRecord> records = new TreeMap<>();
                  n.stiffness().forEach(r -> records.put(r.step(), r));
                  return records;
                })
            .toList();
    TreeSet<Long> steps = new TreeSet<>();
    bySteps.forEach(records -> steps.addAll(records.keySet()));
    return steps.stream()
        .filter(
            step -> {
              long there = bySteps.stream().filter(of -> of.containsKey(step)).count();
              return 2 * there > bySteps.stream().filter(of -> of.lastKey() >= step).count();
            })
        .map(step -> bySteps.stream().map(of -> of.get(step)).filter(Objects::nonNull).toList())
        .toList();
  }

  /** Means over networks along training. */
  private StiffnessCourse course(List<NetworkResult> networks, int pairs) {
    List<List<StiffnessRecord>> rows = moments(networks);
    boolean superClasses =
        rows.stream()
            .flatMap(List::stream)
            .anyMatch(r -> cosine(r, pairs).betweenWithinSuperClasses() != null);
    return new StiffnessCourse(
        asked.pairs().get(pairs).label(),
        means(rows, StiffnessRecord::epoch),
        means(rows, r -> r.train().crossEntropy()),
        means(rows, r -> r.test().crossEntropy()),
        means(rows, r -> orNaN(cosine(r, pairs).within())),
        means(rows, r -> orNaN(cosine(r, pairs).between())),
        superClasses
            ? means(rows, r -> orNaN(cosine(r, pairs).betweenWithinSuperClasses()))
            : null);
  }

  private static Reading cosine(StiffnessRecord record, int pairs) {
    return record.stiffness().get(pairs).cosine();
  }

  private static double[] means(
      List<List<StiffnessRecord>> rows, ToDoubleFunction<StiffnessRecord> value) {
    return rows.stream().mapToDouble(row -> mean(row, value)).toArray();
  }

  private static <T> double mean(List<T> of, ToDoubleFunction<T> value) {
    return Estimate.of(of.stream().mapToDouble(value)).mean();
  }

  private static Double[][] matrix(List<OfPairs> networks) {
    int classes = networks.get(0).cosine().classMatrix().length;
    Double[][] matrix = new Double[classes][classes];
    for (int a = 0; a < classes; a++) {
      for (int b = 0; b < classes; b++) {
        int row = a;
        int column = b;
        double mean = mean(networks, n -> orNaN(n.cosine().classMatrix()[row][column]));
        matrix[a][b] = Double.isNaN(mean) ? null : (Double) mean;
      }
    }
    return matrix;
  }

  /** Bins of all networks' pairs together. */
  private static List<StiffnessFigure.Bin> bins(List<OfPairs> networks) {
    SortedMap<Double, List<DistanceStiffness.Bin>> alike =
        networks.stream()
            .flatMap(n -> n.distance().stream())
            .collect(
                Collectors.groupingBy(
                    DistanceStiffness.Bin::from, TreeMap::new, Collectors.toList()));
    return alike.values().stream()
        .map(
            bins -> {
              long pairs = bins.stream().mapToLong(DistanceStiffness.Bin::pairs).sum();
              return new StiffnessFigure.Bin(
                  bins.stream().mapToDouble(b -> b.distance() * b.pairs()).sum() / pairs,
                  bins.stream().mapToDouble(b -> b.cosine() * b.pairs()).sum() / pairs,
                  pairs);
            })
        .toList();
  }

  /**
   * The line through the bins of all networks' pairs together, and where it crosses zero. The
   * interval of several networks is from the mean of its beginnings to the mean of its ends, of
   * those with a critical length.
   */
  private static StiffnessFigure.Line line(List<OfPairs> networks) {
    List<StiffnessFigure.Bin> bins = bins(networks);
    CriticalLength.Line line =
        CriticalLength.Line.fit(
            bins.stream().mapToDouble(StiffnessFigure.Bin::distance).toArray(),
            bins.stream().mapToDouble(StiffnessFigure.Bin::stiffness).toArray(),
            bins.stream().mapToDouble(StiffnessFigure.Bin::pairs).toArray());
    if (line == null) {
      return new StiffnessFigure.Line(null, null, null, null, null);
    }
    List<Length> defined =
        networks.stream().map(OfPairs::criticalLength).filter(l -> l.value() != null).toList();
    boolean crosses = line.slope() < 0 && line.intercept() > 0 && !defined.isEmpty();
    return new StiffnessFigure.Line(
        line.slope(),
        line.intercept(),
        crosses ? (Double) (-line.intercept() / line.slope()) : null,
        crosses ? end(defined, 0) : null,
        crosses ? end(defined, 1) : null);
  }

  /**
   * Where the mean of networks' lines crosses zero, at a moment whose bins were not kept; NaN where
   * it doesn't.
   */
  private static double crossing(List<OfPairs> networks) {
    List<Length> lines =
        networks.stream().map(OfPairs::criticalLength).filter(l -> l.slope() != null).toList();
    double slope = mean(lines, Length::slope);
    double intercept = mean(lines, Length::intercept);
    return slope < 0 && intercept > 0 ? -intercept / slope : Double.NaN;
  }

  /** Null where one of them has none. */
  private static Double end(List<Length> lengths, int end) {
    return lengths.stream().anyMatch(l -> l.interval()[end] == null)
        ? null
        : (Double) mean(lengths, l -> l.interval()[end]);
  }

  private static double orNaN(Double value) {
    return value == null ? Double.NaN : value;
  }

  /** With three digits at most behind the point. */
  private static String number(double value) {
    return String.format(Locale.ROOT, "%.3f", value).replaceFirst("\\.?0+$", "");
  }
}
