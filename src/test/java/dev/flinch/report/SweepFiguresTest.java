package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.report.GapScatter.Part;
import dev.flinch.report.GapScatter.Place;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;

class SweepFiguresTest {
  /** Of marks of figures with few. */
  private static final double RADIUS = 4;

  private static NetworkRow.Builder network(String setting, int seed) {
    return NetworkRow.builder()
        .set(Column.SETTING, setting)
        .set(Column.IDENTITY, setting + seed)
        .set(Column.SEED, seed)
        .set(Column.STATUS, "done")
        .set(Column.DATASET, "MNIST")
        .set(Column.LABELS, "true")
        .set(Column.AUGMENTATION, "none")
        .set(Column.OPTIMIZER, "SGD")
        .set(Column.WIDTH, 100)
        .set(Column.DEPTH, 3)
        .set(Column.PARAMETERS, 1000)
        .set(Column.TRAIN_ACCURACY, 1.0)
        .set(Column.GAP, 0.5)
        .set(Column.JACOBIAN_NORM, 2.0)
        .set(Column.TRANSITIONS, 300.0);
  }

  private static NetworkRow network(String setting, int seed, double gap, double norm) {
    return network(setting, seed).set(Column.GAP, gap).set(Column.JACOBIAN_NORM, norm).build();
  }

  private static Pair pair(String name, String left, String right, int seed) {
    return new Pair(name, "l", "r", left + seed, right + seed);
  }

  private static Figure jacobian(List<NetworkRow> rows) {
    return SensitivityFigure.of("t", rows, Column.JACOBIAN_NORM, Column.DATASET, Column.WIDTH);
  }

  @Test
  void aMarkIsTheMeanOverSeeds() {
    Part part =
        GapScatter.of(
                AccurateSettings.of(
                    List.of(
                        network("a", 1, 0.1, 1),
                        network("b", 1, 0.4, 7),
                        network("a", 2, 0.2, 2),
                        network("a", 3, 0.6, 6))),
                Column.JACOBIAN_NORM,
                Column.DATASET)
            .parts()
            .get(0);
    assertEquals(2, part.settings().size());
    assertEquals(0.3, part.gaps().get(0).mean(), 1e-15);
    assertEquals(3, part.xs().get(0).mean(), 1e-15);
    // Deviations −0.2, −0.1, 0.3, so the variance is 0.07.
    assertEquals(Math.sqrt(0.07 / 3), part.gaps().get(0).standardError(), 1e-15);
    assertEquals(new Place(7, 0.4), part.places().get(1));
    assertEquals(0, part.gaps().get(1).standardError());
  }

  @Test
  void marksStandWhereTheirMeansAre() throws Exception {
    double[] norms = {0.5, 1, 8, 100};
    double[] gaps = {0.1, 0.3, 0.35, 0.7};
    List<NetworkRow> rows = new ArrayList<>();
    for (int i = 0; i < norms.length; i++) {
      rows.add(network("s" + i, 1, gaps[i], norms[i]));
    }
    double[][] marks = marks(jacobian(rows));
    assertEquals(norms.length, marks.length);
    for (int i = 1; i < 3; i++) {
      double x = Math.log(norms[i] / norms[0]) / Math.log(norms[3] / norms[0]);
      double y = (gaps[i] - gaps[0]) / (gaps[3] - gaps[0]);
      // Lengths in an SVG have two decimals.
      assertEquals(marks[0][0] + x * (marks[3][0] - marks[0][0]), marks[i][0], 0.02);
      assertEquals(marks[0][1] + y * (marks[3][1] - marks[0][1]), marks[i][1], 0.02);
    }
    assertTrue(marks[3][0] > marks[0][0] + 500 && marks[3][1] < marks[0][1] - 250);
  }

