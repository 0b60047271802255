package dev.flinch.device.cuda;

import dev.flinch.device.cuda.driver.Card;
import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.DriverException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Flinch's kernels on one card: the PTX for its architecture, each module loaded when first used.
 */
final class KernelLibrary implements AutoCloseable {
  /** Architectures that PTX is made for, the newest first. */
  static final List<Integer> ARCHITECTURES = List.of(80, 75);

  private final Driver driver;
  private final int architecture;
  private final Map<String, Driver.Module> modules = new HashMap<>();
  private final Map<String, Driver.Kernel> kernels = new HashMap<>();

  KernelLibrary(Driver driver) {
    this.driver = driver;
    Card card = driver.card();
    this.architecture =
        ARCHITECTURES.stream()
            .filter(a -> a <= card.architecture())
            .findFirst()
            .orElseThrow(
                () ->
                    new DriverException(
                        "%s has compute capability %d.%d: Flinch's kernels need 7.5 or newer"
                            .formatted(card.name(), card.major(), card.minor())));
  }

  /** Which architecture's PTX is used: 75 or 80. */
  int architecture() {
    return architecture;
  }

  /**
   * A kernel.
   *
   * @param module the source file's name, without its ending
   * @param entry the kernel's name in it
   */
  synchronized Driver.Kernel kernel(String module, String entry) {
    return kernels.computeIfAbsent(
        module + "." + entry,
        key ->
            modules
                .computeIfAbsent(module, name -> driver.load(name, ptx(architecture, name)))
                .kernel(entry));
  }

  /** The PTX of a module as it is shipped. */
  static String ptx(int architecture, String module) {
    String resource = "ptx/sm_%d/%s.ptx".formatted(architecture, module);
    try (InputStream in = KernelLibrary.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalArgumentException("there is no " + resource);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public synchronized void close() {
    kernels.clear();
    modules.values().forEach(Driver.Module::close);
    modules.clear();
  }
}
