package dev.flinch.device.cuda;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.Geometry;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/** Launches kernels on one stream: what the operations of a lane have in common. */
final class Launcher {
  private final Driver driver;
  private final Driver.Stream stream;
  private final KernelLibrary kernels;
  private final ArgumentRing ring;
  private final Scratch scratch;

  Launcher(
      Driver driver,
      Driver.Stream stream,
      KernelLibrary kernels,
      ArgumentRing ring,
      Scratch scratch) {
    this.driver = driver;
    this.stream = stream;
    this.kernels = kernels;
    this.ring = ring;
    this.scratch = scratch;
  }

  Card card() {
    return driver.card();
  }

  /** Which architecture's PTX is used: 75 or 80. */
  int architecture() {
    return kernels.architecture();
  }

  Driver driver() {
    return driver;
  }

  Driver.Stream stream() {
    return stream;
  }

  /** Says what the next launch is for, as {@link Driver#announce}. */
  void announce(double flop, double bytes) {
    driver.announce(new Driver.Work(flop, bytes));
  }

  /**
   * Launches a kernel.
   *
   * @param module the source file's name, without its ending
   * @param arguments as {@link Driver#launch} takes them
   */
  void launch(String module, String entry, Geometry geometry, Object... arguments) {
    driver.launch(stream, kernels.kernel(module, entry), geometry, arguments);
  }

  /**
   * Where the first element of a matrix's first replica is, once all of the matrix is known to be.
   */
  static long address(Matrix matrix, ElementType type) {
    if (matrix.rows() == 0) {
      return 0;
    }
    long elements =
        (matrix.replicas() - 1) * matrix.replicaStride()
            + (matrix.rows() - 1L) * matrix.stride()
            + matrix.columns();
    return address(matrix.data(), type, matrix.offset(), elements);
  }

  /** Where a float32 matrix starts. */
  static long address(Matrix matrix) {
    return address(matrix, ElementType.FLOAT32);
  }

  /** Where a matrix starts, or 0 for null. */
  static long addressOrNull(Matrix matrix) {
    return matrix == null ? 0 : address(matrix);
  }

  /** Where {@code count} elements from {@code at} on are. */
  static long address(DeviceArray array, ElementType type, long at, long count) {
    if (array.type() != type) {
      throw new IllegalArgumentException("expected %s, found %s".formatted(type, array.type()));
    }
    if (array instanceof CudaArray cuda) {
      return cuda.address(at, count);
    }
    throw new IllegalArgumentException("expected a card's memory, found " + array.getClass());
  }

  /** The address of a copy of host values on the card, for launches that follow. */
  long copy(int[] values) {
    return ring.copy(4L * values.length, buffer -> buffer.asIntBuffer().put(values));
  }

  /** The address of a copy of host values on the card, for launches that follow. */
  long copy(long[] values) {
    return ring.copy(8L * values.length, buffer -> buffer.asLongBuffer().put(values));
  }

  /** The address of a copy of host values on the card, for launches that follow. */
  long copy(float[] values) {
    return ring.copy(4L * values.length, buffer -> buffer.asFloatBuffer().put(values));
  }

  /** The address of a copy of host values on the card, for launches that follow. */
  long copy(double[] values) {
    return ring.copy(8L * values.length, buffer -> buffer.asDoubleBuffer().put(values));
  }

  /**
   * The address of a copy of host values of several types on the card, for launches that follow.
   *
   * @param fill puts them into a buffer in native order
   */
  long copy(long bytes, Consumer<ByteBuffer> fill) {
    return ring.copy(bytes, fill);
  }

  /** Memory of the card for one operation's launches, with nothing in it: once an operation. */
  long scratch(long bytes) {
    return scratch.address(bytes);
  }

  /** Fills memory with zeros, for launches that follow. */
  void zero(long address, long bytes) {
    driver.zero(stream, address, bytes);
  }
}
