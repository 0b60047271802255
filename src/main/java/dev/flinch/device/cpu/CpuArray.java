package dev.flinch.device.cpu;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** Off-heap memory, aligned to cache lines so that vector loads don't straddle two. */
final class CpuArray implements DeviceArray {
  private static final int ALIGNMENT = 64;

  private final ElementType type;
  private final long length;
  private final long address;
  private final AtomicLong liveBytes;
  private final ByteBuffer whole;
  private Pointer memory;

  CpuArray(ElementType type, long length, AtomicLong liveBytes) {
    this.type = type;
    this.length = length;
    this.liveBytes = liveBytes;
    long bytes = Math.multiplyExact(length, type.bytes());
    this.memory = Pointer.calloc(1, bytes + ALIGNMENT);
    if (memory == null || memory.isNull()) {
      throw new OutOfMemoryError(
          "no memory for %d elements of %s (%d MB)".formatted(length, type, bytes >> 20));
    }
    this.address = (memory.address() + ALIGNMENT - 1) & -ALIGNMENT;
    this.whole = bytes <= Integer.MAX_VALUE ? bytesAt(address, (int) bytes) : null;
    liveBytes.addAndGet(bytes);
  }

  /** A buffer over {@code count} elements from {@code start} on. */
  Span span(long start, long count) {
    if (start < 0 || count < 0 || start + count > length) {
      throw new IndexOutOfBoundsException(
          "elements %d to %d of %d".formatted(start, start + count - 1, length));
    }
    int size = type.bytes();
    long first = address(0);
    return whole != null
        ? new Span(whole, (int) (start * size))
        : new Span(bytesAt(first + start * size, Math.toIntExact(count * size)), 0);
  }

  /** The address of an element. */
  long address(long element) {
    if (memory == null) {
      throw new IllegalStateException("this array was closed");
    }
    return address + element * type.bytes();
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
    if (memory != null) {
      Pointer.free(memory);
      memory = null;
      liveBytes.addAndGet(-length * type.bytes());
    }
  }

  private static ByteBuffer bytesAt(long address, int bytes) {
    return new Window(address, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  /** Bytes {@code at} and after of a buffer. */
  record Span(ByteBuffer buffer, int at) {}

  /** A pointer to memory that it doesn't own. */
  private static final class Window extends BytePointer {
    Window(long address, int bytes) {
      this.address = address;
      this.limit = bytes;
      this.capacity = bytes;
    }
  }
}
