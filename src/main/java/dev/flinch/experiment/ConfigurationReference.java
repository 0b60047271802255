package dev.flinch.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.experiment.Schema.Key;
import dev.flinch.experiment.Schema.ObjectSchema;
import java.util.List;

/** Lists of all keys of configurations, made from the declarations that check them. */
public final class ConfigurationReference {
  /** A configuration that shows a little of everything; it loads. */
  static final String EXAMPLE =
      """
      {
        "title": "Width and sensitivity",
        "data": {"dataset": "mnist", "train": 10000},
        "networks": {
          "shapes": [{"depth": 3, "width": 100}, {"hidden": [500, 300, 100]}],
          "activations": ["ReLU", "HardTanh"],
          "seeds": [1, 2, 3]
        },
        "training": {
          "optimizer": "Momentum",
          "learningRates": [0.005],
          "labels": ["true", "random"],
          "stop": {"epochs": 300}
        },
        "measures": {
          "jacobian": {"split": "test", "count": 2000},
          "trajectories": [
            {"kind": "through", "anchors": "differentClasses", "points": 65536},
            {"kind": "translation", "image": 7}
          ],
          "regions": [{"anchors": "differentClasses", "size": 512, "layer": "last"}],
          "stiffness": {"every": 500, "pairs": ["train-train", "train-test"]}
        }
      }
      """;

  private static final String INTRODUCTION =
      """
      # Configurations

      A configuration is a JSON file that says what `flinch run` trains and measures; what `flinch
      sweep` takes is [below](#sweeps). A study trains
      every combination of shape, activation, initial scale, learning rate, labels, augmentation and
      seed; networks of one architecture are trained together. `quickstart.json` needs no data but
      what Flinch draws itself; `mnist.json` is the same study on MNIST. `figure-2.json`,
      `figure-3.json` and `figure-6.json` ask for what Figures 2, 3 and 6 of Novak et al. show, with
      the paper's settings; those with `-small` in their names train less, and are meant for a CPU
      (`figure-3-small.json` without augmentation, which takes far more training to fit). Figure 6 is
      then drawn by `flinch points` of the run's networks. `stiffness.json` and `stiffness-cnn.json`
      measure stiffness along training of the networks of Fort et al., the latter with convolutions; they
      too have small siblings.

      ```
      flinch run configs/quickstart.json
      flinch run configs/quickstart.json --set networks.seeds=[1,2,3,4] --set training.optimizer=Adam
      ```

      `--set key=value` goes before the file: keys are paths as in the table, `networks.shapes[0].width`
      or `networks.shapes.0.width`; values are JSON, or else text. Unknown keys, wrong types and
      impossible values are all reported together, before anything runs. The run folder's
      `config.json` is the configuration with every default filled in, and can be run again.

      An example:

      ```json
      """;

  private ConfigurationReference() {}

  /** What {@code configs/README.md} says of studies. */
  public static String markdown() {
    return INTRODUCTION + EXAMPLE + "```\n\n## Keys\n\n" + table(Configurations.schema());
  }

  /** A table of all keys of an object and of those below it, but for keys without a meaning. */
  public static String table(ObjectSchema schema) {
    StringBuilder table =
        new StringBuilder("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    rows(schema.keys(), "", table);
    return table.toString();
  }

  private static void rows(List<Key> keys, String path, StringBuilder page) {
    for (Key key : keys) {
      if (key.meaning().isEmpty()) {
        continue;
      }
      String at = Schema.child(path, key.name());
      page.append(
          "| `%s` | %s | %s | %s%s |\n"
              .formatted(
                  at,
                  key.schema().title(),
                  fallback(key.fallback()),
                  key.meaning(),
                  key.when().isEmpty() ? "" : " Only " + key.when() + "."));
      if (key.schema().inner() instanceof ObjectSchema object) {
        rows(object.keys(), key.schema().innerPath(at), page);
      }
    }
  }

  private static String fallback(JsonNode value) {
    if (value == null) {
      return "**required**";
    }
    return value.isObject() ? "as below" : "`" + value + "`";
  }
}
