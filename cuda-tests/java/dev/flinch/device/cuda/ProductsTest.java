package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.KernelProducts.Version;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.Counters;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every version of the kernel against sums in double precision. */
@Tag("cuda")
@TestInstance(Lifecycle.PER_CLASS)
class ProductsTest {
  /** Half a unit in the last place of 1 in float32. */
  private static final double ROUNDING = 0x1p-24;

  private static final int[] SIZES = {1, 2, 3, 31, 32, 33, 127, 128, 129};
  private static final float[] BETAS = {0, 1, 0.5f};

  private KernelStand stand;
  private KernelProducts products;

  /** The card to test on, for the caller to close. */
  Driver driver() {
    return TestedDevice.driver();
  }

  @BeforeAll
  void open() {
    stand = new KernelStand(driver());
    products = new KernelProducts(stand.launcher());
  }

  @AfterAll
  void close() {
    stand.close();
  }

  @AfterEach
  void clear() {
    stand.clear();
  }

  /** How matrices lie in memory. */
  private enum Layout {
    /** Rows without gaps from the array's start. */
    DENSE,
    /** Rows of a multiple of 16 elements. */
    PADDED,
    /** Every row at a multiple of 16 bytes, with gaps between rows and between replicas. */
    SPACED,
    /** Rows that start anywhere. */
    ODD;

    boolean isAligned(int columns) {
      return this == PADDED || this == SPACED || (this == DENSE && columns % 4 == 0);
    }

    Matrix matrix(DeviceArray data, int replicas, int rows, int columns) {
      return switch (this) {
        case DENSE, PADDED ->
            new Matrix(
                data,
                0,
                rows,
                columns,
                stride(columns),
                this == PADDED,
                replicas,
                (long) rows * stride(columns));
        case SPACED, ODD ->
            new Matrix(
                data,
                offset(),
                rows,
                columns,
                stride(columns),
                false,
                replicas,
                (long) rows * stride(columns) + offset());
      };
    }

    int stride(int columns) {
      return switch (this) {
        case DENSE -> columns;
        case PADDED -> Matrix.paddedColumns(columns);
        case SPACED -> (columns + 3) / 4 * 4 + 4;
        case ODD -> columns + 5;
      };
    }

    int offset() {
      return switch (this) {
        case DENSE, PADDED -> 0;
        case SPACED -> 8;
        case ODD -> 3;
      };
    }

    int length(int replicas, int rows, int columns) {
      return offset() + replicas * (rows * stride(columns) + offset());
    }
  }

