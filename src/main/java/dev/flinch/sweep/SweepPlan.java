package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import dev.flinch.experiment.Configuration;
import dev.flinch.store.Pair;
import dev.flinch.store.PlannedStack;
import java.time.Duration;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The networks of a sweep, in an order that depends on its configuration alone, packed into stacks
 * for a workshop. Settings are numbered as they were chosen; of each, networks are in the order of
 * the seeds. Millions of networks take a hundred bytes or two each: whatever else is asked for is
 * made when it is asked for. Immutable; threads may share it.
 */
public final class SweepPlan {
  static final int MOST_NETWORKS = 10_000_000;

  private final SweepConfiguration sweep;
  private final Workshop workshop;
  private final Selection selection;
  private final long[] seeds;
  private final IdentityTable identities = new IdentityTable();
  private final Packing packing;

  private SweepPlan(SweepConfiguration sweep, Workshop workshop) {
    this.sweep = sweep;
    this.workshop = workshop;
    SettingRules rules = new SettingRules(sweep);
    selection = new Selection(sweep, rules);
    seeds =
        sweep.factors().get(Factor.SEED).listed().stream().mapToLong(seed -> (Long) seed).toArray();
    long networks = (long) settings() * seeds.length;
    if (networks > MOST_NETWORKS) {
      throw new RequestException(
          "factors: expected at most %,d networks, found %,d settings with %,d seeds each"
              .formatted(MOST_NETWORKS, settings(), seeds.length));
    }
    identify();
    packing = new Packing(sweep, selection, rules, seeds.length, workshop);
  }

  /**
   * Plans a sweep.
   *
   * @throws dev.flinch.base.RequestException if constraints leave too few settings, or settings ask
   *     for what doesn't go together, or what their data set doesn't have
   */
  public static SweepPlan of(SweepConfiguration sweep, Workshop workshop) {
    return new SweepPlan(sweep, workshop);
  }

  private void identify() {
    int networks = settings() * seeds.length;
    long[] hashes =
        CanonicalText.hashes(
            networks,
            i -> selection.settings().get(i / seeds.length),
            i -> seeds[i % seeds.length],
            sweep,
            List.of(),
            selection.knownTexts());
    for (int i = 0; i < networks; i++) {
      identities.add(hashes[2 * i], hashes[2 * i + 1]);
    }
  }

  /** What was planned. */
  public SweepConfiguration sweep() {
    return sweep;
  }

  /** Where it was planned for. */
  public Workshop workshop() {
    return workshop;
  }

  public int networks() {
    return identities.size();
  }

  /** How many settings there are, each trained with every seed. */
  public int settings() {
    return selection.settings().size();
  }

  /** 32 hexadecimal digits. */
  public String identity(int network) {
    return identities.get(checked(network));
  }

  /** The identity of a network's configuration without its seed. */
  public String setting(int network) {
    return selection.identities().get(checked(network) / seeds.length);
  }

  /** A study of this network alone, which {@code flinch run} takes. */
  public Configuration configuration(int network) {
    return selection
        .settings()
        .get(checked(network) / seeds.length)
        .configuration(sweep, seeds[network % seeds.length]);
  }

  /** The index of a network, or −1 for an identity that the plan doesn't have. */
  public int indexOf(String identity) {
    return identities.find(identity);
  }

  private int checked(int network) {
    if (network < 0 || network >= networks()) {
      throw new IndexOutOfBoundsException(
          "expected a network from 0 to %d, found %d".formatted(networks() - 1, network));
    }
    return network;
  }

  /**
   * All networks, each in one stack, with estimated seconds for costs; those that take longest
   * first. They are made as they are asked for.
   */
  public List<PlannedStack> stacks() {
    return new AbstractList<>() {
      @Override
      public PlannedStack get(int stack) {
        return new PlannedStack(
            packing.cost(stack).seconds(),
            Arrays.stream(packing.networks(stack)).mapToObj(identities::get).toList());
      }

      @Override
      public int size() {
        return packing.stacks();
      }
    };
  }

  /** What a stack will take, by its place in {@link #stacks}. */
  public CostEstimate cost(int stack) {
    return packing.cost(stack);
  }

  /**
   * The networks of a planned stack, or some of them, as a worker takes them.
   *
   * @throws IllegalArgumentException for networks that are not of the plan, or not of one stack
   */
  public StackRequest request(List<String> networks) {
    return StackRequest.of(
        networks.stream()
            .map(
                identity -> {
                  int index = indexOf(identity);
                  if (index < 0) {
                    throw new IllegalArgumentException("not of this plan: " + identity);
                  }
                  return configuration(index);
                })
            .toList());
  }

  /** Pairs of networks to compare, one for each seed; made as they are asked for. */
  public Iterable<Pair> pairs() {
    return () -> stream().iterator();
  }

  private Stream<Pair> stream() {
    return IntStream.range(0, sweep.pairs().size())
        .boxed()
        .flatMap(
            p -> {
              PairedSides sides = sweep.pairs().get(p);
              IntList left = selection.left(p);
              IntList right = selection.right(p);
              return IntStream.range(0, left.size() * seeds.length)
                  .mapToObj(
                      i ->
                          new Pair(
                              sides.name(),
                              sides.leftLabel(),
                              sides.rightLabel(),
                              network(left.get(i / seeds.length), i % seeds.length),
                              network(right.get(i / seeds.length), i % seeds.length)));
            });
  }

  private String network(int setting, int seed) {
    return identities.get(setting * seeds.length + seed);
  }

  /** How many pairs of a name there are. */
  int pairs(int pair) {
    return selection.left(pair).size() * seeds.length;
  }

  /** All settings. */
  Settings chosen() {
    return selection.settings();
  }

  /** How many seeds every setting is trained with. */
  int seeds() {
    return seeds.length;
  }

  /** Until the last worker is done, training every network to its limit: an estimate. */
  public Duration estimate() {
    return estimate(workshop.workers());
  }

  /** The same if there were another number of such workers for these stacks. */
  Duration estimate(int workers) {
    return Duration.ofMillis(Math.round(1e3 * packing.seconds(workers)));
  }
}
