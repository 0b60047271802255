package dev.flinch.device.cuda.emulator;

import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.Geometry;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/** An emulated card with a stream, and short ways to arrays on it and to kernels of a few lines. */
final class Emulated implements AutoCloseable {
  final EmulatedDriver driver;
  final Driver.Stream stream;

  Emulated() {
    this(new EmulatedDriver());
  }

  Emulated(EmulatedDriver driver) {
    this.driver = driver;
    this.stream = driver.stream();
  }

  /**
   * A module with one kernel, {@code k}.
   *
   * @param parameters types such as "u64 u64 u32", which become p0, p1, …
   * @param body with %r, %f, %rd, %fd, %rs and %p registers declared
   */
  static String ptx(int target, String parameters, String body) {
    StringBuilder text = new StringBuilder();
    text.append(".version 7.8\n.target sm_%d\n.address_size 64\n".formatted(target));
    text.append(".visible .entry k(\n");
    String[] types = parameters.isBlank() ? new String[0] : parameters.trim().split(" ");
    for (int i = 0; i < types.length; i++) {
      text.append(".param .%s p%d%s\n".formatted(types[i], i, i + 1 < types.length ? "," : ""));
    }
    text.append(")\n{\n.reg .pred %p<20>;\n.reg .b16 %rs<20>;\n.reg .b32 %r<40>;\n");
    text.append(".reg .f32 %f<40>;\n.reg .b64 %rd<40>;\n.reg .f64 %fd<20>;\n");
    return text.append(body).append("\nret;\n}\n").toString();
  }

  /** Address of a thread's element into a register: {@code rd = base + bytes · global index}. */
  static String element(String rd, String parameter, int bytes) {
    return """
        ld.param.u64 %1$s, [%2$s];
        mov.u32 %%r30, %%ctaid.x;
        mov.u32 %%r31, %%ntid.x;
        mov.u32 %%r32, %%tid.x;
        mad.lo.s32 %%r33, %%r30, %%r31, %%r32;
        mul.wide.u32 %%rd30, %%r33, %3$d;
        add.u64 %1$s, %1$s, %%rd30;
        """
        .formatted(rd, parameter, bytes);
  }

  Driver.Kernel kernel(String parameters, String body) {
    return driver.load("test", ptx(driver.card().architecture(), parameters, body)).kernel("k");
  }

  /** Launches a kernel of a few lines. */
  void run(String parameters, String body, Geometry geometry, Object... arguments) {
    driver.launch(stream, kernel(parameters, body), geometry, arguments);
  }

  long allocate(long bytes) {
    return driver.allocate(bytes);
  }

  long ints(int... values) {
    return put(4 * values.length, buffer -> buffer.asIntBuffer().put(values));
  }

  long longs(long... values) {
    return put(8 * values.length, buffer -> buffer.asLongBuffer().put(values));
  }

  long floats(float... values) {
    return put(4 * values.length, buffer -> buffer.asFloatBuffer().put(values));
  }

  long bytes(byte... values) {
    return put(values.length, buffer -> buffer.put(0, values));
  }

  private long put(int bytes, Consumer<ByteBuffer> fill) {
    long address = driver.allocate(bytes);
    ByteBuffer pinned = driver.pin(bytes);
    fill.accept(pinned);
    driver.upload(stream, pinned, 0, address, bytes);
    driver.unpin(pinned);
    return address;
  }

  int[] ints(long address, int count) {
    int[] values = new int[count];
    get(address, 4 * count).asIntBuffer().get(values);
    return values;
  }

  long[] longs(long address, int count) {
    long[] values = new long[count];
    get(address, 8 * count).asLongBuffer().get(values);
    return values;
  }

  float[] floats(long address, int count) {
    float[] values = new float[count];
    get(address, 4 * count).asFloatBuffer().get(values);
    return values;
  }

  double[] doubles(long address, int count) {
    double[] values = new double[count];
    get(address, 8 * count).asDoubleBuffer().get(values);
    return values;
  }

  ByteBuffer get(long address, int bytes) {
    ByteBuffer pinned = driver.pin(bytes);
    driver.download(stream, address, pinned, 0, bytes);
    driver.unpin(pinned);
    return pinned;
  }

  Counters counters() {
    return driver.counters().get("test.k");
  }

  @Override
  public void close() {
    stream.close();
    driver.close();
  }
}
