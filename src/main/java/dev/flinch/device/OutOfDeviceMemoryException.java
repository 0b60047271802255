package dev.flinch.device;

/** An allocation that the device has no memory for. */
public final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final long neededBytes;
  private final long freeBytes;

  /**
   * @param neededBytes what was asked for
   * @param freeBytes what there was
   */
  public OutOfDeviceMemoryException(String device, long neededBytes, long freeBytes) {
    super(
        "%s: %,d bytes of memory needed, %,d bytes free".formatted(device, neededBytes, freeBytes));
    this.neededBytes = neededBytes;
    this.freeBytes = freeBytes;
  }

  /** What was asked for. */
  public long neededBytes() {
    return neededBytes;
  }

  /** What there was. */
  public long freeBytes() {
    return freeBytes;
  }
}
