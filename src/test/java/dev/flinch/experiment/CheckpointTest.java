package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.flinch.data.DataSets;
import dev.flinch.device.Activation;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Network;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.ReplicaSettings;
import dev.flinch.training.StopRule;
import dev.flinch.training.Trainer;
import dev.flinch.training.TrainerState;
import dev.flinch.training.TrainingSettings;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckpointTest {
  private static final int LAST_STEP = 13;

  @TempDir Path folder;

  /** Trains two networks of 10 examples in batches of 4, so that an epoch is three steps. */
  private TrainerState train(OptimizerRule rule, Checkpoint from, int until) {
    List<Network> networks =
        List.of(
            RandomNetworks.network(1, Activation.TANH, true, 784, 5, 10),
            RandomNetworks.network(2, Activation.TANH, true, 784, 5, 10));
    try (CpuDevice device = new CpuDevice(2);
        NetworkStack stack = new NetworkStack(device, networks);
        DeviceExamples examples =
            new DeviceExamples(device, DataSets.load("glyphs", folder).train().first(10));
        Trainer trainer =
            new Trainer(
                stack,
                examples,
                new TrainingSettings(rule, 4, 0.5, 2, new StopRule(0, LAST_STEP, 2)),
                List.of(
                    new ReplicaSettings(1, 0.01, examples.images().labels()),
                    new ReplicaSettings(
                        2, 1e30, examples.images().withRandomLabels(2).labels())))) {
      if (from != null) {
        trainer.restore(from.state().trainer());
      }
      while (!trainer.done() && trainer.steps() < until) {
        trainer.step();
      }
      return trainer.state();
    }
  }

  private Checkpoint throughFile(TrainerState state) {
    Path file = folder.resolve("checkpoint.safetensors");
    new Checkpoint(3, new StackState(state, List.of()), List.of()).write(file);
    return Checkpoint.read(file);
  }

  @ParameterizedTest
  @CsvSource({"SGD, 1", "MOMENTUM, 3", "ADAM, 7", "RMSPROP, 11", "ADAM, 13"})
  void trainingGoesOnFromAnyStep(OptimizerRule rule, int step) {
    Checkpoint saved = throughFile(train(rule, null, step));
    assertEquals(3, saved.stack());
    TrainerState expected = train(rule, null, LAST_STEP);
    TrainerState resumed = train(rule, saved, LAST_STEP);
    assertEquals(expected.step(), resumed.step());
    assertEquals(expected.outcomes(), resumed.outcomes());
    assertEquals(expected.stepsTaken(), resumed.stepsTaken());
    assertEquals(expected.history(), resumed.history());
    assertEquals(expected.arrays().keySet(), resumed.arrays().keySet());
    expected
        .arrays()
        .forEach((name, values) -> assertArrayEquals(values, resumed.arrays().get(name), name));
  }

  @Test
  void aFinishedStackKeepsItsNetworksAlone() {
    TrainerState state = train(OptimizerRule.ADAM, null, 5);
    Path file = folder.resolve("finished.safetensors");
    Checkpoint.finished(0, new StackState(state, List.of()), List.of()).write(file);
    Checkpoint read = Checkpoint.read(file);
    assertEquals(
        List.of("biases.0", "biases.1", "weights.0", "weights.1"),
        List.copyOf(read.state().trainer().arrays().keySet()));
    Network second =
        read.network(
            RandomNetworks.network(2, Activation.TANH, true, 784, 5, 10).architecture(), 2, 1);
    float[] last = state.arrays().get("weights.1");
    assertEquals(last[last.length - 1], second.weights()[1][second.weights()[1].length - 1]);
    assertEquals(state.arrays().get("biases.0")[5], second.biases()[0][0]);
  }
}
