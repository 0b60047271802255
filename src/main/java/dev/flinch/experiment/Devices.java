package dev.flinch.experiment;

import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.ElementType;
import dev.flinch.device.Matrix;
import dev.flinch.device.OutOfDeviceMemoryException;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.CardDriver;
import dev.flinch.device.cuda.driver.Cards;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one place where a device is chosen and made. */
public final class Devices {
  /** What {@link #open} takes, for messages and help. */
  public static final String NAMES = "auto, cpu, cuda, cuda:N, emulator";

  private static final Logger LOG = LoggerFactory.getLogger(Devices.class);

  private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,4}))?");

  private Devices() {}

  /**
   * A device, and why it is this one.
   *
   * @param device for the caller to close
   * @param reason a clause
   */
  public record Choice(Device device, String reason) {
    /** One line for people. */
    public String description() {
      return "%s (%s): %s".formatted(device.name(), device.description(), reason);
    }
  }

  /**
   * Opens a device for the caller to close.
   *
   * @param name {@code cpu}; {@code cuda} for the machine's first card, {@code cuda:1} for its
   *     second one; {@code emulator} for a card in software, which is slow and checks everything;
   *     or {@code auto} for the fastest there is: the first card that Flinch's kernels run on, else
   *     the CPU
   * @throws RequestException for a device that there is not, saying what is missing
   */
  public static Device open(String name) {
    return choose(name).device();
  }

  /**
   * Opens a CPU that is shared with others.
   *
   * @param cores how many of them work for this device
   */
  public static Device cpu(int cores) {
    return new CpuDevice(cores);
  }

  /**
   * Opens all devices that work can be spread over.
   *
   * @param name {@code cuda} for all cards; {@code auto} for those that Flinch's kernels run on, or
   *     else the CPU; several names with commas; any other name for that device alone
   * @throws RequestException for a device that there is not, saying what is missing
   */
  public static List<Choice> chooseAll(String name) {
    return chooseAll(name, Cards::find, CardDriver::new);
  }

  static List<Choice> chooseAll(
      String name, Supplier<Cards> search, Function<Card, Driver> driver) {
    List<String> names = Stream.of(name.split(",")).map(String::strip).distinct().toList();
    boolean automatic = name.equals("auto");
    if (automatic || name.equals("cuda")) {
      List<String> cards =
          search.get().found().stream().map(card -> "cuda:" + card.index()).toList();
      names = cards.size() > 1 ? cards : names;
    }
    List<Choice> choices = new ArrayList<>();
    try {
      for (String one : names) {
        try {
          choices.add(choose(one, search, driver));
        } catch (RequestException e) {
          if (!automatic) {
            throw e;
          }
          // The others may do; why this one doesn't is said where none does.
          LOG.info("{}", e.getMessage());
        }
      }
      return choices.isEmpty() ? List.of(choose(name, search, driver)) : List.copyOf(choices);
    } catch (RuntimeException e) {
      choices.forEach(choice -> closing(choice.device(), e));
      throw e;
    }
  }

  /**
   * Opens a device as {@link #open} does.
   *
   * @throws RequestException for a device that there is not, saying what is missing
   */
  public static Choice choose(String name) {
    return choose(name, UnaryOperator.identity());
  }

  /**
   * Opens a device whose driver is observed.
   *
   * @param around puts an observer around the driver of a card or of the emulator, or gives it back
   *     as it is; asked for every card that is tried, and never for the CPU
   * @throws RequestException for a device that there is not, saying what is missing
   */
  public static Choice choose(String name, UnaryOperator<Driver> around) {
    return choose(name, Cards::find, CardDriver::new, around);
  }

  /**
   * @param search looks for cards, and is only asked where one may be wanted
   * @param driver opens a card
   */
  static Choice choose(String name, Supplier<Cards> search, Function<Card, Driver> driver) {
    return choose(name, search, driver, UnaryOperator.identity());
  }

  static Choice choose(
      String name,
      Supplier<Cards> search,
      Function<Card, Driver> make,
      UnaryOperator<Driver> around) {
    Function<Card, Driver> driver = make.andThen(around);
    Matcher cuda = CUDA.matcher(name);
    if (cuda.matches()) {
      int index = cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1));
      return new Choice(card(name, index, search, driver), "asked for");
    }
    return switch (name) {
      case "auto" -> fastest(search, driver);
      case "cpu" -> new Choice(new CpuDevice(), "asked for");
      case "emulator" ->
          new Choice(new CudaDevice("emulator", around.apply(new EmulatedDriver())), "asked for");
      default ->
          throw new RequestException(
              "unknown device '%s': expected one of %s".formatted(name, NAMES));
    };
  }

  private static Choice fastest(Supplier<Cards> search, Function<Card, Driver> driver) {
    List<String> reasons = new ArrayList<>();
    try {
      Cards cards = search.get();
      if (cards.found().isEmpty()) {
        reasons.add(cards.missing());
      }
      for (Card card : cards.found()) {
        try {
          return new Choice(
              working(card.index() == 0 ? "cuda" : "cuda:" + card.index(), driver.apply(card)),
              "the first card that Flinch's kernels run on");
        } catch (DriverException | DeviceLostException | OutOfDeviceMemoryException e) {
          reasons.add(e.getMessage());
        }
      }
    } catch (DriverException | DeviceLostException e) {
      reasons.add(e.getMessage());
    }
    return new Choice(new CpuDevice(), String.join("; ", reasons));
  }

  private static Device card(
      String name, int index, Supplier<Cards> search, Function<Card, Driver> driver) {
    try {
      Cards cards = search.get();
      if (cards.found().isEmpty()) {
        throw new RequestException(
            "device %s: %s; ask for cpu or auto to do without".formatted(name, cards.missing()));
      }
      if (index >= cards.found().size()) {
        throw new RequestException(
            "device %s: there is no card %d; expected one of these:\n  %s"
                .formatted(
                    name,
                    index,
                    cards.found().stream()
                        .map(Card::description)
                        .collect(Collectors.joining("\n  "))));
      }
      return working(name, driver.apply(cards.found().get(index)));
    } catch (DriverException | DeviceLostException | OutOfDeviceMemoryException e) {
      throw new RequestException("device %s: %s".formatted(name, e.getMessage()), e);
    }
  }

  /** A device that has carried out a kernel and given its result back. */
  private static Device working(String name, Driver driver) {
    Device device;
    try {
      device = new CudaDevice(name, driver);
    } catch (RuntimeException e) {
      throw closing(driver, e);
    }
    try {
      requireWorking(device);
      return device;
    } catch (RuntimeException e) {
      throw closing(device, e);
    }
  }

  private static RuntimeException closing(AutoCloseable opened, RuntimeException failure) {
    try {
      opened.close();
    } catch (Exception e) {
      failure.addSuppressed(e);
    }
    return failure;
  }

  private static void requireWorking(Device device) {
    float[] value = {1.5f};
    double[] found = new double[1];
    try (Scope scope = new Scope(device)) {
      Matrix narrow = Matrix.of(scope.floats(1), 0, 1, 1);
      Matrix wide = Matrix.of(scope.allocate(ElementType.FLOAT64, 1), 0, 1, 1);
      device.upload(value, 0, narrow.data(), 0, 1);
      device.run(1, (lane, task) -> lane.widen(narrow, wide));
      device.download(wide.data(), 0, found, 0, 1);
    }
    if (found[0] != value[0]) {
      throw new DriverException(
          "%s: a kernel that copies one number gave %s for %s"
              .formatted(device.description(), found[0], value[0]));
    }
  }
}
