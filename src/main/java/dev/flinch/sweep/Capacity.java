package dev.flinch.sweep;

import dev.flinch.bench.GemmRate;
import dev.flinch.device.Device;
import dev.flinch.experiment.Study;
import java.io.Serializable;
import java.time.Duration;

/**
 * What a worker with a device of its own, or with a part of one, can take on.
 *
 * @param stackBytes what the buffers of one stack may take
 * @param productsPerSecond FLOP a second of large matrix products
 * @param card whether networks of a stack share every operation, which keeps a card busy
 */
public record Capacity(long stackBytes, double productsPerSecond, boolean card)
    implements Serializable {
  /** A stack should not take longer: what others wait for at the end. */
  private static final Duration LONGEST_STACK = Duration.ofMinutes(10);

  /** A card is busy with many networks at once only. */
  private static final Duration LONGEST_STACK_ON_CARD = Duration.ofHours(1);

  /** Before an operation begins on a card, about; not measured. */
  private static final double LAUNCH_SECONDS = 5e-6;

  /** A device's, measured in a fraction of a second. */
  public static Capacity of(Device device) {
    return new Capacity(
        Study.mostStackBytes(device),
        GemmRate.roughly(device).gflops() * 1e9,
        device.takesWholeStacks());
  }

  /** The capacity of each of several workers that share what this one has. */
  public Capacity shared(int sharers) {
    return new Capacity(stackBytes / sharers, productsPerSecond / sharers, card);
  }

  /** What a sweep is planned for that so many workers like this one carry out. */
  public Workshop workshop(int workers) {
    return new Workshop(
        stackBytes,
        Rate.ofProducts(productsPerSecond, card ? LAUNCH_SECONDS : 0),
        workers,
        card ? LONGEST_STACK_ON_CARD : LONGEST_STACK);
  }
}
