package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Device;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.Configuration;
import dev.flinch.experiment.Json;
import dev.flinch.experiment.NetworkResult;
import dev.flinch.experiment.StiffnessRecord;
import dev.flinch.experiment.Study;
import dev.flinch.store.Column;
import dev.flinch.store.NetworkRow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stiffness that a sweep measures as its networks train. */
class SweepStiffnessTest {
  /** Five steps an epoch; a checkpoint after each. */
  private static final String SWEEP =
      """
      {
        "title": "stiffness",
        "data": {"train": 250, "test": 150},
        "training": {"stop": {"epochs": 3, "trainAccuracy": null}, "checkpointSeconds": 0},
        "measures": {
          "jacobian": null,
          "stiffness": {"every": 4, "perClass": 5, "pairs": ["train-test", "train-train"]}
        },
        "factors": {
          "dataset": "glyphs", "depth": 2, "width": 8, "learningRate": [0.05, 1e30],
          "optimizer": "SGD", "batchSize": 50, "labels": ["true", "random"], "seed": [1, 2]
        }
      }
      """;

  @TempDir private Path folder;

  private SweepFolder sweep(Path to, Device device) throws IOException {
    Path file = Files.writeString(folder.resolve("sweep.json"), SWEEP);
    return SweepTest.run(file, to, List.of(device), 1L << 30, Duration.ofSeconds(60), Progress.NONE)
        .folder();
  }

  private NetworkResult alone(NetworkRow row, Device device) throws IOException {
    Path file = folder.resolve(row.text(Column.IDENTITY) + ".json");
    Files.writeString(file, row.text(Column.CONFIGURATION));
    return Study.run(
            Configuration.load(file, List.of()),
            device,
            folder,
            folder.resolve(row.text(Column.IDENTITY)),
            false,
            Progress.NONE)
        .networks()
        .get(0);
  }

  @Test
  void aRowHasTheStiffnessThatAStudyOfItsNetworkAloneComesTo() throws IOException {
    try (Device device = new CpuDevice(2)) {
      SweepFolder done = sweep(folder.resolve("done"), device);
      List<NetworkRow> rows = SmallNetworks.rows(done.store());
      assertEquals(8, rows.size());
      for (NetworkRow row : rows) {
        boolean diverged = row.number(Column.LEARNING_RATE) > 1;
        assertEquals(diverged ? "diverged" : "done", row.text(Column.STATUS));
        JsonNode series = Json.tree(row.text(Column.STIFFNESS));
        assertEquals(diverged ? "[0]" : "[0,4,8,12,15]", series.get("step").toString());
        if (diverged) {
          assertNull(row.get(Column.STIFFNESS_WITHIN));
          assertNull(row.get(Column.CRITICAL_LENGTH));
        } else if (row.get(Column.SEED).equals(2L)) {
          assertSame(alone(row, device), row, series);
        }
      }
      SweepReport.Written report = SweepReport.write(done.path());
      String page = Files.readString(report.page());
      assertTrue(page.contains("stiffness_within"), "no stiffness in the report");
      assertFalse(page.contains("signCriticalLengthHigh"), "series in the report");
    }
  }

  private static void assertSame(NetworkResult alone, NetworkRow row, JsonNode series) {
    StiffnessRecord.OfPairs first = alone.lastStiffness().stiffness().get(0);
    assertEquals(first.cosine().within(), row.get(Column.STIFFNESS_WITHIN));
    assertEquals(first.cosine().between(), row.get(Column.STIFFNESS_BETWEEN));
    assertEquals(first.sign().within(), row.get(Column.STIFFNESS_SIGN_WITHIN));
    assertEquals(first.sign().between(), row.get(Column.STIFFNESS_SIGN_BETWEEN));
    assertEquals(first.criticalLength().value(), row.get(Column.CRITICAL_LENGTH));
    for (int i = 0; i < alone.stiffness().size(); i++) {
      StiffnessRecord record = alone.stiffness().get(i);
      assertEquals(record.epoch(), series.get("epoch").get(i).doubleValue());
      assertEquals(record.train().crossEntropy(), series.get("trainLoss").get(i).doubleValue());
      assertEquals(record.test().accuracy(), series.get("testAccuracy").get(i).doubleValue());
      for (StiffnessRecord.OfPairs of : record.stiffness()) {
        JsonNode ofPairs = series.get(of.pairs().label());
        assertValue(of.cosine().within(), ofPairs.get("cosineWithin").get(i));
        assertValue(of.sign().between(), ofPairs.get("signBetween").get(i));
        assertValue(of.criticalLength().value(), ofPairs.get("criticalLength").get(i));
        assertValue(of.criticalLength().interval()[1], ofPairs.get("criticalLengthHigh").get(i));
        assertTrue(ofPairs.get("cosineWithinSuper").get(i).isNull());
      }
    }
  }

  private static void assertValue(Double expected, JsonNode found) {
    assertEquals(expected, found.isNull() ? null : (Double) found.doubleValue());
  }

  private static final class Interruption extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @Test
  void aStackThatIsInterruptedHasTheSameRowsInTheEnd() throws IOException {
    SweepPlan plan = Sweeps.plan(SWEEP);
    StackRequest request =
        StackRequest.of(IntStream.range(0, plan.networks()).mapToObj(plan::configuration).toList());
    try (Device device = new CpuDevice(2)) {
      Map<String, NetworkRow> whole = work("whole", request, device, Progress.NONE);
      AtomicInteger reports = new AtomicInteger();
      Progress interrupt =
          (task, done, total) -> {
            // After the checkpoint of the second epoch, and the measurement after step 8.
            if (done == 12 && reports.incrementAndGet() == 2) {
              throw new Interruption();
            }
          };
      assertThrows(Interruption.class, () -> work("cut", request, device, interrupt));
      try (Stream<Path> files = Files.list(folder.resolve("cut/checkpoints"))) {
        assertEquals(1, files.count());
      }
      assertEquals(whole, work("cut", request, device, Progress.NONE));
    }
  }

  /** Rows by identity, but for how long they took. */
  private Map<String, NetworkRow> work(
      String name, StackRequest request, Device device, Progress progress) {
    SweepFolder place = new SweepFolder(folder.resolve(name));
    Map<String, NetworkRow> rows = new HashMap<>();
    try (StackWorker worker = new StackWorker(place, false, folder, Map.of(), device)) {
      for (NetworkRow row : worker.work(request, progress)) {
        rows.put(row.text(Column.IDENTITY), row.toBuilder().set(Column.SECONDS, null).build());
      }
    }
    return rows;
  }

  @Test
  void tooFewImagesOfAClassAreRefusedBeforeAnythingBegins() throws IOException {
    Path file =
        Files.writeString(
            folder.resolve("sweep.json"),
            SWEEP
                .replace("\"perClass\": 5", "\"perClass\": 25")
                .replace("\"test\": 150", "\"test\": 250"));
    Path to = folder.resolve("refused");
    try (Device device = new CpuDevice(1)) {
      String message =
          assertThrows(
                  RequestException.class,
                  () ->
                      SweepTest.run(
                          file,
                          to,
                          List.of(device),
                          1L << 30,
                          Duration.ofSeconds(60),
                          Progress.NONE))
              .getMessage();
      assertTrue(message.contains("measures.stiffness.perClass: expected ≤ "), message);
      assertTrue(message.contains("among the 250 of glyphs train"), message);
    }
    assertFalse(Files.exists(to));
  }
}
