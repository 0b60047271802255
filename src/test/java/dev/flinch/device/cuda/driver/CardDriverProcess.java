package dev.flinch.device.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.DeviceLostException;
import dev.flinch.device.OutOfDeviceMemoryException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;

/**
 * What {@link CardDriverTest} looks at, in a process whose {@code libcuda.so.1} is a stand-in: each
 * of the driver's calls once, with values that would show if they went astray.
 */
final class CardDriverProcess {
  private static final String PTX =
      """
      .version 7.8
      .target sm_75
      .visible .entry launched(.param .u64 a, .param .u32 b, .param .f32 c, .param .f64 d) { ret; }
      """;

  /** Allocations of so many bytes and a code are answered with the code. */
  private static final long FAIL = 0x7f000000000L;

  private CardDriverProcess() {}

  public static void main(String[] arguments) throws Exception {
    Cards cards = Cards.find();
    System.out.println(cards.description());
    if (arguments.length > 0 || cards.found().isEmpty()) {
      return;
    }
    CardDriver driver = new CardDriver(cards.found().get(1));
    try (driver) {
      copies(driver);
      launches(driver);
      graphs(driver);
      events(driver);
      worksInEveryThreadThatBinds(driver);
      answers(driver);
      driver.close();
    } catch (DeviceLostException e) {
      throw new AssertionError("a lost card was asked again", e);
    }
    System.out.println("done");
  }

  private static void copies(CardDriver driver) {
    long address = driver.allocate(100);
    assertEquals(0, address % 256);
    ByteBuffer pinned = driver.pin(64);
    assertEquals(64, pinned.capacity());
    for (int i = 0; i < 64; i++) {
      pinned.put(i, (byte) i);
    }
    try (Driver.Stream stream = driver.stream()) {
      driver.zero(stream, address, 100);
      driver.upload(stream, pinned, 5, address + 10, 20);
      driver.download(stream, address + 8, pinned, 40, 24);
      assertEquals(39, pinned.get(39));
      assertEquals(0, pinned.get(40));
      assertEquals(0, pinned.get(41));
      assertEquals(5, pinned.get(42));
      assertEquals(24, pinned.get(61));
      assertEquals(0, pinned.get(62));
      driver.zero(stream, address, 0);
      driver.upload(stream, pinned, 64, address, 0);
      assertThrows(
          IllegalArgumentException.class, () -> driver.upload(stream, pinned, 60, address, 5));
      assertThrows(
          IllegalArgumentException.class,
          () -> driver.upload(stream, ByteBuffer.allocate(8), 0, address, 8));
    }
    assertEquals(12345678, driver.freeBytes());
    driver.unpin(pinned);
    driver.free(address);
  }

