package dev.flinch.experiment;

import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;

/** The one place where a device is chosen and made. */
public final class Devices {
  private Devices() {}

  /**
   * Opens a device for the caller to close.
   *
   * @param name {@code cpu}; or {@code auto} for the fastest there is
   * @throws RequestException for a device that there is not
   */
  public static Device open(String name) {
    return switch (name) {
      case "auto", "cpu" -> new CpuDevice();
      case "cuda" ->
          throw new RequestException(
              "device cuda: this version computes on the CPU alone; ask for cpu or auto");
      default ->
          throw new RequestException(
              "unknown device '%s': expected one of auto, cpu".formatted(name));
    };
  }

  /** One line that says which device was taken, and why this one where {@code auto} was asked. */
  public static String choice(String name, Device device) {
    return "Device: %s (%s)%s"
        .formatted(
            device.name(),
            device.description(),
            name.equals("auto") ? ", the only kind that this version computes on" : "");
  }
}
