package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.DriverException;

/**
 * What a kernel did that a card would let pass in silence, or answer with an unnamed error: the
 * kernel, block, thread and PTX line that did it and the nearest array.
 */
public final class EmulatorFault extends DriverException {
  private static final long serialVersionUID = 1;

  private final String kernel;
  private final int line;

  EmulatorFault(String kernel, int line, String message) {
    super(message);
    this.kernel = kernel;
    this.line = line;
  }

  /** The kernel at fault, as {@code module.entry}. */
  public String kernel() {
    return kernel;
  }

  /** The line of the PTX text, from 1; 0 where no line can be blamed. */
  public int line() {
    return line;
  }
}
