package dev.flinch.device.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.device.Device;
import dev.flinch.device.Scope;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.ProfilingDriver;

/**
 * What {@link NvtxTest} looks at, in a process whose {@code libcuda.so.1} is a stand-in: ranges of
 * a device on a card, and the time that it takes.
 */
final class NvtxProcess {
  private NvtxProcess() {}

  public static void main(String[] arguments) {
    CardDriver driver = new CardDriver(Cards.find().found().get(0));
    // Observed as flinch profile does it.
    try (Device device = new CudaDevice("cuda", new ProfilingDriver(driver))) {
      assertThrows(ArithmeticException.class, () -> ranges(device));
      // The stand-in's events are 1.5 ms apart.
      assertEquals(0.0015, device.seconds(() -> {}), 1e-9);
    }
    System.out.println("done");
  }

  private static void ranges(Device device) {
    Device.Range outer = device.range("train 20×200 ReLU");
    try (outer) {
      try (Scope inner = new Scope(device, "upload examples")) {
        inner.floats(3);
        inner.close();
      }
      Device.Range failing = device.range("fails");
      try (failing) {
        throw new ArithmeticException("in the work");
      }
    }
  }
}
