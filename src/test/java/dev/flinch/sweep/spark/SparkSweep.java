package dev.flinch.sweep.spark;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.DeviceLostException;
import dev.flinch.store.StoreLocation;
import dev.flinch.sweep.Rate;
import dev.flinch.sweep.Sweep;
import dev.flinch.sweep.SweepConfiguration;
import dev.flinch.sweep.SweepFolder;
import dev.flinch.sweep.SweepPlan;
import dev.flinch.sweep.Workshop;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A driver that carries out a sweep whose stacks are of a size that a test has chosen. Arguments:
 * configuration, folder, store, bytes of a stack, seconds of a lease, seconds of patience, an
 * opener of devices, and the device asked for.
 */
public final class SparkSweep {
  private SparkSweep() {}

  public static void main(String[] arguments) {
    int code = 0;
    String device = arguments[7];
    try (SparkEngine engine =
        new SparkEngine(SparkEngine.context(device), device, Opener.valueOf(arguments[6]))) {
      SweepPlan plan =
          SweepPlan.of(
              SweepConfiguration.load(Path.of(arguments[0]), List.of()),
              new Workshop(
                  Long.parseLong(arguments[3]), Rate.ofProducts(1e11), 2, Duration.ofMinutes(1)));
      Path folder = Path.of(arguments[1]);
      Sweep.run(
          plan,
          new SweepFolder(folder),
          StoreLocation.of(arguments[2])
              .withPatience(Duration.ofSeconds(Long.parseLong(arguments[5]))),
          folder,
          engine,
          new Sweep.Options(Duration.ofSeconds(Long.parseLong(arguments[4])), false, true),
          Progress.NONE);
      System.out.println("ended");
    } catch (RequestException | DeviceLostException e) {
      System.out.println("refused: " + e.getMessage());
      code = 2;
    }
    System.exit(code);
  }
}
