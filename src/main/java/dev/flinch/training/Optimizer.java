package dev.flinch.training;

import com.fasterxml.jackson.annotation.JsonValue;
import dev.flinch.device.OptimizerRule;
import java.util.Optional;

/** How networks are trained: by a rule on mini-batches, or by L-BFGS on all examples at once. */
public enum Optimizer {
  SGD(OptimizerRule.SGD),
  MOMENTUM(OptimizerRule.MOMENTUM),
  ADAM(OptimizerRule.ADAM),
  RMSPROP(OptimizerRule.RMSPROP),
  /** {@link LbfgsTrainer}. */
  LBFGS(null);

  private final OptimizerRule rule;

  Optimizer(OptimizerRule rule) {
    this.rule = rule;
  }

  /** The name that users write and read. */
  @JsonValue
  public String label() {
    return rule == null ? "L-BFGS" : rule.label();
  }

  @Override
  public String toString() {
    return label();
  }

  /** What {@link Trainer} follows; none where {@link LbfgsTrainer} trains. */
  public Optional<OptimizerRule> rule() {
    return Optional.ofNullable(rule);
  }

  /** Numbers beside every weight that a checkpoint holds. */
  public int slots() {
    return rule == null ? LbfgsTrainer.slots() : rule.slots();
  }
}
