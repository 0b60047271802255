package dev.flinch.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.By;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.interactions.Actions;
import org.openqa.selenium.logging.LogEntries;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.WebDriverWait;

/** The page in Chromium, which draws it, filters it and shows its networks. */
class ReportPageTest {
  private static final Path BROWSER = Path.of("/usr/bin/chromium");
  private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
  private static final String TITLE = "<script>alert(1)</script> & \"a' </title>";
  private static final SyntheticSweep SWEEP = SyntheticSweep.of(400);

  @TempDir private static Path folder;
  private static ChromeDriver browser;

  @BeforeAll
  static void openBrowser() throws IOException {
    assumeTrue(
        Files.isExecutable(BROWSER) && Files.isExecutable(DRIVER),
        "needs a browser: the Debian packages chromium and chromium-driver");
    ReportPage.write(
        folder.resolve("report.html"), SyntheticSweep.origin(TITLE), SWEEP.rows(), SWEEP.pairs());
    // Selenium warns of protocols that it doesn't know, which nothing here uses.
    Logger.getLogger("org.openqa.selenium").setLevel(Level.SEVERE);
    LoggingPreferences logs = new LoggingPreferences();
    logs.enable(LogType.BROWSER, Level.ALL);
    logs.enable(LogType.PERFORMANCE, Level.ALL);
    ChromeOptions options = new ChromeOptions();
    options.setBinary(BROWSER.toFile());
    options.addArguments(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,1200");
    options.setCapability("goog:loggingPrefs", logs);
    ChromeDriverService service =
        new ChromeDriverService.Builder()
            .usingDriverExecutable(DRIVER.toFile())
            .usingAnyFreePort()
            .build();
    // The driver is there; nothing is to be looked for elsewhere.
    System.setProperty("SE_OFFLINE", "true");
    browser = new ChromeDriver(service, options);
  }

  @AfterAll
  static void closeBrowser() {
    if (browser != null) {
      browser.quit();
    }
  }

  @BeforeEach
  void openPage() {
    logs(LogType.PERFORMANCE);
    open("report.html");
  }

  private static void open(String name) {
    browser.get(folder.resolve(name).toUri().toString());
    await("!!window.flinch");
  }

  private static void await(String condition) {
    new WebDriverWait(browser, Duration.ofSeconds(30))
        .until(b -> browser.executeScript("return " + condition));
  }

  private static List<String> logs(String type) {
    LogEntries entries = browser.manage().logs().get(type);
    return entries.getAll().stream().map(e -> e.getMessage()).toList();
  }

  private static String text(String selector) {
    return browser.findElement(By.cssSelector(selector)).getDomProperty("textContent");
  }

  private static double number(String script) {
    return ((Number) browser.executeScript("return " + script)).doubleValue();
  }

  private static final String POINTS =
      "flinch.charts[0].rows.slice(0, -1).reduce((sum, rows) => sum + rows.length, 0)";

  private static WebElement chip(String column, String value) {
    return browser.findElements(By.cssSelector("[data-column=" + column + "] .chip")).stream()
        .filter(c -> c.getText().replaceAll("[\\d,]+$", "").strip().equals(value))
        .findFirst()
        .orElseThrow();
  }

  private static long done() {
    return SWEEP.rows().stream().filter(r -> r.text(Column.STATUS).equals("done")).count();
  }

  @Test
  void thePageIsDrawnWithoutAComplaintAndWithoutTheNetwork() {
    assertEquals(List.of(), logs(LogType.BROWSER));
    List<String> requests =
        logs(LogType.PERFORMANCE).stream()
            .filter(m -> m.contains("Network.requestWillBeSent"))
            .filter(m -> !m.contains("\"url\":\"data:") && !m.contains("report.html\""))
            .toList();
    assertEquals(List.of(), requests);
    assertEquals(7, number("document.querySelectorAll('.chart canvas').length"));
    assertTrue(text("#count").startsWith("400"), text("#count"));
    assertEquals(done(), number(POINTS));
    assertEquals(1, number("flinch.charts[0].chart.getOption().xAxis.length"));
    assertEquals(200, number("document.querySelectorAll('#networks tbody tr').length"));
    assertTrue(text("#failed").contains("expected 3.2 GiB, found 1.1 GiB"));
    assertTrue(text("#provenance").contains("sha256 c4a38c50"));
  }

  @Test
  void markupInTextStaysText() {
    assertEquals(TITLE, text("h1"));
    assertEquals(TITLE, browser.getTitle());
    assertTrue(text("#configuration").contains("a <b>sweep</b> </script>"));
    assertEquals(
        0,
        number("document.querySelectorAll('h1 script, b:not(.track b), #configuration b').length"));
  }

  @Test
  void filtersChangeTheCountTheChartsTheCorrelationsAndTheTable() {
    chip("labels", "random").click();
    List<NetworkRow> random =
        SWEEP.rows().stream().filter(r -> r.text(Column.LABELS).equals("random")).toList();
    List<NetworkRow> drawn =
        random.stream().filter(r -> r.text(Column.STATUS).equals("done")).toList();
    assertTrue(text("#count").startsWith(String.valueOf(random.size())), text("#count"));
    assertEquals(drawn.size(), number(POINTS));
    assertEquals(200, number("document.querySelectorAll('#networks tbody tr').length"));
    assertEquals("no pair shown", text("#pair-list figcaption"));

    browser.findElement(By.id("accurate")).click();
    List<NetworkRow> accurate =
        drawn.stream().filter(r -> r.number(Column.TRAIN_ACCURACY) == 1).toList();
    assertTrue(text("#count").startsWith(String.valueOf(accurate.size())), text("#count"));
    assertEquals(accurate.size(), number(POINTS));
    assertEquals(accurate.size(), number("document.querySelectorAll('#networks tbody tr').length"));
    for (Column measure : Correlations.MEASURES) {
      Correlations.Association expected = Correlations.between(accurate, measure, Column.GAP);
      String live = "flinch.state.live." + measure.sqlName();
      assertEquals(expected.networks(), number(live + ".networks"));
      assertEquals(expected.kendall().value(), number(live + ".tau"), 1e-12, measure.name());
      assertEquals(expected.spearman().value(), number(live + ".rho"), 1e-12, measure.name());
    }

    browser.findElement(By.id("reset")).click();
    assertEquals(done(), number(POINTS));
    browser.findElement(By.cssSelector("[data-column=learning_rate] input")).sendKeys("1e-2");
    long fast = SWEEP.rows().stream().filter(r -> r.number(Column.LEARNING_RATE) >= 1e-2).count();
    await("document.getElementById('count').textContent.startsWith('" + fast + "')");
  }

  /** Moves to a network's point in the first chart; the row of that network. */
  private static NetworkRow pointAt(int row) {
    NetworkRow network = SWEEP.rows().get(row);
    @SuppressWarnings("unchecked")
    List<Number> place =
        (List<Number>)
            browser.executeScript(
                "const c = flinch.charts[0]; c.element.scrollIntoView({block: 'center'});"
                    + "const [x, y] = c.chart.convertToPixel({seriesIndex: 0}, arguments[0]);"
                    + "const r = c.element.getBoundingClientRect(); return [x - r.width / 2, y - r.height / 2];",
                List.of(network.number(Column.JACOBIAN_NORM), network.number(Column.GAP)));
    WebElement chart = browser.findElement(By.cssSelector("#scatters .chart"));
    new Actions(browser)
        .moveToElement(chart, 0, 0)
        .moveToElement(
            chart,
            (int) Math.round(place.get(0).doubleValue()),
            (int) Math.round(place.get(1).doubleValue()))
        .perform();
    return network;
  }

  /** The drawn network that has the lowest Jacobian norm, and so no other on top of it. */
  private static int alone() {
    List<NetworkRow> rows = SWEEP.rows();
    int best = -1;
    for (int i = 0; i < rows.size(); i++) {
      double norm = rows.get(i).number(Column.JACOBIAN_NORM);
      if (!Double.isNaN(norm) && (best < 0 || norm < rows.get(best).number(Column.JACOBIAN_NORM))) {
        best = i;
      }
    }
    return best;
  }

  @Test
  void aPointShowsItsNetworkAndAClickOpensIt() {
    NetworkRow network = pointAt(alone());
    await("!!document.querySelector('.tip')");
    String tip = text("#scatters .tip");
    assertTrue(tip.contains("activation" + network.text(Column.ACTIVATION)), tip);
    assertTrue(tip.contains("depth" + (long) network.number(Column.DEPTH)), tip);
    assertTrue(tip.contains("optimizer" + network.text(Column.OPTIMIZER)), tip);
    assertTrue(tip.contains("seed" + (long) network.number(Column.SEED)), tip);
    assertTrue(
        tip.contains(
            "test accuracy"
                + Correlations.label(network.number(Column.TEST_ACCURACY)).substring(0, 4)),
        tip);

    new Actions(browser).click().perform();
    await("!document.getElementById('network').hidden");
    assertTrue(text("#network").contains(network.text(Column.IDENTITY)));
    assertTrue(text("#network").contains(network.text(Column.SETTING)));
    // To the letter, whatever the page's layout of it.
    assertEquals(
        network.text(Column.CONFIGURATION),
        browser.executeScript("return flinch.columns.get('configuration').at(" + alone() + ")"));
    assertTrue(text("#network pre").contains("\"label\": \"a \\\"b\\\" <c>\""));
  }

  @Test
  void allValuesArriveAsTheyWere() {
    browser.findElement(By.cssSelector("#networks tbody tr")).click();
    await("!document.getElementById('network').hidden");
    for (int row : new int[] {0, 3, 7, 399}) {
      @SuppressWarnings("unchecked")
      Map<String, Object> found =
          (Map<String, Object>)
              browser.executeScript(
                  "return Object.fromEntries([...flinch.columns].map(([name, c]) => [name, c.at("
                      + row
                      + ")]))");
      for (Column column : Column.values()) {
        Object expected = SWEEP.rows().get(row).get(column);
        Object value = found.get(column.sqlName());
        if (expected instanceof Number number) {
          assertEquals(number.doubleValue(), ((Number) value).doubleValue(), column + " " + row);
        } else {
          assertEquals(expected, value, column + " of row " + row);
        }
      }
    }
  }

  @Test
  void headingsSortTheTable() {
    WebElement heading =
        browser.findElements(By.cssSelector("#networks th button")).stream()
            .filter(b -> b.getText().equals("generalization gap"))
            .findFirst()
            .orElseThrow();
    heading.click();
    List<NetworkRow> rows = SWEEP.rows();
    double least =
        rows.stream()
            .mapToDouble(r -> r.number(Column.GAP))
            .filter(g -> g == g)
            .min()
            .orElseThrow();
    String first = "document.querySelector('#networks tbody tr').dataset.row";
    assertEquals(least, rows.get((int) number("Number(" + first + ")")).number(Column.GAP));
    // The heading was made anew.
    browser.executeScript(
        "document.querySelector('#networks th[aria-sort=ascending] button').click()");
    double greatest =
        rows.stream()
            .mapToDouble(r -> r.number(Column.GAP))
            .filter(g -> g == g)
            .max()
            .orElseThrow();
    assertEquals(greatest, rows.get((int) number("Number(" + first + ")")).number(Column.GAP));
  }

  @Test
  void pairsAreMeansOverSeeds() {
    assertEquals("40 above the diagonal, 0 below", text("#pair-list figcaption"));
    String point = "flinch.charts[4].points.flat().find(p => p.row === 0)";
    double[] gaps =
        SWEEP.rows().stream()
            .limit(5)
            .mapToDouble(r -> r.number(Column.GAP))
            .filter(Double::isFinite)
            .toArray();
    Estimate expected = Estimate.of(Arrays.stream(gaps));
    assertEquals(expected.mean(), number(point + ".x.average"), 1e-12);
    assertEquals(expected.standardError(), number(point + ".x.error"), 1e-12);
    assertEquals(gaps.length, number(point + ".x.count"));
  }

  @Test
  void emptyStudiesAndSingleNetworksHaveAPageToo() throws IOException {
    logs(LogType.BROWSER);
    for (int networks : new int[] {0, 1}) {
      ReportPage.write(
          folder.resolve("small.html"),
          new ReportPage.Origin("small", null, Map.of(), null),
          SWEEP.rows().subList(0, networks),
          List.of());
      open("small.html");
      assertEquals(List.of(), logs(LogType.BROWSER));
      assertTrue(text("#count").startsWith(String.valueOf(networks)));
    }
  }

  /** Thousands of points are drawn all in one, also where filters leave a colour without any. */
  @Test
  void manyNetworksAreDrawnWithoutAComplaint() throws IOException {
    logs(LogType.BROWSER);
    SyntheticSweep sweep = SyntheticSweep.of(5000);
    ReportPage.write(
        folder.resolve("many.html"), SyntheticSweep.origin("many"), sweep.rows(), sweep.pairs());
    open("many.html");
    chip("labels", "random").click();
    assertTrue(text("#count").startsWith("2,500"), text("#count"));
    assertTrue(number(POINTS) > 2400);
    assertEquals(List.of(), logs(LogType.BROWSER));
  }
}
