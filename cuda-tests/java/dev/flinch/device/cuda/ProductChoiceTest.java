package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.KernelProducts.Version;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which version multiplies what on which card; nothing is launched. */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class ProductChoiceTest {
  private static KernelStand stand(int computeCapability) {
    return new KernelStand(new EmulatedDriver(computeCapability, 1L << 30, 1));
  }

  /** The version for X Wᵀ in a stack. */
  private static Version forward(
      KernelStand stand, int replicas, int rows, int columns, int depth, int gap) {
    DeviceArray x = stand.floats(new float[replicas * rows * (depth + gap)]);
    DeviceArray w = stand.floats(new float[replicas * columns * (depth + gap)]);
    DeviceArray z = stand.floats(new float[replicas * rows * columns]);
    return new KernelProducts(stand.launcher())
        .choice(
            false,
            stacked(x, replicas, rows, depth, depth + gap),
            true,
            stacked(w, replicas, columns, depth, depth + gap),
            stacked(z, replicas, rows, columns, columns));
  }

  private static Matrix stacked(DeviceArray data, int replicas, int rows, int columns, int stride) {
    return new Matrix(data, 0, rows, columns, stride, false, replicas, (long) rows * stride);
  }

  @ParameterizedTest
  @CsvSource({"75, false", "80, true", "86, false", "89, false", "90, true"})
  void tensorCoresMultiplyWhereTheyAreFasterThanFloat32(int computeCapability, boolean tensor) {
    try (KernelStand stand = stand(computeCapability)) {
      assertEquals(
          tensor ? Version.TENSOR_128 : Version.TILED_128, forward(stand, 4, 256, 256, 64, 0));
      assertEquals(
          tensor, new KernelProducts(stand.launcher()).description().contains("tensor cores"));
      // Ten classes would leave most of a tensor core's tile empty.
      assertEquals(Version.TILED_32, forward(stand, 4, 256, 10, 64, 0));
    }
  }

  @Test
  void largeTilesNeedRowsAtMultiplesOf16Bytes() {
    try (KernelStand stand = stand(86)) {
      assertEquals(Version.TILED_128, forward(stand, 4, 256, 256, 64, 0));
      assertTrue(forward(stand, 4, 256, 256, 64, 1).tile() < 128);
    }
  }

  @Test
  void fewOutputsAreSharedAmongManyBlocks() {
    try (KernelStand stand = stand(86)) {
      assertEquals(Version.TILED_32, forward(stand, 1, 64, 64, 64, 0));
      assertEquals(Version.TILED_32, forward(stand, 1, 33, 33, 64, 0));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 64})
  void whatDecidesTheBitsDoesNotDependOnTheNumberOfReplicas(int replicas) {
    try (KernelStand stand = stand(90)) {
      boolean tensor = forward(stand, replicas, 40, 200, 64, 0).name().startsWith("TENSOR");
      assertTrue(tensor, replicas + " replicas");
      boolean tiled = forward(stand, replicas, 30, 200, 64, 0).name().startsWith("TILED");
      assertTrue(tiled, replicas + " replicas");
    }
  }
}
