package dev.flinch.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.bench.Profile.Ceilings;
import dev.flinch.bench.Profile.KernelTime;
import dev.flinch.device.Device;
import dev.flinch.device.cuda.ProfilingDriver;
import dev.flinch.device.cuda.driver.Driver.Work;
import dev.flinch.experiment.Devices;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class ProfileTest {
  /** 1000 GFLOP/s and 100 GB/s: they meet at 10 FLOP a byte. */
  private static final Ceilings CEILINGS =
      new Ceilings(new GemmRate("any", 1000), new CopyRate(100));

  private static KernelTime time(Work work) {
    return KernelTime.of(
        "a.b",
        new ProfilingDriver.Timing(
            2, 4, 2, work, OptionalInt.of(40), OptionalInt.of(0), OptionalDouble.of(0.5)),
        CEILINGS);
  }

  @Test
  void aKernelIsHeldAgainstTheCeilingThatItMeetsFirst() {
    KernelTime products = time(new Work(1e9, 0.9e8));
    assertEquals("products", products.binding());
    assertEquals(0.25, products.fraction(), 1e-12);
    assertEquals(250, products.gflops(), 1e-9);
    KernelTime memory = time(new Work(1e9, 2e8));
    assertEquals("memory", memory.binding());
    assertEquals(0.5, memory.fraction(), 1e-12);
    assertEquals(50, memory.gigabytes(), 1e-9);
  }

  @Test
  void whatIsNotAnnouncedIsNotRated() {
    KernelTime unknown = time(null);
    assertNull(unknown.gflops());
    assertNull(unknown.gigabytes());
    assertNull(unknown.binding());
    assertNull(unknown.fraction());
    assertEquals(0.002, unknown.medianSeconds());
    assertEquals(40, unknown.registers());
  }

  @Test
  void copiesHaveARateOnEveryDevice() throws Exception {
    try (Device device = Devices.open("cpu")) {
      assertTrue(CopyRate.measure(device, 4 << 20).gigabytes() > 0.1);
      assertEquals(0, device.liveBytes());
    }
  }
}
