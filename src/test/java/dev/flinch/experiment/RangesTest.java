package dev.flinch.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.flinch.base.Progress;
import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.ImageShape;
import dev.flinch.device.OptimizerRule;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.NetworkStack;
import dev.flinch.reference.RandomNetworks;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import dev.flinch.sensitivity.TrajectoryMeasures;
import dev.flinch.sensitivity.Transitions;
import dev.flinch.training.DeviceExamples;
import dev.flinch.training.Evaluation;
import dev.flinch.training.ReplicaSettings;
import dev.flinch.training.StopRule;
import dev.flinch.training.Trainer;
import dev.flinch.training.TrainingSettings;
import dev.flinch.trajectory.Ellipse;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The phases of a study are named ranges of its device, nested, and closed where they fail. */
class RangesTest {
  private final Device cpu = new CpuDevice(1);
  private final Deque<String> open = new ArrayDeque<>();
  private final List<String> names = new ArrayList<>();
  private final Device device =
      (Device)
          Proxy.newProxyInstance(
              RangesTest.class.getClassLoader(),
              new Class<?>[] {Device.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("range")) {
                  return range((String) arguments[0]);
                }
                try {
                  return method.invoke(cpu, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });

  private Device.Range range(String name) {
    names.add(name);
    open.push(name);
    return () -> assertEquals(name, open.pop());
  }

  private final NetworkStack stack =
      new NetworkStack(
          device, List.of(RandomNetworks.network(1, Activation.RELU, false, 15, 17, 17, 4)));

  @AfterEach
  void close() throws Exception {
    assertEquals(List.of(), List.copyOf(open));
    stack.close();
    assertEquals(0, cpu.liveBytes());
    cpu.close();
  }

  private static LabelledImages images() {
    byte[][] pixels = new byte[8][15];
    for (int i = 0; i < pixels.length; i++) {
      RandomStreams.stream(1, Purpose.BENCHMARK, 3, i).nextBytes(pixels[i]);
    }
    int[] labels = {0, 1, 2, 3, 0, 1, 2, 3};
    return new LabelledImages("test images", new ImageShape(1, 3, 5), 4, pixels, labels);
  }

  @Test
  void everyPhaseHasAName() {
    Ellipse ellipse = Ellipse.random(15, 1);
    TrainingSettings settings =
        new TrainingSettings(OptimizerRule.SGD, 4, 0.1, 2, new StopRule(1, 0, 2));
    LabelledImages images = images();
    try (DeviceExamples examples = new DeviceExamples(device, images);
        Trainer trainer =
            new Trainer(
                stack, examples, settings, List.of(new ReplicaSettings(1, 0.1, images.labels())))) {
      trainer.step();
      trainer.step();
      Evaluation.of(stack, examples);
      JacobianNorms.at(stack, examples.inputs(), Jacobian.PROBABILITIES, Progress.NONE);
    }
    Transitions.along(stack, ellipse, 20, 4, Progress.NONE);
    TrajectoryMeasures.along(stack, ellipse, 20, 4, Progress.NONE);
    assertEquals(
        List.of(
            "upload examples",
            "train 3×17 ReLU",
            "train 3×17 ReLU",
            "evaluate 3×17 ReLU",
            "Jacobian norms of 3×17 ReLU",
            "transitions of 3×17 ReLU",
            "Jacobian norms along the trajectory of 3×17 ReLU"),
        names);
  }

  @Test
  void aPhaseThatFailsIsClosed() {
    Progress failing =
        (task, done, total) -> {
          assertEquals(task, open.peek(), "what is reported is what is open");
          throw new ArithmeticException("in the work");
        };
    Ellipse ellipse = Ellipse.random(15, 1);
    assertThrows(
        ArithmeticException.class, () -> Transitions.along(stack, ellipse, 20, 4, failing));
    assertThrows(
        ArithmeticException.class, () -> TrajectoryMeasures.along(stack, ellipse, 20, 4, failing));
    assertEquals(2, names.size());
  }
}
