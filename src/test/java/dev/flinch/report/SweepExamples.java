package dev.flinch.report;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.rng.UniformRandomProvider;

/** Rows of results shaped like those of Novak et al., §4.2 and §4.3. */
final class SweepExamples {
  private static final List<String> ACTIVATIONS = List.of("ReLU", "ReLU6", "Tanh", "HardTanh");
  private static final List<String> OPTIMIZERS = List.of("SGD", "Momentum", "Adam", "RMSProp");

  private final List<NetworkRow> rows = new ArrayList<>();
  private final List<Pair> pairs = new ArrayList<>();
  private final int seeds;

  private SweepExamples(int seeds) {
    this.seeds = seeds;
  }

  /** Settings at random of each data set, each with a partner of another kind in turn. */
  static SweepExamples of(int settings, int seeds, String... datasets) {
    SweepExamples examples = new SweepExamples(seeds);
    for (String dataset : datasets) {
      for (int i = 0; i < settings / 2; i++) {
        examples.pair(i, dataset);
      }
    }
    return examples;
  }

  List<NetworkRow> rows() {
    return rows;
  }

  List<Pair> pairs() {
    return pairs;
  }

  private void pair(int index, String dataset) {
    UniformRandomProvider random =
        RandomStreams.stream(17, Purpose.BENCHMARK, index, dataset.hashCode());
    int width = 1 << 4 + random.nextInt(10);
    int depth = width > 1024 ? 2 + random.nextInt(2) : (1 << random.nextInt(5)) + 1;
    double parameters = 1728.0 * width + (depth - 2.0) * width * width + 10.0 * width;
    double luck = random.nextDouble();
    // Larger networks are less sensitive; harder data sets have larger gaps.
    double latent = Math.min(1, 1.15 - 0.11 * (Math.log10(parameters) - 4) - 0.35 * luck);
    double easy = dataset.equals("CIFAR-10") ? 0 : dataset.equals("CIFAR-100") ? 0.25 : -0.3;
    NetworkRow left =
        NetworkRow.builder()
            .set(Column.STATUS, "done")
            .set(Column.DATASET, dataset)
            .set(Column.WIDTH, width)
            .set(Column.DEPTH, depth)
            .set(Column.PARAMETERS, parameters)
            .set(Column.ACTIVATION, ACTIVATIONS.get(random.nextInt(4)))
            .set(Column.OPTIMIZER, OPTIMIZERS.get(random.nextInt(4)))
            .set(Column.LABELS, "true")
            .set(Column.AUGMENTATION, "none")
            .set(Column.TRAIN_ACCURACY, random.nextInt(12) == 0 ? 0.98 : 1)
            .set(Column.GAP, Math.max(0.01, 0.25 + 0.5 * latent + easy))
            .set(Column.JACOBIAN_NORM, Math.pow(10, -1.2 + 2.6 * latent + 0.4 * luck))
            .set(
                Column.TRANSITIONS,
                Math.pow(10, 0.4 + 0.8 * Math.log10((double) width * depth) + 0.8 * latent))
            .build();
    NetworkRow.Builder right = left.toBuilder();
    double gap = left.number(Column.GAP);
    double norm = left.number(Column.JACOBIAN_NORM);
    double transitions = left.number(Column.TRANSITIONS);
    String[] names;
    switch (index % 4) {
      case 0 -> {
        names = new String[] {"labels", "true", "random"};
        right
            .set(Column.LABELS, "random")
            .set(Column.GAP, 0.9)
            .set(Column.JACOBIAN_NORM, norm * (2 + 5 * random.nextDouble()))
            .set(Column.TRANSITIONS, transitions * (0.8 + 4 * random.nextDouble()));
      }
      case 1 -> {
        names = new String[] {"augmentation", "none", "translateFlip"};
        right
            .set(Column.AUGMENTATION, "translateFlip")
            .set(Column.TRAIN_ACCURACY, 0.9)
            .set(Column.GAP, gap * (0.1 + 0.6 * random.nextDouble()))
            .set(Column.JACOBIAN_NORM, 0.4 + 0.02 * norm + 0.5 * random.nextDouble())
            .set(Column.TRANSITIONS, transitions * (0.3 + 0.8 * random.nextDouble()));
      }
      case 2 -> {
        names = new String[] {"activation", "HardSigmoid", "ReLU"};
        left = left.toBuilder().set(Column.ACTIVATION, "HardSigmoid").build();
        right
            .set(Column.ACTIVATION, "ReLU")
            .set(Column.GAP, gap * (0.7 + 0.35 * random.nextDouble()))
            .set(Column.JACOBIAN_NORM, norm * (0.2 + random.nextDouble()))
            .set(Column.TRANSITIONS, transitions * (0.3 + random.nextDouble()));
      }
      default -> {
        names = new String[] {"optimizer", "L-BFGS", "Momentum"};
        left = left.toBuilder().set(Column.OPTIMIZER, "L-BFGS").build();
        right
            .set(Column.OPTIMIZER, "Momentum")
            .set(Column.GAP, gap * (0.75 + 0.3 * random.nextDouble()))
            .set(Column.JACOBIAN_NORM, norm * (0.1 + random.nextDouble()))
            .set(Column.TRANSITIONS, transitions * (0.2 + random.nextDouble()));
      }
    }
    String key = "%s-%d".formatted(dataset, index);
    seeds(random, key + "-left", left);
    seeds(random, key + "-right", right.build());
    for (int seed = 1; seed <= seeds; seed++) {
      pairs.add(
          new Pair(names[0], names[1], names[2], key + "-left-" + seed, key + "-right-" + seed));
    }
  }

  private void seeds(UniformRandomProvider random, String setting, NetworkRow row) {
    // What stands first in a hash tells nothing of the setting.
    String hash = "%016x".formatted(random.nextLong());
    for (int seed = 1; seed <= seeds; seed++) {
      double own = random.nextDouble() - 0.5;
      rows.add(
          row.toBuilder()
              .set(Column.SETTING, hash + setting)
              .set(Column.IDENTITY, setting + "-" + seed)
              .set(Column.SEED, seed)
              .set(Column.GAP, Math.min(0.9, row.number(Column.GAP) + 0.03 * own))
              .set(Column.JACOBIAN_NORM, row.number(Column.JACOBIAN_NORM) * Math.exp(0.5 * own))
              .set(Column.TRANSITIONS, row.number(Column.TRANSITIONS) * Math.exp(0.3 * own))
              .build());
    }
  }
}
