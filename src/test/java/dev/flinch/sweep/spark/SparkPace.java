package dev.flinch.sweep.spark;

import dev.flinch.base.Progress;
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
 * A driver that carries out the same sweep several times, each into a store of its own, and says
 * how long each took. Arguments: configuration, folder, bytes of a stack, stores.
 */
public final class SparkPace {
  private SparkPace() {}

  public static void main(String[] arguments) {
    try (SparkEngine engine = SparkEngine.start("cpu")) {
      int workers = engine.workshop().workers();
      for (int i = 3; i < arguments.length; i++) {
        Path folder = Path.of(arguments[1], String.valueOf(i));
        Sweep.Outcome outcome =
            Sweep.run(
                SweepPlan.of(
                    SweepConfiguration.load(Path.of(arguments[0]), List.of()),
                    new Workshop(
                        Long.parseLong(arguments[2]),
                        Rate.ofProducts(1e11),
                        workers,
                        Duration.ofMinutes(1))),
                new SweepFolder(folder),
                StoreLocation.of(arguments[i]),
                folder,
                engine,
                new Sweep.Options(Duration.ofSeconds(60), false, false),
                Progress.NONE);
        System.out.printf(
            java.util.Locale.ROOT,
            "pace %d %d %d %.3f %.3f%n",
            workers,
            outcome.counts().networks(),
            outcome.counts().doneStacks(),
            outcome.seconds(),
            outcome.stackSeconds());
      }
    }
    System.exit(0);
  }
}