  @Test
  void theEnvelopeIsTheLeastGapOfEachOfTwentyBins() {
    List<NetworkRow> rows = SweepExamples.of(600, 1, "CIFAR-10").rows();
    Part part = SizeFigure.scatter(AccurateSettings.of(rows), Column.DATASET).parts().get(0);
    List<Place> places = part.places();
    double low = places.stream().mapToDouble(Place::x).min().orElseThrow();
    double high = places.stream().mapToDouble(Place::x).max().orElseThrow();
    List<Place> expected = new ArrayList<>();
    for (int bin = 0; bin < 20; bin++) {
      double from = bin == 0 ? 0 : low * Math.pow(high / low, bin / 20.0);
      double to = bin == 19 ? Double.MAX_VALUE : low * Math.pow(high / low, (bin + 1) / 20.0);
      places.stream()
          .filter(p -> p.x() >= from && p.x() < to)
          .min(Comparator.comparingDouble(Place::gap))
          .ifPresent(expected::add);
    }
    assertTrue(expected.size() > 12, expected.toString());
    assertEquals(expected, part.envelope());
  }

  @Test
  void theEnvelopeOfOneSizeIsOnePoint() {
    List<NetworkRow> rows = List.of(network("a", 1, 0.4, 1), network("b", 1, 0.3, 1));
    Part part = SizeFigure.scatter(AccurateSettings.of(rows), Column.DATASET).parts().get(0);
    assertEquals(List.of(new Place(1000, 0.3)), part.envelope());
  }

  @Test
  void whatIsLeftOutIsCounted() throws Exception {
    List<NetworkRow> rows =
        List.of(
            network("a", 1, 0.1, 1),
            network("a", 2).set(Column.JACOBIAN_NORM, Double.NaN).build(),
            network("b", 1, 0.3, 0),
            network("c", 1, 0.2, 1),
            network("c", 2).set(Column.TRAIN_ACCURACY, 0.9999).build(),
            network("d", 1).set(Column.LABELS, "random").build(),
            network("e", 1).set(Column.STATUS, "planned").build(),
            network("b", 2).set(Column.STATUS, "failed").set(Column.TRAIN_ACCURACY, null).build(),
            network("f", 1).set(Column.STATUS, "diverged").set(Column.TRAIN_ACCURACY, null).build(),
            network("g", 1).set(Column.GAP, null).build());
    String text = text(jacobian(rows));
    assertTrue(text.contains("of 2 settings, 2 networks, all of train accuracy 1."), text);
    assertTrue(
        text.contains(
            "Networks left out: 3 of settings short of train accuracy 1, 1 with random labels,"
                + " 2 not trained to the end, 2 without a value."),
        text);
    assertTrue(text.contains("Zeros stand at the left end."), text);
    double[][] marks = marks(jacobian(rows));
    assertEquals(2, marks.length);
    assertTrue(marks[1][0] < marks[0][0] - 100, "0 left of 1");
  }

  @Test
  void panelsAreOfAFactorAndSayTheirCorrelation() throws Exception {
    List<NetworkRow> rows = SweepExamples.of(300, 2, "MNIST", "CIFAR-10").rows();
    GapScatter scatter =
        GapScatter.of(AccurateSettings.of(rows), Column.JACOBIAN_NORM, Column.DATASET);
    assertEquals(List.of("CIFAR-10", "MNIST"), scatter.parts().stream().map(Part::name).toList());
    String text = text(jacobian(rows));
    for (Part part : scatter.parts()) {
      List<Place> places = part.places();
      double balance = 0;
      for (Place a : places) {
        for (Place b : places) {
          balance += Math.signum(a.x() - b.x()) * Math.signum(a.gap() - b.gap());
        }
      }
      // No two means are equal, so all pairs count.
      double tau = balance / places.size() / (places.size() - 1);
      assertEquals(tau, part.tau(), 1e-12);
      assertTrue(text.contains(String.format(Locale.ROOT, "Kendall's τ-b %.2f", tau)), text);
      assertTrue(text.contains(part.name() + ", " + places.size() + " settings"), text);
    }
    assertEquals(scatter.settings().size(), marks(jacobian(rows), null).length);
  }

