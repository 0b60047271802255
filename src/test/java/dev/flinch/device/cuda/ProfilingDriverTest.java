package dev.flinch.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Launches are observed and otherwise as without an observer; on the emulator. */
class ProfilingDriverTest {
  private static final int ROWS = 70;
  private static final int UNITS = 20;

  private final EmulatedDriver emulator = new EmulatedDriver(80, 64 << 20, 2);
  private final ProfilingDriver profiling = new ProfilingDriver(emulator);

  /** A layer forward, three times: once launched, then as a repetition does it. */
  private static float[] layers(Driver driver, Runnable atStart) {
    float[] values = new float[ROWS * UNITS];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i * 37 % 101 - 50) / 50f;
    }
    float[] out = new float[values.length];
    try (Device device = new CudaDevice("cuda", driver);
        Scope scope = new Scope(device)) {
      atStart.run();
      Matrix x = Matrix.of(scope.floats(values.length), 0, ROWS, UNITS);
      Matrix w = Matrix.of(scope.floats(UNITS * UNITS), 0, UNITS, UNITS);
      Matrix z = Matrix.of(scope.floats(values.length), 0, ROWS, UNITS);
      device.upload(values, 0, x.data(), 0, values.length);
      device.upload(values, 0, w.data(), 0, UNITS * UNITS);
      try (Device.Repetition repetition =
          device.repetition(
              1,
              (lane, task) -> {
                lane.gemm(false, x, true, w, 0, z);
                lane.activate(Activation.RELU, z, null, x);
              })) {
        for (int i = 0; i < 3; i++) {
          repetition.run();
        }
      }
      device.download(x.data(), 0, out, 0, out.length);
      if (driver instanceof ProfilingDriver profiling) {
        check(profiling);
      }
    }
    return out;
  }

  private static void check(ProfilingDriver profiling) {
    Map<String, ProfilingDriver.Timing> timings = profiling.timings();
    assertEquals(2, timings.size(), timings::toString);
    ProfilingDriver.Timing gemm = timings.get("gemm.tiled_nt_32");
    assertEquals(3, gemm.launches());
    assertEquals(3 * 2.0 * ROWS * UNITS * UNITS, gemm.work().flop());
    assertEquals(3 * 4.0 * (2 * ROWS * UNITS + UNITS * UNITS), gemm.work().bytes());
    assertTrue(gemm.milliseconds() > 0 && gemm.medianMilliseconds() < gemm.milliseconds());
    assertTrue(gemm.staticSharedBytes().orElseThrow() > 0);
    assertFalse(gemm.registers().isPresent(), "the emulator has none");
    assertFalse(gemm.occupancy().isPresent());
    ProfilingDriver.Timing activate = timings.get("activation.activate_4");
    assertEquals(3, activate.launches());
    assertEquals(3 * 12.0 * ROWS * UNITS, activate.work().bytes());
  }

  @Test
  void launchesAreCountedAndResultsTheSameAsWithoutAnObserver() {
    float[] expected = layers(new EmulatedDriver(80, 64 << 20, 2), () -> {});
    assertArrayEquals(expected, layers(profiling, profiling::start));
    emulator
        .counters()
        .forEach((name, counters) -> assertEquals(3, counters.launches(), () -> name));
    assertEquals(0, emulator.liveBytes());
    assertEquals(0, emulator.livePinned());
  }

  @Test
  void nothingIsCountedBeforeTheStartAndWhatWasIsForgottenByAnother() {
    try (CudaDevice device = new CudaDevice("cuda", profiling);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(3, 4);
      Device.Task scale = (lane, task) -> lane.scale(a, a, 1, a);
      device.run(1, scale);
      assertEquals(Map.of(), profiling.timings());
      profiling.start();
      device.run(2, scale);
      assertEquals(2, profiling.timings().get("activation.scale_4").launches());
      profiling.start();
      assertEquals(Map.of(), profiling.timings());
    }
  }

  @Test
  void manyLaunchesAreAllTimed() {
    try (CudaDevice device = new CudaDevice("cuda", profiling);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(1, 1);
      profiling.start();
      device.run(2500, (lane, task) -> lane.scale(a, a, 1, a));
      assertEquals(2500, profiling.timings().get("activation.scale_4").launches());
    }
  }

  @Test
  void workThatIsNotAnnouncedOfEveryLaunchIsUnknown() {
    try (CudaDevice device = new CudaDevice("cuda", profiling);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(5, 3);
      Matrix sums = scope.matrix(1, 3);
      profiling.start();
      // What precedes an unannounced launch is not taken for its work.
      device.run(
          1,
          (Lane lane, int task) -> {
            lane.scale(a, a, 1, a);
            lane.columnSums(a, sums);
          });
      assertNull(profiling.timings().get("reduce.column_sums").work());
      assertEquals(12.0 * 15, profiling.timings().get("activation.scale_4").work().bytes());
    }
  }

  @Test
  void aCardThatIsLostIsSaidToBe() {
    try (CudaDevice device = new CudaDevice("cuda", profiling);
        Scope scope = new Scope(device)) {
      Matrix a = scope.matrix(5, 3);
      profiling.start();
      emulator.failAfter(0);
      Device.Task scale = (lane, task) -> lane.scale(a, a, 1, a);
      assertThrows(DeviceLostException.class, () -> device.run(1, scale));
    } catch (DeviceLostException e) {
      // Nor can a device be closed that is lost.
    }
  }

  @Test
  void librariesLaunchUnderTheirOwnNames() {
    try (profiling;
        Driver.Stream stream = profiling.stream()) {
      profiling.start();
      int[] calls = new int[1];
      profiling.announce(new Driver.Work(7, 5));
      profiling.launch(stream, "library.call", () -> calls[0]++);
      Driver.Graph graph =
          profiling.capture(
              stream, () -> profiling.launch(stream, "library.captured", () -> calls[0]++));
      assertEquals(1, calls[0], "captured, not carried out");
      profiling.launch(stream, graph);
      profiling.launch(stream, graph);
      assertEquals(3, calls[0]);
      assertEquals(new Driver.Work(7, 5), profiling.timings().get("library.call").work());
      assertEquals(2, profiling.timings().get("library.captured").launches());
    }
  }
}
