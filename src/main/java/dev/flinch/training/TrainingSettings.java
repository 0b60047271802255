package dev.flinch.training;

import dev.flinch.device.OptimizerRule;

/**
 * How a stack is trained; what its replicas share.
 *
 * @param rule the optimizer
 * @param batchSize examples a step; the last step of an epoch takes what is left
 * @param decayFactor what the learning rate is multiplied by every {@code decayEpochs} epochs (0.1
 *     every 500 in Novak et al., §A.5)
 * @param stop when to end
 */
public record TrainingSettings(
    OptimizerRule rule, int batchSize, double decayFactor, int decayEpochs, StopRule stop) {
  public TrainingSettings {
    if (batchSize < 1 || decayEpochs < 1 || !(decayFactor > 0)) {
      throw new IllegalArgumentException("impossible settings");
    }
  }

  /** The learning rate in an epoch (counted from 0), before the optimizer's own factor. */
  double rate(double initialRate, int epoch) {
    return initialRate * Math.pow(decayFactor, epoch / decayEpochs);
  }
}
