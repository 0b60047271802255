package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.report.HistoryFigure.History;
import dev.flinch.report.TrajectoryFigure.Parameter;
import dev.flinch.report.TrajectoryFigure.Series;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class FiguresTest {
  @TempDir Path folder;

  private static final Map<String, Supplier<Figure>> FIGURES =
      Stream.of(pointFigures(), stiffnessFigures(), otherFigures())
          .flatMap(figures -> figures.entrySet().stream())
          .collect(
              Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, TreeMap::new));

  private static Map<String, Supplier<Figure>> pointFigures() {
    return Map.of(
        "points",
        () -> PointErrorFigure.of("Points", Examples.points(5, 1000)),
        "points-hard",
        () ->
            PointErrorFigure.of(
                "Hard points",
                List.of(
                    new PointErrorFigure.Series(
                        "one point",
                        new double[1],
                        new double[1],
                        List.of(new PointErrorFigure.Bin(0, 0, 0, 0.8))))),
        "points-bounds",
        () -> Examples.bounds(3500),
        "points-bounds-hard",
        () ->
            PointBoundsFigure.of(
                "Hard points",
                "network",
                new PointBoundsFigure.Points(new double[1], new double[1], new boolean[] {true}),
                new PointBoundsFigure.Curves(
                    new double[] {1}, new double[] {0}, new double[] {0}, 0)));
  }

  private static Map<String, Supplier<Figure>> stiffnessFigures() {
    return Map.of(
        "stiffness",
        () ->
            StiffnessFigure.of(
                "Stiffness",
                "s",
                Examples.stiffness(10),
                Examples.distances(),
                new StiffnessFigure.Line(-0.8, 0.5, 0.625, 0.59, 0.66)),
        "stiffness-many",
        () ->
            StiffnessFigure.of(
                "A hundred classes, a line that crosses far away",
                "s",
                Examples.stiffness(100),
                Examples.distances(),
                new StiffnessFigure.Line(-0.05, 0.5, 10.0, 0.9, null)),
        "stiffness-hard",
        () ->
            StiffnessFigure.of(
                "No pairs",
                "s",
                new StiffnessFigure.Matrix(new Double[2][2], "rows", "columns"),
                List.of(),
                new StiffnessFigure.Line(null, null, null, null, null)));
  }

  private static Map<String, Supplier<Figure>> otherFigures() {
    return Map.of(
        "gap",
        () -> GapFigure.of("Sensitivity and generalization", Examples.networks()),
        "gap-many",
        () -> GapFigure.of("Fourteen groups", Examples.manyGroups()),
        "gap-one",
        () -> GapFigure.of("One network", List.of(new NetworkPoint("a", "true labels", 0.1, 3))),
        "trajectory",
        () ->
            TrajectoryFigure.of(
                "Along an ellipse through three training points",
                Parameter.angle(),
                Examples.anchors(),
                List.of(
                    Examples.series("true labels", 8, 60),
                    Examples.series("random labels", 8, 110))),
        "trajectory-hard",
        () -> hardTrajectory(),
        "history",
        () -> HistoryFigure.of("Training", Examples.histories()),
        "regions",
        () ->
            RegionFigure.pixels(
                "One network", "s", List.of(Examples.pixels("after", 64)), Examples.insets(), 0.1),
        "regions-two",
        () ->
            RegionFigure.pixels(
                "Two networks",
                "s",
                List.of(Examples.pixels("before", 100), Examples.pixels("after", 1500)),
                Examples.insets(),
                0.1),
        "regions-exact",
        () -> RegionFigure.exact("Exactly", "s", List.of(Examples.polygons()), Examples.insets()));
  }

  /** Zeros, a single network, a constant, values that are not finite, no Jacobian norms. */
  private static Figure hardTrajectory() {
    double[] norms = {0, 1e-8, Double.NaN, 3, Double.POSITIVE_INFINITY, 2, 2, 0};
    return TrajectoryFigure.of(
        "Hard values",
        Parameter.shift(28),
        List.of(),
        List.of(
            new Series(
                "one network", new double[][] {{0, 1, 2, 3, 4, 3, 2, 1}}, new double[][] {norms}),
            new Series("constant", new double[][] {{5, 5, 5, 5, 5, 5, 5, 5}}, null)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gap",
        "gap-many",
        "gap-one",
        "trajectory",
        "trajectory-hard",
        "history",
        "regions",
        "regions-two",
        "regions-exact",
        "points",
        "points-hard",
        "points-bounds",
        "points-bounds-hard",
        "stiffness",
        "stiffness-many",
        "stiffness-hard"
      })
  void equalNumbersGiveEqualBytesInAnyLocale(String name) {
    Figure first = FIGURES.get(name).get();
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.GERMANY);
      Figure second = FIGURES.get(name).get();
      assertEquals(first.svg(), second.svg());
      assertArrayEquals(first.png(), second.png());
    } finally {
      Locale.setDefault(before);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "gap",
        "gap-many",
        "gap-one",
        "trajectory",
        "trajectory-hard",
        "history",
        "regions",
        "regions-two",
        "regions-exact",
        "points",
        "points-hard",
        "points-bounds",
        "points-bounds-hard",
        "stiffness",
        "stiffness-many",
        "stiffness-hard"
      })
  void figuresAreWellFormedSvgAndLargePng(String name) throws Exception {
    Figure figure = FIGURES.get(name).get();
    Path svg = folder.resolve(name + ".svg");
    Path png = folder.resolve(name + ".PNG");
    figure.write(svg);
    figure.write(png);
    Document document = parse(Files.readString(svg));
    assertEquals("svg", document.getDocumentElement().getLocalName());
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(Files.readAllBytes(png)));
    double units = Double.parseDouble(document.getDocumentElement().getAttribute("width"));
    assertEquals(2 * units, image.getWidth());
    assertTrue(image.getWidth() >= 1100, name + " is " + image.getWidth() + " pixels wide");
    assertEquals(0xFFFFFFFF, image.getRGB(0, 0));
    // -Dfigures=FOLDER keeps them to be looked at.
    if (System.getProperty("figures") != null) {
      Path kept = Files.createDirectories(Path.of(System.getProperty("figures")));
      figure.write(kept.resolve(name + ".png"));
      figure.write(kept.resolve(name + ".svg"));
    }
  }

  @Test
  void everyNameAndTheRankCorrelationAreInTheFigure() throws Exception {
    String text = text(FIGURES.get("gap").get());
    for (String part :
        List.of(
            "Sensitivity and generalization",
            "true labels",
            "random labels",
            "3×100 ReLU",
            "mean Jacobian norm",
            "generalization gap",
            "over 32 networks")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    assertTrue(text.contains("τ-b = 0."), text);
  }

  @Test
  void whatCannotBeDrawnIsSaid() throws Exception {
    String text = text(hardTrajectory());
    assertTrue(text.contains("Left out, not finite: 2 values."), text);
    assertTrue(text.contains("Norms of 0 stand at the lower end."), text);
    List<NetworkPoint> points =
        List.of(
            new NetworkPoint("a", "true labels", 0.1, 1),
            new NetworkPoint("a", "true labels", 0.2, 0),
            new NetworkPoint("b", "true labels", Double.NaN, 1),
            new NetworkPoint("b", "true labels", 0.3, Double.POSITIVE_INFINITY));
    String gap = text(GapFigure.of("t", points));
    assertTrue(gap.contains("Left out, not finite: 2 of 4 networks."), gap);
    assertTrue(gap.contains("Norms of 0 stand at the left end."), gap);
  }

  @Test
  void regionFiguresNameEveryNetworkAndImage() throws Exception {
    String text = text(FIGURES.get("regions-two").get());
    for (String part : List.of("before", "after", "density of before", "class 0", "class 2")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    assertTrue(text.contains("transitions per unit of length"), text);
  }

  @Test
  void figuresOfPointsNameEveryNetworkAndSayWhatIsLeftOut() throws Exception {
    String text = text(FIGURES.get("points").get());
    for (String part : List.of("network 0", "network 4", "one point in 2", "10 bins of equal")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    assertTrue(text.contains("fraction misclassified") && text.contains("cross-entropy"), text);
    assertFalse(text.contains("Zeros"), text);
    assertTrue(text(FIGURES.get("points-hard").get()).contains("Zeros stand at the lower ends"));
    text = text(FIGURES.get("points-bounds").get());
    for (String part :
        List.of("lower bound", "maximum-entropy curve", "misclassified", "one point in 2", "2.5")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
  }

  @Test
  void figuresOfStiffnessSayTheCriticalLengthAndEveryCell() throws Exception {
    String text = text(FIGURES.get("stiffness").get());
    for (String part :
        List.of(
            "ξ = 0.625 (95%: 0.590 to 0.660)",
            "grey: no pairs",
            "–",
            "0.73",
            "-0.27",
            "class of the train image",
            "class of the test image",
            "mean cosine",
            "1 − cosine between inputs")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    text = text(FIGURES.get("stiffness-many").get());
    assertTrue(text.contains("ξ = 10.0 (95%: from 0.900 on)"), text);
    assertFalse(text.contains("0.73"), text);
    assertTrue(text(FIGURES.get("stiffness-hard").get()).contains("no pairs"));
    assertTrue(
        text(StiffnessFigure.of(
                "t",
                "s",
                Examples.stiffness(3),
                Examples.distances(),
                new StiffnessFigure.Line(0.1, 0.5, null, null, null)))
            .contains("no critical length"));
  }

  @Test
  void divergingColoursAreBlueBelowZeroAndRedAbove() {
    assertEquals(0xF7F7F7, Diverging.rgb(0));
    assertEquals(Diverging.rgb(-1), Diverging.rgb(-3));
    for (double value : new double[] {0.2, 0.5, 1}) {
      int below = Diverging.rgb(-value);
      int above = Diverging.rgb(value);
      assertTrue((below & 0xFF) > (below >> 16), "blue at " + value);
      assertTrue((above & 0xFF) < (above >> 16), "red at " + value);
    }
  }

  @Test
  void manyPointsMakeNoHugeFigure() {
    int few = PointErrorFigure.of("Points", Examples.points(5, 600)).svg().length();
    int many = PointErrorFigure.of("Points", Examples.points(5, 60_000)).svg().length();
    assertTrue(many < 1.1 * few, many + " after " + few);
  }

  @Test
  void exactRegionsAreVectors() throws Exception {
    String svg = FIGURES.get("regions-exact").get().svg();
    Document document = parse(svg);
    // No image but the three anchors'.
    assertEquals(3, document.getElementsByTagNameNS("*", "image").getLength());
    assertTrue(svg.contains("two triangles"));
  }

  @Test
  void figuresOfNothingFiniteAreDrawnToo() throws Exception {
    double[] none = {Double.NaN, Double.NaN};
    assertTrue(
        text(HistoryFigure.of("t", List.of(new History("true labels", none, none))))
            .contains("4 values"));
    Series series = new Series("s", new double[][] {none}, new double[][] {none});
    assertTrue(
        text(TrajectoryFigure.of("t", Parameter.angle(), List.of(), List.of(series)))
            .contains("4 values"));
    assertTrue(
        text(GapFigure.of("t", List.of(new NetworkPoint("a", "true labels", Double.NaN, 1))))
            .contains("1 of 1 networks"));
  }

  @Test
  void otherSuffixesAreRefusedBeforeAnythingIsWritten() {
    Path file = folder.resolve("figure.pdf");
    RequestException e =
        assertThrows(RequestException.class, () -> FIGURES.get("gap").get().write(file));
    assertTrue(e.getMessage().contains("figure.pdf"), e.getMessage());
    assertFalse(Files.exists(file));
  }

  private static Document parse(String svg) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
    return factory.newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
  }

  /** All text of a figure, as a reader of its SVG would find it. */
  private static String text(Figure figure) throws Exception {
    var nodes = parse(figure.svg()).getElementsByTagNameNS("*", "text");
    return IntStream.range(0, nodes.getLength())
        .mapToObj(i -> nodes.item(i).getTextContent())
        .collect(Collectors.joining(" "))
        .replaceAll(" +", " ");
  }
}
