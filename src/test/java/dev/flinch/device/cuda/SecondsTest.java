package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.experiment.Devices;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The time that a device's work takes: by the wall clock, or between two events, which the emulator
 * takes by the wall clock too. That a card is asked for the time is seen in {@code NvtxTest}.
 */
class SecondsTest {
  private static final double PAUSE = 0.02;

  private static void pause() {
    long until = System.nanoTime() + Math.round(1e9 * PAUSE);
    while (System.nanoTime() < until) {
      LockSupport.parkNanos(100_000);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "emulator"})
  void itIsOfThisWorkAndOfNoOther(String name) {
    try (Device device = Devices.open(name);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(30, 20);
      Device.Task scale = (lane, task) -> lane.scale(a, a, 1, a);
      device.run(1, scale);
      pause();
      long started = System.nanoTime();
      double launched = device.seconds(() -> device.run(1, scale));
      assertTrue(launched > 0, () -> "a launch took " + launched);
      double waited =
          device.seconds(
              () -> {
                device.run(1, scale);
                pause();
                device.run(1, scale);
              });
      double both = (System.nanoTime() - started) / 1e9;
      // An event's time is in milliseconds of 24 bits.
      assertTrue(waited >= PAUSE * (1 - 1e-6), () -> "%s of %s".formatted(waited, PAUSE));
      assertTrue(launched + waited <= both * (1 + 1e-6), "not what came before");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "emulator"})
  void whatFailsIsThrown(String name) {
    try (Device device = Devices.open(name)) {
      Runnable failing =
          () -> {
            throw new ArithmeticException("in the work");
          };
      assertThrows(ArithmeticException.class, () -> device.seconds(failing));
      assertTrue(device.seconds(() -> {}) >= 0);
    }
  }
}
