package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.data.SmallFiles;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.experiment.StiffnessMeasurement.Pairs;
import dev.flinch.experiment.StiffnessRecord.OfPairs;
import dev.flinch.network.NetworkFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Stiffness between classes of one super-class, of which CIFAR-100 has 20, here of five classes.
 */
class SuperClassStiffnessTest {
  private static final int CLASSES = 100;

  private static final String STUDY =
      """
      {
        "title": "fine and coarse", "data": {"dataset": "cifar100"},
        "networks": {"shapes": [{"depth": 2, "width": 6}]},
        "training": {
          "optimizer": "Adam", "learningRates": [0.001], "batchSize": 100, "stop": {"epochs": 2}
        },
        "measures": {
          "jacobian": null,
          "stiffness": {"perClass": 1, "pairs": ["train-train", "train-test"]}
        }
      }
      """;

  @TempDir private Path folder;

  private static int superClass(int fine) {
    return fine * 7 % 20;
  }

  /** One image of each class in each split. */
  private void writeFiles() throws IOException {
    Path files = Files.createDirectories(folder.resolve("cifar100/cifar-100-binary"));
    int[][] train =
        IntStream.range(0, CLASSES)
            .mapToObj(c -> new int[] {superClass(c), c})
            .toArray(int[][]::new);
    int[][] test =
        IntStream.range(0, CLASSES)
            .map(c -> 99 - c)
            .mapToObj(c -> new int[] {superClass(c), c})
            .toArray(int[][]::new);
    Files.write(files.resolve("train.bin"), SmallFiles.cifar(train));
    Files.write(files.resolve("test.bin"), SmallFiles.cifar(test));
  }

  /** The mean over a class matrix of different classes of one super-class, summed here. */
  private static double mean(Double[][] matrix) {
    double sum = 0;
    int count = 0;
    for (int a = 0; a < CLASSES; a++) {
      for (int b = 0; b < CLASSES; b++) {
        if (a != b && superClass(a) == superClass(b)) {
          sum += matrix[a][b];
          count++;
        }
      }
    }
    assertEquals(20 * 5 * 4, count);
    return sum / count;
  }

  @Test
  void isMeasuredAlongTrainingAndOfATrainedNetwork() throws IOException {
    writeFiles();
    Path run = folder.resolve("run");
    try (CpuDevice device = new CpuDevice(2)) {
      NetworkResult network =
          Study.run(
                  Configuration.load(
                      Files.writeString(folder.resolve("study.json"), STUDY), List.of()),
                  device,
                  folder,
                  run,
                  false,
                  Progress.NONE)
              .networks()
              .get(0);
      assertEquals(3, network.stiffness().size());
      List<OfPairs> last = network.lastStiffness().stiffness();
      for (OfPairs of : last) {
        // Sums of 400 values in another order.
        assertEquals(
            mean(of.cosine().classMatrix()), of.cosine().betweenWithinSuperClasses(), 1e-12);
        assertEquals(mean(of.sign().classMatrix()), of.sign().betweenWithinSuperClasses(), 1e-12);
        assertNotEquals(of.cosine().between(), of.cosine().betweenWithinSuperClasses());
      }
      assertNull(last.get(0).cosine().within(), "one image of each class");
      assertNotNull(last.get(1).cosine().within());
      String table = Files.readString(run.resolve("stiffness.csv"));
      assertTrue(table.contains("," + last.get(1).cosine().betweenWithinSuperClasses() + ","));

      StiffnessMeasurement measured =
          StiffnessMeasurement.of(
              NetworkFile.read(
                  run.resolve("weights.safetensors"), Optional.empty(), Optional.empty()),
              new StiffnessMeasurement.Request("cifar100", folder, Pairs.TRAIN_TEST, null, 1, null),
              device,
              Progress.NONE);
      // The study has its training images in another order, so products round elsewhere: by some
      // float32 epsilons a cosine, and a cosine that is zero but for that may change its sign.
      assertEquals(
          last.get(1).cosine().betweenWithinSuperClasses(),
          measured.betweenWithinSuperClasses().cosine(),
          1e-6);
      assertEquals(
          last.get(1).sign().betweenWithinSuperClasses(),
          measured.betweenWithinSuperClasses().sign(),
          0.011);
    }
  }
}
