package dev.flinch.device;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Owns device arrays and frees them together, the last first. Closing twice is harmless. A scope
 * that doesn't get what it asks for frees what it has, so that whoever is half made leaves nothing
 * behind.
 */
public final class Scope implements AutoCloseable {
  private final Device device;
  private final Device.Range range;
  private final Deque<DeviceArray> owned = new ArrayDeque<>();

  public Scope(Device device) {
    this.device = device;
    this.range = null;
  }

  /**
   * A scope that is a phase of the work too.
   *
   * @param range the name of its {@linkplain Device#range range}
   */
  public Scope(Device device, String range) {
    this.device = device;
    this.range = device.range(range);
  }

  /** A new array of zeros that lives as long as this scope. */
  public DeviceArray allocate(ElementType type, long length) {
    try {
      DeviceArray array = device.allocate(type, length);
      owned.push(array);
      return array;
    } catch (OutOfDeviceMemoryException e) {
      close();
      throw e;
    }
  }

  /** A new float32 array of zeros. */
  public DeviceArray floats(long length) {
    return allocate(ElementType.FLOAT32, length);
  }

  /** A new float64 array of zeros. */
  public DeviceArray doubles(long length) {
    return allocate(ElementType.FLOAT64, length);
  }

  /** A new int32 array of zeros. */
  public DeviceArray ints(long length) {
    return allocate(ElementType.INT32, length);
  }

  /** A new int64 array of zeros. */
  public DeviceArray longs(long length) {
    return allocate(ElementType.INT64, length);
  }

  /** A new {@code rows × columns} matrix of float32 zeros, its rows padded. */
  public Matrix matrix(int rows, int columns) {
    return matrices(1, rows, columns);
  }

  /** The same, one a replica. */
  public Matrix matrices(int replicas, int rows, int columns) {
    long length = (long) replicas * rows * Matrix.paddedColumns(columns);
    return Matrix.padded(floats(length), replicas, rows, columns);
  }

  @Override
  public void close() {
    while (!owned.isEmpty()) {
      owned.pop().close();
    }
    if (range != null) {
      range.close();
    }
  }
}
