package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Driver;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicLong;

/** A launcher with memory of its own, for tests that launch single kernels. */
final class KernelStand implements AutoCloseable {
  private final Driver driver;
  private final Driver.Stream stream;
  private final Copies copies;
  private final KernelLibrary kernels;
  private final ArgumentRing ring;
  private final Scratch scratch;
  private final Launcher launcher;
  private final Deque<DeviceArray> arrays = new ArrayDeque<>();

  /** A stand on a card that it closes. */
  KernelStand(Driver driver) {
    this.driver = driver;
    driver.bind();
    stream = driver.stream();
    Waiting waiting = new Waiting(driver, Duration.ofMinutes(5));
    copies = new Copies(driver, stream, waiting);
    kernels = new KernelLibrary(driver);
    ring = new ArgumentRing(driver, stream, waiting);
    scratch = new Scratch(driver);
    launcher = new Launcher(driver, stream, kernels, ring, scratch);
  }

  Driver driver() {
    return driver;
  }

  Launcher launcher() {
    return launcher;
  }

  private DeviceArray array(ElementType type, long length) {
    DeviceArray array = new CudaArray(driver, type, length, new AtomicLong());
    arrays.push(array);
    return array;
  }

  DeviceArray floats(float[] values) {
    DeviceArray array = array(ElementType.FLOAT32, values.length);
    copies.upload(
        Launcher.address(array, ElementType.FLOAT32, 0, values.length),
        values.length,
        4,
        (buffer, from, count) -> buffer.asFloatBuffer().put(values, from, count));
    return array;
  }

  DeviceArray doubles(double[] values) {
    DeviceArray array = array(ElementType.FLOAT64, values.length);
    copies.upload(
        Launcher.address(array, ElementType.FLOAT64, 0, values.length),
        values.length,
        8,
        (buffer, from, count) -> buffer.asDoubleBuffer().put(values, from, count));
    return array;
  }

  DeviceArray ints(int... values) {
    DeviceArray array = array(ElementType.INT32, values.length);
    copies.upload(
        Launcher.address(array, ElementType.INT32, 0, values.length),
        values.length,
        4,
        (buffer, from, count) -> buffer.asIntBuffer().put(values, from, count));
    return array;
  }

  DeviceArray bytes(byte[] values) {
    DeviceArray array = array(ElementType.UINT8, values.length);
    copies.upload(
        Launcher.address(array, ElementType.UINT8, 0, values.length),
        values.length,
        1,
        (buffer, from, count) -> buffer.put(values, from, count));
    return array;
  }

  /** All elements of a float32 or float64 array. */
  double[] values(DeviceArray array) {
    int length = (int) array.length();
    double[] out = new double[length];
    if (array.type() == ElementType.FLOAT64) {
      copies.download(
          Launcher.address(array, ElementType.FLOAT64, 0, length),
          length,
          8,
          (buffer, from, count) -> buffer.asDoubleBuffer().get(out, from, count));
    } else {
      float[] narrow = new float[length];
      copies.download(
          Launcher.address(array, ElementType.FLOAT32, 0, length),
          length,
          4,
          (buffer, from, count) -> buffer.asFloatBuffer().get(narrow, from, count));
      for (int i = 0; i < length; i++) {
        out[i] = narrow[i];
      }
    }
    return out;
  }

  /** All elements of a float32 matrix's array. */
  double[] values(Matrix matrix) {
    return values(matrix.data());
  }

  /** Frees what was made so far. */
  void clear() {
    while (!arrays.isEmpty()) {
      arrays.pop().close();
    }
  }

  @Override
  public void close() {
    clear();
    scratch.close();
    ring.close();
    copies.close();
    kernels.close();
    stream.close();
    driver.close();
  }
}
