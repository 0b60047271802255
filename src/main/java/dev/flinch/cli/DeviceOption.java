package dev.flinch.cli;

import dev.flinch.device.Device;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.experiment.Devices;
import java.io.PrintWriter;
import java.util.function.UnaryOperator;
import picocli.CommandLine.Option;

/** The option that says what to compute on. */
final class DeviceOption {
  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "auto",
      description = {
        "What to compute on (${DEFAULT-VALUE}): cpu; cuda, the first NVIDIA card, or cuda:1, the second;",
        "emulator, a card in software, slow, for checking kernels;",
        "auto, a card where there is one that Flinch's kernels run on, else the CPU."
      })
  private String name;

  /** Opens the device, and says which it is where the choice was left to Flinch. */
  Device open(PrintWriter err) {
    return open(err, UnaryOperator.identity());
  }

  /**
   * The same with an observer.
   *
   * @param around as {@link Devices#choose(String, UnaryOperator)} takes it
   */
  Device open(PrintWriter err, UnaryOperator<Driver> around) {
    Devices.Choice choice = Devices.choose(name, around);
    if (name.equals("auto")) {
      err.println("Device: " + choice.description());
      err.flush();
    }
    return choice.device();
  }
}
