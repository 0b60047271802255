package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Driver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Copies between the host and a card through pinned buffers, on a stream of their own: while one
 * buffer's bytes travel the other is filled. Each copy waits for what the compute stream was given
 * before it, and what that is given later waits for the copy.
 */
final class Copies implements AutoCloseable {
  private static final int BYTES = 4 << 20;

  private final Driver driver;
  private final Driver.Stream compute;
  private final Driver.Stream stream;
  private final Waiting waiting;
  private final ByteBuffer[] buffers = new ByteBuffer[2];
  private final Driver.Event[] free = new Driver.Event[2];
  private final Driver.Event before;
  private final Driver.Event after;
  private int next;

  /** Moves {@code count} values from {@code from} on between an array and a buffer. */
  @FunctionalInterface
  interface Move {
    void move(ByteBuffer buffer, int from, int count);
  }

  Copies(Driver driver, Driver.Stream compute, Waiting waiting) {
    this.driver = driver;
    this.compute = compute;
    this.stream = driver.stream();
    this.waiting = waiting;
    this.before = driver.event();
    this.after = driver.event();
    for (int i = 0; i < buffers.length; i++) {
      buffers[i] = driver.pin(BYTES);
      free[i] = driver.event();
      driver.record(stream, free[i]);
    }
  }

  /**
   * Copies to the card.
   *
   * @param count how many values of {@code size} bytes
   * @param fill puts values, counted from 0, into a buffer's start
   */
  synchronized void upload(long address, int count, int size, Move fill) {
    follow(stream, compute, before);
    int most = BYTES / size;
    for (int from = 0; from < count; from += most) {
      int values = Math.min(most, count - from);
      ByteBuffer buffer = buffer();
      fill.move(buffer, from, values);
      driver.upload(stream, buffers[next], 0, address + (long) from * size, values * size);
      driver.record(stream, free[next]);
      next ^= 1;
    }
    follow(compute, stream, after);
  }

  /**
   * Copies from the card, and waits for it.
   *
   * @param take takes values, counted from 0, from a buffer's start
   */
  synchronized void download(long address, int count, int size, Move take) {
    follow(stream, compute, before);
    int most = BYTES / size;
    for (int from = 0; from < count; from += most) {
      int values = Math.min(most, count - from);
      driver.download(stream, address + (long) from * size, buffers[next], 0, values * size);
      driver.record(stream, free[next]);
      take.move(buffer(), from, values);
    }
  }

  private ByteBuffer buffer() {
    waiting.until(free[next]);
    return buffers[next].duplicate().clear().order(ByteOrder.nativeOrder());
  }

  private void follow(Driver.Stream later, Driver.Stream earlier, Driver.Event between) {
    driver.record(earlier, between);
    driver.await(later, between);
  }

  @Override
  public void close() {
    for (int i = 0; i < buffers.length; i++) {
      free[i].close();
      driver.unpin(buffers[i]);
    }
    before.close();
    after.close();
    stream.close();
  }
}
