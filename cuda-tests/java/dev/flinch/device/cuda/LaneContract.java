package dev.flinch.device.cuda;

import dev.flinch.device.cuda.Twins.Fill;
import dev.flinch.device.cuda.Twins.Layout;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;

/**
 * What tests of a lane's operations share: both devices, and shapes of one, of whole and of broken
 * warps and packs, in all layouts.
 */
abstract class LaneContract {
  /** Half the distance of float32 numbers near 1: the relative error of one rounding. */
  static final double ROUNDING = 0x1p-24;

  static Twins twins;

  /** A shape and how its operands lie in memory. */
  record Shape(int replicas, int rows, int columns, Layout layout) {}

  static Stream<Shape> shapes() {
    return Stream.of(
        new Shape(1, 1, 1, Layout.ODD),
        new Shape(3, 2, 3, Layout.DENSE),
        new Shape(2, 3, 2, Layout.PADDED),
        new Shape(2, 31, 33, Layout.ALIGNED),
        new Shape(1, 32, 32, Layout.DENSE),
        new Shape(2, 33, 31, Layout.ODD),
        new Shape(2, 5, 127, Layout.PADDED),
        new Shape(1, 127, 3, Layout.DENSE),
        new Shape(2, 2, 1000, Layout.DENSE),
        new Shape(1, 1, 1000, Layout.ODD),
        new Shape(2, 1000, 1, Layout.DENSE),
        new Shape(1, 1000, 2, Layout.ALIGNED),
        // More replicas, rows and columns than the grid has layers and blocks.
        new Shape(35, 3, 5, Layout.ODD),
        new Shape(2, 40, 300, Layout.ODD),
        new Shape(1, 70, 301, Layout.PADDED));
  }

  /** Standard normal values, the same for the same seed and place. */
  static Fill normal(long seed) {
    return normal(seed, 1);
  }

  /** The same times a scale. */
  static Fill normal(long seed, double scale) {
    return (r, i, j) ->
        scale * new SplittableRandom(((seed * 31 + r) * 7919 + i) * 104729 + j).nextGaussian();
  }

  static Fill zeros() {
    return (r, i, j) -> 0;
  }

  @BeforeAll
  static void openBothDevices() {
    twins = new Twins();
  }

  @AfterEach
  void noMemoryIsLeftBehind() {
    twins.release();
  }

  @AfterAll
  static void closeBothDevices() {
    twins.close();
  }
}
