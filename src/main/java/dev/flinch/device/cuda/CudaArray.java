package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.cuda.driver.Driver;
import java.util.concurrent.atomic.AtomicLong;

/** Memory of a card. */
final class CudaArray implements DeviceArray {
  private final Driver driver;
  private final ElementType type;
  private final long length;
  private final AtomicLong liveBytes;
  private long address;

  /** Memory with nothing in it yet. */
  CudaArray(Driver driver, ElementType type, long length, AtomicLong liveBytes) {
    this.driver = driver;
    this.type = type;
    this.length = length;
    this.liveBytes = liveBytes;
    // Whoever asks for nothing still gets an address of their own.
    this.address = driver.allocate(Math.max(1, bytes()));
    liveBytes.addAndGet(bytes());
  }

  /** The address of {@code count} elements from {@code start} on. */
  long address(long start, long count) {
    if (address == 0) {
      throw new IllegalStateException("this array was closed");
    }
    if (start < 0 || count < 0 || start + count > length) {
      throw new IndexOutOfBoundsException(
          "elements %d to %d of %d".formatted(start, start + count - 1, length));
    }
    return address + start * type.bytes();
  }

  long bytes() {
    return Math.multiplyExact(length, type.bytes());
  }

  @Override
  public ElementType type() {
    return type;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public synchronized void close() {
    if (address != 0) {
      driver.bind();
      driver.free(address);
      address = 0;
      liveBytes.addAndGet(-bytes());
    }
  }
}
