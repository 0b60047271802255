package dev.flinch.device;

import java.util.Optional;

/**
 * A processor with memory of its own. Work is given to it as tasks that run on <em>lanes</em>: each
 * lane executes operations in order, lanes run side by side, and {@link #run} returns when all of
 * them are done (a core on the CPU, a stream on a GPU).
 *
 * <p>Results are the same bits on every run and for every number of lanes.
 */
public interface Device extends AutoCloseable {
  /** A task of {@link #run}. */
  @FunctionalInterface
  interface Task {
    /**
     * @param lane where the task's operations go
     * @param index which task this is, from 0
     */
    void run(Lane lane, int index);
  }

  /** Tasks that are run again and again. */
  interface Repetition extends AutoCloseable {
    void run();

    @Override
    void close();
  }

  /**
   * A stretch of the host's work that has a name, until it is closed. Closing twice is harmless.
   */
  interface Range extends AutoCloseable {
    /** Ends it, on the thread that began it, after all ranges begun there since. */
    @Override
    void close();
  }

  /** What {@code --device} calls it, such as {@code cpu}. */
  String name();

  /** One line for people: processor, vector width, library of matrix products. */
  String description();

  /** Zeros of a type, in the device's memory. */
  DeviceArray allocate(ElementType type, long length);

  /** Bytes allocated and not yet freed. */
  long liveBytes();

  /** Bytes that may still be allocated, about: others take memory too, and give it back. */
  long freeBytes();

  /** How many lanes run side by side. */
  int lanes();

  /**
   * Bytes that the working set of one lane's operation should not exceed for speed: a core's share
   * of cache, or what keeps a GPU busy.
   */
  long laneBytes();

  /** Rows of a matrix product that let it run at full speed: what a tile of work should have. */
  int productRows();

  /**
   * Whether an operation should cover all replicas and rows of a stack at once, as a GPU wants it,
   * instead of being cut into tasks for many lanes.
   */
  boolean takesWholeStacks();

  /** Whole passes that this device has a kernel of its own for, if it has any. */
  default Optional<FusedPasses> fused() {
    return Optional.empty();
  }

  /**
   * Makes networks ready for exact walks through their linear regions.
   *
   * @param networks of a piecewise-linear activation; their matrices are read when this is called
   *     and may be read later too, so they have to stay as they are until the walks are closed
   */
  RegionWalks walks(RegionWalks.Networks networks);

  /**
   * Runs tasks 0 … {@code tasks − 1} in any order on the lanes, all of them before whatever
   * follows.
   */
  void run(int tasks, Task body);

  /** Waits until all work given so far is done, for those who time it. */
  void finish();

  /**
   * Seconds from now until all that {@code work} gives to the device is done; work given before is
   * not counted. What the host does meanwhile is: the device waits for it, or it for the device. A
   * card takes the time itself, between an event before and one after; for others it is the wall
   * clock's.
   */
  default double seconds(Runnable work) {
    finish();
    long start = System.nanoTime();
    work.run();
    finish();
    return (System.nanoTime() - start) / 1e9;
  }

  /**
   * Begins a stretch of work under a name by which a profiler of this device shows it, if there is
   * one that listens; ranges of a thread nest.
   *
   * @param name such as {@code train 20×200 ReLU}
   */
  default Range range(String name) {
    return () -> {};
  }

  /**
   * Tasks to be run many times, always as {@link #run} would run them now: with the same operations
   * on the same matrices, whose values may change in between. A device may prepare them once.
   *
   * @param body may not pass host arrays to operations, nor copy to or from the device
   */
  Repetition repetition(int tasks, Task body);

  void upload(byte[] source, int from, DeviceArray target, long at, int count);

  void upload(float[] source, int from, DeviceArray target, long at, int count);

  void upload(int[] source, int from, DeviceArray target, long at, int count);

  void upload(long[] source, int from, DeviceArray target, long at, int count);

  void upload(double[] source, int from, DeviceArray target, long at, int count);

  void download(DeviceArray source, long at, float[] target, int from, int count);

  void download(DeviceArray source, long at, int[] target, int from, int count);

  void download(DeviceArray source, long at, double[] target, int from, int count);

  void download(DeviceArray source, long at, long[] target, int from, int count);

  @Override
  void close();
}
