package dev.flinch.device.cuda.emulator;

import dev.flinch.device.OutOfDeviceMemoryException;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * The card's memory: arrays with a gap around each, at addresses that are never used twice, so that
 * an access past an end or after a free meets nothing else.
 */
final class GlobalMemory {
  /** Where addresses begin: far from zero and from the windows of shared and local memory. */
  private static final long FIRST = 0x7f00_0000_0000L;

  private static final long ALIGNMENT = 256;
  private static final int REMEMBERED = 10_000;
  private static final Allocation[] NONE = {};

  private final String card;
  private final long capacity;
  private final TreeMap<Long, Allocation> live = new TreeMap<>();
  private final TreeMap<Long, Allocation> variables = new TreeMap<>();
  private final TreeMap<Long, Freed> freed = new TreeMap<>();
  private volatile Allocation[] sorted = NONE;
  private long next = FIRST;
  private long liveBytes;
  private long allocations;

  private record Freed(String name, int size) {}

  GlobalMemory(String card, long capacity) {
    this.card = card;
    this.capacity = capacity;
  }

  synchronized long allocate(long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException("an allocation of " + bytes + " bytes");
    }
    if (bytes > capacity - liveBytes || bytes > Integer.MAX_VALUE - 16) {
      throw new OutOfDeviceMemoryException(card, bytes, capacity - liveBytes);
    }
    Allocation allocation;
    try {
      allocation = place("allocation " + ++allocations, (int) bytes, false);
    } catch (OutOfMemoryError e) {
      OutOfDeviceMemoryException none =
          new OutOfDeviceMemoryException(
              card + " (in Java's heap)", bytes, Runtime.getRuntime().freeMemory());
      none.initCause(e);
      throw none;
    }
    live.put(allocation.base, allocation);
    liveBytes += bytes;
    sort();
    return allocation.base;
  }

  /** A module's variable: not counted, freed with its module. */
  synchronized Allocation variable(Variable variable, String module) {
    Allocation allocation =
        place(
            "variable %s of %s".formatted(variable.name(), module),
            Math.max(1, variable.bytes()),
            variable.space().equals("const"));
    if (variable.initial() != null) {
      System.arraycopy(variable.initial(), 0, allocation.data, 0, variable.initial().length);
    }
    allocation.noteFilled(0, allocation.size);
    variables.put(allocation.base, allocation);
    sort();
    return allocation;
  }

  private Allocation place(String name, int bytes, boolean readOnly) {
    Allocation allocation = new Allocation(name, next, bytes, readOnly);
    // A gap as long as the array itself, up to a point: a stray index lands in it.
    long gap = Math.max(ALIGNMENT, Math.min(bytes, 1 << 20));
    next += (bytes + gap + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return allocation;
  }

  synchronized boolean free(long address) {
    Allocation allocation = live.remove(address);
    if (allocation == null) {
      return false;
    }
    allocation.free();
    liveBytes -= allocation.size;
    forget(allocation);
    return true;
  }

  synchronized void freeVariable(Allocation allocation) {
    if (variables.remove(allocation.base) != null) {
      allocation.free();
      forget(allocation);
    }
  }

  private void forget(Allocation allocation) {
    freed.put(allocation.base, new Freed(allocation.name(), allocation.size));
    if (freed.size() > REMEMBERED) {
      freed.pollFirstEntry();
    }
    sort();
  }

  private void sort() {
    TreeMap<Long, Allocation> all = new TreeMap<>(live);
    all.putAll(variables);
    sorted = all.values().toArray(NONE);
  }

  synchronized long liveBytes() {
    return liveBytes;
  }

  synchronized int liveAllocations() {
    return live.size();
  }

  synchronized long freeBytes() {
    return capacity - liveBytes;
  }

  /** The array that an address lies in, or null. */
  Allocation find(long address) {
    Allocation[] all = sorted;
    int low = 0;
    int high = all.length - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      Allocation allocation = all[middle];
      if (address < allocation.base) {
        high = middle - 1;
      } else if (address >= allocation.base + allocation.size) {
        low = middle + 1;
      } else {
        return allocation;
      }
    }
    return null;
  }

  /** Promotes arrays that kernels have filled by now. */
  void settle() {
    Arrays.stream(sorted).forEach(Allocation::settle);
  }

  /** Where an address lies that no array holds (whole), in words. */
  synchronized String describe(long address, int bytes) {
    Map.Entry<Long, Freed> gone = freed.floorEntry(address);
    if (gone != null && address < gone.getKey() + gone.getValue().size()) {
      return "0x%x, %,d bytes into %s of %,d bytes, which was freed"
          .formatted(
              address, address - gone.getKey(), gone.getValue().name(), gone.getValue().size());
    }
    Allocation nearest = null;
    long distance = Long.MAX_VALUE;
    for (Allocation allocation : sorted) {
      long end = allocation.base + allocation.size;
      long d = address < allocation.base ? allocation.base - address : address + bytes - end;
      if (d < distance) {
        distance = d;
        nearest = allocation;
      }
    }
    if (nearest == null) {
      return "0x%x, where nothing is allocated".formatted(address);
    }
    return address < nearest.base
        ? "0x%x, %,d bytes before the start of %s of %,d bytes"
            .formatted(address, nearest.base - address, nearest.name(), nearest.size)
        : "0x%x, %,d bytes past the end of %s of %,d bytes"
            .formatted(
                address,
                address + bytes - nearest.base - nearest.size,
                nearest.name(),
                nearest.size);
  }
}
