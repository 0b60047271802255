package dev.flinch.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Device;
import dev.flinch.experiment.Devices;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JobsTest {
  @TempDir private Path folder;

  private final Device cpu = Devices.open("cpu");

  @AfterEach
  void close() throws Exception {
    assertEquals(0, cpu.liveBytes());
    cpu.close();
  }

  @Test
  void normsAlongATrajectoryPassTheirCheck() {
    new TrajectoryNormsJob().check(cpu, BenchData.find(folder));
  }

  @Test
  void regionMapsPassTheirCheck() {
    new RegionsJob().check(cpu, BenchData.find(folder));
  }

  @Test
  void stiffnessPassesItsCheck() {
    new StiffnessJob(500).check(cpu, BenchData.find(folder));
  }

  @Test
  void stiffnessNeedsTwoGramProductsALayer() {
    Job job = new StiffnessJob(500);
    double pairs = 500 * 501 / 2;
    double ofPairs = pairs * 2 * (784 + 500 + 500 + 300 + 300 + 100 + 100 + 10);
    double passes = 500 * 2.0 * (2 * 573_000 - 392_000);
    assertEquals(ofPairs + passes, job.flop());
    assertEquals("stiffness-500", job.name());
    assertEquals("stiffness-500", job.peer());
    assertEquals("stiffness-10k", new StiffnessJob(10_000).name());
    assertNull(new StiffnessJob(10_000).peer());
  }

  @Test
  void ofManyReplicasAFewAreCheckedTheLastIncluded() {
    new EpochJob(11, 3, 30).check(cpu, BenchData.find(folder));
  }

  /**
   * 196 steps of 128 networks of 878,800 weights and 3,800 hidden units, batches of 50,000 images.
   */
  @Test
  void anEpochMovesWeightsUnitsAndImages() {
    double weights = 196.0 * 20 * 878_800;
    double images = 50_000.0 * (24 * 3_800 + 8 * 784);
    assertEquals(128 * (weights + images), new EpochJob(128, 20, 200).bytes());
  }

  @Test
  void passesMoveWhatTheirOperationsReadAndWrite() {
    assertEquals(4.0 * 18 * 200 * 200, new TransitionsJob().bytes());
    assertEquals(
        10_000.0 * (4 * 200 + 8) + 4 * (18 * 200 * 200 + 200 * 10),
        new JacobianJob(20, 200).bytes());
    // 35 rows of 300, six hashes and fifteen counts a point, 33² points a tile.
    assertEquals(1024.0 * 1089 * (35 * 1200 + 48 + 60), new RegionsJob().bytes());
  }

  @Test
  void stacksForCardsRunOnACpuOnlyWhenAskedFor() throws Exception {
    assertFalse(new EpochJob(128, 20, 200).runsUnasked(cpu));
    assertTrue(new EpochJob(8, 5, 100).runsUnasked(cpu));
    try (Device emulator = Devices.open("emulator")) {
      assertTrue(new EpochJob(128, 20, 200).runsUnasked(emulator));
    }
    assertTrue(Benchmark.names().contains("epoch-128x20x200"));
    assertTrue(Benchmark.names().contains("jacobian-trajectory-2^20-20x200"));
  }
}
