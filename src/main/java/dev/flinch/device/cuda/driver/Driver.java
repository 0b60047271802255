package dev.flinch.device.cuda.driver;

import dev.flinch.device.Device;
import java.nio.ByteBuffer;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * One card and its context. Every call is checked: what the driver refuses becomes a {@link
 * DriverException} that says what was asked, what the driver answered and what to try; memory that
 * there isn't, an {@link dev.flinch.device.OutOfDeviceMemoryException}; a card that no longer
 * answers, a {@link dev.flinch.device.DeviceLostException}.
 *
 * <p>Work on one stream is carried out in order; streams run side by side. Any thread may call once
 * it has called {@link #bind}.
 */
public interface Driver extends AutoCloseable {
  /** A sequence of copies and launches. */
  interface Stream extends AutoCloseable {
    @Override
    void close();
  }

  /** A point in a stream's work. */
  interface Event extends AutoCloseable {
    @Override
    void close();
  }

  /** Kernels that were loaded together. */
  interface Module extends AutoCloseable {
    /**
     * A kernel of this module.
     *
     * @throws DriverException if there is none of that name
     */
    Kernel kernel(String name);

    /** Unloads the kernels. */
    @Override
    void close();
  }

  /** A kernel that can be launched. */
  interface Kernel {
    /** {@code module.entry}, for messages and profiles. */
    String name();

    /** Types of the parameters, in order. */
    Signature signature();

    /** Registers of a thread; empty where the card is none. */
    OptionalInt registers();

    /** Shared memory that a block has without asking for it when it is launched. */
    int staticSharedBytes();

    /**
     * How full of such a launch's blocks a multiprocessor can be: their warps by those that it has
     * room for. Empty where the card is none.
     */
    OptionalDouble occupancy(Geometry geometry);
  }

  /**
   * What a launch is for, so that its time can be held against what the card is capable of.
   *
   * @param flop multiplications and additions of the operation as it is defined, however many a
   *     kernel makes of them
   * @param bytes of its operands and results, each counted once
   */
  record Work(double flop, double bytes) {}

  /** Launches and copies that were captured once and are launched together. */
  interface Graph extends AutoCloseable {
    @Override
    void close();
  }

  /** What the card is. */
  Card card();

  /** Makes the card's context current on the calling thread; cheap where it already is. */
  void bind();

  /**
   * Memory of the card, aligned to 256 bytes, with nothing in it that may be relied on.
   *
   * @return its address
   */
  long allocate(long bytes);

  /** Frees what {@link #allocate} returned, once all work on it is done. */
  void free(long address);

  /** Bytes of the card's memory that nobody has. */
  long freeBytes();

  /** Memory of the host that streams copy from and to, in native byte order. */
  ByteBuffer pin(int bytes);

  /** Frees what {@link #pin} returned. */
  void unpin(ByteBuffer pinned);

  Stream stream();

  Event event();

  /** Fills memory with zeros. */
  void zero(Stream stream, long address, long bytes);

  /** Copies from pinned memory; it must stay as it is until the copy is done. */
  void upload(Stream stream, ByteBuffer pinned, int from, long address, int bytes);

  /** Copies to pinned memory. */
  void download(Stream stream, long address, ByteBuffer pinned, int from, int bytes);

  /**
   * Loads kernels from PTX.
   *
   * @param name for messages
   */
  Module load(String name, String ptx);

  /**
   * Launches a kernel.
   *
   * @param arguments one for each of its parameters: {@link Long} for addresses and 64-bit
   *     integers, {@link Integer}, {@link Float}, {@link Double}
   */
  void launch(Stream stream, Kernel kernel, Geometry geometry, Object... arguments);

  /** As {@link Device#range}; only a card has profilers that show ranges. */
  default Device.Range range(String name) {
    return () -> {};
  }

  /** Says what the next launch is for; only a driver that observes launches listens. */
  default void announce(Work work) {}

  /**
   * Has a library that launches kernels of its own give work to a stream.
   *
   * @param name for profiles
   * @param launches gives the work; where launches are captured, it may be called again later
   */
  default void launch(Stream stream, String name, Runnable launches) {
    launches.run();
  }

  /** The driver that carries out what this one is asked: itself, unless it observes another. */
  default Driver observed() {
    return this;
  }

  /** Notes that everything given to a stream so far precedes the event. */
  void record(Stream stream, Event event);

  /** What is given to a stream from now on waits for the event. */
  void await(Stream stream, Event event);

  /** Whether everything before the event is done. */
  boolean done(Event event);

  /** Milliseconds from one event that is done to another. */
  float milliseconds(Event from, Event to);

  /**
   * Records what {@code work} gives to a stream without carrying it out.
   *
   * @param work may launch, copy between a pinned buffer and the card, and zero; it may not wait
   */
  Graph capture(Stream stream, Runnable work);

  /** Carries out what was captured. */
  void launch(Stream stream, Graph graph);

  /**
   * Gives the card up for lost: from now on nothing is freed or closed on it, since a card that
   * hangs would never return from that. What it held goes with the process.
   */
  default void abandon() {}

  @Override
  void close();
}
