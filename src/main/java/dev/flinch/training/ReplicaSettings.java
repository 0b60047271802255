package dev.flinch.training;

/**
 * What one replica of a stack has for itself.
 *
 * @param seed keys its shuffles and the moves of its images
 * @param learningRate before decay
 * @param labels a class for each training example
 * @param augmentation how its images are moved
 */
public record ReplicaSettings(
    long seed, double learningRate, int[] labels, Augmentation augmentation) {

  /** Without augmentation. */
  public ReplicaSettings(long seed, double learningRate, int[] labels) {
    this(seed, learningRate, labels, Augmentation.NONE);
  }
}
