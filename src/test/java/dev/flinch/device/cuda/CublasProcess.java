package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.CardDriver;
import dev.flinch.device.cuda.driver.Cards;
import dev.flinch.device.cuda.driver.Driver;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What {@link CublasTest} looks at, in a process whose {@code libcuda.so.1} and cuBLAS are
 * stand-ins: products of all shapes, compared with their definition.
 */
final class CublasProcess {
  private final CardDriver driver;
  private final Driver.Stream stream;
  private final Cublas cublas;
  private final SplittableRandom random = new SplittableRandom(7);
  private final ByteBuffer pinned;

  private CublasProcess(CardDriver driver, Driver.Stream stream, Cublas cublas) {
    this.driver = driver;
    this.stream = stream;
    this.cublas = cublas;
    this.pinned = driver.pin(1 << 20);
  }

  public static void main(String[] arguments) {
    try (CardDriver driver = new CardDriver(Cards.find().found().get(0));
        Driver.Stream stream = driver.stream()) {
      Cublas.Outcome outcome = Cublas.find(driver, stream);
      System.out.println(outcome.description());
      if (outcome.cublas() != null) {
        try (Cublas cublas = outcome.cublas()) {
          new CublasProcess(driver, stream, cublas).products();
        }
        observed(driver);
        System.out.println("done");
      }
    }
  }

  /** Through a driver that observes, the same library works and is seen. */
  private static void observed(CardDriver driver) {
    ProfilingDriver profiling = new ProfilingDriver(driver);
    profiling.start();
    try (Driver.Stream stream = profiling.stream();
        Cublas cublas = Cublas.find(profiling, stream).cublas()) {
      new CublasProcess(driver, stream, cublas).check(ElementType.FLOAT32, 2, 3, 5, false, true);
      ProfilingDriver.Timing timing = profiling.timings().get("cuBLAS.sgemm");
      assertEquals(1, timing.launches());
      assertEquals(0, timing.work().flop() % (2 * 2 * 3 * 5));
      // The stand-in's events are 1.5 ms apart.
      assertEquals(1.5, timing.medianMilliseconds());
    }
  }

  private void products() {
    int[] sizes = {1, 2, 3, 5, 8};
    for (ElementType type : new ElementType[] {ElementType.FLOAT32, ElementType.FLOAT64}) {
      for (int m : sizes) {
        for (int n : sizes) {
          for (int k : sizes) {
            for (int transposed = 0; transposed < 4; transposed++) {
              check(type, m, n, k, (transposed & 1) > 0, (transposed & 2) > 0);
            }
          }
        }
      }
    }
  }

  private void check(
      ElementType type, int m, int n, int k, boolean transposeA, boolean transposeB) {
    int replicas = 1 + random.nextInt(3);
    Matrix a = transposeA ? matrix(type, k, m, replicas) : matrix(type, m, k, replicas);
    Matrix b = transposeB ? matrix(type, n, k, replicas) : matrix(type, k, n, replicas);
    Matrix c = matrix(type, m, n, replicas);
    double[] wanted = values(c);
    double[] valuesA = values(a);
    double[] valuesB = values(b);
    float beta = random.nextInt(3) - 1;
    for (int r = 0; r < replicas; r++) {
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          double sum = 0;
          for (int l = 0; l < k; l++) {
            sum +=
                valuesA[(int) (transposeA ? a.start(r, l) + i : a.start(r, i) + l)]
                    * valuesB[(int) (transposeB ? b.start(r, j) + l : b.start(r, l) + j)];
          }
          int at = (int) c.start(r, i) + j;
          wanted[at] = sum + beta * wanted[at];
        }
      }
    }
    cublas.gemm(transposeA, a, transposeB, b, beta, c);
    double[] found = values(c);
    for (int i = 0; i < found.length; i++) {
      // Small integers: every product and sum is exact, and what lies between rows is untouched.
      assertEquals(
          wanted[i],
          found[i],
          "%s %d × %d × %d, %b %b, element %d".formatted(type, m, k, n, transposeA, transposeB, i));
    }
    for (Matrix matrix : new Matrix[] {a, b, c}) {
      matrix.data().close();
    }
  }

  /** Small integers in rows that may lie apart. */
  private Matrix matrix(ElementType type, int rows, int columns, int replicas) {
    int stride = columns + random.nextInt(3);
    long replicaStride = (long) rows * stride + random.nextInt(4);
    long offset = random.nextInt(3);
    long length = offset + replicas * replicaStride + columns;
    CudaArray array = new CudaArray(driver, type, length, new AtomicLong());
    for (int i = 0; i < length; i++) {
      int value = random.nextInt(-9, 10);
      if (type == ElementType.FLOAT32) {
        pinned.putFloat(4 * i, value);
      } else {
        pinned.putDouble(8 * i, value);
      }
    }
    driver.upload(stream, pinned, 0, array.address(0, length), (int) array.bytes());
    return new Matrix(array, offset, rows, columns, stride, false, replicas, replicaStride);
  }

  private double[] values(Matrix matrix) {
    CudaArray array = (CudaArray) matrix.data();
    driver.download(stream, array.address(0, array.length()), pinned, 0, (int) array.bytes());
    double[] values = new double[(int) array.length()];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          array.type() == ElementType.FLOAT32 ? pinned.getFloat(4 * i) : pinned.getDouble(8 * i);
    }
    return values;
  }
}
