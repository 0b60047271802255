package dev.flinch.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.stream.IntStream;

/**
 * The stacks of a plan. Networks that a stack can hold, which differ in seed, learning rate,
 * initial scale, labels and augmentation alone, are cut into stacks as equal as can be, none larger
 * than there is room, longer than is wanted, or so large that workers would wait for it. Those of
 * the groups that take longest come first.
 */
final class Packing {
  /** A worker has about so many stacks at least, so that none waits long for the last one. */
  private static final int STACKS_OF_WORKER = 8;

  private final int seeds;

  /** Settings in the order of their groups. */
  private final int[] order;

  /** Where stacks begin among the networks of {@link #order}, and where the last one ends. */
  private final int[] begins;

  /** By stack. */
  private final int[] groups;

  private final List<CostModel> models = new ArrayList<>();

  Packing(
      SweepConfiguration sweep,
      Selection selection,
      SettingRules rules,
      int seeds,
      Workshop workshop) {
    this.seeds = seeds;
    Settings settings = selection.settings();
    int[] groupOf = groups(sweep, selection);
    int[] sizes = new int[1 + Arrays.stream(groupOf).max().orElse(0)];
    for (int s = 0; s < groupOf.length; s++) {
      if (sizes[groupOf[s]]++ == 0) {
        Setting setting = settings.get(s);
        models.add(
            new CostModel(
                setting.configuration(sweep, 0),
                rules.data(setting),
                rules.trainingImages(setting),
                workshop.rate()));
      }
    }
    double whole = 0;
    for (int g = 0; g < sizes.length; g++) {
      whole += models.get(g).of(sizes[g] * seeds).seconds();
    }
    double longest =
        Math.min(
            workshop.longest().toMillis() / 1e3,
            whole / ((double) workshop.workers() * STACKS_OF_WORKER));
    int[] stacksOf = new int[sizes.length];
    for (int g = 0; g < sizes.length; g++) {
      int networks = sizes[g] * seeds;
      int most = models.get(g).most(workshop.stackBytes(), longest, networks);
      stacksOf[g] = (networks + most - 1) / most;
    }
    Integer[] byTime =
        IntStream.range(0, sizes.length)
            .boxed()
            .sorted(
                Comparator.comparingDouble(
                    g ->
                        -models
                            .get(g)
                            .of((sizes[g] * seeds + stacksOf[g] - 1) / stacksOf[g])
                            .seconds()))
            .toArray(Integer[]::new);
    groups = new int[Arrays.stream(stacksOf).sum()];
    begins = new int[groups.length + 1];
    int[] next = new int[sizes.length];
    int stack = 0;
    int settled = 0;
    for (int g : byTime) {
      next[g] = settled;
      int networks = sizes[g] * seeds;
      for (int i = 0; i < stacksOf[g]; i++) {
        groups[stack] = g;
        begins[stack++] = settled * seeds + (int) ((long) networks * i / stacksOf[g]);
      }
      settled += sizes[g];
    }
    begins[stack] = settled * seeds;
    order = new int[groupOf.length];
    for (int s = 0; s < groupOf.length; s++) {
      order[next[groupOf[s]]++] = s;
    }
  }

  /** For each setting the number of its group, in the order in which groups first appear. */
  private static int[] groups(SweepConfiguration sweep, Selection selection) {
    Settings settings = selection.settings();
    long[] hashes =
        CanonicalText.hashes(
            settings.size(),
            settings::get,
            s -> 0,
            sweep,
            Factor.OF_REPLICAS,
            selection.knownTexts());
    IdentityTable groups = new IdentityTable();
    int[] groupOf = new int[settings.size()];
    for (int s = 0; s < groupOf.length; s++) {
      groupOf[s] = groups.add(hashes[2 * s], hashes[2 * s + 1]);
    }
    return groupOf;
  }

  int stacks() {
    return groups.length;
  }

  int size(int stack) {
    return begins[stack + 1] - begins[stack];
  }

  CostEstimate cost(int stack) {
    return models.get(groups[stack]).of(size(stack));
  }

  /** The networks of a stack, ascending. */
  int[] networks(int stack) {
    return IntStream.range(begins[stack], begins[stack + 1])
        .map(place -> order[place / seeds] * seeds + place % seeds)
        .toArray();
  }

  /** Until the last of some workers is done, each taking the next stack when it is free. */
  double seconds(int workers) {
    PriorityQueue<Double> free = new PriorityQueue<>();
    for (int w = 0; w < workers; w++) {
      free.add(0.0);
    }
    double last = 0;
    for (int stack = 0; stack < groups.length; stack++) {
      double done = free.remove() + cost(stack).seconds();
      free.add(done);
      last = Math.max(last, done);
    }
    return last;
  }
}
