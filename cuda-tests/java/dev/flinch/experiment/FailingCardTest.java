package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceLostException;
import dev.flinch.device.cuda.CudaDevice;
import dev.flinch.device.cuda.emulator.EmulatedDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/** Studies on a card that breaks or hangs, which only the emulator can play. */
@EnabledIf("dev.flinch.device.cuda.TestedDevice#isEmulated")
@Tag("cuda")
class FailingCardTest {
  private static final String STUDY =
      """
      {
        "title": "on a card",
        "data": {"dataset": "glyphs", "train": 40, "validation": 0, "test": 20},
        "networks": {"shapes": [{"depth": 2, "width": 5}], "seeds": [1, 2]},
        "training": {
          "optimizer": "SGD", "learningRates": [0.05], "batchSize": 20,
          "labels": ["true"], "stop": {"epochs": 2}, "checkpointSeconds": 0
        },
        "measures": {"jacobian": {"split": "test", "count": 5}}
      }
      """;

  @TempDir static Path shared;
  private static Path configuration;
  private static Path undisturbed;

  @TempDir Path temporary;

  @BeforeAll
  static void runUndisturbed() throws IOException {
    configuration = Files.writeString(shared.resolve("study.json"), STUDY);
    undisturbed = shared.resolve("undisturbed");
    run(undisturbed, false, driver -> {});
  }

  private static void run(Path folder, boolean resume, Consumer<EmulatedDriver> fault) {
    run(new EmulatedDriver(75, 1L << 28, 2), folder, resume, fault, List.of());
  }

  private static void run(
      EmulatedDriver driver,
      Path folder,
      boolean resume,
      Consumer<EmulatedDriver> fault,
      List<String> changes) {
    try (Device device = new CudaDevice("emulator", driver)) {
      fault.accept(driver);
      Study.run(
          Configuration.load(configuration, changes),
          device,
          shared,
          folder,
          resume,
          Progress.NONE);
    }
  }

  private static void assertSameAsUndisturbed(Path folder) throws IOException {
    for (String file : List.of(RunFolder.METRICS, RunFolder.WEIGHTS, RunFolder.HISTORY)) {
      assertArrayEquals(
          Files.readAllBytes(undisturbed.resolve(file)),
          Files.readAllBytes(folder.resolve(file)),
          file);
    }
  }

  private void assertGoesOnAfter(Consumer<EmulatedDriver> fault, String message)
      throws IOException {
    Path folder = temporary.resolve("run");
    String told =
        assertThrows(DeviceLostException.class, () -> run(folder, false, fault)).getMessage();
    assertTrue(told.contains(message), told);
    assertTrue(told.contains(folder + " holds all work up to the last checkpoint"), told);
    assertTrue(Files.exists(folder.resolve("checkpoint.safetensors")), told);
    run(folder, true, driver -> {});
    assertSameAsUndisturbed(folder);
  }

  @Test
  void aRunGoesOnAfterACardThatBreaks() throws IOException {
    assertGoesOnAfter(driver -> driver.failAfter(60), "emulator");
  }

  @Test
  void aRunGoesOnAfterACardThatHangs() throws IOException {
    System.setProperty(CudaDevice.PATIENCE, "1");
    try {
      assertGoesOnAfter(driver -> driver.hangAfter(60), "no answer for 1 seconds");
    } finally {
      System.clearProperty(CudaDevice.PATIENCE);
    }
  }

  @Test
  void aStackThatDoesNotFitTheCardIsSplitAndEndsWithTheSameBytes() throws IOException {
    List<String> wide =
        List.of(
            "networks.shapes=[{\"depth\": 2, \"width\": 150}]",
            "networks.seeds=[1, 2, 3, 4]",
            "training.stop={\"steps\": 1}",
            "measures={\"jacobian\": null}");
    Path large = temporary.resolve("large");
    Path small = temporary.resolve("small");
    run(new EmulatedDriver(75, 1L << 28, 2), large, false, driver -> {}, wide);
    // Some nine megabytes are the device's own; each network takes almost one in training.
    run(new EmulatedDriver(75, 12L << 20, 2), small, false, driver -> {}, wide);
    assertEquals(List.of(4), RunFolder.requireRunOf(large, configured(wide)).stacks());
    assertEquals(List.of(2, 2), RunFolder.requireRunOf(small, configured(wide)).stacks());
    for (String file : List.of(RunFolder.METRICS, RunFolder.WEIGHTS, RunFolder.HISTORY)) {
      assertArrayEquals(
          Files.readAllBytes(large.resolve(file)), Files.readAllBytes(small.resolve(file)), file);
    }
  }

  private static Configuration configured(List<String> changes) {
    return Configuration.load(configuration, changes);
  }
}
