package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class WorkersTest {
  private static String self() {
    try (Device device = new CpuDevice(1)) {
      return Workers.name(device);
    }
  }

  private static String began(Duration later) {
    String[] parts = self().split(" ", 4);
    parts[2] = Instant.parse(parts[2]).plus(later).toString();
    return String.join(" ", parts);
  }

  @Test
  void aLivingProcessIsNotDeadWhateverTheClockSaysOfItsBeginning() {
    assertFalse(Workers.isDead(self()));
    assertFalse(Workers.isDead(began(Duration.ofSeconds(2))));
    assertFalse(Workers.isDead(began(Duration.ofSeconds(-2))));
  }

  @Test
  void aNumberThatAnotherProcessHasNowIsThatOfADeadOne() {
    assertTrue(Workers.isDead(began(Duration.ofHours(-1))));
  }

  @Test
  void aProcessThatHasEndedIsDead() throws Exception {
    Process process = new ProcessBuilder("sleep", "0").start();
    assertEquals(0, process.waitFor());
    String[] parts = self().split(" ", 4);
    parts[1] = String.valueOf(process.pid());
    assertTrue(Workers.isDead(String.join(" ", parts)));
  }

  @Test
  void ofOtherMachinesNothingIsKnown() {
    assertFalse(Workers.isDead("another" + self()));
    assertFalse(Workers.isDead("some worker"));
  }
}
