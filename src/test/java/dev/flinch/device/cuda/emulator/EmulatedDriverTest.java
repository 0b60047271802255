package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.DeviceLostException;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.driver.Geometry;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Memory, streams, events, graphs and failures of the emulated card. */
class EmulatedDriverTest {
  private static final String INCREMENT =
      Emulated.element("%rd1", "p0", 4)
          + "ld.global.u32 %r1, [%rd1];\nadd.s32 %r1, %r1, 1;\nst.global.u32 [%rd1], %r1;";

  private final Emulated card = new Emulated(new EmulatedDriver(80, 1 << 20, 2));

  @AfterEach
  void close() {
    card.close();
  }

  @Test
  void theCardSaysWhatItIs() {
    assertEquals(80, new EmulatedDriver().card().architecture());
    assertEquals(166_912, card.driver.card().sharedBytesPerBlock());
    assertEquals(65_536, new EmulatedDriver(75, 1, 1).card().sharedBytesPerBlock());
    assertThrows(IllegalArgumentException.class, () -> new EmulatedDriver(50, 1, 1));
  }

  @Test
  void memoryIsCountedAndEnds() {
    long a = card.allocate(1000);
    assertEquals(0, a % 256);
    assertEquals(1000, card.driver.liveBytes());
    assertEquals((1 << 20) - 1000, card.driver.freeBytes());
    OutOfDeviceMemoryException e =
        assertThrows(OutOfDeviceMemoryException.class, () -> card.allocate(1 << 20));
    assertEquals(1 << 20, e.neededBytes());
    assertEquals((1 << 20) - 1000, e.freeBytes());
    card.driver.free(a);
    assertEquals(0, card.driver.liveBytes());
    assertEquals(0, card.driver.liveAllocations());
    assertThrows(IllegalArgumentException.class, () -> card.allocate(0));
  }

  @Test
  void copiesStayWithinTheirArrays() {
    long a = card.allocate(100);
    ByteBuffer pinned = card.driver.pin(200);
    assertThrows(EmulatorFault.class, () -> card.driver.upload(card.stream, pinned, 0, a + 50, 51));
    assertThrows(DriverException.class, () -> card.driver.upload(card.stream, pinned, 150, a, 51));
    assertThrows(
        DriverException.class,
        () -> card.driver.upload(card.stream, ByteBuffer.allocateDirect(100), 0, a, 100));
    assertThrows(EmulatorFault.class, () -> card.driver.zero(card.stream, a - 1, 4));
    for (int i = 0; i < 200; i++) {
      pinned.put(i, (byte) i);
    }
    card.driver.zero(card.stream, a, 100);
    card.driver.upload(card.stream, pinned, 7, a + 3, 50);
    card.driver.download(card.stream, a + 2, pinned, 100, 60);
    assertEquals(0, pinned.get(100));
    assertEquals(7, pinned.get(101));
    assertEquals(56, pinned.get(150));
    assertEquals(0, pinned.get(151));
    assertEquals(1, card.driver.livePinned());
    card.driver.unpin(pinned);
    assertThrows(DriverException.class, () -> card.driver.unpin(pinned));
    assertEquals(0, card.driver.livePinned());
  }

  @Test
  void argumentsAreChecked() {
    Driver.Kernel kernel = card.kernel("u64 f32", "");
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> card.driver.launch(card.stream, kernel, Geometry.of(1, 1), 1L, 2.0));
    assertTrue(e.getMessage().contains("argument 1"), e.getMessage());
    assertEquals("test.k", kernel.name());
    assertThrows(
        DriverException.class, () -> card.driver.load("m", Emulated.ptx(80, "", "")).kernel("x"));
  }

  @Test
  void graphsCarryOutWhatWasCaptured() {
    long a = card.ints(5, 6, 7);
    Driver.Kernel kernel = card.kernel("u64", INCREMENT);
    ByteBuffer pinned = card.driver.pin(12);
    Driver.Graph graph =
        card.driver.capture(
            card.stream,
            () -> {
              card.driver.launch(card.stream, kernel, Geometry.of(1, 3), a);
              card.driver.launch(card.stream, kernel, Geometry.of(1, 2), a);
              card.driver.download(card.stream, a, pinned, 0, 12);
            });
    assertArrayEquals(new int[] {5, 6, 7}, card.ints(a, 3));
    card.driver.launch(card.stream, graph);
    card.driver.launch(card.stream, graph);
    assertArrayEquals(new int[] {9, 10, 9}, card.ints(a, 3));
    assertEquals(9, pinned.getInt(8));
    graph.close();
    assertThrows(DriverException.class, () -> card.driver.launch(card.stream, graph));
  }

  @Test
  void eventsAreDoneAndTimed() {
    long a = card.ints(new int[512]);
    Driver.Event from = card.driver.event();
    Driver.Event to = card.driver.event();
    assertTrue(card.driver.done(from));
    card.driver.record(card.stream, from);
    card.run("u64", INCREMENT, Geometry.of(2, 256), a);
    card.driver.record(card.stream, to);
    card.driver.await(card.stream, to);
    assertTrue(card.driver.done(to));
    assertTrue(card.driver.milliseconds(from, to) > 0);
    assertThrows(DriverException.class, () -> card.driver.milliseconds(from, card.driver.event()));
  }

  @Test
  void aLostCardAnswersNothing() {
    long a = card.ints(1, 2, 3);
    Driver.Kernel kernel = card.kernel("u64", INCREMENT);
    card.driver.failAfter(1);
    card.driver.launch(card.stream, kernel, Geometry.of(1, 2), a);
    assertThrows(
        DeviceLostException.class,
        () -> card.driver.launch(card.stream, kernel, Geometry.of(1, 2), a));
    assertThrows(DeviceLostException.class, () -> card.allocate(4));
    assertThrows(DeviceLostException.class, () -> card.driver.bind());
    // Closing what is left is harmless.
    card.driver.free(a);
  }

  @Test
  void aHungCardIsNeverDone() {
    long a = card.ints(1, 2, 3);
    Driver.Event event = card.driver.event();
    card.driver.hangAfter(0);
    card.run("u64", INCREMENT, Geometry.of(1, 2), a);
    card.driver.record(card.stream, event);
    assertFalse(card.driver.done(event));
    assertArrayEquals(new int[] {1, 2, 3}, card.ints(a, 3));
  }

  @Test
  void closedModulesDoNotRun() {
    Driver.Module module = card.driver.load("m", Emulated.ptx(80, "", ""));
    Driver.Kernel kernel = module.kernel("k");
    module.close();
    module.close();
    assertThrows(
        DriverException.class, () -> card.driver.launch(card.stream, kernel, Geometry.of(1, 1)));
  }
}
