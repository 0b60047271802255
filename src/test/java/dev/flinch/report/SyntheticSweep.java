package dev.flinch.report;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import dev.flinch.store.Pair;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * Networks that nobody trained, with numbers like those of Novak et al.: the gap rises with the
 * Jacobian norm, random labels are far off, some networks diverge and a few fail.
 */
record SyntheticSweep(List<NetworkRow> rows, List<Pair> pairs) {
  private static final int SEEDS = 5;
  private static final List<String> ACTIVATIONS = List.of("relu", "relu6", "hard_tanh", "tanh");
  private static final List<String> OPTIMIZERS = List.of("sgd", "momentum", "adam", "rmsprop");

  /** Settings of five seeds each; every other setting is its predecessor with random labels. */
  static SyntheticSweep of(int networks) {
    List<NetworkRow> rows = new ArrayList<>();
    List<Pair> pairs = new ArrayList<>();
    for (int i = 0; i < networks; i++) {
      int setting = i / SEEDS;
      int base = setting / 2;
      int seed = i % SEEDS;
      boolean random = setting % 2 == 1;
      UniformRandomProvider choice = RandomStreams.stream(1, Purpose.BOOTSTRAP, 11, base);
      NetworkRow.Builder row = NetworkRow.builder();
      String activation = ACTIVATIONS.get(choice.nextInt(4));
      String optimizer = OPTIMIZERS.get(choice.nextInt(4));
      int depth = 2 + choice.nextInt(5);
      int width = 50 << choice.nextInt(6);
      int batch = 32 << 2 * choice.nextInt(3);
      double rate = Math.pow(10, -1 - 3 * choice.nextDouble());
      boolean moved = !random && choice.nextInt(3) == 0;
      long parameters = 1728L * width + (depth - 2L) * width * width + 10L * width;
      row.set(Column.IDENTITY, identity("network", i))
          .set(Column.SETTING, identity("setting", setting))
          .set(Column.DATASET, "cifar10")
          .set(Column.TRAIN_IMAGES, 50_000)
          .set(Column.CROP, 24)
          .set(Column.DEPTH, depth)
          .set(Column.WIDTH, width)
          .set(Column.ACTIVATION, activation)
          .set(Column.BIASES, 0)
          .set(Column.INIT_SCALE, 1.0)
          .set(Column.OPTIMIZER, optimizer)
          .set(Column.LEARNING_RATE, rate)
          .set(Column.BATCH_SIZE, batch)
          .set(Column.LABELS, random ? "random" : "true")
          .set(Column.AUGMENTATION, moved ? "shift+flip" : "none")
          .set(Column.SEED, seed)
          .set(Column.PARAMETERS, parameters)
          .set(Column.CONFIGURATION, configuration(depth, width, activation, optimizer, rate, i));
      if (i % 997 == 3) {
        row.set(Column.STATUS, "failed")
            .set(Column.ERROR, "the device's memory is full: expected 3.2 GiB, found 1.1 GiB");
      } else if (i % 211 == 7) {
        row.set(Column.STATUS, "diverged").set(Column.OUTCOME, "diverged");
      } else {
        measures(row, i, base, depth, width, rate, parameters, random, moved);
      }
      rows.add(row.build());
      if (random) {
        String left = rows.get(i - SEEDS).text(Column.IDENTITY);
        pairs.add(new Pair("labels", "true", "random", left, identity("network", i)));
      }
    }
    return new SyntheticSweep(rows, pairs);
  }

