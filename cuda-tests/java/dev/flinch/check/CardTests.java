package dev.flinch.check;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClasspathRoots;
import static org.junit.platform.launcher.TagFilter.excludeTags;
import static org.junit.platform.launcher.TagFilter.includeTags;

import dev.flinch.device.cuda.driver.Cards;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestExecutionResult.Status;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the tests tagged {@code cuda} on what {@code -Dflinch.device} says, without Maven.
 *
 * <p>Arguments: a file for the report, then simple names of test classes or {@code Class#method},
 * or none for all. Failures are written to the report as they happen, so that it is worth something
 * if the run is stopped; its last line says how it ended. Exit status: 0 all passed, 1 some failed
 * or nothing ran of what a name asks for, 3 there is no card.
 */
public final class CardTests {
  private static final int NO_CARD = 3;

  private CardTests() {}

  /** Tells what passed, one line a class, and what failed, with its stack trace. */
  private static final class Report implements TestExecutionListener {
    private final PrintStream file;
    private int passed;
    private int failed;
    private int aborted;
    private int passedOfClass;
    private int failedOfClass;
    private long start;

    Report(PrintStream file) {
      this.file = file;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
      if (isClass(test)) {
        passedOfClass = 0;
        failedOfClass = 0;
        start = System.nanoTime();
      }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
      Status status = result.getStatus();
      if (status == Status.FAILED) {
        // A class or the whole fails too, where what is around the tests does.
        failed++;
        failedOfClass++;
        file.printf("FAILED %s%n%s%n", name(test), trace(result));
        System.out.printf(
            "  FAILED %s: %s%n",
            name(test), result.getThrowable().map(CardTests::firstLine).orElse("no reason given"));
      } else if (test.isTest()) {
        if (status == Status.SUCCESSFUL) {
          passed++;
          passedOfClass++;
        } else {
          aborted++;
        }
      }
      if (isClass(test)) {
        print(
            String.format(
                Locale.ROOT,
                "  %-44s %4d passed, %d failed, %.1f s",
                test.getDisplayName(),
                passedOfClass,
                failedOfClass,
                (System.nanoTime() - start) / 1e9));
      }
    }

    private void print(String line) {
      System.out.println(line);
      file.println(line);
    }

    private static boolean isClass(TestIdentifier test) {
      return test.getSource().filter(ClassSource.class::isInstance).isPresent();
    }

    private static String name(TestIdentifier test) {
      return test.getUniqueIdObject().getSegments().stream()
          .skip(1)
          .map(segment -> segment.getValue())
          .reduce((a, b) -> a + " " + b)
          .orElse(test.getDisplayName());
    }

    private static String trace(TestExecutionResult result) {
      StringWriter text = new StringWriter();
      result.getThrowable().ifPresent(thrown -> thrown.printStackTrace(new PrintWriter(text)));
      return text.toString();
    }
  }

  /** The tests of some classes, or methods of them; of all where no name is given. */
  static final class Choice implements PostDiscoveryFilter {
    private final List<String> names;
    private final Set<String> matched = new HashSet<>();

    /**
     * @param names of classes without their packages, each with {@code #method} or without
     */
    Choice(List<String> names) {
      this.names = names;
    }

    @Override
    public FilterResult apply(TestDescriptor test) {
      MethodSource method =
          test.getSource()
              .filter(MethodSource.class::isInstance)
              .map(MethodSource.class::cast)
              .orElse(null);
      // Classes are left out where none of their methods is left.
      return FilterResult.includedIf(names.isEmpty() || method != null && matches(method));
    }

    private boolean matches(MethodSource method) {
      String type = method.getJavaClass().getSimpleName();
      List<String> found =
          names.stream()
              .filter(n -> n.equals(type) || n.equals(type + "#" + method.getMethodName()))
              .toList();
      matched.addAll(found);
      return !found.isEmpty();
    }

    /** The names that no test has, once tests are discovered. */
    List<String> unmatched() {
      return names.stream().filter(name -> !matched.contains(name)).toList();
    }
  }

  private static String firstLine(Throwable thrown) {
    return String.valueOf(thrown.getMessage()).lines().findFirst().orElse("");
  }

  /** {@code REPORT [CLASS…]}. */
  public static void main(String[] arguments) throws IOException, URISyntaxException {
    boolean onCard = System.getProperty("flinch.device", "emulator").equals("cuda");
    if (onCard && Cards.find().found().isEmpty()) {
      String reason = "no card to test on: " + Cards.find().missing();
      System.out.println(reason);
      Files.writeString(Path.of(arguments[0]), reason + "\n");
      System.exit(NO_CARD);
    }
    Choice choice = new Choice(List.of(arguments).subList(1, arguments.length));
    LauncherDiscoveryRequestBuilder tests =
        LauncherDiscoveryRequestBuilder.request()
            .selectors(selectClasspathRoots(Set.of(root())))
            .filters(includeTags("cuda"), excludeTags("slow"), choice);
    LauncherDiscoveryRequest request = tests.build();
    try (PrintStream file =
        new PrintStream(
            Files.newOutputStream(Path.of(arguments[0])), true, StandardCharsets.UTF_8)) {
      Report report = new Report(file);
      LauncherFactory.create().execute(request, report);
      for (String name : choice.unmatched()) {
        report.failed++;
        report.print("FAILED %s: there is no such test".formatted(name));
      }
      report.print(
          "%d passed, %d failed, %d found nothing to run on, on %s"
              .formatted(
                  report.passed,
                  report.failed,
                  report.aborted,
                  onCard ? Cards.find().description() : "the emulator"));
      System.exit(report.failed == 0 && report.passed > 0 ? 0 : 1);
    }
  }

  /** Where the tests' classes lie: a jar, or Maven's folder. */
  private static Path root() throws URISyntaxException {
    return Path.of(CardTests.class.getProtectionDomain().getCodeSource().getLocation().toURI());
  }
}