  @Test
  void manyValuesOfAFactorLeaveTheCommonestPanels() throws Exception {
    List<NetworkRow> rows = new ArrayList<>();
    for (int width = 1; width <= 14; width++) {
      for (int i = 0; i < 20 - width; i++) {
        rows.add(network("s%d-%d-".formatted(width, i), 1).set(Column.WIDTH, width).build());
      }
    }
    Figure figure = SensitivityFigure.of("t", rows, Column.TRANSITIONS, Column.WIDTH, Column.DEPTH);
    String text = text(figure);
    assertTrue(text.contains("width 12, 8 settings"), text);
    assertTrue(!text.contains("width 13"), text);
    assertTrue(text.contains("Settings in no panel: 13, of rarer values."), text);
  }

  @Test
  void namesAboveSixAreOthersAndNumbersAboveTwelveAreLabelledAtEvenSteps() throws Exception {
    List<NetworkRow> rows = new ArrayList<>();
    for (int i = 0; i < 17; i++) {
      rows.add(
          network("s" + i + "-", 1)
              .set(Column.WIDTH, 1 << i)
              .set(Column.OPTIMIZER, "O" + Math.min(i, 7))
              .build());
    }
    String widths = text(jacobian(rows));
    assertTrue(widths.contains("width: 1 4 16 64 256 1024 4096 16384 65536"), widths);
    String optimizers =
        text(
            SensitivityFigure.of(
                "t", rows, Column.JACOBIAN_NORM, Column.DATASET, Column.OPTIMIZER));
    assertTrue(optimizers.contains("optimizer: O0 O1 O2 O3 O7 3 others"), optimizers);
  }

  @Test
  void pairsAreOfSettingsAndCountedOnBothSidesOfTheDiagonal() throws Exception {
    SweepExamples examples = SweepExamples.of(400, 3, "CIFAR-10");
    PairFigure figure = PairFigure.of(examples.rows(), examples.pairs());
    Map<String, List<NetworkRow>> byIdentity =
        examples.rows().stream().collect(Collectors.groupingBy(r -> r.text(Column.IDENTITY)));
    assertEquals(
        List.of("labels", "augmentation", "activation", "optimizer"),
        figure.rows().stream().map(PairFigure.Row::name).toList());
    String text = text(figure.figure("t"));
    for (PairFigure.Row row : figure.rows()) {
      // By the setting's part of identities: sums of differences decide the side.
      Map<String, double[]> differences = new TreeMap<>();
      for (Pair pair : examples.pairs()) {
        NetworkRow left = byIdentity.get(pair.left()).get(0);
        NetworkRow right = byIdentity.get(pair.right()).get(0);
        if (pair.name().equals(row.name())
            && (row.name().equals("augmentation")
                || left.number(Column.TRAIN_ACCURACY) + right.number(Column.TRAIN_ACCURACY) == 2)) {
          differences.computeIfAbsent(left.text(Column.SETTING), key -> new double[1])[0] +=
              right.number(Column.JACOBIAN_NORM) - left.number(Column.JACOBIAN_NORM);
        }
      }
      SignTest test = row.comparison(Column.JACOBIAN_NORM).signTest();
      assertEquals(differences.values().stream().filter(d -> d[0] > 0).count(), test.above());
      assertEquals(differences.values().stream().filter(d -> d[0] < 0).count(), test.below());
      assertTrue(
          text.contains(
              "%s: %d pairs of settings".formatted(row.name(), test.above() + test.below())),
          text);
      assertTrue(text.contains("%d above, %d below, ".formatted(test.above(), test.below())), text);
    }
    for (String label :
        List.of(
            "true labels",
            "random labels",
            "without augmentation",
            "with augmentation",
            "HardSigmoid",
            "ReLU",
            "L-BFGS, full batch",
            "Momentum, mini-batch")) {
      assertTrue(text.contains(label), label);
    }
  }

