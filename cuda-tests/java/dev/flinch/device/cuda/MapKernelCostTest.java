package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.ImageShape;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.PatchShape;
import dev.flinch.device.PoolShape;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import dev.flinch.reference.RandomNetworks;
import java.util.Locale;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the headers of {@code kernels/patches.cu} and {@code kernels/max_pool.cu} say of memory
 * traffic, counted by the emulator for a step of training of the convolutional network 16–32–32
 * whose maps are pooled by 2: batches of 32 images of 3 × 32 × 32.
 */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class MapKernelCostTest {
  private static final int BATCH = 32;
  private static final double SECTOR = 32;
  private static final int WARP = 32;

  private final EmulatedDriver driver = new EmulatedDriver();
  private final CudaDevice device = new CudaDevice("emulator", driver);
  private final Scope scope = new Scope(device);

  @AfterEach
  void close() {
    scope.close();
    device.close();
  }

  private Matrix rows(int rows, int columns) {
    return Matrix.of(scope.floats((long) rows * columns), 0, rows, columns);
  }

  /**
   * Holds an operation to bytes of sectors, and to instructions, for each element of {@code per}.
   *
   * @param loaded the most bytes of sectors that loads touch, from cache or not
   * @param stored bytes of sectors that stores touch
   * @param instructions the most of a thread
   */
  private void assertCosts(
      String kernel,
      Matrix per,
      double loaded,
      double stored,
      double instructions,
      Consumer<Lane> operation) {
    driver.resetCounters();
    device.run(1, (lane, task) -> operation.accept(lane));
    Counters c = driver.counters().get(kernel);
    double elements = (double) per.rows() * per.columns();
    String counted =
        String.format(
            Locale.ROOT,
            "%s, %,.0f elements, for each: %.2f bytes loaded in sectors of %.2f, %.2f stored in %.2f, %.1f instructions",
            kernel,
            elements,
            c.globalLoadBytes() / elements,
            SECTOR * c.globalLoadSectors() / elements,
            c.globalStoreBytes() / elements,
            SECTOR * c.globalStoreSectors() / elements,
            WARP * c.allWarpInstructions() / elements);
    System.out.println(counted);
    assertTrue(SECTOR * c.globalLoadSectors() <= loaded * elements, counted);
    assertEquals(
        stored * elements, SECTOR * c.globalStoreSectors(), 0.01 * stored * elements, counted);
    assertTrue(WARP * c.allWarpInstructions() <= instructions * elements, counted);
    assertEquals(0, c.bankConflicts(), counted);
  }

  @ParameterizedTest
  @CsvSource({"16,16", "32,8"})
  void patchesOfChannelsLastAreMovedInWholeSectors(int channels, int side) {
    PatchShape shape = new PatchShape(new ImageShape(channels, side, side), 3, false);
    Matrix x = rows(BATCH, shape.image().size());
    Matrix patches = rows(BATCH * shape.positions(), shape.size());
    // Nothing is read for what lies beyond the borders.
    assertCosts("patches.patches_4", patches, 4, 4, 9, l -> l.patches(x, shape, patches));
    // Each component is read once, for a ninth of as many pixels.
    assertCosts("patches.patch_sums_4", x, 36, 4, 70, l -> l.patchSums(patches, shape, x));
  }

  @Test
  void patchesOfImagesOfThreeChannelsAreWrittenInWholeSectors() {
    PatchShape shape = new PatchShape(new ImageShape(3, 32, 32), 3, true);
    Matrix x = rows(BATCH, shape.image().size());
    Matrix patches = rows(BATCH * shape.positions(), shape.size());
    // Three neighbours of a row of a plane are in one sector or two.
    assertCosts("patches.patches_1", patches, 12, 4, 23, l -> l.patches(x, shape, patches));
    // So are a pixel's three channels in a patch; and a warp writes to three planes.
    assertCosts("patches.patch_sums_1", x, 128, 6, 125, l -> l.patchSums(patches, shape, x));
  }

  @ParameterizedTest
  @CsvSource({"16,32", "32,16", "32,8"})
  void poolingMovesWholeSectors(int channels, int side) {
    PoolShape shape = new PoolShape(new ImageShape(channels, side, side), 2);
    Matrix h = rows(BATCH, shape.map().size());
    float[] values = RandomNetworks.inputs(1, BATCH, shape.map().size());
    device.upload(values, 0, h.data(), 0, values.length);
    Matrix slopes = rows(BATCH, shape.map().size());
    Matrix out = rows(BATCH, shape.pooled().size());
    // For each pixel; of slopes three of four are written, in all sectors, once.
    assertCosts("max_pool.max_pool_2", h, 4, 5, 55, l -> l.maxPool(h, shape, slopes, out));
    // A window's error is read by two rows of pixels.
    assertCosts("max_pool.unpool_4", h, 6, 4, 32, l -> l.unpool(out, shape, slopes, 1, slopes));
    // Gaps come from cache: at most as often as values.
    Matrix gaps = slopes.rows(0, 1);
    assertCosts(
        "max_pool.pool_differences_2", h, 8, 1, 40, l -> l.poolDifferences(h, shape, gaps, out));
  }
}
