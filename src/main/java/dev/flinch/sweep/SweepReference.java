package dev.flinch.sweep;

import dev.flinch.experiment.ConfigurationReference;

/** The page of all configuration keys, {@code configs/README.md}: of studies and of sweeps. */
public final class SweepReference {
  /** A sweep that shows a little of everything; it loads. */
  static final String EXAMPLE =
      """
      {
        "title": "Width, rate and sensitivity",
        "data": {"train": 5000},
        "training": {"stop": {"epochs": 30}},
        "measures": {"jacobian": {"count": 1000}},
        "factors": {
          "dataset": "mnist",
          "depth": [2, 3, 5],
          "width": {"powersOfTwo": [16, 1024]},
          "activation": ["ReLU", "Tanh"],
          "learningRate": {"logUniform": [0.001, 0.1]},
          "batchSize": 128,
          "seed": {"linear": [1, 8]}
        },
        "sampling": {"method": "sobol", "settings": 500},
        "constraints": ["width * width * depth < 2e6"],
        "pairs": [{"name": "labels", "left": {"labels": "true"}, "right": {"labels": "random"}}]
      }
      """;

  private static final String INTRODUCTION =
      """

      ## Sweeps

      `flinch sweep` trains very many networks that differ in *factors*. A factor has one value; a list
      of them; a range, which stands for a list; or a distribution, from which `sampling.method`
      random or sobol draws:

      | values | meaning |
      | --- | --- |
      | `3`, `[2, 3, 5]` | one value, or each of them |
      | `{"linear": [1, 8]}` | all integers from 1 to 8; `"step": 2` every other one; `"count": 5` so many, equally far apart |
      | `{"log": [0.001, 0.1], "count": 3}` | 0.001, 0.01, 0.1: each the same multiple of the one before |
      | `{"powersOfTwo": [16, 128]}` | 16, 32, 64, 128 |
      | `{"uniform": [0.1, 0.5]}` | drawn from 0.1 to 0.5, both included |
      | `{"logUniform": [0.001, 0.1]}` | drawn so that the logarithm is uniform |
      | `{"normal": [100, 20]}` | drawn from a normal distribution of that mean and deviation; draws that the factor can't take are drawn again |

      Ranges and draws of factors that are integers are rounded, and equal values are one; numbers of
      ranges are kept to 12 digits, drawn ones to 6. A *setting* is a value for each factor but `seed`,
      and each setting is trained with every seed. A network is a study of its own: what `flinch run`
      would be given for it alone. Two that are the same but for title and checkpoints are one, and
      known by the same identity in every sweep. `flinch sweep --dry-run` says what a sweep comes to.

      ```json
      """;

  private SweepReference() {}

  /** The whole page. */
  public static String page() {
    return ConfigurationReference.markdown()
        + INTRODUCTION
        + EXAMPLE
        + "```\n\n### Keys of sweeps\n\n"
        + ConfigurationReference.table(SweepSchema.schema())
        + "\nThis page is made from the program's declarations.\n";
  }
}
