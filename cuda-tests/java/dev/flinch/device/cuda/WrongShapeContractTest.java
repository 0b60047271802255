package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Lane;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;
import dev.flinch.device.cuda.Twins.Layout;
import dev.flinch.device.cuda.Twins.Numbers;
import dev.flinch.device.cuda.Twins.Operand;
import dev.flinch.device.cuda.Twins.Side;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Operands that don't fit are refused before anything is launched, on both devices alike. */
@Tag("cuda")
class WrongShapeContractTest extends LaneContract {
  private static void refused(String message, BiConsumer<Lane, Side> operation) {
    String[] found = new String[2];
    for (int d = 0; d < 2; d++) {
      boolean onCpu = d == 0;
      found[d] =
          assertThrows(IllegalArgumentException.class, () -> twins.runOn(onCpu, operation), message)
              .getMessage();
    }
    assertEquals(found[0], found[1]);
    assertTrue(found[0].contains(message), found[0]);
  }

  @Test
  void wrongShapesAreRefusedWithTheSameWordsOnBothDevices() {
    Operand a = twins.floats(2, 6, 4, Layout.DENSE, zeros());
    Operand b = twins.floats(2, 6, 5, Layout.DENSE, zeros());
    Operand single = twins.floats(1, 6, 4, Layout.DENSE, zeros());
    Operand row = twins.floats(2, 1, 4, Layout.DENSE, zeros());
    Operand column = twins.floats(2, 6, 1, Layout.DENSE, zeros());
    Operand wide = twins.doubles(2, 6, 4, Layout.DENSE, zeros());
    Operand wideSingle = twins.doubles(1, 6, 4, Layout.DENSE, zeros());
    Operand wideColumn = twins.doubles(2, 6, 1, Layout.DENSE, zeros());
    Numbers ints = twins.ints(new long[12]);
    Activation relu = Activation.RELU;
    refused("gemm", (l, on) -> l.gemm(false, on.of(a), false, on.of(b), 0, on.of(a)));
    refused(
        "gemm: expected FLOAT32, found FLOAT64",
        (l, on) -> l.gemm(false, on.of(wide), true, on.of(a), 0, on.of(b)));
    refused(
        "crossEntropySeeds: expected 2 × (6 × 1), found 2 × (6 × 4)",
        (l, on) -> l.crossEntropySeeds(on.of(a), on.of(ints), 0, on.of(a), on.of(wide)));
    refused(
        "unitRows: shapes don't fit: 2 × (6 × 5) 2 × (6 × 4)",
        (l, on) -> l.unitRows(on.of(b), on.of(a), on.of(wideColumn)));
    refused(
        "unitRows: expected FLOAT64, found FLOAT32",
        (l, on) -> l.unitRows(on.of(a), on.of(b), on.of(column)));
    refused(
        "gramProduct: shapes don't fit: 2 × (6 × 4) 2 × (6 × 5)",
        (l, on) -> l.gramProduct(on.of(a), on.of(b), on.of(a), on.of(a), null, null, 0, on.of(b)));
    refused(
        "gramProduct: shapes don't fit: 2 × (6 × 1)",
        (l, on) ->
            l.gramProduct(
                on.of(a), on.of(row), on.of(a), on.of(row), on.of(column), null, 0, on.of(column)));
    refused("gather", (l, on) -> l.gather(on.of(a), on.of(ints), 0, 6, on.of(b)));
    refused("2 × (6 × 4) 2 × (6 × 5)", (l, on) -> l.activate(relu, on.of(a), null, on.of(b)));
    refused("2 × (6 × 4) 1 × (6 × 4)", (l, on) -> l.activate(relu, on.of(a), null, on.of(single)));
    refused(
        "activate: expected 2 × (1 × 4), found 2 × (6 × 5)",
        (l, on) -> l.activate(relu, on.of(a), on.of(b), on.of(a)));
    refused("addBias: expected 2 × (1 × 5)", (l, on) -> l.addBias(on.of(b), on.of(row)));
    refused("scale", (l, on) -> l.scale(on.of(a), on.of(a), 2, on.of(a)));
    refused(
        "softmaxCrossEntropy: expected 2 × (6 × 1), found 2 × (1 × 4)",
        (l, on) ->
            l.softmaxCrossEntropy(on.of(a), on.of(ints), 0, 6, 1, null, on.of(row), on.of(column)));
    refused("columnSums", (l, on) -> l.columnSums(on.of(b), on.of(row)));
    refused("haltNonFinite", (l, on) -> l.haltNonFinite(on.of(column), on.of(ints), 0));
    refused(
        "update: expected 2 slots for Adam, found 1",
        (l, on) ->
            l.update(
                OptimizerRule.ADAM,
                on.of(row).data(),
                on.of(ints),
                0,
                on.of(a),
                on.of(a),
                on.of(a)));
    refused("widen", (l, on) -> l.widen(on.of(b), on.of(wide)));
    refused("narrow", (l, on) -> l.narrow(on.of(wide), on.of(b)));
    refused("expected FLOAT64, found FLOAT32", (l, on) -> l.narrow(on.of(a), on.of(a)));
    refused(
        "combine: expected 6 × 2 indices and coefficients, found 12 and 11",
        (l, on) -> l.combine(on.of(wide), 2, new int[12], new double[11], null, 1, on.of(a)));
    refused(
        "combine: expected rows below 6, found 7",
        (l, on) ->
            l.combine(
                on.of(wideSingle),
                1,
                new int[] {0, 0, 7, 0, 0, 0},
                new double[6],
                null,
                1,
                on.of(single)));
    refused(
        "activateReferences", (l, on) -> l.activateReferences(relu, on.of(wide), null, on.of(a)));
    refused(
        "activateDifferences",
        (l, on) -> l.activateDifferences(relu, on.of(single), on.of(single), on.of(ints), 0));
    refused(
        "probabilitySeeds", (l, on) -> l.probabilitySeeds(on.of(a), on.of(a), on.of(wideColumn)));
    refused("groupGrams", (l, on) -> l.groupGrams(on.of(a), 2, on.of(wide)));
    refused("groupNorms", (l, on) -> l.groupNorms(on.of(a), 4, null, on.of(wideColumn)));
    refused(
        "probabilityNorms",
        (l, on) ->
            l.probabilityNorms(on.of(single), on.of(wideSingle), new int[6], on.of(wideColumn)));
    refused("hashPatterns", (l, on) -> l.hashPatterns(relu, on.of(a), null, 0, on.of(ints), 0));
  }

