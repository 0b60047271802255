package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.cuda.WalkedNetworks.Found;
import dev.flinch.device.cuda.WalkedNetworks.Setting;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a crossing costs by the header of {@code kernels/walk.cu}, counted by the emulator: two
 * walks from one start differ by the crossings that only the longer one finds.
 */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class RegionWalkCostTest {
  private static final int SECTOR = 32;

  /** FLOP and bytes that the header counts. */
  private record Cost(double flop, double loaded, double stored) {
    Cost plus(Cost other) {
      return new Cost(flop + other.flop, loaded + other.loaded, stored + other.stored);
    }
  }

  /** A walk with room for so many crossings, and what its kernel cost. */
  private record Run(Found found, Counters counters) {
    static Run of(Setting setting, int capacity, boolean withGrams) {
      EmulatedDriver driver =
          new EmulatedDriver(90, 1L << 30, Runtime.getRuntime().availableProcessors());
      try (CudaDevice device = new CudaDevice("emulator", driver);
          WalkedNetworks networks = new WalkedNetworks(setting, device)) {
        driver.resetCounters();
        Found found = networks.walk(capacity, withGrams);
        assertEquals(capacity, found.counts()[0]);
        return new Run(found, driver.counters().get("walk.walk"));
      }
    }
  }

  /** What crossings {@code from} to {@code to} − 1 of a walk need, by the header. */
  private static Cost needed(Setting setting, Found found, int from, int to, boolean withGrams) {
    List<Integer> units = setting.units().subList(1, setting.units().size());
    int hidden = units.size() - 1;
    int[] active = new int[hidden];
    int[] firstUnit = new int[hidden + 1];
    for (int l = 0; l < hidden; l++) {
      firstUnit[l + 1] = firstUnit[l] + units.get(l);
      for (int j = firstUnit[l]; j < firstUnit[l + 1]; j++) {
        active[l] += found.codes()[j] == 1 ? 1 : 0;
      }
    }
    // Codes are those of the end: back from there, each crossing's slopes are those behind it.
    Cost sum = new Cost(0, 0, 0);
    for (int i = found.counts()[0] - 1; i >= from; i--) {
      int packed = found.crossings()[0][i];
      int unit = packed / 4;
      int layer = 0;
      while (unit >= firstUnit[layer + 1]) {
        layer++;
      }
      if (i < to) {
        sum = sum.plus(needed(units, active, layer, setting.units().get(0), withGrams));
      }
      boolean upwards = packed % 2 == 1;
      boolean lowerKnot = packed / 2 % 2 == 0;
      active[layer] -= upwards == lowerKnot ? 1 : -1;
    }
    return sum;
  }

  private static Cost needed(
      List<Integer> units, int[] active, int layer, int columns, boolean withGrams) {
    int hidden = units.size() - 1;
    int top = withGrams ? hidden : hidden - 1;
    double flop = 0;
    double loaded = 0;
    double stored = 0;
    for (int m = layer + 1; m <= top; m++) {
      double n = units.get(m);
      double weights = n * units.get(m - 1);
      loaded += m == layer + 1 ? SECTOR * n : 4 * weights;
      flop += m == layer + 1 ? 0 : 2 * weights + 36 * n;
      loaded += 24 * n;
      stored += 24 * n;
      flop += 6 * n;
    }
    for (int m = layer; m < hidden; m++) {
      flop += 17 * units.get(m);
      loaded += 4 * units.get(m);
    }
    loaded += 24 * units.get(layer);
    if (withGrams) {
      for (int m = layer; m > 0; m--) {
        double rows = m == layer ? 1 : active[m];
        loaded += 4 * rows * units.get(m - 1) + 4 * units.get(m - 1);
        flop += 2 * rows * units.get(m - 1);
      }
      double rows = layer == 0 ? 1 : active[0];
      double k = columns;
      double c = units.get(hidden);
      double tilesAside = Math.ceil(c / 4);
      double tiles = tilesAside * (tilesAside + 1) / 2;
      loaded += 8 * rows * k + 8 * c * k + 64 * k * tiles + 24 * c;
      flop += 2 * rows * k + 2 * c * k + (32 * k + 512) * tiles;
      stored += 8 * c * k + 8 * c * c + 24 * c;
    }
    return new Cost(flop, loaded, stored);
  }

  /** Crossings {@code from} to {@code to} − 1 of the first walker, counted and by the header. */
  static String crossings(Setting setting, int from, int to, boolean withGrams) {
    Run few = Run.of(setting, from, withGrams);
    Run many = Run.of(setting, to, withGrams);
    Cost needed = needed(setting, many.found, from, to, withGrams);
    Counters a = few.counters;
    Counters b = many.counters;
    double crossings = to - from;
    long flops = b.flops() - a.flops();
    long loaded = SECTOR * (b.globalLoadSectors() - a.globalLoadSectors());
    long stored = SECTOR * (b.globalStoreSectors() - a.globalStoreSectors());
    String what =
        String.format(
            Locale.ROOT,
            "a crossing of %s, %s Gram matrices, mean of %.0f: FLOP %,.0f by the header, %,.0f counted;"
                + " loaded %,.0f bytes by the header, %,.0f in sectors; stored %,.0f, %,.0f in"
                + " sectors; %,.0f warp instructions; the start and %d crossings: %,d FLOP, %,d bytes"
                + " loaded in sectors, %,d warp instructions",
            setting.units(),
            withGrams ? "with" : "without",
            crossings,
            needed.flop / crossings,
            flops / crossings,
            needed.loaded / crossings,
            loaded / crossings,
            needed.stored / crossings,
            stored / crossings,
            (b.allWarpInstructions() - a.allWarpInstructions()) / crossings,
            from,
            a.flops(),
            SECTOR * a.globalLoadSectors(),
            a.allWarpInstructions());
    assertEquals(needed.flop, flops, 0.03 * needed.flop, what);
    // Tables and scalars that every warp reads come on top.
    assertTrue(loaded >= 0.98 * needed.loaded, what);
    assertTrue(loaded <= 1.03 * needed.loaded + 2048 * crossings, what);
    assertEquals(needed.stored, stored, 0.05 * needed.stored + 256 * crossings, what);
    assertEquals(0, b.bankConflicts() - a.bankConflicts(), what);
    return what;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aCrossingCostsWhatTheHeaderSays(boolean withGrams) {
    // Units in whole sectors and warps, classes in whole tiles: what is left over costs more.
    crossings(
        Setting.of(1, Activation.RELU, false, true, 1, 1, 96, 96, 96, 96, 96, 8), 4, 44, withGrams);
  }
}
