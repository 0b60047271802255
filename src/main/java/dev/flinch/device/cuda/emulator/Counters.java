package dev.flinch.device.cuda.emulator;

import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What launches of a kernel have cost: numbers that depend on its code and its arguments, not on a
 * clock.
 *
 * @param launches of the kernel
 * @param threadInstructions carried out by threads, by class; a guard that is off counts nothing
 * @param warpInstructions issued for warps, by class, however few lanes were active
 * @param flops floating-point operations: 1 for an add or multiply, 2 for an fma, 2 · m · n · k for
 *     a matrix instruction
 * @param globalLoadBytes that threads asked global memory for
 * @param globalLoadSectors sectors of 32 bytes that the loads of each warp touch
 * @param globalStoreBytes that threads wrote to global memory
 * @param globalStoreSectors sectors of 32 bytes that the stores of each warp touch
 * @param bankConflicts cycles that accesses to shared memory take beyond what their width needs
 * @param divergentBranches branches at which a warp's lanes parted
 */
public record Counters(
    long launches,
    Map<InstructionClass, Long> threadInstructions,
    Map<InstructionClass, Long> warpInstructions,
    long flops,
    long globalLoadBytes,
    long globalLoadSectors,
    long globalStoreBytes,
    long globalStoreSectors,
    long bankConflicts,
    long divergentBranches) {
  private static final int SECTOR_BYTES = 32;

  public Counters {
    threadInstructions = Map.copyOf(threadInstructions);
    warpInstructions = Map.copyOf(warpInstructions);
  }

  /** Thread instructions of one class. */
  public long threads(InstructionClass kind) {
    return threadInstructions.getOrDefault(kind, 0L);
  }

  /** Warp instructions of one class. */
  public long warps(InstructionClass kind) {
    return warpInstructions.getOrDefault(kind, 0L);
  }

  /** Thread instructions of all classes. */
  public long allThreadInstructions() {
    return threadInstructions.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Warp instructions of all classes. */
  public long allWarpInstructions() {
    return warpInstructions.values().stream().mapToLong(Long::longValue).sum();
  }

  /**
   * Bytes asked for by the bytes of the sectors touched; above 1 where lanes share words, NaN where
   * nothing was loaded.
   */
  public double loadEfficiency() {
    return (double) globalLoadBytes / (SECTOR_BYTES * globalLoadSectors);
  }

  /** The same of stores. */
  public double storeEfficiency() {
    return (double) globalStoreBytes / (SECTOR_BYTES * globalStoreSectors);
  }

  static Counters of(Program program, List<Tally> tallies) {
    Map<InstructionClass, Long> threads = new EnumMap<>(InstructionClass.class);
    Map<InstructionClass, Long> warps = new EnumMap<>(InstructionClass.class);
    long flops = 0;
    long loadBytes = 0;
    long loadSectors = 0;
    long storeBytes = 0;
    long storeSectors = 0;
    long conflicts = 0;
    long divergent = 0;
    for (Tally tally : tallies) {
      for (int pc = 0; pc < program.code().length; pc++) {
        Operation op = program.code()[pc];
        if (tally.warpInstructions[pc] != 0) {
          threads.merge(op.kind(), tally.threadInstructions[pc], Long::sum);
          warps.merge(op.kind(), tally.warpInstructions[pc], Long::sum);
          flops += op.flops * tally.threadInstructions[pc];
        }
      }
      loadBytes += tally.globalLoadBytes;
      loadSectors += tally.globalLoadSectors;
      storeBytes += tally.globalStoreBytes;
      storeSectors += tally.globalStoreSectors;
      conflicts += tally.bankConflicts;
      divergent += tally.divergentBranches;
    }
    return new Counters(
        1,
        threads,
        warps,
        flops,
        loadBytes,
        loadSectors,
        storeBytes,
        storeSectors,
        conflicts,
        divergent);
  }

  /** Both together. */
  public Counters plus(Counters other) {
    return new Counters(
        launches + other.launches,
        sum(threadInstructions, other.threadInstructions),
        sum(warpInstructions, other.warpInstructions),
        flops + other.flops,
        globalLoadBytes + other.globalLoadBytes,
        globalLoadSectors + other.globalLoadSectors,
        globalStoreBytes + other.globalStoreBytes,
        globalStoreSectors + other.globalStoreSectors,
        bankConflicts + other.bankConflicts,
        divergentBranches + other.divergentBranches);
  }

  private static Map<InstructionClass, Long> sum(
      Map<InstructionClass, Long> a, Map<InstructionClass, Long> b) {
    Map<InstructionClass, Long> sum = new EnumMap<>(InstructionClass.class);
    sum.putAll(a);
    b.forEach((kind, count) -> sum.merge(kind, count, Long::sum));
    return sum;
  }

  /** A table for people. */
  @Override
  public String toString() {
    StringBuilder table = new StringBuilder();
    line(table, "launches", launches, "");
    line(table, "FLOP", flops, "");
    for (InstructionClass kind : InstructionClass.values()) {
      if (warps(kind) != 0) {
        line(table, kind.title(), threads(kind), "in %,d warp instructions".formatted(warps(kind)));
      }
    }
    sectors(table, "global bytes loaded", globalLoadBytes, globalLoadSectors, loadEfficiency());
    sectors(table, "global bytes stored", globalStoreBytes, globalStoreSectors, storeEfficiency());
    line(table, "bank conflicts", bankConflicts, "cycles");
    line(table, "divergent branches", divergentBranches, "");
    return table.toString();
  }

  private static void sectors(
      StringBuilder table, String name, long bytes, long sectors, double efficiency) {
    if (sectors != 0) {
      line(table, name, bytes, "in %,d sectors (%.0f %%)".formatted(sectors, 100 * efficiency));
    }
  }

  private static void line(StringBuilder table, String name, long count, String rest) {
    table.append(String.format(Locale.ROOT, "%-22s %,18d  %s", name, count, rest).stripTrailing());
    table.append('\n');
  }
}
