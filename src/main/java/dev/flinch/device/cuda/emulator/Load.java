package dev.flinch.device.cuda.emulator;

import java.util.Arrays;

/** {@code ld}: one element or a vector of two or four. */
final class Load extends MemoryAccess {
  private final int elementBytes;
  private final boolean signed;
  private final boolean wide;
  private final int keep;
  private final int[] destinations;

  /**
   * @param destinations slots of the elements, negative where one isn't wanted
   * @param wide whether they are 64-bit
   * @param narrow whether they are 16-bit registers
   */
  Load(
      Space space,
      AddressSource source,
      int elementBytes,
      boolean signed,
      boolean wide,
      boolean narrow,
      int[] destinations) {
    super(space, source, elementBytes * destinations.length, elementBytes * destinations.length);
    this.elementBytes = elementBytes;
    this.signed = signed;
    this.wide = wide;
    this.keep = narrow ? 0xffff : -1;
    this.destinations = destinations;
  }

  @Override
  String verb() {
    return "reads";
  }

  @Override
  boolean writes() {
    return false;
  }

  @Override
  void global(Warp w, Allocation array, int mask) {
    requireWritten(w, array, mask);
    w.block.tally.globalLoad(w, mask, bytes);
    load(w, array.data, mask);
  }

  @Override
  void shared(Warp w, int mask) {
    SharedMemory shared = w.block.shared;
    requireReadable(w, mask);
    w.block.tally.shared(w, mask, bytes);
    load(w, shared.data, mask);
  }

  @Override
  void local(Warp w, int mask) {
    load(w, w.local, mask);
  }

  private void load(Warp w, byte[] data, int mask) {
    for (int e = 0; e < destinations.length; e++) {
      int slot = destinations[e];
      if (slot < 0) {
        continue;
      }
      int step = e * elementBytes;
      if (wide) {
        long[] out = mask == FULL ? w.r64[slot] : w.scratch64;
        wide(w.offset, step, data, out);
        if (mask != FULL) {
          blend(out, w.r64[slot], mask);
        }
      } else {
        int[] out = mask == FULL ? w.r32[slot] : w.scratch32;
        if (elementBytes == 4 && w.uniform) {
          Arrays.fill(out, (int) Allocation.INT.get(data, w.offset[0] + step));
        } else if (elementBytes == 4) {
          for (int i = 0; i < 32; i++) {
            out[i] = (int) Allocation.INT.get(data, w.offset[i] + step);
          }
        } else {
          narrow(w.offset, step, data, out);
        }
        if (mask != FULL) {
          blend(out, w.r32[slot], mask);
        }
      }
    }
  }

  private void wide(int[] offset, int step, byte[] data, long[] out) {
    for (int i = 0; i < 32; i++) {
      int at = offset[i] + step;
      out[i] =
          switch (elementBytes) {
            case 8 -> (long) Allocation.LONG.get(data, at);
            case 4 ->
                signed
                    ? (int) Allocation.INT.get(data, at)
                    : (int) Allocation.INT.get(data, at) & 0xffffffffL;
            case 2 ->
                signed
                    ? (short) Allocation.SHORT.get(data, at)
                    : (short) Allocation.SHORT.get(data, at) & 0xffff;
            default -> signed ? data[at] : data[at] & 0xff;
          };
    }
  }

  private void narrow(int[] offset, int step, byte[] data, int[] out) {
    for (int i = 0; i < 32; i++) {
      int at = offset[i] + step;
      int value = elementBytes == 2 ? (short) Allocation.SHORT.get(data, at) : data[at];
      out[i] = (signed ? value : value & (elementBytes == 2 ? 0xffff : 0xff)) & keep;
    }
  }

  private static void blend(int[] from, int[] to, int mask) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      to[lane] = from[lane];
    }
  }

  private static void blend(long[] from, long[] to, int mask) {
    for (int m = mask; m != 0; m &= m - 1) {
      int lane = Integer.numberOfTrailingZeros(m);
      to[lane] = from[lane];
    }
  }
}
