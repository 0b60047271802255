package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.flinch.base.RequestException;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Cards;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DevicesTest {
  private static final Card OLD = new Card(0, "Old", 6, 1, 20, 49152, 8L << 30, 12040);
  private static final Card BUSY = new Card(1, "Busy", 8, 9, 128, 101376, 24L << 30, 12040);
  private static final Cards TWO = new Cards(List.of(OLD, BUSY), null);
  private static final Cards NONE = new Cards(List.of(), "no libcuda.so.1");

  private final AtomicInteger closed = new AtomicInteger();

  /** A driver that can be opened and closed, and nothing else. */
  private Driver driver(Card card) {
    return (Driver)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {Driver.class},
            (proxy, method, arguments) -> {
              switch (method.getName()) {
                case "card":
                  return card;
                case "bind":
                  return null;
                case "close":
                  return closed.incrementAndGet();
                default:
                  throw new DriverException(card.name() + ": refuses to " + method.getName());
              }
            });
  }

  private Devices.Choice choose(String name, Cards cards) {
    return Devices.choose(name, () -> cards, this::driver);
  }

  private String refusal(String name, Cards cards) {
    return assertThrows(RequestException.class, () -> choose(name, cards)).getMessage();
  }

  @Test
  void withoutACardTheCpuIsTakenAndTheReasonSaid() throws Exception {
    Devices.Choice choice = choose("auto", NONE);
    try (var device = choice.device()) {
      assertEquals("cpu", device.name());
      assertEquals("no libcuda.so.1", choice.reason());
      assertEquals(
          "cpu (%s): no libcuda.so.1".formatted(device.description()), choice.description());
    }
  }

  @Test
  void withoutACardThatWorksTheCpuIsTakenAndEveryReasonSaid() throws Exception {
    Devices.Choice choice = choose("auto", TWO);
    try (var device = choice.device()) {
      assertEquals("cpu", device.name());
      assertEquals("Old: refuses to stream; Busy: refuses to stream", choice.reason());
    }
    assertEquals(2, closed.get(), "what was opened is closed");
  }

  @Test
  void theCpuIsTakenWithoutLookingForCards() throws Exception {
    try (var device = Devices.choose("cpu", () -> fail("looked"), this::driver).device()) {
      assertEquals("cpu", device.name());
    }
  }

  private List<String> all(String name, Cards cards) {
    List<Devices.Choice> choices =
        Devices.chooseAll(name, () -> cards, card -> new EmulatedDriver());
    choices.forEach(choice -> choice.device().close());
    return choices.stream().map(choice -> choice.device().name()).toList();
  }

  @Test
  void workIsSpreadOverAllCardsOrThoseThatAreNamed() {
    assertEquals(List.of("cuda:0", "cuda:1"), all("auto", TWO));
    assertEquals(List.of("cuda:0", "cuda:1"), all("cuda", TWO));
    assertEquals(List.of("cuda:1"), all("cuda:1", TWO));
    assertEquals(List.of("cuda:1", "cpu"), all("cuda:1,cpu", TWO));
    assertEquals(List.of("cpu"), all("cpu", TWO));
    assertEquals(List.of("cpu"), all("auto", NONE));
  }

  @Test
  void cardsThatDontWorkAreLeftOutOnlyWhereTheyWereNotAskedFor() {
    Function<Card, Driver> one = card -> card.index() == 0 ? driver(card) : new EmulatedDriver();
    List<Devices.Choice> choices = Devices.chooseAll("auto", () -> TWO, one);
    assertEquals(List.of("cuda:1"), choices.stream().map(c -> c.device().name()).toList());
    choices.forEach(choice -> choice.device().close());
    String refusal =
        assertThrows(RequestException.class, () -> Devices.chooseAll("cuda", () -> TWO, one))
            .getMessage();
    assertTrue(refusal.contains("cuda:0"), refusal);
  }

  @Test
  void aCardThatWorksIsTaken() {
    for (String name : List.of("auto", "cuda")) {
      Devices.Choice choice = Devices.choose(name, () -> TWO, card -> new EmulatedDriver());
      try (var device = choice.device()) {
        assertEquals("cuda", device.name());
        assertEquals(0, device.liveBytes());
      }
    }
  }

  @Test
  void theEmulatorIsNeverTakenUnasked() {
    try (var device = choose("emulator", NONE).device()) {
      assertEquals("emulator", device.name());
    }
  }

  @Test
  void aCardThatHangsIsPassedOver() {
    System.setProperty(CudaDevice.PATIENCE, "1");
    try {
      Devices.Choice choice =
          Devices.choose(
              "auto",
              () -> new Cards(List.of(BUSY), null),
              card -> {
                EmulatedDriver driver = new EmulatedDriver();
                driver.hangAfter(0);
                return driver;
              });
      try (var device = choice.device()) {
        assertEquals("cpu", device.name());
        assertTrue(choice.reason().contains("no answer for 1 seconds"), choice.reason());
      }
    } finally {
      System.clearProperty(CudaDevice.PATIENCE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cuda", "cuda:0", "cuda:1"})
  void aCardThatThereIsNotIsRefusedWithWhatIsMissing(String name) {
    assertEquals(
        "device %s: no libcuda.so.1; ask for cpu or auto to do without".formatted(name),
        refusal(name, NONE));
  }

  @Test
  void aCardThatFailsIsRefusedWithItsAnswer() {
    assertEquals("device cuda:1: Busy: refuses to stream", refusal("cuda:1", TWO));
  }

  @Test
  void anIndexOutOfRangeListsTheCards() {
    String message = refusal("cuda:2", TWO);
    assertTrue(message.startsWith("device cuda:2: there is no card 2"), message);
    assertTrue(message.contains("0: Old, 8 GiB, compute capability 6.1"), message);
    assertTrue(message.contains("1: Busy, 24 GiB, compute capability 8.9"), message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"})
  void unknownNamesAreRefusedWithThoseThatAreKnown(String name) {
    String message = refusal(name, TWO);
    assertEquals("unknown device '%s': expected one of %s".formatted(name, Devices.NAMES), message);
  }
}