  @Test
  void mapsOfAnotherShapeAreRefusedWithTheSameWordsOnBothDevices() {
    // Images of 2 × 2 × 3, four to a replica; windows of 2 leave 2 × 1 × 1.
    PatchShape shape = new PatchShape(new ImageShape(2, 2, 3), 3, false);
    PoolShape pool = new PoolShape(shape.image(), 2);
    Operand images = twins.floats(2, 4, 12, Layout.DENSE, zeros());
    Operand patches = twins.floats(2, 24, 18, Layout.DENSE, zeros());
    Operand withOne = twins.floats(2, 24, 19, Layout.DENSE, zeros());
    Operand withTwo = twins.floats(2, 24, 20, Layout.DENSE, zeros());
    Operand fewer = twins.floats(2, 23, 18, Layout.DENSE, zeros());
    Operand single = twins.floats(1, 24, 18, Layout.DENSE, zeros());
    Operand wide = twins.doubles(2, 4, 12, Layout.DENSE, zeros());
    Operand widePooled = twins.doubles(2, 4, 2, Layout.DENSE, zeros());
    Operand pooled = twins.floats(2, 4, 2, Layout.DENSE, zeros());
    Operand grouped = twins.floats(2, 2, 12, Layout.DENSE, zeros());
    refused(
        "patches: shapes don't fit: 2 × (4 × 12) 2 × (23 × 18)",
        (l, on) -> l.patches(on.of(images), shape, on.of(fewer)));
    refused("patches", (l, on) -> l.patches(on.of(images), shape, on.of(withTwo)));
    refused("patches", (l, on) -> l.patches(on.of(images), shape, on.of(single)));
    refused("patches", (l, on) -> l.patches(on.of(pooled), shape, on.of(patches)));
    refused(
        "patches: expected FLOAT32, found FLOAT64",
        (l, on) -> l.patches(on.of(wide), shape, on.of(patches)));
    refused("patchSums", (l, on) -> l.patchSums(on.of(withOne), shape, on.of(images)));
    refused("patchSums", (l, on) -> l.patchSums(on.of(fewer), shape, on.of(images)));
    refused("maxPool", (l, on) -> l.maxPool(on.of(images), pool, null, on.of(images)));
    refused(
        "maxPool: shapes don't fit: 2 × (4 × 12) 2 × (2 × 12)",
        (l, on) -> l.maxPool(on.of(images), pool, on.of(grouped), on.of(pooled)));
    refused(
        "unpool: shapes don't fit: 2 × (4 × 12) 2 × (2 × 12)",
        (l, on) -> l.unpool(on.of(pooled), pool, on.of(grouped), 3, on.of(images)));
    refused(
        "poolReferences: expected FLOAT64, found FLOAT32",
        (l, on) -> l.poolReferences(on.of(images), pool, on.of(images), on.of(widePooled)));
    refused(
        "poolReferences",
        (l, on) -> l.poolReferences(on.of(wide), pool, on.of(grouped), on.of(widePooled)));
    refused(
        "poolDifferences: expected 2 × (1 × 12), found 2 × (2 × 12)",
        (l, on) -> l.poolDifferences(on.of(images), pool, on.of(grouped), on.of(pooled)));
  }

