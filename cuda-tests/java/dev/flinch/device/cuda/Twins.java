package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * The same operands on the CPU and on the tested device: an operation runs on both, twice on the
 * tested one, where the bits must be the same and nothing outside of the operands' columns may
 * change.
 */
final class Twins implements AutoCloseable {
  /** What stands between and behind the rows of operands. */
  private static final double OUTSIDE = 77.25;

  private final Device cpu = new CpuDevice(1);
  private final Device tested =
      new CudaDevice(TestedDevice.isEmulated() ? "emulator" : "cuda", ofOneMultiprocessor());
  private final List<Operand> operands = new ArrayList<>();
  private final List<Numbers> numbers = new ArrayList<>();

  /** The tested driver as of a small card, so that kernels must stride over small operands. */
  private static Driver ofOneMultiprocessor() {
    Driver driver = TestedDevice.driver();
    Card card = driver.card();
    Card small =
        new Card(
            card.index(),
            card.name(),
            card.major(),
            card.minor(),
            1,
            card.sharedBytesPerBlock(),
            card.memoryBytes(),
            card.driverVersion());
    return (Driver)
        Proxy.newProxyInstance(
            Driver.class.getClassLoader(),
            new Class<?>[] {Driver.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("card")) {
                return small;
              }
              try {
                return method.invoke(driver, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** How an operand lies in memory. */
  enum Layout {
    /** Rows and replicas without gaps. */
    DENSE,
    /** {@link Matrix#padded}. */
    PADDED,
    /** Gaps, but each row at a multiple of 16 bytes. */
    ALIGNED,
    /** Odd gaps everywhere. */
    ODD
  }

  /** An element's value. */
  @FunctionalInterface
  interface Fill {
    double at(int replica, int row, int column);
  }

  /** How far an element may be from the expected one. */
  @FunctionalInterface
  interface Tolerance {
    double at(int replica, int row, int column, double expected);
  }

  /** One of the two devices' operands. */
  interface Side {
    /** The matrix there; null for null. */
    Matrix of(Operand operand);

    /** The array there. */
    DeviceArray of(Numbers numbers);
  }

  /** A matrix on both devices. */
  final class Operand {
    private final Matrix onCpu;
    private final Matrix onTested;
    private final double[] initial;
    private double[] cpuValues;
    private double[] testedValues;

    private Operand(
        ElementType type, int replicas, int rows, int columns, Layout layout, Fill fill) {
      onCpu = matrix(cpu, type, replicas, rows, columns, layout);
      onTested = matrix(tested, type, replicas, rows, columns, layout);
      initial = new double[(int) onCpu.data().length()];
      for (int i = 0; i < initial.length; i++) {
        initial[i] = OUTSIDE;
      }
      for (int r = 0; r < replicas; r++) {
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < columns; j++) {
            double value = fill.at(r, i, j);
            initial[index(r, i, j)] = type == ElementType.FLOAT32 ? (float) value : value;
          }
        }
      }
    }

    private int index(int r, int i, int j) {
      return (int) onCpu.start(r, i) + j;
    }

    /** Before the operation. */
    double before(int r, int i, int j) {
      return initial[index(r, i, j)];
    }

    /** What the tested device made of it. */
    double after(int r, int i, int j) {
      return testedValues[index(r, i, j)];
    }

    /** Fails unless the tested device has what the CPU has. */
    void agrees(String what, Tolerance tolerance) {
      agrees(what, (r, i, j) -> cpuValues[index(r, i, j)], tolerance);
    }

    /** Fails unless the tested device has the very values that the CPU has. */
    void agreesExactly(String what) {
      agrees(what, (r, i, j, expected) -> 0);
    }

    /** Fails unless the tested device has what is expected. */
    void agrees(String what, Fill oracle, Tolerance tolerance) {
      for (int r = 0; r < onCpu.replicas(); r++) {
        for (int i = 0; i < onCpu.rows(); i++) {
          for (int j = 0; j < onCpu.columns(); j++) {
            double expected = oracle.at(r, i, j);
            double actual = after(r, i, j);
            boolean same = Double.compare(expected, actual) == 0 || expected == actual;
            // A NaN on either side fails the comparison.
            boolean near = Math.abs(expected - actual) <= tolerance.at(r, i, j, expected);
            if (!same && !(Double.isFinite(expected) && near)) {
              fail(
                  "%s: at replica %d, row %d, column %d of %d × (%d × %d): expected %s, found %s"
                      .formatted(
                          what,
                          r,
                          i,
                          j,
                          onCpu.replicas(),
                          onCpu.rows(),
                          onCpu.columns(),
                          expected,
                          actual));
            }
          }
        }
      }
    }

    private void requireOutsideUntouched() {
      boolean[] inside = new boolean[initial.length];
      for (int r = 0; r < onCpu.replicas(); r++) {
        for (int i = 0; i < onCpu.rows(); i++) {
          int width = onCpu.padded() ? onCpu.stride() : onCpu.columns();
          for (int j = 0; j < width; j++) {
            inside[index(r, i, j)] = true;
          }
        }
      }
      for (int i = 0; i < initial.length; i++) {
        if (!inside[i]) {
          assertEquals(OUTSIDE, testedValues[i], "element " + i + ", outside of the columns");
        }
      }
    }
  }

  /** An array of whole numbers on both devices. */
  final class Numbers {
    private final DeviceArray onCpu;
    private final DeviceArray onTested;
    private final long[] initial;
    private long[] testedValues;
    private long[] cpuValues;

    private Numbers(ElementType type, long[] initial) {
      onCpu = cpu.allocate(type, initial.length);
      onTested = tested.allocate(type, initial.length);
      this.initial = initial;
    }

    /** What the tested device made of it. */
    long[] after() {
      return testedValues;
    }

    /** Fails unless the tested device has what the CPU has, everywhere. */
    void agreesExactly(String what) {
      assertArrayEquals(cpuValues, testedValues, what);
    }
  }

  private static Matrix matrix(
      Device device, ElementType type, int replicas, int rows, int columns, Layout layout) {
    if (layout == Layout.PADDED) {
      DeviceArray data =
          device.allocate(type, (long) replicas * rows * Matrix.paddedColumns(columns));
      return Matrix.padded(data, replicas, rows, columns);
    }
    int offset = layout == Layout.DENSE ? 0 : layout == Layout.ALIGNED ? 8 : 3;
    int stride =
        layout == Layout.DENSE
            ? columns
            : layout == Layout.ALIGNED ? (columns + 7) / 4 * 4 : columns + 3;
    long replicaStride =
        (long) rows * stride + (layout == Layout.DENSE ? 0 : layout == Layout.ALIGNED ? 4 : 5);
    DeviceArray data = device.allocate(type, offset + replicas * replicaStride + 9);
    return new Matrix(data, offset, rows, columns, stride, false, replicas, replicaStride);
  }

  /** A float32 matrix. */
  Operand floats(int replicas, int rows, int columns, Layout layout, Fill fill) {
    return operand(ElementType.FLOAT32, replicas, rows, columns, layout, fill);
  }

  /** A float64 matrix. */
  Operand doubles(int replicas, int rows, int columns, Layout layout, Fill fill) {
    return operand(ElementType.FLOAT64, replicas, rows, columns, layout, fill);
  }

  /** A matrix of a type. */
  Operand operand(ElementType type, int replicas, int rows, int columns, Layout layout, Fill fill) {
    Operand operand = new Operand(type, replicas, rows, columns, layout, fill);
    operands.add(operand);
    return operand;
  }

  /** An int32 array. */
  Numbers ints(long... values) {
    return numbers(ElementType.INT32, values);
  }

  /** An int64 array. */
  Numbers longs(long... values) {
    return numbers(ElementType.INT64, values);
  }

  private Numbers numbers(ElementType type, long[] values) {
    Numbers made = new Numbers(type, values.clone());
    numbers.add(made);
    return made;
  }

  /** Runs an operation on the initial operands of both devices. */
  void run(BiConsumer<Lane, Side> operation) {
    uploadAll(cpu, true);
    cpu.run(1, (lane, task) -> operation.accept(lane, side(true)));
    for (Operand operand : operands) {
      operand.cpuValues = download(cpu, operand.onCpu.data());
    }
    for (Numbers n : numbers) {
      n.cpuValues = wholeNumbers(cpu, n.onCpu);
    }
    runTested(operation);
    List<double[]> first = operands.stream().map(o -> o.testedValues).toList();
    List<long[]> firstNumbers = numbers.stream().map(n -> n.testedValues).toList();
    runTested(operation);
    for (int i = 0; i < operands.size(); i++) {
      assertArrayEquals(first.get(i), operands.get(i).testedValues, 0, "bits of a second run");
      operands.get(i).requireOutsideUntouched();
    }
    for (int i = 0; i < numbers.size(); i++) {
      assertArrayEquals(firstNumbers.get(i), numbers.get(i).testedValues, "a second run");
    }
  }

  /** Runs an operation on the CPU's or the tested device's operands as they are. */
  void runOn(boolean onCpu, BiConsumer<Lane, Side> operation) {
    (onCpu ? cpu : tested).run(1, (lane, task) -> operation.accept(lane, side(onCpu)));
  }

  private void runTested(BiConsumer<Lane, Side> operation) {
    uploadAll(tested, false);
    runOn(false, operation);
    for (Operand operand : operands) {
      operand.testedValues = download(tested, operand.onTested.data());
    }
    for (Numbers n : numbers) {
      n.testedValues = wholeNumbers(tested, n.onTested);
    }
  }

  private Side side(boolean onCpu) {
    return new Side() {
      @Override
      public Matrix of(Operand operand) {
        return operand == null ? null : onCpu ? operand.onCpu : operand.onTested;
      }

      @Override
      public DeviceArray of(Numbers numbers) {
        return onCpu ? numbers.onCpu : numbers.onTested;
      }
    };
  }

  private void uploadAll(Device device, boolean onCpu) {
    for (Operand operand : operands) {
      DeviceArray data = (onCpu ? operand.onCpu : operand.onTested).data();
      if (data.type() == ElementType.FLOAT64) {
        device.upload(operand.initial, 0, data, 0, operand.initial.length);
      } else {
        float[] values = new float[operand.initial.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) operand.initial[i];
        }
        device.upload(values, 0, data, 0, values.length);
      }
    }
    for (Numbers n : numbers) {
      DeviceArray data = onCpu ? n.onCpu : n.onTested;
      if (data.type() == ElementType.INT64) {
        device.upload(n.initial, 0, data, 0, n.initial.length);
      } else {
        int[] values = new int[n.initial.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = (int) n.initial[i];
        }
        device.upload(values, 0, data, 0, values.length);
      }
    }
  }

  private static double[] download(Device device, DeviceArray data) {
    double[] values = new double[(int) data.length()];
    if (data.type() == ElementType.FLOAT64) {
      device.download(data, 0, values, 0, values.length);
    } else {
      float[] floats = new float[values.length];
      device.download(data, 0, floats, 0, floats.length);
      for (int i = 0; i < values.length; i++) {
        values[i] = floats[i];
      }
    }
    return values;
  }

  private static long[] wholeNumbers(Device device, DeviceArray data) {
    long[] values = new long[(int) data.length()];
    if (data.type() == ElementType.INT64) {
      device.download(data, 0, values, 0, values.length);
    } else {
      int[] ints = new int[values.length];
      device.download(data, 0, ints, 0, ints.length);
      for (int i = 0; i < values.length; i++) {
        values[i] = ints[i];
      }
    }
    return values;
  }

  /** Frees all operands. */
  void release() {
    for (Operand operand : operands) {
      operand.onCpu.data().close();
      operand.onTested.data().close();
    }
    for (Numbers n : numbers) {
      n.onCpu.close();
      n.onTested.close();
    }
    operands.clear();
    numbers.clear();
    assertEquals(0, tested.liveBytes());
  }

  @Override
  public void close() {
    tested.close();
    cpu.close();
  }
}
