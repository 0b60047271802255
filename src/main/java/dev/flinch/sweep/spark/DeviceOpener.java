package dev.flinch.sweep.spark;

import dev.flinch.device.Device;
import dev.flinch.experiment.Devices;
import java.io.Serializable;

/** Makes the device of a task slot, on an executor. */
@FunctionalInterface
interface DeviceOpener extends Serializable {
  /**
   * @param name {@code cpu}, {@code emulator}, or a card as {@code cuda:N}
   * @param cores of the machine that the task may use
   */
  Device open(String name, int cores);

  /** The device of that name that the executor's machine has. */
  static Device ofThisMachine(String name, int cores) {
    return name.equals("cpu") ? Devices.cpu(cores) : Devices.open(name);
  }
}
