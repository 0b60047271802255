package dev.flinch.sweep;

import dev.flinch.device.Activation;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Configuration.Labels;
import dev.flinch.experiment.Configuration.Shape;
import dev.flinch.training.Augmentation;
import dev.flinch.training.Optimizer;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** A value for each factor but the seed: a network but for its seed. */
final class Setting {
  private final Object[] values;

  /**
   * @param values by the factors' ordinals; that of the seed is not looked at
   */
  Setting(Object[] values) {
    this.values = values;
  }

  /** This setting with other values for some factors. */
  Setting with(Map<Factor, Object> others) {
    Object[] changed = values.clone();
    if (others.containsKey(Factor.DEPTH) || others.containsKey(Factor.WIDTH)) {
      changed[Factor.SHAPE.ordinal()] = null;
    }
    others.forEach((factor, value) -> changed[factor.ordinal()] = value);
    return new Setting(changed);
  }

  /** The value of a factor that this setting has; null stands for all, or for no limit. */
  Object get(Factor factor) {
    return values[factor.ordinal()];
  }

  /** Whether networks of this setting have a factor. */
  boolean has(Factor factor) {
    return factor.isOfLayers()
        ? (factor == Factor.SHAPE) == (get(Factor.SHAPE) != null)
        : factor.appliesWith(optimizer());
  }

  /** What tells settings apart that don't have the same factors. */
  record Kind(Optimizer optimizer, boolean shaped) {}

  /** Settings of one kind have the same factors. */
  Kind kind() {
    return new Kind(optimizer(), has(Factor.SHAPE));
  }

  /** Whether it says its hidden layers; a pair's side may leave out a width or depth. */
  boolean saysLayers() {
    return has(Factor.SHAPE) || (get(Factor.DEPTH) != null && get(Factor.WIDTH) != null);
  }

  /** Its hidden layers, if it {@link #saysLayers}. */
  Shape shape() {
    return has(Factor.SHAPE)
        ? (Shape) get(Factor.SHAPE)
        : new Shape(Collections.nCopies(integer(Factor.DEPTH) - 1, integer(Factor.WIDTH)));
  }

  Optimizer optimizer() {
    return (Optimizer) get(Factor.OPTIMIZER);
  }

  private Integer integer(Factor factor) {
    Long value = (Long) get(factor);
    return value == null ? null : Integer.valueOf(value.intValue());
  }

  /** A network of this setting, as a study of that network alone. */
  Configuration configuration(SweepConfiguration sweep, long seed) {
    return new Configuration(
        sweep.title(),
        sweep.seed(),
        new Configuration.Data(
            (String) get(Factor.DATASET),
            integer(Factor.TRAIN),
            sweep.validation(),
            sweep.test(),
            integer(Factor.CROP)),
        new Configuration.Networks(
            List.of(shape()),
            List.of((Activation) get(Factor.ACTIVATION)),
            (Boolean) get(Factor.BIASES),
            List.of((Double) get(Factor.INIT_SCALE)),
            List.of(seed)),
        new Configuration.Training(
            optimizer(),
            has(Factor.LEARNING_RATE) ? List.of((Double) get(Factor.LEARNING_RATE)) : List.of(),
            has(Factor.BATCH_SIZE) ? integer(Factor.BATCH_SIZE) : null,
            List.of((Labels) get(Factor.LABELS)),
            List.of((Augmentation) get(Factor.AUGMENTATION)),
            has(Factor.DECAY_FACTOR) ? (Double) get(Factor.DECAY_FACTOR) : null,
            has(Factor.DECAY_EPOCHS) ? integer(Factor.DECAY_EPOCHS) : null,
            new Configuration.Stop(
                integer(Factor.EPOCHS),
                (Long) get(Factor.STEPS),
                (Double) get(Factor.TRAIN_ACCURACY)),
            sweep.checkpointSeconds()),
        sweep.measures());
  }
}
