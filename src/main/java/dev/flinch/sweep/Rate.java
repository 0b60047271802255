package dev.flinch.sweep;

import dev.flinch.network.Architecture;
import java.util.stream.IntStream;

/**
 * How fast a device works, for estimates of time. Whoever asks for a plan measures it, or takes
 * {@link #ofProducts} and the rate of large products.
 */
@FunctionalInterface
public interface Rate {
  /** Kinds of work, which reach different fractions of the rate of large products. */
  enum Phase {
    TRAINING,
    JACOBIAN_NORMS,
    SAMPLED_TRAJECTORIES,
    EXACT_TRAJECTORIES
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

  /**
   * An ESTIMATE from the rate of large matrix products on a device alone: the fractions of it that
   * the jobs of {@code flinch bench} reach on two cores, as README.md has them. Training reaches
   * 0.53, 0.66 and 0.74 of it with 100, 200 and 1000 units a layer, which 0.76 w / (w + 33) fits;
   * Jacobian norms and sampled trajectories 0.75, of 200 units and more; exact walks a tenth. Of
   * convolutions nothing has been measured: their channels are taken for units. For cards nothing
   * has been measured; what cuda-tests/RESULTS.md guesses for training there, 0.4 to 0.6, is near.
   *
   * @param productsPerSecond FLOP a second of the largest products
   */
  static Rate ofProducts(double productsPerSecond) {
    return ofProducts(productsPerSecond, 0);
  }

  /** The same with {@link #launchSeconds}. */
  static Rate ofProducts(double productsPerSecond, double launchSeconds) {
    return new Rate() {
      @Override
      public double flopPerSecond(Phase phase, Architecture architecture, int networks) {
        double width =
            IntStream.range(0, architecture.depth() - 1)
                .mapToDouble(architecture::rows)
                .average()
                .orElse(1);
        double ofWidth = 0.76 * width / (width + 33);
        return productsPerSecond
            * switch (phase) {
              case TRAINING, JACOBIAN_NORMS, SAMPLED_TRAJECTORIES -> ofWidth;
              case EXACT_TRAJECTORIES -> 0.1;
            };
      }

      @Override
      public double launchSeconds() {
        return launchSeconds;
      }
    };
  }
}