  private static void launches(CardDriver driver) {
    long address = driver.allocate(128);
    ByteBuffer pinned = driver.pin(128);
    try (Driver.Stream stream = driver.stream();
        Driver.Module module = driver.load("probe", PTX)) {
      Driver.Kernel kernel = module.kernel("launched");
      assertEquals("probe.launched", kernel.name());
      assertEquals(40, kernel.registers().orElseThrow());
      assertEquals(1024, kernel.staticSharedBytes());
      // Four blocks of three warps, in a multiprocessor for 1536 threads.
      Geometry odd = Geometry.of(1, 70).withShared(4096);
      assertEquals(4 * 96 / 1536.0, kernel.occupancy(odd).orElseThrow());
      Geometry geometry = new Geometry(11, 12, 13, 14, 5, 6, 40 << 10);
      driver.launch(stream, kernel, geometry, address, -3, 0.25f, -1e300);
      driver.download(stream, address, pinned, 0, 128);
      long[] expected = {11, 12, 13, 14, 5, 6, 40 << 10, -3, 0};
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], pinned.getLong(8 * i), "word " + i);
      }
      assertEquals(0.25, pinned.getDouble(72));
      assertEquals(-1e300, pinned.getDouble(80));

      driver.launch(stream, kernel, geometry.withShared(99 << 10 >> 1), address, 7, 1f, 2.0);
      driver.download(stream, address, pinned, 0, 128);
      assertEquals(101376 - 1024, pinned.getLong(64), "all shared memory that there is, asked for");

      try (Driver.Module again = driver.load("again", PTX)) {
        // What has to be asked for is asked for, so that a block fits.
        Geometry large = Geometry.of(1, 96).withShared(51200);
        assertEquals(96 / 1536.0, again.kernel("launched").occupancy(large).orElseThrow());
      }

      System.out.println(
          message(
              () -> driver.launch(stream, kernel, geometry.withShared(101376), 0L, 1, 1f, 1.0)));
      System.out.println(
          message(() -> driver.launch(stream, kernel, Geometry.of(1, 513), 0L, 1, 1f, 1.0)));
      System.out.println(
          message(() -> driver.launch(stream, kernel, Geometry.of(1, 32), 0L, 1L, 1f, 1.0)));
      System.out.println(message(() -> module.kernel("absent")));
    }
    System.out.println(message(() -> driver.load("probe", "broken")));
    driver.unpin(pinned);
    driver.free(address);
  }

  private static void graphs(CardDriver driver) {
    long address = driver.allocate(8);
    ByteBuffer pinned = driver.pin(16);
    try (Driver.Stream stream = driver.stream()) {
      pinned.putLong(0, 1234567890123L).putLong(8, 0);
      try (Driver.Graph graph =
          driver.capture(
              stream,
              () -> {
                driver.upload(stream, pinned, 0, address, 8);
                driver.download(stream, address, pinned, 8, 8);
              })) {
        assertEquals(0, pinned.getLong(8), "captured, not carried out");
        driver.launch(stream, graph);
        assertEquals(1234567890123L, pinned.getLong(8));
        pinned.putLong(0, -5);
        driver.launch(stream, graph);
        assertEquals(-5, pinned.getLong(8));
      }
      assertThrows(
          ArithmeticException.class,
          () ->
              driver.capture(
                  stream,
                  () -> {
                    throw new ArithmeticException("in the work");
                  }));
      driver.upload(stream, pinned, 0, address, 8);
    }
    driver.unpin(pinned);
    driver.free(address);
  }

  private static void events(CardDriver driver) {
    try (Driver.Stream one = driver.stream();
        Driver.Stream other = driver.stream();
        Driver.Event from = driver.event();
        Driver.Event to = driver.event()) {
      driver.record(one, from);
      driver.record(one, to);
      driver.await(other, to);
      assertFalse(driver.done(to), "not ready is no failure");
      assertTrue(driver.done(to));
      assertEquals(1.5f, driver.milliseconds(from, to));
    }
  }

  private static void worksInEveryThreadThatBinds(CardDriver driver) throws InterruptedException {
    Map<String, String> found = new TreeMap<>();
    Thread unbound = new Thread(() -> found.put("unbound", message(() -> driver.allocate(1))));
    unbound.start();
    unbound.join();
    Thread bound =
        new Thread(
            () -> {
              driver.bind();
              driver.free(driver.allocate(1));
              found.put("bound", "works");
            });
    bound.start();
    bound.join();
    assertEquals("works", found.get("bound"));
    assertTrue(found.get("unbound").contains("INVALID_CONTEXT"), found::toString);
  }

  private static void answers(CardDriver driver) {
    OutOfDeviceMemoryException none =
        assertThrows(OutOfDeviceMemoryException.class, () -> driver.allocate(FAIL + 2));
    assertEquals(FAIL + 2, none.neededBytes());
    assertEquals(12345678, none.freeBytes());
    assertThrows(DriverException.class, () -> driver.allocate(FAIL + 1));
    System.out.println(message(() -> driver.allocate(FAIL + 1)));
    // Code 913 is of no name that this stand-in, or a driver older than it, knows.
    System.out.println(message(() -> driver.allocate(FAIL + 913)));
    long address = driver.allocate(10);
    Driver.Event event = driver.event();
    assertThrows(DeviceLostException.class, () -> driver.allocate(FAIL + 700));
    System.out.println(message(() -> driver.done(event)));
    assertThrows(DeviceLostException.class, () -> driver.allocate(10));
    // What is lost is let go without being asked: these would answer as the calls above.
    driver.free(address);
    event.close();
  }

  private static String message(Runnable refused) {
    return assertThrows(RuntimeException.class, refused::run).getMessage();
  }
}
