package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.PatternHash;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import dev.flinch.trajectory.Plane;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A network's patterns on a square of a plane (Novak et al., Figure 3), at the centres of size ×
 * size pixels.
 *
 * <p>Where all units of a ReLU layer are off and no biases follow, pre-activations above it are
 * zero, so on a knot all over, and float32 may put them on either side of it. Wide layers are never
 * off altogether; {@link PlaneRegions} is exact there too.
 *
 * @param size pixels of a side
 * @param hashes the {@link PatternHash} of each pixel, row by row from the upper left; of the codes
 *     of the chosen layers alone
 * @param transitions ‖c − c′‖₁ of each pixel's pattern and its right neighbour's, plus the same of
 *     its lower neighbour, where it has them
 */
public record RegionMap(int size, long[] hashes, int[] transitions) {
  public RegionMap {
    if (hashes.length != size * size || transitions.length != hashes.length) {
      throw new IllegalArgumentException(
          "expected %d × %d hashes and transitions, found %d and %d"
              .formatted(size, size, hashes.length, transitions.length));
    }
  }

  /**
   * The maps of every replica. Beside the maps themselves, memory does not grow with the number of
   * pixels.
   *
   * @param plane of the network's inputs
   * @param size from 1 to 2¹⁴
   * @param layers whose codes make up the patterns
   */
  public static RegionMap[] of(
      NetworkStack stack, Plane plane, int size, HiddenLayers layers, Progress progress) {
    Architecture architecture = stack.architecture();
    layers.requireOf(architecture);
    if (size < 1 || size > 1 << 14 || plane.dimension() != architecture.inputs()) {
      throw new IllegalArgumentException(
          "a map of %d × %d pixels of %d components for %s"
              .formatted(size, size, plane.dimension(), architecture));
    }
    RegionMap[] maps = new RegionMap[stack.replicas()];
    for (int r = 0; r < maps.length; r++) {
      maps[r] = new RegionMap(size, new long[size * size], new int[size * size]);
    }
    Device device = stack.device();
    try (Scope scope = new Scope(device)) {
      RegionPass pass = new RegionPass(scope, stack, plane, size, layers);
      AtomicLong done = new AtomicLong();
      int tasks = Math.multiplyExact(maps.length, pass.bands());
      device.run(
          tasks,
          (lane, task) -> {
            int replica = task / pass.bands();
            pass.band(lane, replica, task % pass.bands(), maps[replica]);
            progress.report("region map of " + architecture.title(), done.incrementAndGet(), tasks);
          });
    }
    return maps;
  }

  /** Multiplications and additions that {@link #of} makes in matrix products, at least. */
  public static long flop(Architecture architecture, int size, HiddenLayers layers) {
    long perPoint = 0;
    for (int l = 1; l <= layers.last(); l++) {
      perPoint += architecture.flop(l);
    }
    return perPoint * size * size;
  }

  /** How many neighbours {@link #transitions} counts at a pixel: 0, 1 or 2. */
  int steps(int row, int column) {
    return (row < size - 1 ? 1 : 0) + (column < size - 1 ? 1 : 0);
  }

  /**
   * Transitions per unit of length, as {@link RegionStatistics} has them, in equal square cells.
   *
   * @param cells of a side, at most as many as pixels
   * @return {@code [cells × cells]}, row by row from the upper left
   */
  public double[] densities(int cells) {
    double[] sums = new double[cells * cells];
    long[] counts = new long[cells * cells];
    for (int row = 0; row < size; row++) {
      for (int column = 0; column < size; column++) {
        int cell = (int) ((long) row * cells / size * cells + (long) column * cells / size);
        sums[cell] += transitions[row * size + column];
        counts[cell] += steps(row, column);
      }
    }
    double stepsPerUnit = size / 2.0;
    Arrays.setAll(sums, cell -> sums[cell] / counts[cell] * stepsPerUnit);
    return sums;
  }
}
