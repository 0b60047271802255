package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.device.cuda.emulator.InstructionClass;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/**
 * What the kernels' headers say of their memory traffic, counted by the emulator (whatever device
 * the other tests run on).
 */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class ElementKernelCostTest {
  private static final int REPLICAS = 2;
  private static final int ROWS = 66;

  /** 25 sectors: padded rows are 26. */
  private static final int COLUMNS = 200;

  private static final int ELEMENTS = REPLICAS * ROWS * COLUMNS;

  private final EmulatedDriver driver = new EmulatedDriver();
  private final CudaDevice device = new CudaDevice("emulator", driver);
  private final Scope scope = new Scope(device);
  private final Matrix a = scope.matrices(REPLICAS, ROWS, COLUMNS);
  private final Matrix b = scope.matrices(REPLICAS, ROWS, COLUMNS);
  private final Matrix c = scope.matrices(REPLICAS, ROWS, COLUMNS);
  private final Matrix d = scope.matrices(REPLICAS, ROWS, COLUMNS);
  private final Matrix wide = Matrix.stacked(scope.doubles(ELEMENTS), 0, REPLICAS, ROWS, COLUMNS);

  @AfterEach
  void close() {
    scope.close();
    device.close();
  }

  private Counters cost(String kernel, Consumer<Lane> operation) {
    driver.resetCounters();
    device.run(1, (lane, task) -> operation.accept(lane));
    return driver.counters().get(kernel);
  }

  /**
   * Every sector of 32 bytes that is touched is used whole, and nothing is touched twice.
   *
   * @param loaded bytes an element; what replicas and columns have in common comes on top, and from
   *     cache
   */
  private void assertMoves(String kernel, int loaded, int stored, Consumer<Lane> operation) {
    Counters cost = cost(kernel, operation);
    assertEquals((long) stored * ELEMENTS, cost.globalStoreBytes(), kernel + " stores");
    assertEquals(cost.globalStoreBytes() / 32, cost.globalStoreSectors(), kernel + " stores");
    assertTrue(cost.globalLoadBytes() >= (long) loaded * ELEMENTS, kernel + " loads");
    assertTrue(
        cost.globalLoadSectors() <= 1.1 * loaded * ELEMENTS / 32,
        () -> kernel + " loads " + cost.globalLoadSectors() + " sectors");
    assertEquals(0, cost.bankConflicts(), kernel);
  }

  @Test
  void elementWiseKernelsMoveNoMoreThanTheirOperands() {
    assertMoves("activation.activate_4", 4, 8, l -> l.activate(Activation.RELU, a, null, b));
    assertMoves("activation.activate_4", 4, 8, l -> l.activate(Activation.TANH, a, null, b));
    assertMoves("activation.scale_4", 8, 4, l -> l.scale(a, b, 1, a));
    assertMoves("convert.widen", 4, 8, l -> l.widen(a, wide));
    assertMoves("convert.narrow", 8, 4, l -> l.narrow(wide, a));
  }

  @Test
  void optimizersMoveNoMoreThanTheirOperands() {
    DeviceArray running = scope.ints(REPLICAS);
    device.upload(new int[] {1, 1}, 0, running, 0, REPLICAS);
    DeviceArray rates = scope.floats(REPLICAS);
    assertMoves(
        "optimizer.update_sgd_4", 8, 4, l -> l.update(OptimizerRule.SGD, rates, running, 0, a, b));
    assertMoves(
        "optimizer.update_momentum_4",
        12,
        8,
        l -> l.update(OptimizerRule.MOMENTUM, rates, running, 0, a, b, c));
    assertMoves(
        "optimizer.update_adam_4",
        16,
        12,
        l -> l.update(OptimizerRule.ADAM, rates, running, 0, a, b, c, d));
    assertMoves(
        "optimizer.update_rmsprop_4",
        12,
        8,
        l -> l.update(OptimizerRule.RMSPROP, rates, running, 0, a, b, c));
  }

  @Test
  void replicasThatHaltedMoveNothing() {
    DeviceArray running = scope.ints(REPLICAS);
    DeviceArray rates = scope.floats(REPLICAS);
    Counters cost =
        cost("optimizer.update_sgd_4", l -> l.update(OptimizerRule.SGD, rates, running, 0, a, b));
    assertEquals(0, cost.globalStoreSectors());
    // A warp reads one flag a replica and nothing else.
    assertEquals(cost.warps(InstructionClass.GLOBAL_LOAD), cost.globalLoadSectors());
    assertEquals(0, cost.flops());
  }

  @Test
  void reductionsReadEachElementOnceAndHaveNoBankConflicts() {
    Matrix sums = scope.matrices(REPLICAS, 1, COLUMNS);
    Counters ofColumns = cost("reduce.column_sums", l -> l.columnSums(a, sums));
    assertEquals(4L * ELEMENTS, ofColumns.globalLoadBytes());
    assertEquals(4L * ELEMENTS / 32, ofColumns.globalLoadSectors());
    assertEquals(0, ofColumns.bankConflicts());
    Matrix norms = Matrix.stacked(scope.doubles(REPLICAS * 6), 0, REPLICAS, 6, 1);
    Counters ofGroups = cost("reduce.group_norms", l -> l.groupNorms(a, 11, null, norms));
    assertEquals(4L * ELEMENTS, ofGroups.globalLoadBytes());
    assertTrue(ofGroups.globalLoadSectors() <= 1.1 * 4 * ELEMENTS / 32);
    assertEquals(0, ofGroups.bankConflicts());
  }

  @Test
  void differencesAreReadThreeTimesAndWrittenOnce() {
    Matrix z = a.replicas(0, 1);
    Matrix knots = scope.matrices(1, 3, COLUMNS);
    DeviceArray counts = scope.ints(ROWS - 1);
    Consumer<Lane> operation = l -> l.activateDifferences(Activation.RELU6, z, knots, counts, 0);
    long rowSectors = 4 * COLUMNS / 32;
    Counters counted = cost("references.count_transitions", operation);
    // Two rows and two knots a step, of which all but one row come from cache.
    assertEquals((ROWS - 1) * 4 * rowSectors, counted.globalLoadSectors());
    assertEquals(0, counted.bankConflicts());
    Counters activated = cost("references.activate_differences", operation);
    assertEquals(ROWS * rowSectors, activated.globalStoreSectors());
  }

  @Test
  void oddRowsStillShareTheirSectors() {
    // Dense rows of ten logits: neighbouring threads take neighbouring elements of two rows.
    Matrix z = Matrix.stacked(scope.floats(REPLICAS * 66 * 10), 0, REPLICAS, 66, 10);
    Matrix bias = scope.matrices(REPLICAS, 1, 10);
    Counters cost = cost("activation.add_bias_1", l -> l.addBias(z, bias));
    assertEquals(4L * REPLICAS * 66 * 10, cost.globalStoreBytes());
    assertTrue(cost.storeEfficiency() > 0.8, () -> "" + cost.storeEfficiency());
  }
}
