package dev.flinch.device;

/** Elements of one type in a device's memory, owned by the scope that allocated them. */
public interface DeviceArray extends AutoCloseable {
  ElementType type();

  /** The number of elements. */
  long length();

  /** Frees the memory; closing twice is harmless. */
  @Override
  void close();
}
