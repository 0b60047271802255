package dev.flinch.device;

/** The types of numbers that device memory holds. */
public enum ElementType {
  FLOAT32(4),
  FLOAT64(8),
  UINT8(1),
  INT32(4),
  INT64(8);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
