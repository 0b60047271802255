package dev.flinch.sweep;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Json;
import dev.flinch.experiment.Replica;
import dev.flinch.network.Architecture;
import dev.flinch.report.Table;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a plan comes to, before anything is trained. FLOP, memory and time are estimates: every
 * network is taken to train to its limit, and time goes by the workshop's rate.
 *
 * @param pairs how many of each name, each seed's counted
 * @param stackSizes networks in a stack
 * @param largestStackBytes what training's buffers take on the device, in the largest stack
 * @param trainingFlop of all networks
 * @param measuringFlop of all networks
 * @param seconds until the last of the workers is done
 * @param secondsOnMore the same if there were more workers like these, by their number
 * @param factors those that networks differ in
 * @param first some networks, as they come in the plan
 */
public record DryRun(
    String title,
    int settings,
    int seeds,
    int networks,
    Map<String, Integer> pairs,
    int stacks,
    Sizes stackSizes,
    long largestStackBytes,
    double trainingFlop,
    double measuringFlop,
    int workers,
    double seconds,
    Map<Integer, Double> secondsOnMore,
    Map<String, Spread> factors,
    List<First> first) {
  private static final int FIRST_NETWORKS = 5;
  private static final int FEW_VALUES = 8;
  private static final List<Integer> MORE_WORKERS = List.of(8, 64);

  /** Of values of one factor; null, which is all or no limit, after the others. */
  @SuppressWarnings("unchecked")
  private static final Comparator<Object> ORDER =
      Comparator.nullsLast((a, b) -> ((Comparable<Object>) a).compareTo(b));

  /** The smallest, the median and the largest of some numbers. */
  public record Sizes(int least, int median, int most) {}

  /**
   * How networks spread over a factor's values.
   *
   * @param networks by value, in ascending order; null where there are many values
   * @param least of many numbers, else null
   * @param most of many numbers, else null
   * @param without networks that don't have the factor
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Spread(Map<String, Integer> networks, String least, String most, int without) {}

  /** A network of a plan. */
  public record First(String identity, Configuration configuration) {}

  /** Sums up a plan. */
  public static DryRun of(SweepPlan plan) {
    double trainingFlop = 0;
    double measuringFlop = 0;
    long largest = 0;
    int[] sizes = new int[plan.stacks().size()];
    for (int stack = 0; stack < sizes.length; stack++) {
      CostEstimate cost = plan.cost(stack);
      trainingFlop += cost.trainingFlop();
      measuringFlop += cost.measuringFlop();
      largest = Math.max(largest, cost.bytes());
      sizes[stack] = cost.networks();
    }
    Arrays.sort(sizes);
    Map<String, Integer> pairs = new LinkedHashMap<>();
    for (int p = 0; p < plan.sweep().pairs().size(); p++) {
      pairs.put(plan.sweep().pairs().get(p).name(), plan.pairs(p));
    }
    return new DryRun(
        plan.sweep().title(),
        plan.settings(),
        plan.seeds(),
        plan.networks(),
        pairs,
        sizes.length,
        new Sizes(sizes[0], sizes[sizes.length / 2], sizes[sizes.length - 1]),
        largest,
        trainingFlop,
        measuringFlop,
        plan.workshop().workers(),
        plan.estimate().toMillis() / 1e3,
        secondsOnMore(plan),
        factors(plan),
        IntStream.range(0, Math.min(FIRST_NETWORKS, plan.networks()))
            .mapToObj(i -> new First(plan.identity(i), plan.configuration(i)))
            .toList());
  }

  private static Map<Integer, Double> secondsOnMore(SweepPlan plan) {
    Map<Integer, Double> seconds = new LinkedHashMap<>();
    for (int workers : MORE_WORKERS) {
      if (workers > plan.workshop().workers()) {
        seconds.put(workers, plan.estimate(workers).toMillis() / 1e3);
      }
    }
    return seconds;
  }

  private static Map<String, Spread> factors(SweepPlan plan) {
    Map<String, Spread> spreads = new LinkedHashMap<>();
    for (Factor factor : Factor.values()) {
      if (factor != Factor.SEED && plan.chosen().varies(factor)) {
        Spread spread = spread(factor, plan.chosen(), plan.seeds());
        if (spread.networks() == null || spread.networks().size() > 1) {
          spreads.put(factor.key(), spread);
        }
      }
    }
    return spreads;
  }

  private static Spread spread(Factor factor, Settings settings, int seeds) {
    Map<Object, Integer> networks = new HashMap<>();
    boolean many = false;
    boolean first = true;
    Object least = null;
    Object most = null;
    int without = 0;
    for (int s = 0; s < settings.size(); s++) {
      if (!settings.has(s, factor)) {
        without += seeds;
        continue;
      }
      Object value = settings.value(s, factor);
      least = first || ORDER.compare(value, least) < 0 ? value : least;
      most = first || ORDER.compare(value, most) > 0 ? value : most;
      first = false;
      many |= networks.size() == FEW_VALUES && !networks.containsKey(value);
      if (!many) {
        networks.merge(value, seeds, Integer::sum);
      }
    }
    if (many) {
      return new Spread(null, text(factor, least), text(factor, most), without);
    }
    Map<String, Integer> ascending = new LinkedHashMap<>();
    networks.keySet().stream()
        .sorted(ORDER)
        .forEach(value -> ascending.put(text(factor, value), networks.get(value)));
    return new Spread(ascending, null, null, without);
  }

  private static String text(Factor factor, Object value) {
    return value == null
        ? factor == Factor.TRAIN || factor == Factor.CROP ? "all" : "no limit"
        : factor.text(value);
  }

  /** For people. */
  public String text() {
    StringBuilder text = new StringBuilder(title).append("\n\n");
    line(
        text,
        "networks",
        "%,d: %s, %s each".formatted(networks, count(settings, "setting"), count(seeds, "seed")));
    pairs.forEach((name, count) -> line(text, "pairs", "%,d of %s".formatted(count, name)));
    line(
        text,
        "stacks",
        "%,d of %,d to %,d networks, median %,d"
            .formatted(stacks, stackSizes.least, stackSizes.most, stackSizes.median));
    line(text, "memory", "%.2f GiB for the largest stack".formatted(largestStackBytes / 0x1p30));
    line(
        text,
        "products",
        "%.3g FLOP: %.3g of training to the limit, %.3g of measuring"
            .formatted(trainingFlop + measuringFlop, trainingFlop, measuringFlop));
    line(
        text,
        "time",
        "about %s on %s, if every network trains to its limit"
            .formatted(duration(seconds), count(workers, "worker")));
    if (!secondsOnMore.isEmpty()) {
      line(
          text,
          "",
          secondsOnMore.entrySet().stream()
              .map(more -> "%s on %d".formatted(duration(more.getValue()), more.getKey()))
              .collect(Collectors.joining(", ", "", " such workers")));
    }
    if (!factors.isEmpty()) {
      text.append('\n').append(Table.format(List.of("factor", "values", "networks"), rows()));
    }
    text.append('\n')
        .append(
            Table.format(
                List.of("first networks", "shape", "training", "seed"),
                first.stream().map(DryRun::row).toList()));
    if (networks > first.size()) {
      text.append("… and %,d more\n".formatted(networks - first.size()));
    }
    return text.toString();
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append("%-8s  %s%n".formatted(name, value).replace("\r", ""));
  }

  private static String count(int number, String thing) {
    return "%,d %s%s".formatted(number, thing, number == 1 ? "" : "s");
  }

  private List<List<String>> rows() {
    List<List<String>> rows = new ArrayList<>();
    factors.forEach(
        (factor, spread) -> {
          if (spread.networks == null) {
            rows.add(List.of(factor, spread.least + " to " + spread.most, ""));
          } else {
            spread.networks.forEach(
                (value, count) -> rows.add(List.of(factor, value, "%,d".formatted(count))));
          }
          if (spread.without > 0) {
            rows.add(List.of(factor, "without", "%,d".formatted(spread.without)));
          }
        });
    for (int r = rows.size() - 1; r > 0; r--) {
      if (rows.get(r).get(0).equals(rows.get(r - 1).get(0))) {
        rows.set(r, List.of("", rows.get(r).get(1), rows.get(r).get(2)));
      }
    }
    return rows;
  }

  private static List<String> row(First network) {
    Configuration of = network.configuration;
    Replica replica = of.replicas().get(0);
    return List.of(
        network.identity,
        Architecture.title(
            replica.shape().convolutions(),
            replica.shape().hidden(),
            replica.activation(),
            replica.biases()),
        "%s, %s labels".formatted(of.training().optimizer().label(), replica.labels()),
        String.valueOf(replica.seed()));
  }

  /** Such as {@code 3 h 20 min}. */
  public static String duration(double seconds) {
    long minutes = Math.round(seconds / 60);
    if (seconds < 60) {
      return "%.2g s".formatted(seconds);
    }
    return minutes < 60
        ? minutes + " min"
        : minutes < 48 * 60
            ? "%d h %d min".formatted(minutes / 60, minutes % 60)
            : "%.1f days".formatted(minutes / 1440.0);
  }

  /** For programs. */
  public String toJson() {
    return Json.text(this);
  }
}
