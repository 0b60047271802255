package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.CardDriver;
import dev.flinch.device.cuda.driver.Cards;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.EmulatedDriver;

/**
 * What the tests in this folder run on: the emulator, or a card with {@code -Dflinch.device=cuda}.
 */
public final class TestedDevice {
  private TestedDevice() {}

  /** Whether that is the emulator. */
  public static boolean isEmulated() {
    return System.getProperty("flinch.device", "emulator").equals("emulator");
  }

  /** A new device for the caller to close. */
  public static CudaDevice open() {
    return new CudaDevice(isEmulated() ? "emulator" : "cuda", driver());
  }

  /** A driver for the caller to close. */
  public static Driver driver() {
    return isEmulated() ? new EmulatedDriver() : new CardDriver(card());
  }

  /** The card that tests run on, which is the machine's first one. */
  static Card card() {
    Cards cards = Cards.find();
    if (cards.found().isEmpty()) {
      throw new IllegalStateException("-Dflinch.device=cuda: " + cards.missing());
    }
    return cards.found().get(0);
  }
}
