package dev.flinch.sensitivity;

/**
 * What of stiffness is measured beside the class matrix.
 *
 * @param perLayer whether the class matrix of each layer's part of the gradients is wanted too
 * @param byDistance whether stiffness against distance is
 * @param binWidth of distances, which are from 0 to 2; 0.001 to 2
 * @param resamples that the interval of the critical length is of, 1 or more
 * @param seed of the resamples
 */
public record StiffnessSettings(
    boolean perLayer, boolean byDistance, double binWidth, int resamples, long seed) {
  /** All of it, in bins of 0.05. */
  public static final StiffnessSettings ALL = new StiffnessSettings(true, true, 0.05, 1000, 0);

  /** The class matrix alone. */
  public static final StiffnessSettings CLASSES =
      new StiffnessSettings(false, false, 0.05, 1000, 0);

  public StiffnessSettings {
    if (!(binWidth >= 0.001 && binWidth <= 2) || resamples < 1) {
      throw new IllegalArgumentException(
          "expected bins of a width from 0.001 to 2 and a resample or more, found %s and %d"
              .formatted(binWidth, resamples));
    }
  }
}
