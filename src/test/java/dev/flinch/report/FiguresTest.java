package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.report.HistoryFigure.History;
import dev.flinch.report.StiffnessCourseFigure.StiffnessCourse;
import dev.flinch.report.TrajectoryFigure.Parameter;
import dev.flinch.report.TrajectoryFigure.Series;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class FiguresTest {
  @TempDir Path folder;

  private static final Map<String, Supplier<Figure>> FIGURES =
      Stream.of(pointFigures(), stiffnessFigures(), alongTraining(), otherFigures())
          .flatMap(figures -> figures.entrySet().stream())
          .collect(
              Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, TreeMap::new));

  private static Set<String> names() {
    return FIGURES.keySet();
  }

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

  private static Map<String, Supplier<Figure>> alongTraining() {
    double[] none = {Double.NaN};
    return Map.of(
        "along-course",
        () -> StiffnessCourseFigure.of("Stiffness along training", Examples.courses()),
        "along-course-hard",
        () ->
            StiffnessCourseFigure.of(
                "One moment with nothing",
                List.of(new StiffnessCourse("a", new double[1], none, none, none, none, none))),
        "along-loss",
        () -> StiffnessLossFigure.of("Stiffness and train loss", Examples.lossCourses()),
        "along-loss-hard",
        () ->
            StiffnessLossFigure.of(
                "No loss but 0",
                List.of(new StiffnessLossFigure.Course("a", new double[1], none, none, none))),
        "along-matrices",
        () ->
            StiffnessMatricesFigure.of(
                "Ten classes, undefined cells",
                List.of(
                    new StiffnessMatricesFigure.Moment("epoch 0", Examples.stiffness(10).values()),
                    new StiffnessMatricesFigure.Moment("epoch 1", new Double[10][10]))),
        "along-matrices-many",
        () ->
            StiffnessMatricesFigure.of(
                "A hundred classes",
                Collections.nCopies(
                    2,
                    new StiffnessMatricesFigure.Moment(
                        "epoch 7 or another", Examples.stiffness(100).values()))),
        "along-distance",
        () -> StiffnessDistanceFigure.of("Stiffness and distance", Examples.distanceMoments()),
        "along-distance-hard",
        () ->
            StiffnessDistanceFigure.of(
                "No pairs", List.of(Examples.distanceMoment("epoch 0", List.of(), null))),
        "along-length",
        () -> CriticalLengthFigure.of("Critical length", Examples.criticalLengths(8)),
        "along-length-hard",
        () ->
            CriticalLengthFigure.of(
                "No critical length",
                List.of(
                    new CriticalLengthFigure.Point(
                        "epoch 1", 1e-3, Double.NaN, Double.NaN, Double.NaN))));
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
  @MethodSource("names")
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
  @MethodSource("names")
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
  void coursesOfStiffnessNameEveryLineAndTheZoneOfOverfitting() throws Exception {
    String text = text(FIGURES.get("along-course").get());
    for (String part :
        List.of(
            "train-train",
            "train-test",
            "within classes",
            "between classes",
            "between classes of a super-class",
            "train loss",
            "test loss",
            "mean cosine",
            "loss (cross-entropy, nats)",
            "epoch",
            "Shaded, overfitting: test loss rises from 0.300 at epoch 30 to 1.00 at 100.")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    assertFalse(text.contains("Gaps") || text.contains("Epoch 0"), text);
    text = text(FIGURES.get("along-course-hard").get());
    assertTrue(text.contains("Gaps, not defined: 3 values"), text);
    assertFalse(text.contains("overfitting"), text);
    // Two networks, of which one overfits.
    text = text(course(new double[] {3, 2, 1}, new double[] {3, 1, 2}));
    assertTrue(text.contains("test loss of 1 rises from 1.00 at epoch 1 to 2.00 at 2."), text);
    // It ends as low as it ever was, so it rises no more after its lowest value.
    assertFalse(text(course(new double[] {1, 2, 1})).contains("overfitting"));
    // A value that is not defined after the lowest says nothing.
    assertFalse(text(course(new double[] {2, 1, Double.NaN})).contains("overfitting"));
  }

  /** Networks that have nothing but test losses at epochs 0, 1, 2 …. */
  private static Figure course(double[]... testLosses) {
    return StiffnessCourseFigure.of(
        "t",
        IntStream.range(0, testLosses.length)
            .mapToObj(
                i -> {
                  double[] loss = testLosses[i];
                  double[] epoch = IntStream.range(0, loss.length).asDoubleStream().toArray();
                  double[] zeros = new double[loss.length];
                  return new StiffnessCourse("" + i, epoch, loss, loss, zeros, zeros, null);
                })
            .toList());
  }

  @Test
  void theZoneOfOverfittingIsFromTheLowestTestLossToTheEndInBothPanels() throws Exception {
    double[] early = {9, 8, 7, 6, 7, 8, 9, 9, 9, 9, 9};
    double[] late = {9, 9, 9, 9, 9, 9, 9, 6, 7, 8, 9};
    double[] never = {9, 9, 9, 9, 9, 8, 8, 8, 7, 7, 6};
    // Rows of pixels that no line of the grid is on.
    for (double height : new double[] {0.4, 0.6}) {
      int[] seven = tinted(course(early), height);
      int[] three = tinted(course(late), height);
      assertEquals(0, tinted(course(never), height).length, "at " + height);
      // All end at the same place; three epochs' width is 3/7 of seven's. A pixel either way.
      assertEquals(last(seven), last(three), "at " + height);
      double ratio = (double) (last(three) - three[0]) / (last(seven) - seven[0]);
      assertEquals(3.0 / 7, ratio, 2.0 / (last(seven) - seven[0]), "at " + height);
    }
  }

  private static int last(int[] columns) {
    return columns[columns.length - 1];
  }

  /** Columns where a figure is of the zone's colour at some height, a part of the whole. */
  private static int[] tinted(Figure figure, double height) throws Exception {
    BufferedImage image = image(figure);
    int row = (int) (height * image.getHeight());
    return IntStream.range(0, image.getWidth())
        .filter(x -> rgb(image, x, row) == over(Style.colour(4), 0.15))
        .toArray();
  }

  @Test
  void linesOfStiffnessHaveGapsWhereItIsNotDefined() throws Exception {
    double[] epoch = {0, 1, 2, 3};
    double[] loss = {1, 1, 1, 1};
    double[] none = {Double.NaN, Double.NaN, Double.NaN, Double.NaN};
    double[] whole = {0.5, 0.4, 0.3, 0.2};
    double[] holed = {0.5, Double.NaN, Double.NaN, 0.2};
    double[] infinite = {0.5, Double.POSITIVE_INFINITY, Double.NaN, 0.2};
    int rows = 0;
    for (double[] within : List.of(whole, holed, infinite)) {
      BufferedImage image =
          image(
              StiffnessCourseFigure.of(
                  "t", List.of(new StiffnessCourse("a", epoch, loss, loss, within, none, null))));
      int middle = image.getWidth() / 2;
      long drawn =
          IntStream.range(0, image.getHeight())
              .filter(y -> rgb(image, middle, y) == (Style.colour(0).getRGB() & 0xFFFFFF))
              .count();
      assertEquals(within == whole, drawn > 0, rows++ + ": " + drawn);
    }
  }

  @Test
  void crowdedEpochsHaveALogarithmicAxis() throws Exception {
    assertTrue(text(geometric(0.01)).contains("Epoch 0 stands at the left end"));
    assertTrue(text(geometric(0.01)).contains("10⁻⁶"));
    assertFalse(text(geometric(0.5)).contains("Epoch 0"));
  }

  /** At epoch 0 and then from 100 backwards, each so many times the one after it. */
  private static Figure geometric(double factor) {
    double[] epoch =
        DoubleStream.concat(
                DoubleStream.of(0),
                IntStream.range(0, 5).mapToDouble(i -> 100 * Math.pow(factor, 4 - i)))
            .toArray();
    double[] ones = epoch.clone();
    Arrays.fill(ones, 1);
    return StiffnessCourseFigure.of(
        "t", List.of(new StiffnessCourse("a", epoch, ones, ones, ones, ones, null)));
  }

  @Test
  void stiffnessAgainstLossNamesEveryLineAndCountsItsGaps() throws Exception {
    String text = text(FIGURES.get("along-loss").get());
    for (String part :
        List.of(
            "rate 1e-5",
            "rate 1e-3",
            "within classes",
            "between classes",
            "mean cosine",
            "critical length ξ",
            "train loss (cross-entropy, nats)",
            "below: the distance where it crosses zero",
            "Gaps, loss 0 or not finite: 2 moments.",
            "Gaps, not defined: 3 critical lengths.")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    // What has no place on the axis of losses is counted once, by its loss.
    text = text(FIGURES.get("along-loss-hard").get());
    assertTrue(text.contains("Gaps, loss 0 or not finite: one moment."), text);
    assertFalse(text.contains("not defined"), text);
    double nan = Double.NaN;
    double inf = Double.POSITIVE_INFINITY;
    double[] loss = {nan, inf, -1, 1, 0.5, 0.1};
    double[] values = {0, 0, 0, nan, 0, -inf};
    text = text(againstLoss(loss, values, null));
    assertTrue(text.contains("0 or not finite: 3 moments. Gaps, not defined: 4 cosines."), text);
    assertFalse(text.contains("ξ") || text.contains("crosses zero"), text);
    text = text(againstLoss(new double[] {1, 0.1}, new double[2], new double[] {1, 2}));
    assertFalse(text.contains("Gaps") || text.contains("Farther"), text);
    text = text(againstLoss(new double[] {1, 0.1}, new double[2], new double[] {2.01, 1e300}));
    assertTrue(text.contains("Farther than inputs can be, above 2: 2 critical lengths."), text);
  }

  /** One course, as stiff within classes as between them. */
  private static Figure againstLoss(double[] loss, double[] values, double[] lengths) {
    return StiffnessLossFigure.of(
        "t", List.of(new StiffnessLossFigure.Course("a", loss, values, values, lengths)));
  }

  @Test
  void lossesFallFromLeftToRightInEqualRatios() throws Exception {
    double[] values = {0.9, 0.5, 0.1};
    // The values fall to the right, whatever the order of training.
    double[] high = places(new double[] {1, 0.1, 0.001}, values);
    assertEquals(1.0 / 3, (high[1] - high[0]) / (high[2] - high[0]), 0.01);
    assertTrue(high[0] < high[1] && high[1] < high[2], Arrays.toString(high));
    double[] low = places(new double[] {0.001, 0.1, 1}, values);
    assertTrue(low[0] > low[1] && low[1] > low[2], Arrays.toString(low));
    assertEquals(high[0], low[2], 1);
    assertEquals(high[2], low[0], 1);
  }

  /**
   * The columns of the markers of three moments. Each moment is drawn by a course of its own, whose
   * colour tells it from the others, in the panel of critical lengths alone.
   */
  private static double[] places(double[] loss, double[] lengths) throws Exception {
    double[] none = {Double.NaN};
    BufferedImage image =
        image(
            StiffnessLossFigure.of(
                "t",
                IntStream.range(0, loss.length)
                    .mapToObj(
                        i ->
                            new StiffnessLossFigure.Course(
                                "" + i,
                                new double[] {loss[i]},
                                none,
                                none,
                                new double[] {lengths[i]}))
                    .toList()));
    return IntStream.range(0, loss.length)
        .mapToDouble(i -> middle(image, Style.colour(i).getRGB() & 0xFFFFFF))
        .toArray();
  }

  /** The mean column of a colour's pixels in the lower half. */
  private static double middle(BufferedImage image, int colour) {
    return IntStream.range(0, image.getWidth())
        .filter(
            x ->
                IntStream.range(image.getHeight() / 2, image.getHeight())
                    .anyMatch(y -> rgb(image, x, y) == colour))
        .average()
        .orElseThrow();
  }

  @Test
  void linesAgainstLossHaveGapsInBothPanels() throws Exception {
    double nan = Double.NaN;
    double[] whole = {0.5, 0.4, 0.4, 0.2};
    double[] holed = {0.5, nan, nan, 0.2};
    double[] losses = {1, 0.2, 0.05, 0.01};
    // Losses of 0 aren't at the axis's end either, where they would join its last value.
    double[] zeros = {1, 0, 0, 0.01};
    double[] undefined = {1, nan, Double.POSITIVE_INFINITY, 0.01};
    assertArrayEquals(new boolean[] {true, true}, crossed(losses, whole, whole));
    assertArrayEquals(new boolean[] {false, true}, crossed(losses, holed, whole));
    assertArrayEquals(new boolean[] {true, false}, crossed(losses, whole, holed));
    assertArrayEquals(new boolean[] {false, false}, crossed(zeros, whole, whole));
    assertArrayEquals(new boolean[] {false, false}, crossed(undefined, whole, whole));
    double[] end = {1, 0.2, 0.05, 0};
    assertArrayEquals(new boolean[] {true, true}, crossed(end, whole, whole));
    assertEquals(
        pixels(image(againstLoss(new double[] {1, 0.1}, new double[2], null)), blue()),
        pixels(image(againstLoss(new double[] {1, 0.1, 0}, new double[3], null)), blue()));
  }

  private static int blue() {
    return Style.colour(0).getRGB() & 0xFFFFFF;
  }

  /** Whether lines are drawn midway between the ends, in the upper and in the lower panel. */
  private static boolean[] crossed(double[] loss, double[] values, double[] lengths)
      throws Exception {
    BufferedImage image = image(againstLoss(loss, values, lengths));
    // Where the gap between the panels is.
    int apart = image.getHeight() * 63 / 100;
    int[] blue =
        IntStream.range(0, image.getHeight())
            .filter(y -> rgb(image, image.getWidth() / 2, y) == blue())
            .toArray();
    return new boolean[] {
      Arrays.stream(blue).anyMatch(y -> y < apart), Arrays.stream(blue).anyMatch(y -> y > apart)
    };
  }

  @Test
  void classMatricesShareTheirColours() throws Exception {
    Figure figure =
        StiffnessMatricesFigure.of(
            "t",
            List.of(
                new StiffnessMatricesFigure.Moment(
                    "epoch 0", new Double[][] {{1.0, -0.5}, {-0.5, null}}),
                new StiffnessMatricesFigure.Moment(
                    "the last epoch of all", new Double[][] {{0.5, 0.25}, {0.25, 0.5}})));
    String text = text(figure);
    for (String part :
        List.of(
            "epoch 0", "the last epoch of all", "1.00", "-0.50", "0.25", "–", "Grey: no pairs")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    BufferedImage image = image(figure);
    // The second's largest value has half of the first's colour. A cell is 215 units wide.
    int cell = 4 * 215 * 215;
    assertCells(1, pixels(image, Diverging.rgb(1)), cell);
    assertCells(2, pixels(image, Diverging.rgb(-0.5)), cell);
    assertCells(2, pixels(image, Diverging.rgb(0.5)), cell);
    assertCells(2, pixels(image, Diverging.rgb(0.25)), cell);
    assertCells(1, pixels(image, 0xC9C9C9), cell);
  }

  /** Cells of a colour but for their numbers, and what the colour bar has of it. */
  private static void assertCells(int expected, long pixels, int cell) {
    assertEquals(expected, (double) pixels / cell, 0.03);
  }

  @Test
  void matricesOfManyClassesAreImages() throws Exception {
    Double[][] matrix = Examples.stiffness(100).values();
    for (int row = 20; row < 40; row++) {
      Arrays.fill(matrix[row], null);
    }
    Figure figure =
        StiffnessMatricesFigure.of(
            "t", Collections.nCopies(3, new StiffnessMatricesFigure.Moment("m", matrix)));
    assertEquals(3, parse(figure.svg()).getElementsByTagNameNS("*", "image").getLength());
    assertTrue(figure.svg().length() < 500_000, figure.svg().length() + " characters");
    // A fifth of each is grey, and 79 cells of the diagonal have the top's colour, but for edges
    // of cells between two pixels.
    BufferedImage image = image(figure);
    double side = 2 * 390;
    assertEquals(0.2, pixels(image, 0xC9C9C9) / (3 * side * side), 0.002);
    assertEquals(0.0079, pixels(image, Diverging.rgb(1)) / (3 * side * side), 0.0004);
  }

  @Test
  void matricesThatCannotBeDrawnAreRefused() {
    StiffnessMatricesFigure.Moment moment =
        new StiffnessMatricesFigure.Moment("m", new Double[2][2]);
    for (int count : new int[] {0, 5}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> StiffnessMatricesFigure.of("t", Collections.nCopies(count, moment)));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new StiffnessMatricesFigure.Moment("m", new Double[2][3]));
  }

  @Test
  void coursesAndRatesThatCannotBeDrawnAreRefused() {
    double[] two = {0, 1};
    double[] three = {0, 1, 2};
    assertThrows(
        IllegalArgumentException.class,
        () -> new StiffnessCourse("a", two, two, two, two, two, three));
    for (double[] epoch :
        List.of(new double[] {1, 0}, new double[] {-1, 0}, new double[] {0, Double.NaN})) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new StiffnessCourse("a", epoch, two, two, two, two, null));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new StiffnessLossFigure.Course("a", two, two, two, three));
    assertThrows(
        IllegalArgumentException.class,
        () -> new StiffnessLossFigure.Course("a", two, three, two, null));
    for (double rate : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThrows(
          IllegalArgumentException.class, () -> new CriticalLengthFigure.Point("a", rate, 1, 1, 1));
    }
  }

  @Test
  void stiffnessAgainstDistanceSaysEveryCriticalLength() throws Exception {
    String text = text(FIGURES.get("along-distance").get());
    for (String part :
        List.of(
            "epoch 0: no critical length",
            "epoch 1: ξ = 10.0 (95%: from 0.900 on), farther than inputs can be",
            "epoch 10: ξ = 0.800 (95%: 0.700 to 0.900)",
            "epoch 100: ξ = 0.400",
            "Below: the critical length ξ",
            "1 − cosine between inputs")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
    text = text(FIGURES.get("along-distance-hard").get());
    assertTrue(text.contains("epoch 0: no pairs"), text);
    assertFalse(text.contains("Below"), text);
  }

  @Test
  void criticalLengthsStandBelowWhereTheirLinesCrossZero() throws Exception {
    List<StiffnessDistanceFigure.Moment> moments =
        Stream.of(0.4, 0.8, 0.6)
            .map(
                xi ->
                    Examples.distanceMoment(
                        "ξ " + xi,
                        List.of(new StiffnessFigure.Bin(1, 0, 1)),
                        new StiffnessFigure.Line(-1.0, xi, xi, xi - 0.1, xi + 0.1)))
            .toList();
    BufferedImage image = image(StiffnessDistanceFigure.of("t", moments));
    double[] middles = new double[3];
    double[] widths = new double[3];
    for (int i = 0; i < 3; i++) {
      int colour = Style.colour(i).getRGB() & 0xFFFFFF;
      // The rows are the lowest part of the figure but for the axis.
      int[] columns =
          IntStream.range(0, image.getWidth())
              .filter(
                  x ->
                      IntStream.range(image.getHeight() * 3 / 4, image.getHeight())
                          .anyMatch(y -> rgb(image, x, y) == colour))
              .toArray();
      middles[i] = (columns[0] + last(columns)) / 2.0;
      widths[i] = last(columns) - columns[0];
    }
    // Distances of 0.2 between them, which is the width of each interval; round caps apart.
    assertEquals(0.5 * (middles[0] + middles[1]), middles[2], 3);
    assertEquals(0.5 * (middles[1] - middles[0]), widths[2], 8);
    assertEquals(widths[0], widths[1], 3);
  }

  @Test
  void criticalLengthsHaveBarsWhereIntervalsAreKnown() throws Exception {
    int bar = over(Style.colour(0), 0.7);
    assertEquals(0, pixels(image(length(Double.NaN, Double.NaN)), bar));
    long closed = pixels(image(length(0.4, 0.6)), bar);
    long open = pixels(image(length(0.4, Double.POSITIVE_INFINITY)), bar);
    assertTrue(closed > 0 && open > closed, closed + ", " + open);
    assertTrue(
        text(length(0.4, Double.POSITIVE_INFINITY)).contains("reach the upper end go on beyond"));
    assertFalse(text(length(0.4, 0.6)).contains("beyond"));
    String text = text(FIGURES.get("along-length").get());
    for (String part :
        List.of(
            "epoch 1",
            "epoch 100",
            "learning rate",
            "ξ",
            "Left out, no critical length: 2 of 16.")) {
      assertTrue(text.contains(part), part + " in " + text);
    }
  }

  private static Figure length(double low, double high) {
    return CriticalLengthFigure.of(
        "t", List.of(new CriticalLengthFigure.Point("epoch 1", 1e-3, 0.5, low, high)));
  }

  private static BufferedImage image(Figure figure) throws Exception {
    return ImageIO.read(new ByteArrayInputStream(figure.png()));
  }

  private static int rgb(BufferedImage image, int x, int y) {
    return image.getRGB(x, y) & 0xFFFFFF;
  }

  private static long pixels(BufferedImage image, int rgb) {
    return IntStream.range(0, image.getHeight())
        .mapToLong(
            y -> IntStream.range(0, image.getWidth()).filter(x -> rgb(image, x, y) == rgb).count())
        .sum();
  }

  /** A colour over white, as a PNG has it. */
  private static int over(Color colour, double opacity) {
    BufferedImage image = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.setPaint(Color.WHITE);
    graphics.fillRect(0, 0, 1, 1);
    graphics.setPaint(Style.pale(colour, opacity));
    graphics.fillRect(0, 0, 1, 1);
    graphics.dispose();
    return rgb(image, 0, 0);
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