  @Test
  void aPairStandsAtItsMeans() throws Exception {
    List<NetworkRow> rows =
        List.of(
            network("a", 1, 0.1, 1),
            network("a", 2, 0.3, 1),
            network("b", 1, 0.4, 4),
            network("b", 2, 0.6, 4),
            network("c", 1, 0.8, 16),
            network("d", 1, 0.8, 2));
    List<Pair> pairs =
        List.of(pair("p", "a", "b", 1), pair("p", "a", "b", 2), pair("p", "c", "d", 1));
    PairFigure figure = PairFigure.of(rows, pairs);
    PairFigure.Comparison gaps = figure.rows().get(0).comparison(Column.GAP);
    assertEquals(0.2, gaps.left().get(0).mean(), 1e-15);
    assertEquals(0.5, gaps.right().get(0).mean(), 1e-15);
    assertEquals(0.1, gaps.right().get(0).standardError(), 1e-15);
    assertEquals(new SignTest(1, 0, 1), gaps.signTest());
    String text = text(figure.figure("t"));
    assertTrue(text.contains("1 above, 0 below, 1 on it, p = 1"), text);
    assertTrue(text.contains("1 above, 1 below, p = 1"), text);
    // In the panel of norms: (1, 4) left of and above (16, 2) on axes of equal scales.
    double[][] marks = marks(figure.figure("t"));
    assertEquals(6, marks.length);
    double decade = marks[3][0] - marks[2][0];
    assertEquals(Math.log(2) / Math.log(16), (marks[3][1] - marks[2][1]) / decade, 0.03);
  }

  @Test
  void pairsWithoutNetworksAccuracyOrValuesAreCounted() throws Exception {
    List<NetworkRow> rows =
        List.of(
            network("a", 1).set(Column.TRANSITIONS, null).build(),
            network("b", 1, 0.4, 0),
            network("c", 1).set(Column.TRAIN_ACCURACY, 0.99).build(),
            network("d", 1).set(Column.STATUS, "planned").build());
    List<Pair> pairs =
        List.of(
            pair("p", "a", "b", 1),
            pair("p", "a", "c", 1),
            pair("p", "a", "d", 1),
            pair("p", "a", "nowhere", 1));
    String text = text(PairFigure.of("t", rows, pairs));
    assertTrue(
        text.contains(
            "Pairs left out: 1 of settings short of train accuracy 1, 2 not trained to the end."),
        text);
    assertTrue(text.contains("not measured"), text);
    assertTrue(text.contains("Zeros stand at an axis's lower end."), text);
    assertTrue(text.contains("p: one pair of settings"), text);
  }

  @Test
  void aSweepHasTheFiguresThatItHasDataFor() {
    SweepFigures nothing = SweepFigures.of("t", List.of(), List.of());
    assertEquals(Map.of(), nothing.figures());
    assertEquals(4, nothing.notes().size(), nothing.notes().toString());
    SweepExamples examples = SweepExamples.of(40, 2, "CIFAR-10");
    SweepFigures all = SweepFigures.of("t", examples.rows(), examples.pairs());
    assertEquals(
        List.of("size", "pairs", "jacobian", "transitions"), List.copyOf(all.figures().keySet()));
    assertEquals(List.of(), all.notes());
    List<NetworkRow> unmeasured =
        examples.rows().stream()
            .map(row -> row.toBuilder().set(Column.TRANSITIONS, null).build())
            .toList();
    SweepFigures some = SweepFigures.of("t", unmeasured, List.of());
    assertEquals(List.of("size", "jacobian"), List.copyOf(some.figures().keySet()));
    assertTrue(some.notes().get(0).startsWith("Pairs: there are none"), some.notes().toString());
    assertTrue(some.notes().get(1).contains("transitions"), some.notes().toString());
  }

