package dev.flinch.experiment;

import dev.flinch.device.ImageShape;
import dev.flinch.network.Architecture;
import java.util.List;

/**
 * Networks of one architecture that are trained together; they differ in seed, labels,
 * augmentation, learning rate and initial scale.
 */
public record Stack(List<Replica> replicas) {
  public Stack {
    replicas = List.copyOf(replicas);
  }

  /** The architecture of all replicas. */
  public Architecture architecture(ImageShape image, int classes) {
    return replicas.get(0).architecture(image, classes);
  }
}
