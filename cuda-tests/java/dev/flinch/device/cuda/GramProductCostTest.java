package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/** What the header of {@code kernels/gram_product.cu} says it costs, counted by the emulator. */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class GramProductCostTest {
  @Test
  void twoProductsAreMultipliedOnChipAndNothingButTheResultIsWritten() {
    int rows = 128;
    int columns = 192;
    int inputs = 200;
    int outputs = 100;
    EmulatedDriver driver = new EmulatedDriver();
    Counters cost;
    try (Device device = new CudaDevice("emulator", driver);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(rows, inputs);
      Matrix b = scope.matrix(columns, inputs);
      Matrix d = scope.matrix(rows, outputs);
      Matrix e = scope.matrix(columns, outputs);
      Matrix c = scope.matrix(rows, columns);
      driver.resetCounters();
      device.run(1, (lane, task) -> lane.gramProduct(a, b, d, e, null, null, 0, c));
      cost = driver.counters().get("gram_product.gram_product");
    }
    double outputsOfC = (double) rows * columns;
    double flop = 2 * outputsOfC * (inputs + outputs);
    System.out.printf(
        Locale.ROOT,
        "gram_product: %,d FLOP of %,.0f, %,d bytes loaded, %,d stored, %,d warp instructions, %,d cycles of bank conflicts%n",
        cost.flops(),
        flop,
        cost.globalLoadBytes(),
        cost.globalStoreBytes(),
        cost.allWarpInstructions(),
        cost.bankConflicts());
    // An output's two products are multiplied on top, and with what factors there are.
    assertEquals(flop, cost.flops(), 2 * outputsOfC);
    assertEquals(4L * rows * columns, cost.globalStoreBytes());
    // Either product of a tile reads 64 rows of both its operands, 6 tiles here.
    assertEquals(4L * 6 * 2 * 64 * (inputs + outputs), cost.globalLoadBytes());
    assertEquals(0, cost.bankConflicts());
  }
}