  /** An operand on the host: its elements, and NaN in the gaps, which nobody may use or change. */
  private record Operand(Layout layout, int replicas, int rows, int columns, double[] values) {
    /** Numbers that are float32 too. */
    static Operand normal(
        SplittableRandom random, Layout layout, int replicas, int rows, int columns) {
      Operand operand = unknown(layout, replicas, rows, columns);
      for (int r = 0; r < replicas; r++) {
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < columns; j++) {
            operand.values[operand.at(r, i, j)] = (float) random.nextGaussian();
          }
        }
      }
      return operand;
    }

    static Operand unknown(Layout layout, int replicas, int rows, int columns) {
      double[] values = new double[layout.length(replicas, rows, columns)];
      Arrays.fill(values, Double.NaN);
      return new Operand(layout, replicas, rows, columns, values);
    }

    int at(int r, int i, int j) {
      int stride = layout.stride(columns);
      return layout.offset() + r * (rows * stride + layout.offset()) + i * stride + j;
    }

    double get(int r, int i, int j) {
      return values[at(r, i, j)];
    }
  }

  /** A product, its operands and what it should be. */
  private record Product(
      boolean transposeA, Operand a, boolean transposeB, Operand b, float beta, Operand c) {

    static Product of(
        SplittableRandom random,
        boolean transposeA,
        boolean transposeB,
        Layout layout,
        int replicas,
        int m,
        int n,
        int k,
        float beta) {
      return new Product(
          transposeA,
          Operand.normal(random, layout, replicas, transposeA ? k : m, transposeA ? m : k),
          transposeB,
          Operand.normal(random, layout, replicas, transposeB ? n : k, transposeB ? k : n),
          beta,
          beta == 0
              ? Operand.unknown(layout, replicas, m, n)
              : Operand.normal(random, layout, replicas, m, n));
    }

    int depth() {
      return transposeA ? a.rows : a.columns;
    }

    private double left(int r, int i, int l) {
      return transposeA ? a.get(r, l, i) : a.get(r, i, l);
    }

    private double right(int r, int l, int j) {
      return transposeB ? b.get(r, j, l) : b.get(r, l, j);
    }

    double expected(int r, int i, int j) {
      double sum = beta == 0 ? 0 : beta * c.get(r, i, j);
      for (int l = 0; l < depth(); l++) {
        sum += left(r, i, l) * right(r, l, j);
      }
      return sum;
    }

    /** Σ |a| |b| + |beta c|: what rounding errors are relative to. */
    double magnitude(int r, int i, int j) {
      double sum = beta == 0 ? 0 : Math.abs(beta * c.get(r, i, j));
      for (int l = 0; l < depth(); l++) {
        sum += Math.abs(left(r, i, l) * right(r, l, j));
      }
      return sum;
    }

    /**
     * Compares, and looks after the gaps.
     *
     * @param units the most that an element may be off, in {@link #ROUNDING} times its magnitude
     * @return how far the elements are off on average (root of the mean of squares) in those units
     */
    double check(String what, double[] actual, double units) {
      boolean[] own = new boolean[actual.length];
      double squares = 0;
      for (int r = 0; r < c.replicas; r++) {
        for (int i = 0; i < c.rows; i++) {
          for (int j = 0; j < c.columns; j++) {
            int at = c.at(r, i, j);
            own[at] = true;
            double unit = ROUNDING * magnitude(r, i, j) + Float.MIN_VALUE;
            double off = (actual[at] - expected(r, i, j)) / unit;
            // Not "off > units": NaN must fail.
            if (!(Math.abs(off) <= units)) {
              throw new AssertionError(
                  "%s, replica %d, element (%d, %d): expected %s, found %s, off by %.2f units of %.2f"
                      .formatted(what, r, i, j, expected(r, i, j), actual[at], off, units));
            }
            squares += off * off;
          }
        }
      }
      for (int at = 0; at < own.length; at++) {
        if (!own[at]) {
          assertTrue(Double.isNaN(actual[at]), what + ": the gap at " + at + " was written");
        }
      }
      return Math.sqrt(squares / (c.replicas * (double) c.rows * c.columns));
    }
  }

  /** A copy of an operand on the card. */
  private Matrix upload(Operand operand, ElementType type) {
    DeviceArray data;
    if (type == ElementType.FLOAT64) {
      data = stand.doubles(operand.values);
    } else {
      float[] narrow = new float[operand.values.length];
      for (int i = 0; i < narrow.length; i++) {
        narrow[i] = (float) operand.values[i];
      }
      data = stand.floats(narrow);
    }
    return operand.layout.matrix(data, operand.replicas, operand.rows, operand.columns);
  }

  /** All of C's array after the product by a version, or by the one that is chosen for null. */
  private double[] by(Version version, Product product) {
    ElementType type =
        version == Version.WIDE_32 || version == Version.WIDE_64
            ? ElementType.FLOAT64
            : ElementType.FLOAT32;
    Matrix a = upload(product.a, type);
    Matrix b = upload(product.b, type);
    Matrix c = upload(product.c, type);
    if (version == null) {
      new Products(products, new Cublas.Outcome(null, "no cuBLAS: not looked for"))
          .gemm(product.transposeA, a, product.transposeB, b, product.beta, c);
    } else {
      products.gemm(version, product.transposeA, a, product.transposeB, b, product.beta, c);
    }
    return stand.values(c);
  }

  /**
   * A sum of k products in float32, in any order, is off by at most (k + 1) roundings of Σ |a| |b|
   * up to second order. Split into TF32, an operand is off by 2⁻²², so a product by 12 roundings
   * with the one of four that is dropped; sums inside tensor cores are cut instead of rounded,
   * twice the error. In float64 it is k roundings of 2⁻⁵³.
   */
  private static double units(Version version, int k) {
    return switch (version) {
      case TILED_32, TILED_64, TILED_128 -> k + 2;
      case TENSOR_64, TENSOR_128 -> 2 * k + 16;
      case WIDE_32, WIDE_64 -> (k + 2) * 0x1p-29;
    };
  }

  private boolean isThere(Version version, boolean transposeA, boolean transposeB) {
    boolean tensor = version == Version.TENSOR_64 || version == Version.TENSOR_128;
    boolean bothTransposed = transposeA && transposeB;
    boolean general =
        version == Version.TILED_64 || version == Version.WIDE_32 || version == Version.WIDE_64;
    return (!bothTransposed || general) && (!tensor || stand.launcher().architecture() >= 80);
  }

  @ParameterizedTest
  @EnumSource(Version.class)
  void productsAgreeWithDoublePrecisionForAllSizesAndLayouts(Version version) {
    int number = 0;
    for (boolean transposeA : new boolean[] {false, true}) {
      for (boolean transposeB : new boolean[] {false, true}) {
        if (!isThere(version, transposeA, transposeB)) {
          continue;
        }
        // Each size once as each of m, n and k, with layouts, betas and replicas in turn.
        for (int s = 0; s < SIZES.length; s++, number++) {
          int m = SIZES[s];
          int n = SIZES[(2 * s + 3) % SIZES.length];
          int k = SIZES[(s + 5) % SIZES.length];
          Layout layout =
              version == Version.TILED_128 || version == Version.TENSOR_128
                  ? number % 2 == 0 ? Layout.PADDED : Layout.SPACED
                  : Layout.values()[number % 4];
          int replicas = m * n < 4000 ? 3 : 1;
          float beta = BETAS[number % 3];
          long seed = 100 + number;
          Product product =
              Product.of(
                  new SplittableRandom(seed),
                  transposeA,
                  transposeB,
                  layout,
                  replicas,
                  m,
                  n,
                  k,
                  beta);
          product.check(
              "%s, %d × %d × %d × %d, %s, %s, %s, beta %s, seed %d"
                  .formatted(
                      version, replicas, m, n, k, transposeA, transposeB, layout, beta, seed),
              by(version, product),
              units(version, k));
          stand.clear();
        }
      }
    }
    assertTrue(number > 0 || stand.launcher().architecture() < 80);
  }

  @Test
  void tilesOfEverySizeAndReplicasInAnyCompanyGiveTheSameBits() {
    for (boolean[] transposed : new boolean[][] {{false, true}, {false, false}, {true, false}}) {
      Product product =
          Product.of(
              new SplittableRandom(7),
              transposed[0],
              transposed[1],
              Layout.SPACED,
              2,
              33,
              65,
              77,
              0.5f);
      double[] tiled = by(Version.TILED_32, product);
      assertArrayEquals(tiled, by(Version.TILED_32, product), "on another run");
      assertArrayEquals(tiled, by(Version.TILED_64, product));
      assertArrayEquals(tiled, by(Version.TILED_128, product));
      if (stand.launcher().architecture() >= 80) {
        double[] tensor = by(Version.TENSOR_64, product);
        assertArrayEquals(tensor, by(Version.TENSOR_128, product));
      }
      double[] chosen = by(null, product);
      Matrix a = upload(product.a, ElementType.FLOAT32).replicas(1, 1);
      Matrix b = upload(product.b, ElementType.FLOAT32).replicas(1, 1);
      Matrix c = upload(product.c, ElementType.FLOAT32).replicas(1, 1);
      products.gemm(transposed[0], a, transposed[1], b, 0.5f, c);
      double[] alone = stand.values(c);
      for (int i = 0; i < 33; i++) {
        for (int j = 0; j < 65; j++) {
          assertEquals(chosen[product.c.at(1, i, j)], alone[product.c.at(1, i, j)]);
        }
      }
    }
  }

  @Test
  void aFirstLayerAgreesWithDoublePrecisionAndWithTheCpu() {
    int m = 200;
    int n = 200;
    int k = 784;
    Product product =
        Product.of(new SplittableRandom(8), false, true, Layout.PADDED, 1, m, n, k, 0);
    double[] actual = by(null, product);
    product.check("200 × 200 × 784, seed 8", actual, 2 * k);
    try (CpuDevice cpu = new CpuDevice(1);
        Scope scope = new Scope(cpu)) {
      Matrix a = onCpu(cpu, scope, product.a);
      Matrix b = onCpu(cpu, scope, product.b);
      Matrix c = scope.matrix(m, n);
      cpu.run(1, (lane, task) -> lane.gemm(false, a, true, b, 0, c));
      float[] row = new float[n];
      for (int i = 0; i < m; i++) {
        cpu.download(c.data(), c.start(0, i), row, 0, n);
        for (int j = 0; j < n; j++) {
          assertEquals(
              row[j], actual[product.c.at(0, i, j)], 2 * k * ROUNDING * product.magnitude(0, i, j));
        }
      }
    }
  }

  private static Matrix onCpu(CpuDevice cpu, Scope scope, Operand operand) {
    Matrix matrix = scope.matrix(operand.rows, operand.columns);
    for (int i = 0; i < operand.rows; i++) {
      float[] row = new float[operand.columns];
      for (int j = 0; j < row.length; j++) {
        row[j] = (float) operand.get(0, i, j);
      }
      cpu.upload(row, 0, matrix.data(), matrix.start(0, i), row.length);
    }
    return matrix;
  }

  @Test
  void tensorCoresAreAsAccurateAsFloat32() {
    if (stand.launcher().architecture() < 80) {
      return;
    }
    for (int k : new int[] {16, 100, 784}) {
      Product product =
          Product.of(new SplittableRandom(k), false, true, Layout.PADDED, 1, 64, 64, k, 0);
      double plain = product.check("plain, " + k, by(Version.TILED_64, product), k + 2);
      double split = product.check("split, " + k, by(Version.TENSOR_64, product), 2 * k + 16);
      // 22 of 24 bits of each operand take part, so the shortest sums lose most: an operand's error
      // of up to 2⁻²² against float32's 2⁻²⁴ a product.
      assertTrue(
          split <= 4 * plain,
          "k = %d: off by %.3f units, float32 by %.3f".formatted(k, split, plain));
    }
  }

  @Test
  void longSumsAreCutTheSameWayForOneReplicaAndForMany() {
    Product product =
        Product.of(new SplittableRandom(9), true, false, Layout.ODD, 2, 3, 5, 5001, 0.5f);
    double[] actual = by(null, product);
    // Pieces of 2048 and their sum: the error grows with the piece, not with the sum.
    product.check("5001 summed indices, seed 9", actual, 2 * (2048 + 3) + 16);
    assertArrayEquals(actual, by(Version.TILED_64, product));
  }

  @Test
  void withNothingToSumOnlyBetaIsLeft() {
    for (float beta : BETAS) {
      Product product =
          Product.of(new SplittableRandom(10), false, true, Layout.PADDED, 2, 5, 7, 0, beta);
      product.check("k = 0, beta " + beta, by(null, product), 0);
    }
    Product empty = Product.of(new SplittableRandom(10), false, true, Layout.DENSE, 1, 0, 7, 3, 0);
    assertEquals(0, by(null, empty).length);
  }

  @ParameterizedTest
  @EnumSource(Version.class)
  void whatIsNotFiniteStaysSoAndSpoilsNoOtherRow(Version version) {
    if (!isThere(version, false, true)) {
      return;
    }
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      Product product =
          Product.of(new SplittableRandom(11), false, true, Layout.PADDED, 1, 5, 6, 7, 0);
      product.a.values[product.a.at(0, 3, 2)] = bad;
      double[] actual = by(version, product);
      for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 6; j++) {
          assertEquals(i != 3, Double.isFinite(actual[product.c.at(0, i, j)]), version + ", " + i);
        }
      }
    }
  }

  @Test
  void operandsOfOtherShapesAreRefused() {
    Matrix a = Matrix.of(stand.floats(new float[6]), 0, 2, 3);
    Matrix b = Matrix.of(stand.floats(new float[6]), 0, 2, 3);
    Matrix c = Matrix.of(stand.floats(new float[9]), 0, 3, 3);
    Products checked =
        new Products(products, new Cublas.Outcome(null, "no cuBLAS: not looked for"));
    assertThrows(IllegalArgumentException.class, () -> checked.gemm(false, a, true, b, 0, c));
    assertThrows(
        IllegalArgumentException.class,
        () -> checked.gemm(true, a, false, Matrix.of(stand.doubles(new double[6]), 0, 2, 3), 0, c));
  }

  @ParameterizedTest
  @EnumSource(Version.class)
  void arithmeticAndTrafficAreWhatTheHeaderSays(Version version) {
    if (!(stand.driver() instanceof EmulatedDriver emulator)) {
      return;
    }
    boolean wide = version == Version.WIDE_32 || version == Version.WIDE_64;
    boolean tensor = version == Version.TENSOR_64 || version == Version.TENSOR_128;
    int size = version.tile();
    int k = 48;
    for (boolean transposeA : new boolean[] {false, true}) {
      for (boolean transposeB : new boolean[] {false, true}) {
        if (!isThere(version, transposeA, transposeB)) {
          continue;
        }
        String what = version.entry(transposeA, transposeB);
        Product whole =
            Product.of(
                new SplittableRandom(1),
                transposeA,
                transposeB,
                Layout.DENSE,
                1,
                size,
                2 * size,
                k,
                0);
        emulator.resetCounters();
        by(version, whole);
        Counters cost = emulator.counters().get("gemm." + what);
        double flops = (tensor ? 6.0 : 2.0) * size * 2 * size * k;
        // On tensor cores, splitting a value and adding parts takes a few more.
        assertTrue(
            cost.flops() >= flops && cost.flops() <= (tensor ? 1.1 : 1) * flops,
            () -> "%s: %d FLOP, expected %.0f".formatted(what, cost.flops(), flops));
        int bytes = wide ? 8 : 4;
        assertEquals(2L * bytes * 2 * size * k, cost.globalLoadBytes(), what);
        assertEquals(cost.globalLoadBytes() / 32, cost.globalLoadSectors(), what);
        assertEquals((long) bytes * 2 * size * size, cost.globalStoreBytes(), what);
        assertEquals(cost.globalStoreBytes() / 32, cost.globalStoreSectors(), what);
        assertEquals(0, cost.bankConflicts(), what);
        if (version != Version.TILED_128 && version != Version.TENSOR_128) {
          Product odd =
              Product.of(
                  new SplittableRandom(2),
                  transposeA,
                  transposeB,
                  Layout.ODD,
                  1,
                  size - 1,
                  size + 1,
                  17,
                  0);
          emulator.resetCounters();
          by(version, odd);
          Counters oddCost = emulator.counters().get("gemm." + what);
          assertEquals(0, oddCost.bankConflicts(), what);
          int depth = tensor ? 32 : wide ? 17 : 20;
          assertEquals(
              (tensor ? 6.0 : 2.0) * size * 2 * size * depth,
              oddCost.flops(),
              (tensor ? 0.1 : 0.0) * oddCost.flops(),
              what);
        }
        stand.clear();
      }
    }
  }
}
