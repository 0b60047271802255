package dev.flinch.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import dev.flinch.device.Activation;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuDevice;
import dev.flinch.network.Safetensors.Tensor;
import dev.flinch.sensitivity.ExampleGradients;
import dev.flinch.sensitivity.Jacobian;
import dev.flinch.sensitivity.JacobianNorms;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Networks of PyTorch's, in its own files, beside what PyTorch computes with them in float64:
 * {@code convolutions.py} among the resources writes both, and says with which version.
 */
class ConvolutionsBesidePyTorchTest {
  /**
   * Sums of at most 1,568 products in float32, in random order, and three to five layers of them:
   * √1568 · 6e-8 · 5 is 1.2e-5 of what is summed. A weight at the wrong place changes everything.
   */
  private static final double RELATIVE = 2e-5;

  private static Path resource(String name) {
    try {
      return Path.of(
          ConvolutionsBesidePyTorchTest.class.getResource(name + ".safetensors").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<Integer> numbers(String list) {
    return list == null
        ? List.of()
        : Stream.of(list.split(" ")).map(Integer::valueOf).collect(Collectors.toList());
  }

  private static Network read(String name, ImageShape image, List<Integer> pools) {
    return NetworkFile.read(
        resource(name),
        new NetworkFile.Known(Optional.of(Activation.RELU), Optional.of(image), pools),
        Optional.empty());
  }

  private static void assertClose(String what, float[] expected, double[] found) {
    assertEquals(expected.length, found.length, what);
    double scale = 0;
    for (float value : expected) {
      scale = Math.max(scale, Math.abs(value));
    }
    assertTrue(scale > 0, what);
    for (int i = 0; i < found.length; i++) {
      assertEquals(expected[i], found[i], RELATIVE * scale, what + " " + i);
    }
  }

  private static double[] doubles(float[] values) {
    double[] wide = new double[values.length];
    Arrays.setAll(wide, i -> values[i]);
    return wide;
  }

  @ParameterizedTest
  @CsvSource({
    "paper-biases,       , conv 16/2–32/2–32/2 ReLU with biases",
    "paper,              , conv 16/2–32/2–32/2 ReLU",
    "odd-biases,    3 1 2, conv 5@5/3–7–6@1/2–9 ReLU with biases",
    "odd,           1 4  , conv 4@5–3@5/4 ReLU"
  })
  void logitsGradientsAndJacobiansAreThoseOfPyTorch(String name, String pools, String title) {
    SortedMap<String, Tensor> expected = Safetensors.read(resource(name + "-expected")).tensors();
    Tensor.Floats images = (Tensor.Floats) expected.get("inputs");
    List<Integer> shape = images.shape();
    ImageShape image = new ImageShape(shape.get(1), shape.get(2), shape.get(3));
    Network network = read(name, image, numbers(pools));
    assertEquals(title, network.architecture().title());
    int count = shape.get(0);
    int classes = network.architecture().classes();
    long[] taught = ((Tensor.Longs) expected.get("labels")).values();
    int[] labels = Arrays.stream(taught).mapToInt(Math::toIntExact).toArray();
    try (CpuDevice device = new CpuDevice(2);
        Scope scope = new Scope(device);
        NetworkStack stack = new NetworkStack(device, List.of(network))) {
      DeviceArray pixels = scope.floats(images.values().length);
      device.upload(images.values(), 0, pixels, 0, images.values().length);
      Matrix inputs = Matrix.stacked(pixels, 0, 1, count, image.size());

      ForwardBuffers buffers = ForwardBuffers.passing(scope, network.architecture(), count);
      device.run(1, (lane, task) -> stack.forward(lane, 0, inputs, buffers));
      Matrix logits = buffers.logits();
      float[] found = new float[count * classes];
      for (int i = 0; i < count; i++) {
        device.download(logits.data(), logits.rows(i, 1).offset(), found, i * classes, classes);
      }
      assertClose("logit", floats(expected, "logits"), doubles(found));

      assertClose(
          "norm",
          floats(expected, "jacobian"),
          JacobianNorms.at(stack, inputs, Jacobian.PROBABILITIES, Progress.NONE)[0].points());
      assertClose(
          "norm of logits",
          floats(expected, "logitjacobian"),
          JacobianNorms.at(stack, inputs, Jacobian.LOGITS, Progress.NONE)[0].points());

      try (ExampleGradients gradients = ExampleGradients.of(stack, 0, inputs, labels)) {
        assertClose("gradient", floats(expected, "gradients"), gradients.norms());
        float[] cosines = new float[count * count];
        float[][] rows = gradients.cosines(gradients, Progress.NONE);
        for (int i = 0; i < count; i++) {
          System.arraycopy(rows[i], 0, cosines, i * count, count);
        }
        assertClose("cosine", floats(expected, "cosines"), doubles(cosines));
      }
    }
  }

  private static float[] floats(SortedMap<String, Tensor> tensors, String name) {
    return ((Tensor.Floats) tensors.get(name)).values();
  }

  /** Poolings of 3, 1 and 2 leave 2 × 1 pixels of 13 × 11, which no equal windows do. */
  @Test
  void unequalPoolingsHaveToBeSaid() {
    RequestException e =
        assertThrows(
            RequestException.class, () -> read("odd-biases", new ImageShape(3, 13, 11), List.of()));
    assertTrue(e.getMessage().contains("say the windows with --pool"), e.getMessage());
  }
}
