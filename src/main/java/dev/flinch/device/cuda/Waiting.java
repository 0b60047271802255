package dev.flinch.device.cuda;

import dev.flinch.device.DeviceLostException;
import dev.flinch.device.cuda.driver.Driver;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * Waits for a card by asking it, so that one that hangs is noticed: the driver's own waits would
 * never return.
 */
final class Waiting {
  /** How long it asks without a pause: launches of small kernels end within it. */
  private static final long SPIN_NANOS = 200_000;

  private static final long PAUSE_NANOS = 50_000;

  private final Driver driver;
  private final Duration patience;

  /**
   * @param patience how long anything may take
   */
  Waiting(Driver driver, Duration patience) {
    this.driver = driver;
    this.patience = patience;
  }

  /** Until everything given to a stream so far is done. */
  void forAll(Driver.Stream stream) {
    try (Driver.Event event = driver.event()) {
      driver.record(stream, event);
      until(event);
    }
  }

  /**
   * Until an event.
   *
   * @throws DeviceLostException if it takes longer than the card is given
   */
  void until(Driver.Event event) {
    long started = System.nanoTime();
    while (!driver.done(event)) {
      long waited = System.nanoTime() - started;
      if (waited > patience.toNanos()) {
        driver.abandon();
        throw new DeviceLostException(
            "%s: no answer for %d seconds; it hangs, or is shared with much longer work (-D%s=SECONDS waits longer)"
                .formatted(driver.card().name(), patience.toSeconds(), CudaDevice.PATIENCE));
      }
      if (waited < SPIN_NANOS) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(PAUSE_NANOS);
      }
    }
  }
}
