package dev.flinch.sweep.spark;

import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.sweep.Capacity;
import java.io.Serializable;
import org.apache.spark.TaskContext;

/**
 * Measures what a task slot can take on, in a task of Spark.
 *
 * @param device which one is asked for, as {@link SlotDevice} has it
 */
record SlotProbe(String device, DeviceOpener opener) implements Serializable {
  /**
   * What was found.
   *
   * @param capacity of a slot as if it were alone there; null if it was refused
   * @param deviceBytes for stacks, of all tasks that share the device or the machine
   * @param heapBytes for stacks, of all tasks of the executor
   * @param refusal what a user has to do something about, or null
   */
  record Found(Capacity capacity, long deviceBytes, long heapBytes, String refusal)
      implements Serializable {}

  Found run() {
    try {
      ExecutorJvm.require();
      SlotDevice slot = SlotDevice.of(device, TaskContext.get());
      try (Device opened = opener.open(slot.name(), slot.cores())) {
        long deviceBytes = opened.freeBytes() / 2;
        return new Found(
            Capacity.of(opened), deviceBytes, Runtime.getRuntime().maxMemory() / 2, null);
      }
    } catch (RequestException e) {
      return new Found(null, 0, 0, "%s: %s".formatted(ExecutorJvm.host(), e.getMessage()));
    } catch (LinkageError e) {
      return new Found(null, 0, 0, ExecutorJvm.doesNotLoad(e));
    }
  }
}