  @Test
  void figuresOfNothingAndOfOneNetworkAreDrawnToo() throws Exception {
    assertEquals(0, marks(jacobian(List.of())).length);
    assertTrue(text(PairFigure.of("t", List.of(), List.of())).contains("no pairs"));
    List<NetworkRow> one = List.of(network("a", 1).build());
    assertEquals(1, marks(jacobian(one)).length);
    assertEquals(1, marks(SizeFigure.of("t", one, Column.DATASET, Column.DEPTH)).length);
    // A network beside itself stands on the diagonal, in all three panels.
    Figure pairs = PairFigure.of("t", one, List.of(pair("p", "a", "a", 1)));
    assertEquals(3, marks(pairs).length);
    assertTrue(text(pairs).contains("0 above, 0 below, 1 on it, p = 1"), text(pairs));
    List<NetworkRow> equal = List.of(network("a", 1).build(), network("b", 1).build());
    String text = text(jacobian(equal));
    assertTrue(text.contains("Kendall's τ-b –"), text);
  }

  @Test
  void equalRowsGiveEqualBytesInAnyLocaleAndOrder() throws Exception {
    SweepExamples examples = SweepExamples.of(120, 3, "CIFAR-10", "MNIST");
    Map<String, Figure> first =
        SweepFigures.of("Sweep", examples.rows(), examples.pairs()).figures();
    List<NetworkRow> reversed = new ArrayList<>(examples.rows());
    Collections.reverse(reversed);
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      Map<String, Figure> second = SweepFigures.of("Sweep", reversed, examples.pairs()).figures();
      for (String name : first.keySet()) {
        assertEquals(first.get(name).svg(), second.get(name).svg(), name);
      }
      assertArrayEquals(first.get("jacobian").png(), second.get("jacobian").png());
    } finally {
      Locale.setDefault(before);
    }
    keep("sweep", first);
  }

  @Test
  void manyMarksAreDotsInAnImage() throws Exception {
    Figure figure = jacobian(SweepExamples.of(30_000, 1, "MNIST").rows());
    String svg = figure.svg();
    assertEquals(1, parse(svg).getElementsByTagNameNS("*", "image").getLength());
    assertTrue(svg.contains("Dots: means over seeds"));
    assertTrue(svg.length() < 1_000_000, "length " + svg.length());
    keep("many", Map.of("jacobian", figure));
  }

  /** -Dfigures=FOLDER keeps them to be looked at. */
  private static void keep(String prefix, Map<String, Figure> figures) throws Exception {
    if (System.getProperty("figures") != null) {
      Path kept = Files.createDirectories(Path.of(System.getProperty("figures")));
      for (Map.Entry<String, Figure> figure : figures.entrySet()) {
        figure.getValue().write(kept.resolve(prefix + "-" + figure.getKey() + ".png"));
        figure.getValue().write(kept.resolve(prefix + "-" + figure.getKey() + ".svg"));
      }
    }
  }

  /** Centres of the marks of a figure with few, in the order that they are drawn in. */
  private static double[][] marks(Figure figure) throws Exception {
    return marks(figure, RADIUS);
  }

  /** Centres of all marks of a radius; of any but the legend's if it is null. */
  private static double[][] marks(Figure figure, Double radius) throws Exception {
    var circles = parse(figure.svg()).getElementsByTagNameNS("*", "circle");
    return IntStream.range(0, circles.getLength())
        .mapToObj(i -> (Element) circles.item(i))
        .filter(c -> !"none".equals(c.getAttribute("fill")))
        .filter(
            c ->
                radius == null
                    ? Double.parseDouble(c.getAttribute("r")) != 4.5
                    : Double.parseDouble(c.getAttribute("r")) == radius)
        .map(
            c ->
                new double[] {
                  Double.parseDouble(c.getAttribute("cx")), Double.parseDouble(c.getAttribute("cy"))
                })
        .toArray(double[][]::new);
  }

  private static Document parse(String svg) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    return factory.newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
  }

  private static String text(Figure figure) throws Exception {
    var nodes = parse(figure.svg()).getElementsByTagNameNS("*", "text");
    return IntStream.range(0, nodes.getLength())
        .mapToObj(i -> nodes.item(i).getTextContent())
        .collect(Collectors.joining(" "))
        .replaceAll(" +", " ");
  }
}