  @Test
  void noMapsAreNoWork() {
    PatchShape shape = new PatchShape(new ImageShape(2, 2, 3), 3, true);
    PoolShape pool = new PoolShape(shape.image(), 2);
    Operand images = twins.floats(2, 0, 12, Layout.DENSE, zeros());
    Operand patches = twins.floats(2, 0, 18, Layout.DENSE, zeros());
    Operand pooled = twins.floats(2, 0, 2, Layout.DENSE, zeros());
    Operand gaps = twins.floats(2, 1, 12, Layout.DENSE, zeros());
    Operand wide = twins.doubles(2, 0, 12, Layout.DENSE, zeros());
    Operand widePooled = twins.doubles(2, 0, 2, Layout.DENSE, zeros());
    twins.run(
        (lane, on) -> {
          lane.patches(on.of(images), shape, on.of(patches));
          lane.patchSums(on.of(patches), shape, on.of(images));
          lane.maxPool(on.of(images), pool, on.of(images), on.of(pooled));
          lane.unpool(on.of(pooled), pool, on.of(images), 3, on.of(images));
          lane.poolReferences(on.of(wide), pool, on.of(images), on.of(widePooled));
          lane.poolDifferences(on.of(images), pool, on.of(gaps), on.of(pooled));
        });
  }

  @Test
  void operandsWithoutRowsOrColumnsAreNoWork() {
    Operand none = twins.floats(2, 0, 4, Layout.DENSE, zeros());
    Operand narrow = twins.floats(2, 4, 0, Layout.DENSE, zeros());
    Operand wide = twins.doubles(2, 0, 4, Layout.DENSE, zeros());
    Operand row = twins.floats(2, 1, 4, Layout.DENSE, zeros());
    Operand noColumn = twins.floats(2, 0, 1, Layout.DENSE, zeros());
    Operand wideColumn = twins.doubles(2, 0, 1, Layout.DENSE, zeros());
    Numbers ints = twins.ints(1, 1);
    twins.run(
        (lane, on) -> {
          lane.activate(Activation.TANH, on.of(none), on.of(row), on.of(none));
          lane.activate(Activation.RELU, on.of(narrow), null, on.of(narrow));
          lane.addBias(on.of(none), on.of(row));
          lane.scale(on.of(none), on.of(none), 3, on.of(none));
          lane.softmaxCrossEntropy(
              on.of(none), on.of(ints), 0, 0, 1, on.of(none), on.of(noColumn), on.of(noColumn));
          lane.update(
              OptimizerRule.SGD, on.of(row).data(), on.of(ints), 0, on.of(none), on.of(none));
          lane.widen(on.of(none), on.of(wide));
          lane.narrow(on.of(wide), on.of(none));
          lane.combine(on.of(wide), 3, new int[0], new double[0], null, 1, on.of(none));
          lane.activateReferences(Activation.RELU6, on.of(wide), on.of(row), on.of(none));
          lane.probabilitySeeds(on.of(none), on.of(none), on.of(wideColumn));
          lane.logitSeeds(on.of(none));
          lane.groupNorms(on.of(none), 3, null, on.of(wideColumn));
        });
  }
}
