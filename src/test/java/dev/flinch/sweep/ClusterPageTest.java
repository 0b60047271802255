package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the page about clusters says of the largest study, beside the plan that it says it of. */
class ClusterPageTest {
  private static final Path PAGE = Path.of("docs", "cluster.md");
  private static final int MOST_CARDS = 64;
  private static final double DAY = 86_400;

  /** The part of the time that networks are assumed to need in the page's second line. */
  private static final double TENTH = 0.1;

  /** A number that the page gives. */
  private static long number(String page, String regex) {
    Matcher found = Pattern.compile(regex).matcher(page);
    assertTrue(found.find(), () -> "%s: expected %s".formatted(PAGE, regex));
    return Long.parseLong(found.group(1).replace(",", ""));
  }

  private static String row(String what, List<Double> seconds, double part) {
    return seconds.stream()
        .map(s -> part * s / DAY)
        .map(days -> String.format(Locale.ROOT, days < 10 ? "%.1f days" : "%,.0f days", days))
        .collect(Collectors.joining(" | ", "| " + what + " | ", " |"));
  }

  @Test
  void theEstimateIsThatOfItsPlanOnTheCardsThatItNames() throws IOException {
    String page = Files.readString(PAGE);
    String settings = "sampling.settings=" + number(page, "--set sampling\\.settings=(\\d+)");
    Capacity card =
        new Capacity(
            number(page, "(\\d+) GiB for a stack") << 30,
            number(page, "(\\d+) TFLOP/s of products") * 1e12,
            true);
    SweepPlan plan =
        SweepPlan.of(
            SweepConfiguration.load(Path.of("configs", "figure-1.json"), List.of(settings)),
            card.workshop(MOST_CARDS));
    assertEquals(number(page, "it plans ([\\d,]+) networks"), plan.networks());
    assertEquals(number(page, "networks in ([\\d,]+) stacks"), plan.stacks().size());
    String longest =
        String.format(
            Locale.ROOT, "(the longest here: %.1f days)", plan.stacks().get(0).cost() / DAY);
    assertTrue(page.contains(longest), () -> "%s: expected %s".formatted(PAGE, longest));
    List<Double> seconds =
        Stream.of(1, 8, MOST_CARDS).map(cards -> plan.estimate(cards).toMillis() / 1e3).toList();
    for (String row :
        List.of(
            row("every network trains for all 2¹⁹ steps", seconds, 1),
            row("they reach 100% after a tenth of that, in the mean", seconds, TENTH))) {
      assertTrue(page.contains(row), () -> "%s: expected %s".formatted(PAGE, row));
    }
  }
}
