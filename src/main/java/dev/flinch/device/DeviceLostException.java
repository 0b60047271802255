package dev.flinch.device;

/** A device that no longer answers: nothing more can be computed on it by this process. */
public final class DeviceLostException extends RuntimeException {
  private static final long serialVersionUID = 1;

  public DeviceLostException(String message) {
    super(message);
  }

  public DeviceLostException(String message, Throwable cause) {
    super(message, cause);
  }
}
