package dev.flinch.device;

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

  /** What {@code --device} calls it, such as {@code cpu}. */
  String name();

  /** One line for people: processor, vector width, library of matrix products. */
  String description();

  /** Zeros of a type, in the device's memory. */
  DeviceArray allocate(ElementType type, long length);

  /** Bytes allocated and not yet freed. */
  long liveBytes();

  /** How many lanes run side by side. */
  int lanes();

  /**
   * Bytes that the working set of one lane's operation should not exceed for speed: a core's share
   * of cache, or what keeps a GPU busy.
   */
  long laneBytes();

  /** Runs tasks 0 … {@code tasks − 1} in any order on the lanes, and waits for them all. */
  void run(int tasks, Task body);

  void upload(float[] source, int from, DeviceArray target, long at, int count);

  void upload(int[] source, int from, DeviceArray target, long at, int count);

  void upload(double[] source, int from, DeviceArray target, long at, int count);

  void download(DeviceArray source, long at, float[] target, int from, int count);

  void download(DeviceArray source, long at, int[] target, int from, int count);

  void download(DeviceArray source, long at, double[] target, int from, int count);

  @Override
  void close();
}
