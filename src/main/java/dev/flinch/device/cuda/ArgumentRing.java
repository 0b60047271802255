package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Driver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Short-lived memory of a stream: tables that kernels read, copied through pinned memory. Pieces
 * follow each other; when the end is reached, the stream is waited for and they start over. What is
 * larger than the ring has memory of its own until then.
 */
final class ArgumentRing implements AutoCloseable {
  private static final int BYTES = 8 << 20;
  private static final int ALIGNMENT = 256;

  private final Driver driver;
  private final Driver.Stream stream;
  private final Waiting waiting;
  private final long memory;
  private final ByteBuffer pinned;
  private final List<Large> large = new ArrayList<>();
  private int at;
  private boolean frozen;

  /** A piece larger than the ring. */
  private record Large(long address, ByteBuffer pinned) {}

  ArgumentRing(Driver driver, Driver.Stream stream, Waiting waiting) {
    this.driver = driver;
    this.stream = stream;
    this.waiting = waiting;
    this.memory = driver.allocate(BYTES);
    this.pinned = driver.pin(BYTES);
  }

  /**
   * A copy of host values.
   *
   * @param fill puts them into a buffer in native order
   * @return where they are on the card, until as many bytes as the ring has were asked for
   */
  long copy(long bytes, Consumer<ByteBuffer> fill) {
    if (frozen) {
      throw new IllegalStateException("repeated work may not bring values of the host along");
    }
    int size = Math.toIntExact(bytes);
    if (size > BYTES / 2) {
      if (large.size() > 8) {
        restart();
      }
      Large own = new Large(driver.allocate(size), driver.pin(size));
      large.add(own);
      fill.accept(own.pinned.slice(0, size).order(ByteOrder.nativeOrder()));
      driver.upload(stream, own.pinned, 0, own.address, size);
      return own.address;
    }
    int start = reserve(size);
    fill.accept(pinned.slice(start, size).order(ByteOrder.nativeOrder()));
    if (size > 0) {
      driver.upload(stream, pinned, start, memory + start, size);
    }
    return memory + start;
  }

  /** While work is captured nothing is copied: it would be copied again at every repetition. */
  void freeze(boolean captured) {
    frozen = captured;
  }

  private int reserve(int bytes) {
    if (at + bytes > BYTES) {
      restart();
    }
    int start = at;
    at = (at + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return start;
  }

  private void restart() {
    waiting.forAll(stream);
    at = 0;
    freeLarge();
  }

  private void freeLarge() {
    for (Large own : large) {
      driver.free(own.address);
      driver.unpin(own.pinned);
    }
    large.clear();
  }

  @Override
  public void close() {
    freeLarge();
    driver.unpin(pinned);
    driver.free(memory);
  }
}
