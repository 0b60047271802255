package dev.flinch.device.cuda;

import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.device.cuda.driver.CardDriver;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasPointerMode;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;

/**
 * Matrix products by NVIDIA's cuBLAS on one stream.
 *
 * <p>They are the same bits on every run on one kind of card with one version of cuBLAS: one handle
 * works on one stream, in a workspace of its own that stays as large as it is, with atomics off.
 * Float32 products are made in float32: TF32 and cuBLAS's emulations are off unless asked for,
 * which this class never does (NVIDIA_TF32_OVERRIDE=1 in the environment would force the former).
 */
final class Cublas implements ProductProvider, AutoCloseable {
  /** What NVIDIA recommends for the largest cards; smaller ones use less of it. */
  private static final int WORKSPACE_BYTES = 32 << 20;

  private final Driver driver;
  private final CardDriver card;
  private final Driver.Stream stream;
  private final cublasHandle handle;
  private final long workspace;
  private String description;

  /**
   * What became of looking for cuBLAS.
   *
   * @param cublas for the caller to close; null where there is none
   * @param description such as "cuBLAS 12.6.1", or "no cuBLAS: " and why
   */
  record Outcome(Cublas cublas, String description) {}

  private Cublas(
      Driver driver, CardDriver card, Driver.Stream stream, cublasHandle handle, long workspace) {
    this.driver = driver;
    this.card = card;
    this.stream = stream;
    this.handle = handle;
    this.workspace = workspace;
  }

  /** Opens cuBLAS for work on a stream, if it is on this machine and works with its card. */
  static Outcome find(Driver driver, Driver.Stream stream) {
    if (!(driver.observed() instanceof CardDriver card)) {
      return new Outcome(null, "no cuBLAS: " + driver.card().name() + " is no card");
    }
    CublasLibrary library = CublasLibrary.load();
    if (library.missing() != null) {
      return new Outcome(null, "no cuBLAS: " + library.missing());
    }
    try {
      return open(driver, card, stream, library);
    } catch (LinkageError e) {
      return new Outcome(
          null,
          "no cuBLAS: its binding doesn't load: "
              + String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
    } catch (DriverException | OutOfDeviceMemoryException e) {
      return new Outcome(null, "no cuBLAS: " + e.getMessage());
    }
  }

  private static Outcome open(
      Driver driver, CardDriver card, Driver.Stream stream, CublasLibrary library) {
    cublasHandle handle = new cublasHandle();
    check(JCublas2.cublasCreate(handle), driver, "cublasCreate", "open cuBLAS");
    Cublas cublas = null;
    try {
      // Setting the stream takes a handle's workspace away, so that comes after.
      check(
          JCublas2.cublasSetStream(handle, new cudaStream_t(CardDriver.handle(stream))),
          driver,
          "cublasSetStream",
          "have cuBLAS work on a stream");
      cublas = new Cublas(driver, card, stream, handle, driver.allocate(WORKSPACE_BYTES));
      check(
          JCublas2.cublasSetWorkspace(handle, pointer(cublas.workspace), WORKSPACE_BYTES),
          driver,
          "cublasSetWorkspace",
          "give cuBLAS memory");
      check(
          JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_DEFAULT_MATH),
          driver,
          "cublasSetMathMode",
          "have float32 products in float32");
      check(
          JCublas2.cublasSetPointerMode(handle, cublasPointerMode.CUBLAS_POINTER_MODE_HOST),
          driver,
          "cublasSetPointerMode",
          "give cuBLAS factors from the host");
      int[] version = new int[1];
      check(
          JCublas2.cublasGetVersion(handle, version),
          driver,
          "cublasGetVersion",
          "say its version");
      cublas.description =
          "cuBLAS %d.%d.%d%s"
              .formatted(
                  version[0] / 10000,
                  version[0] / 100 % 100,
                  version[0] % 100,
                  library.major() == 13 ? " through a patched binding" : "");
      return new Outcome(cublas, cublas.description);
    } catch (RuntimeException e) {
      if (cublas == null) {
        JCublas2.cublasDestroy(handle);
      } else {
        cublas.close();
      }
      throw e;
    }
  }

  @Override
  public String description() {
    return description;
  }

  /**
   * cuBLAS counts by columns: to it, our matrices are the transposed ones, and cᵀ = op(b)ᵀ op(a)ᵀ.
   */
  @Override
  public void gemm(
      boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    Products.announce(driver, transposeA ? a.rows() : a.columns(), c);
    driver.launch(
        stream,
        c.data().type() == ElementType.FLOAT64 ? "cuBLAS.dgemm" : "cuBLAS.sgemm",
        () -> multiply(transposeA, a, transposeB, b, beta, c));
  }

  private void multiply(
      boolean transposeA, Matrix a, boolean transposeB, Matrix b, float beta, Matrix c) {
    int m = c.rows();
    int n = c.columns();
    int k = transposeA ? a.rows() : a.columns();
    ElementType type = c.data().type();
    Pointer pointerA = pointer(k == 0 ? 0 : Launcher.address(a, type));
    Pointer pointerB = pointer(k == 0 ? 0 : Launcher.address(b, type));
    Pointer pointerC = pointer(Launcher.address(c, type));
    int opA = operation(transposeA);
    int opB = operation(transposeB);
    int status =
        switch (type) {
          case FLOAT32 ->
              JCublas2.cublasSgemmStridedBatched(
                  handle,
                  opB,
                  opA,
                  n,
                  m,
                  k,
                  Pointer.to(new float[] {1}),
                  pointerB,
                  stride(b),
                  b.replicaStride(),
                  pointerA,
                  stride(a),
                  a.replicaStride(),
                  Pointer.to(new float[] {beta}),
                  pointerC,
                  stride(c),
                  c.replicaStride(),
                  c.replicas());
          case FLOAT64 ->
              JCublas2.cublasDgemmStridedBatched(
                  handle,
                  opB,
                  opA,
                  n,
                  m,
                  k,
                  Pointer.to(new double[] {1}),
                  pointerB,
                  stride(b),
                  b.replicaStride(),
                  pointerA,
                  stride(a),
                  a.replicaStride(),
                  Pointer.to(new double[] {beta}),
                  pointerC,
                  stride(c),
                  c.replicaStride(),
                  c.replicas());
          default -> throw new IllegalArgumentException("products of " + type);
        };
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      check(
          status,
          driver,
          "cublas%sgemmStridedBatched".formatted(type == ElementType.FLOAT64 ? "D" : "S"),
          "multiply %d times %d × %d by %d × %d".formatted(c.replicas(), m, k, k, n));
    }
  }

  private static int operation(boolean transposed) {
    return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
  }

  /** Rows of no elements still need a stride that cuBLAS accepts. */
  private static int stride(Matrix matrix) {
    return Math.max(1, matrix.stride());
  }

  private static CUdeviceptr pointer(long address) {
    return new CUdeviceptr().withByteOffset(address);
  }

  private static void check(int status, Driver driver, String call, String what) {
    if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
      throw new DriverException(
          "%s: %s, to %s, answers %s"
              .formatted(driver.card().name(), call, what, cublasStatus.stringFor(status)));
    }
  }

  @Override
  public void close() {
    if (!card.isLost()) {
      check(JCublas2.cublasDestroy(handle), driver, "cublasDestroy", "close cuBLAS");
      driver.free(workspace);
    }
  }
}
