package dev.flinch.device.cuda.driver;

/** What the driver, or the emulator in its place, refused: the call, the answer and what to try. */
public class DriverException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public DriverException(String message) {
    super(message);
  }

  public DriverException(String message, Throwable cause) {
    super(message, cause);
  }
}
