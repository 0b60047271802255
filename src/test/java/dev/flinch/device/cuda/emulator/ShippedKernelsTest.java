package dev.flinch.device.cuda.emulator;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.device.cuda.driver.Driver;
import dev.flinch.device.cuda.driver.Signature;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is shipped loads: the emulator knows each instruction of each kernel. */
class ShippedKernelsTest {
  @ParameterizedTest
  @ValueSource(ints = {75, 80})
  void everyKernelLoads(int architecture) throws IOException, URISyntaxException {
    URL folder = getClass().getResource("/dev/flinch/device/cuda/ptx/sm_" + architecture);
    List<Path> files;
    try (Stream<Path> listed = Files.list(Path.of(folder.toURI()))) {
      files = listed.filter(file -> file.toString().endsWith(".ptx")).sorted().toList();
    }
    assertFalse(files.isEmpty());
    try (Emulated card = new Emulated(new EmulatedDriver(architecture, 1 << 20, 1))) {
      for (Path file : files) {
        String ptx = Files.readString(file);
        Driver.Module module = card.driver.load(file.getFileName().toString(), ptx);
        for (String kernel : Signature.of(ptx).keySet()) {
          assertTrue(module.kernel(kernel).name().endsWith("." + kernel));
        }
        module.close();
      }
    }
  }
}
