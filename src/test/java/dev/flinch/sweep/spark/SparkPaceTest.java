package dev.flinch.sweep.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flinch.store.PostgresServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Scanner;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * How much of the workers' time Spark takes. Every number is the median of several sweeps by
 * executors that have carried out one before; a machine with other work to do says little.
 */
@Tag("slow")
class SparkPaceTest {
  @TempDir Path temporary;

  /** What a sweep took. */
  private record Pace(int workers, long networks, long stacks, double seconds, double busy) {
    /** What a worker spends on a stack beside training and measuring. */
    double millisBesides() {
      return 1e3 * (workers * seconds - busy) / stacks;
    }

    double networksPerSecond() {
      return networks / seconds;
    }
  }

  @Test
  void schedulingAStackTakesMilliseconds() throws IOException {
    Path trivial = sweep("\"train\": 20, \"test\": 20", 1, 4, 100);
    try (SparkCluster cluster = SparkCluster.start(temporary.resolve("cluster"), 2)) {
      // One worker: the driver and the database have the other core.
      List<Pace> paces = sweeps(cluster, trivial, 1, 1, 5);
      double millis = median(paces, Pace::millisBesides);
      System.out.printf(Locale.ROOT, "%.1f ms beside each stack%n%s%n", millis, paces);
      assertEquals(100, paces.get(0).stacks());
      assertTrue(millis < 50, millis + " ms a stack");
    }
  }

  @Test
  void twoWorkersAreNearlyTwiceAsFastAsOne() throws IOException {
    double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    Path networks = sweep("\"train\": 1000, \"test\": 200", 20, 32, 200);
    try (SparkCluster cluster = SparkCluster.start(temporary.resolve("cluster"), 2)) {
      List<Pace> one = sweeps(cluster, networks, 1, 4L << 20, 3);
      List<Pace> two = sweeps(cluster, networks, 2, 4L << 20, 3);
      double ratio = median(two, Pace::networksPerSecond) / median(one, Pace::networksPerSecond);
      System.out.printf(
          Locale.ROOT, "two workers: %.2f times the rate of one%n%s%n%s%n", ratio, one, two);
      assumeTrue(load < 0.5, "other work went on: load " + load);
      assertTrue(ratio >= 1.7, "%.2f times the rate".formatted(ratio));
    }
  }

  private Path sweep(String data, int epochs, int width, int networks) throws IOException {
    return Files.writeString(
        temporary.resolve("sweep.json"),
        """
        {
          "title": "pace",
          "data": {%s},
          "training": {"stop": {"epochs": %d, "trainAccuracy": null}},
          "measures": {"jacobian": null},
          "factors": {
            "dataset": "glyphs", "depth": 3, "width": %d, "learningRate": 0.01,
            "batchSize": 20, "seed": {"linear": [1, %d]}
          }
        }
        """
            .formatted(data, epochs, width, networks));
  }

  /** Carries a sweep out once more than it is timed. */
  private List<Pace> sweeps(
      SparkCluster cluster, Path configuration, int cores, long stackBytes, int timed)
      throws IOException {
    PostgresServer server = PostgresServer.shared();
    SparkCluster.Driver driver =
        new SparkCluster.Driver(SparkPace.class, cluster.url())
            .with("spark.cores.max", String.valueOf(cores));
    List<Object> arguments =
        new ArrayList<>(List.of(configuration, temporary.resolve("sweep-" + cores), stackBytes));
    for (int i = 0; i <= timed; i++) {
      arguments.add(server.newUrl());
    }
    SparkCluster.Node run =
        driver.start(temporary.resolve("driver-%d.log".formatted(cores)), arguments.toArray());
    run.process().onExit().join();
    String said = run.text();
    assertEquals(0, run.process().exitValue(), said);
    List<Pace> paces = new ArrayList<>();
    said.lines()
        .filter(line -> line.startsWith("pace "))
        .skip(1)
        .forEach(line -> paces.add(pace(line)));
    assertEquals(timed, paces.size(), said);
    assertEquals(cores, paces.get(0).workers(), said);
    return paces;
  }

  private static Pace pace(String line) {
    try (Scanner words = new Scanner(line).useLocale(Locale.ROOT)) {
      words.next();
      return new Pace(
          words.nextInt(),
          words.nextLong(),
          words.nextLong(),
          words.nextDouble(),
          words.nextDouble());
    }
  }

  private static double median(List<Pace> paces, ToDoubleFunction<Pace> of) {
    double[] sorted = paces.stream().mapToDouble(of).sorted().toArray();
    return sorted[sorted.length / 2];
  }
}
