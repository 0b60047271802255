package dev.flinch.bench;

import dev.flinch.device.cuda.ProfilingDriver;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.EmulatedDriver;

/**
 * Sees every launch of the device that it is given to {@link
 * dev.flinch.experiment.Devices#choose(String, java.util.function.UnaryOperator)} for: times them
 * on a card; the emulator counts by itself, and its time says nothing of a card's.
 */
public final class LaunchObserver {
  private ProfilingDriver card;
  private EmulatedDriver emulator;

  /** Puts the observer around a driver; the last one counts, where several cards are tried. */
  public Driver around(Driver driver) {
    if (driver instanceof EmulatedDriver emulated) {
      emulator = emulated;
      return emulated;
    }
    card = new ProfilingDriver(driver);
    return card;
  }

  /** The card's driver; null for the emulator. */
  ProfilingDriver card() {
    return card;
  }

  EmulatedDriver emulator() {
    return emulator;
  }
}
