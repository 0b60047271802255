package dev.flinch.device.cuda.emulator;

import java.util.Arrays;

/** {@code ld.param} of a kernel's parameter: the same for all threads. */
final class LoadParameter extends Operation {
  private final int offset;
  private final int bytes;
  private final boolean signed;
  private final boolean wide;
  private final int[] destinations;

  LoadParameter(int offset, int bytes, boolean signed, boolean wide, int[] destinations) {
    this.offset = offset;
    this.bytes = bytes;
    this.signed = signed;
    this.wide = wide;
    this.destinations = destinations;
  }

  @Override
  void run(Warp w, int mask) {
    for (int e = 0; e < destinations.length; e++) {
      int slot = destinations[e];
      long value = value(w.block.launch.parameters, offset + e * bytes);
      if (slot < 0) {
        continue;
      }
      if (mask == FULL) {
        if (wide) {
          Arrays.fill(w.r64[slot], value);
        } else {
          Arrays.fill(w.r32[slot], (int) value);
        }
        continue;
      }
      for (int m = mask; m != 0; m &= m - 1) {
        int lane = Integer.numberOfTrailingZeros(m);
        if (wide) {
          w.r64[slot][lane] = value;
        } else {
          w.r32[slot][lane] = (int) value;
        }
      }
    }
  }

  private long value(byte[] data, int at) {
    return switch (bytes) {
      case 8 -> (long) Allocation.LONG.get(data, at);
      case 4 -> {
        int value = (int) Allocation.INT.get(data, at);
        yield signed ? value : value & 0xffffffffL;
      }
      case 2 -> {
        short value = (short) Allocation.SHORT.get(data, at);
        yield signed ? value : value & 0xffff;
      }
      default -> signed ? data[at] : data[at] & 0xff;
    };
  }
}
