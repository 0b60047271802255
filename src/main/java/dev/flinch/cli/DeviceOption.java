package dev.flinch.cli;

import dev.flinch.device.Device;
import dev.flinch.experiment.Devices;
import java.io.PrintWriter;
import picocli.CommandLine.Option;

/** The option that says what to compute on. */
final class DeviceOption {
  @Option(
      names = "--device",
      paramLabel = "auto|cpu",
      defaultValue = "auto",
      description = "What to compute on (${DEFAULT-VALUE}).")
  private String name;

  /** Opens the device, and says which it is where the choice was left to Flinch. */
  Device open(PrintWriter err) {
    Device device = Devices.open(name);
    if (name.equals("auto")) {
      err.println(Devices.choice(name, device));
      err.flush();
    }
    return device;
  }
}
