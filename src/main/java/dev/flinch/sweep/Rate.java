package dev.flinch.sweep;

import dev.flinch.network.Architecture;

/**
 * How fast a device works, for estimates of time. Whoever asks for a plan measures it, or takes
 * {@link #ofProducts} and the rate of one large product.
 */
@FunctionalInterface
public interface Rate {
  /** Kinds of work, which reach different fractions of the rate of large products. */
  enum Phase {
    TRAINING,
    JACOBIAN_NORMS,
    TRAJECTORIES
  }

  /**
   * Floating-point operations a second of a phase.
   *
   * @param networks how many of that architecture work together in a stack
   */
  double flopPerSecond(Phase phase, Architecture architecture, int networks);

  /** Seconds before the device begins what it is asked for, once an operation; 0 for a CPU. */
  default double launchSeconds() {
    return 0;
  }
}
