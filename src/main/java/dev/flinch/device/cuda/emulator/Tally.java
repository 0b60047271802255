package dev.flinch.device.cuda.emulator;

import java.util.Arrays;

/** What one host thread counts while it runs blocks of one kernel. */
final class Tally {
  private static final int SECTOR_SHIFT = 5;
  private static final int BANKS = 32;

  final long[] warpInstructions;
  final long[] threadInstructions;
  long globalLoadBytes;
  long globalLoadSectors;
  long globalStoreBytes;
  long globalStoreSectors;
  long bankConflicts;
  long divergentBranches;
  private final int[] sorted = new int[32];
  private final int[] words = new int[32 * 4];
  private final int[] perBank = new int[BANKS];

  Tally(int instructions) {
    warpInstructions = new long[instructions];
    threadInstructions = new long[instructions];
  }

  void clear() {
    Arrays.fill(warpInstructions, 0);
    Arrays.fill(threadInstructions, 0);
    globalLoadBytes = 0;
    globalLoadSectors = 0;
    globalStoreBytes = 0;
    globalStoreSectors = 0;
    bankConflicts = 0;
    divergentBranches = 0;
  }

  void globalLoad(Warp w, int mask, int bytes) {
    globalLoadBytes += (long) bytes * Integer.bitCount(mask);
    globalLoadSectors += sectors(w, bytes);
  }

  void globalStore(Warp w, int mask, int bytes) {
    globalStoreBytes += (long) bytes * Integer.bitCount(mask);
    globalStoreSectors += sectors(w, bytes);
  }

  /** Different 32-byte sectors; arrays begin at one, and no aligned access spans two. */
  private int sectors(Warp w, int bytes) {
    int[] offset = w.offset;
    if (w.uniform) {
      return 1;
    }
    if (w.consecutive) {
      int end = offset[0] + 32 * bytes - 1;
      return (end >> SECTOR_SHIFT) - (offset[0] >> SECTOR_SHIFT) + 1;
    }
    int distinct = 1;
    int last = offset[0] >> SECTOR_SHIFT;
    for (int i = 1; i < 32; i++) {
      int sector = offset[i] >> SECTOR_SHIFT;
      if (sector < last) {
        return sectorsOfUnordered(offset);
      }
      distinct += sector == last ? 0 : 1;
      last = sector;
    }
    return distinct;
  }

  private int sectorsOfUnordered(int[] offset) {
    for (int i = 0; i < 32; i++) {
      sorted[i] = offset[i] >> SECTOR_SHIFT;
    }
    Arrays.sort(sorted);
    int distinct = 1;
    for (int i = 1; i < 32; i++) {
      distinct += sorted[i] == sorted[i - 1] ? 0 : 1;
    }
    return distinct;
  }

  /**
   * Cycles that an access to shared memory takes beyond what its width needs: the banks deliver one
   * four-byte word each, the same word to everyone who asks. Eight-byte accesses are served for
   * half a warp at a time, sixteen-byte ones for a quarter.
   */
  void shared(Warp w, int mask, int bytes) {
    if (w.uniform || w.consecutive) {
      return;
    }
    int parts = Math.max(1, bytes / 4);
    int lanes = 32 / parts;
    for (int part = 0; part < parts; part++) {
      int group = lanes == 32 ? mask : mask & ((1 << lanes) - 1) << part * lanes;
      if (group != 0 && conflicts(w.offset, group, parts)) {
        bankConflicts += passes(w.offset, group, parts) - 1;
      }
    }
  }

  /** Whether any bank is asked for two words. */
  private boolean conflicts(int[] offset, int mask, int wordsEach) {
    int asked = 0;
    for (int m = mask; m != 0; m &= m - 1) {
      int first = offset[Integer.numberOfTrailingZeros(m)] >> 2;
      for (int word = first; word < first + wordsEach; word++) {
        int bank = word & BANKS - 1;
        if ((asked >>> bank & 1) == 0) {
          asked |= 1 << bank;
          words[bank] = word;
        } else if (words[bank] != word) {
          return true;
        }
      }
    }
    return false;
  }

  /** The most different words that any bank is asked for. */
  private int passes(int[] offset, int mask, int wordsEach) {
    int count = 0;
    for (int m = mask; m != 0; m &= m - 1) {
      int first = offset[Integer.numberOfTrailingZeros(m)] >> 2;
      for (int k = 0; k < wordsEach; k++) {
        words[count++] = first + k;
      }
    }
    Arrays.sort(words, 0, count);
    Arrays.fill(perBank, 0);
    int most = 1;
    for (int i = 0; i < count; i++) {
      if (i == 0 || words[i] != words[i - 1]) {
        most = Math.max(most, ++perBank[words[i] & BANKS - 1]);
      }
    }
    return most;
  }
}
