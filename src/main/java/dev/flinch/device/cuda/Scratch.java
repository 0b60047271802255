package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Driver;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory for what one operation keeps between its own launches. The next operation on the same
 * stream gets the same memory: it comes after. Memory that became too small is kept, since a
 * captured graph may still use it.
 */
final class Scratch implements AutoCloseable {
  private static final long LEAST = 1 << 20;

  private final Driver driver;
  private final List<Long> addresses = new ArrayList<>();
  private long largest;

  Scratch(Driver driver) {
    this.driver = driver;
  }

  /** Where there are {@code bytes}, until the next call. */
  long address(long bytes) {
    if (bytes > largest) {
      long larger = Math.max(LEAST, Math.max(bytes, 2 * largest));
      addresses.add(driver.allocate(larger));
      largest = larger;
    }
    return addresses.get(addresses.size() - 1);
  }

  @Override
  public void close() {
    addresses.forEach(driver::free);
    addresses.clear();
    largest = 0;
  }
}
