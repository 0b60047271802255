package dev.flinch.sweep;

import java.time.Duration;

/**
 * Where a sweep is to be carried out, as far as it decides how networks are packed into stacks.
 *
 * @param stackBytes what the buffers of one stack may take on a device
 * @param rate of one of its devices
 * @param workers devices, or parts of them, that work at the same time
 * @param longest a stack should not take longer, so that little is lost when a worker is; a single
 *     network may
 */
public record Workshop(long stackBytes, Rate rate, int workers, Duration longest) {
  public Workshop {
    if (stackBytes < 1 || workers < 1 || longest.isNegative() || longest.isZero()) {
      throw new IllegalArgumentException(
          "expected room, workers and time, found %d bytes, %d, %s"
              .formatted(stackBytes, workers, longest));
    }
  }
}
