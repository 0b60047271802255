package dev.flinch.device.cpu;

import com.sun.management.OperatingSystemMXBean;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.RegionWalks;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas;
import org.bytedeco.openblas.global.openblas_nolapack;

/** The CPU: a lane a core. */
public final class CpuDevice implements Device {
  /** Half of the second-level cache that today's cores have for themselves. */
  private static final long LANE_BYTES = 512 << 10;

  private static final int PRODUCT_ROWS = 576;

  static {
    Loader.load(openblas_nolapack.class);
    openblas.blas_set_num_threads(1);
  }

  private final AtomicLong liveBytes = new AtomicLong();
  private final LanePool pool;
  private final ElementKernels kernels;

  /** A device with a lane for each processor that the JVM may use. */
  public CpuDevice() {
    this(Runtime.getRuntime().availableProcessors());
  }

  /** A device with a given number of lanes; its results don't depend on the number. */
  public CpuDevice(int lanes) {
    this(lanes, ElementKernels.best());
  }

  CpuDevice(int lanes, ElementKernels kernels) {
    this.kernels = kernels;
    this.pool = new LanePool(lanes, index -> new CpuLane(index, kernels));
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    return "%d %s, OpenBLAS %s, element-wise work by %s"
        .formatted(
            lanes(),
            lanes() == 1 ? "core" : "cores",
            openblas_nolapack.OPENBLAS_VERSION.replaceAll("[^0-9.]", ""),
            kernels.description());
  }

  @Override
  public DeviceArray allocate(ElementType type, long length) {
    return new CpuArray(type, length, liveBytes);
  }

  @Override
  public long liveBytes() {
    return liveBytes.get();
  }

  /** Half of the machine's memory, less what is taken of it here. */
  @Override
  public long freeBytes() {
    long physical =
        ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getTotalMemorySize();
    return Math.max(0, physical / 2 - liveBytes());
  }

  @Override
  public int lanes() {
    return pool.lanes();
  }

  @Override
  public long laneBytes() {
    return LANE_BYTES;
  }

  @Override
  public int productRows() {
    return PRODUCT_ROWS;
  }

  @Override
  public boolean takesWholeStacks() {
    return false;
  }

  @Override
  public RegionWalks walks(RegionWalks.Networks networks) {
    return new CpuRegionWalks(this, networks, kernels);
  }

  @Override
  public void run(int tasks, Task body) {
    pool.run(tasks, body);
  }

  @Override
  public void finish() {
    // Work is done where it is given.
  }

  @Override
  public Repetition repetition(int tasks, Task body) {
    return new Repetition() {
      @Override
      public void run() {
        CpuDevice.this.run(tasks, body);
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void upload(byte[] source, int from, DeviceArray target, long at, int count) {
    bytes(target, ElementType.UINT8, at, count).put(source, from, count);
  }

  @Override
  public void upload(float[] source, int from, DeviceArray target, long at, int count) {
    bytes(target, ElementType.FLOAT32, at, count).asFloatBuffer().put(source, from, count);
  }

  @Override
  public void upload(int[] source, int from, DeviceArray target, long at, int count) {
    bytes(target, ElementType.INT32, at, count).asIntBuffer().put(source, from, count);
  }

  @Override
  public void upload(long[] source, int from, DeviceArray target, long at, int count) {
    bytes(target, ElementType.INT64, at, count).asLongBuffer().put(source, from, count);
  }

  @Override
  public void upload(double[] source, int from, DeviceArray target, long at, int count) {
    bytes(target, ElementType.FLOAT64, at, count).asDoubleBuffer().put(source, from, count);
  }

  @Override
  public void download(DeviceArray source, long at, float[] target, int from, int count) {
    bytes(source, ElementType.FLOAT32, at, count).asFloatBuffer().get(target, from, count);
  }

  @Override
  public void download(DeviceArray source, long at, int[] target, int from, int count) {
    bytes(source, ElementType.INT32, at, count).asIntBuffer().get(target, from, count);
  }

  @Override
  public void download(DeviceArray source, long at, double[] target, int from, int count) {
    bytes(source, ElementType.FLOAT64, at, count).asDoubleBuffer().get(target, from, count);
  }

  @Override
  public void download(DeviceArray source, long at, long[] target, int from, int count) {
    bytes(source, ElementType.INT64, at, count).asLongBuffer().get(target, from, count);
  }

  @Override
  public void close() {
    pool.close();
  }

  private static ByteBuffer bytes(DeviceArray array, ElementType type, long at, int count) {
    if (array.type() != type) {
      throw new IllegalArgumentException("expected " + type + ", found " + array.type());
    }
    CpuArray.Span span = ((CpuArray) array).span(at, count);
    return span.buffer().slice(span.at(), count * type.bytes()).order(ByteOrder.nativeOrder());
  }
}
