package dev.flinch.training;

/**
 * When training ends: at whichever of its conditions comes first.
 *
 * @param epochs the most epochs, or 0 for no limit
 * @param steps the most steps, or 0 for no limit
 * @param trainAccuracy accuracy over the whole training split, looked at after each epoch, that
 *     ends a replica's training; above 1 for never
 */
public record StopRule(int epochs, long steps, double trainAccuracy) {
  public StopRule {
    if (epochs <= 0 && steps <= 0) {
      throw new IllegalArgumentException("expected a limit on epochs or steps");
    }
  }

  /** The number of steps after which training ends in any case. */
  long lastStep(long stepsPerEpoch) {
    long byEpochs = epochs > 0 ? epochs * stepsPerEpoch : Long.MAX_VALUE;
    return steps > 0 ? Math.min(steps, byEpochs) : byEpochs;
  }
}
