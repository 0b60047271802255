package dev.flinch.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
  void ofManyReplicasAFewAreCheckedTheLastIncluded() {
    new EpochJob(11, 3, 30).check(cpu, BenchData.find(folder));
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
