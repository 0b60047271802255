package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A process that carries out a sweep. It says when it begins and when it has ended. Arguments:
 * configuration, folder, seconds of a lease.
 */
final class SweepProcess {
  static final String BEGUN = "begun";
  static final String ENDED = "ended";

  private SweepProcess() {}

  public static void main(String[] arguments) {
    boolean[] begun = {false};
    try (Device device = new CpuDevice(1)) {
      SweepTest.run(
          Path.of(arguments[0]),
          Path.of(arguments[1]),
          List.of(device),
          SmallNetworks.STACK_BYTES,
          Duration.ofSeconds(Long.parseLong(arguments[2])),
          (task, done, total) -> {
            if (!begun[0]) {
              begun[0] = true;
              System.out.println(BEGUN);
            }
          });
      System.out.println(ENDED);
    } catch (RequestException e) {
      System.out.println(e.getMessage());
      System.exit(2);
    }
  }
}
