package dev.flinch.device.cuda.emulator;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * An array of the card's memory and which of its bytes somebody wrote. Four bits of a byte of
 * {@code written} stand for the four bytes of a word, so that blocks on other threads that write
 * other words never disturb each other.
 */
final class Allocation {
  static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle BYTE = MethodHandles.arrayElementVarHandle(byte[].class);
  private static final byte WORD = 0xf;

  final long base;
  final int size;

  /** The bytes; null once freed, since instructions remember the array they last touched. */
  byte[] data;

  final boolean readOnly;
  private final String name;
  private volatile byte[] written;

  /** Words that {@link #settle} has found written: it goes on from there. */
  private int settled;

  private volatile boolean complete;
  private volatile boolean freed;

  Allocation(String name, long base, int size, boolean readOnly) {
    this.name = name;
    this.base = base;
    this.size = size;
    this.readOnly = readOnly;
    this.data = new byte[size];
  }

  String name() {
    return name;
  }

  boolean isFreed() {
    return freed;
  }

  void free() {
    freed = true;
    data = null;
    written = null;
  }

  /** Whether every byte was written: nothing needs to be asked any more. */
  boolean isComplete() {
    return complete;
  }

  /** Whether bytes that lie within one word, or whole words, were all written. */
  boolean isWritten(int offset, int bytes) {
    if (complete) {
      return true;
    }
    byte[] shadow = written;
    if (shadow == null) {
      return false;
    }
    if (bytes < 4) {
      int bits = (1 << bytes) - 1 << (offset & 3);
      return (shadow[offset >> 2] & bits) == bits;
    }
    if ((bytes & 3) != 0) {
      return firstUnwritten(offset, offset + bytes) == offset + bytes;
    }
    for (int word = offset >> 2; word < offset + bytes >> 2; word++) {
      if (shadow[word] != WORD) {
        return false;
      }
    }
    return true;
  }

  /** Notes a store within one word, or of whole words. */
  void noteWritten(int offset, int bytes) {
    if (complete) {
      return;
    }
    byte[] shadow = shadow();
    if (bytes < 4) {
      byte bits = (byte) ((1 << bytes) - 1 << (offset & 3));
      BYTE.getAndBitwiseOr(shadow, offset >> 2, bits);
      return;
    }
    for (int word = offset >> 2; word < offset + bytes >> 2; word++) {
      shadow[word] = WORD;
    }
  }

  /** Notes a copy or fill of any bytes. */
  void noteFilled(int offset, int bytes) {
    if (complete) {
      return;
    }
    if (offset == 0 && bytes == size) {
      complete = true;
      written = null;
      return;
    }
    int at = offset;
    int end = offset + bytes;
    while (at < end) {
      if ((at & 3) == 0 && end - at >= 4) {
        int words = (end - at) / 4;
        noteWritten(at, 4 * words);
        at += 4 * words;
      } else {
        noteWritten(at++, 1);
      }
    }
  }

  /** The first byte from {@code offset} on that nobody wrote, or {@code end}. */
  int firstUnwritten(int offset, int end) {
    int at = offset;
    while (at < end && isWritten(at, 1)) {
      at++;
    }
    return at;
  }

  /** Looks whether everything was written by now; called between launches. */
  void settle() {
    byte[] shadow = written;
    if (complete || shadow == null) {
      return;
    }
    int words = size / 4;
    while (settled < words) {
      if (shadow[settled] != WORD) {
        return;
      }
      settled++;
    }
    if (firstUnwritten(4 * words, size) == size) {
      complete = true;
      written = null;
    }
  }

  private byte[] shadow() {
    byte[] shadow = written;
    if (shadow == null) {
      synchronized (this) {
        if (written == null) {
          written = new byte[(size + 3) / 4];
        }
        shadow = written;
      }
    }
    return shadow;
  }
}