  private static void measures(
      NetworkRow.Builder row,
      int i,
      int base,
      int depth,
      int width,
      double rate,
      long parameters,
      boolean random,
      boolean moved) {
    ZigguratSampler.NormalizedGaussian gaussian =
        ZigguratSampler.NormalizedGaussian.of(RandomStreams.stream(1, Purpose.BOOTSTRAP, 12, base));
    ZigguratSampler.NormalizedGaussian own =
        ZigguratSampler.NormalizedGaussian.of(RandomStreams.stream(1, Purpose.BOOTSTRAP, 13, i));
    double log =
        0.7 * gaussian.sample() + 0.3 * depth - 0.25 * Math.log(width / 50.0) + 0.1 * own.sample();
    double norm = Math.exp(log + (random ? 2.4 : moved ? -0.8 : 0));
    double test =
        random
            ? 0.1 + 0.003 * own.sample()
            : 0.53 - 0.05 * log + (moved ? 0.07 : 0) + 0.012 * own.sample();
    boolean accurate = (base + i) % 9 != 0;
    double train = accurate ? 1 : 0.96 + 0.0399 * Math.abs(Math.sin(i));
    test = Math.round(Math.max(0.1, test) * 10_000) / 10_000.0;
    double transitions =
        (random ? 2.5 : 1)
            * Math.pow(parameters, 0.5)
            * Math.exp(0.4 * gaussian.sample() + 0.05 * own.sample());
    List<String> layers = new ArrayList<>();
    for (int l = 1; l < depth; l++) {
      layers.add(String.format(Locale.ROOT, "%.2f", transitions / (depth - 1)));
    }
    row.set(Column.STATUS, "done")
        .set(Column.OUTCOME, accurate ? "accurate" : "completed")
        .set(Column.STEPS, 1000L * (1 + base % 700))
        .set(Column.TRAIN_ACCURACY, train)
        .set(Column.TEST_ACCURACY, test)
        .set(Column.TRAIN_LOSS, Math.exp(-7 + 0.8 * gaussian.sample() + (accurate ? 0 : 4)))
        .set(Column.TEST_LOSS, 2 + norm / 10)
        .set(Column.GAP, train - test)
        .set(Column.JACOBIAN_NORM, norm)
        .set(Column.JACOBIAN_NORM_ERROR, norm / 100)
        .set(Column.LOGIT_JACOBIAN_NORM, norm * 11.3)
        .set(Column.TRANSITIONS, transitions)
        .set(Column.TRANSITIONS_PER_LAYER, layers.toString())
        .set(Column.SECONDS, 12.5 + rate)
        .set(Column.DEVICE, "CPU, 2 cores")
        .set(Column.VERSION, "0.2.0");
  }

  /** 32 hexadecimal digits. */
  private static String identity(String kind, int i) {
    UniformRandomProvider random = RandomStreams.stream(kind.hashCode(), Purpose.BOOTSTRAP, 14, i);
    return "%016x%016x".formatted(random.nextLong(), random.nextLong());
  }

  private static String configuration(
      int depth, int width, String activation, String optimizer, double rate, int seed) {
    return """
        {"name": "network", "seed": %d, "data": {"name": "cifar10", "crop": 24, "train": null},
         "network": {"hidden": %s, "activation": "%s", "biases": false, "initScale": 1.0},
         "training": {"optimizer": "%s", "learningRate": %s, "epochs": 2000, "label": "a \\"b\\" <c>",
          "stop": {"trainAccuracy": 1.0, "patience": 10}, "augmentations": []},
         "measures": {"jacobian": {"points": 10000}, "trajectories": [{"kind": "ellipse", "count": 10,
          "points": 1048576, "method": "exact"}, {"kind": "translation", "count": 10}]}}
        """
        .formatted(seed, Collections.nCopies(depth - 1, width), activation, optimizer, rate);
  }

  static ReportPage.Origin origin(String title) {
    Map<String, String> provenance = new LinkedHashMap<>();
    provenance.put("version", "Flinch 0.2.0");
    provenance.put("devices", "CPU, 2 cores");
    provenance.put("created", "2025-01-01T00:00:00Z");
    provenance.put(
        "cifar10", "sha256 c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd");
    return new ReportPage.Origin(
        title, "sweep.db", provenance, "{\"name\": \"a <b>sweep</b> </script>\", \"seeds\": 5}");
  }
}
