package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.NetworkStack;
import java.util.stream.IntStream;

/**
 * Accuracy and loss of one network over a split.
 *
 * @param accuracy fraction of examples whose class has the largest logit
 * @param crossEntropy mean of −log of the probability of the class, in nats
 */
public record Evaluation(double accuracy, double crossEntropy) {

  /** Evaluates every replica on its own labels of shared inputs. */
  public static Evaluation[] of(NetworkStack stack, DeviceExamples examples) {
    return of(
        stack,
        IntStream.range(0, stack.replicas()).toArray(),
        examples.inputs(),
        examples.labels(),
        0);
  }

  /**
   * Evaluates some replicas.
   *
   * @param chosen which of them
   * @param inputs n × d
   * @param labels int32; replica r's start at {@code r · labelsStride}
   */
  public static Evaluation[] of(
      NetworkStack stack, int[] chosen, Matrix inputs, DeviceArray labels, long labelsStride) {
    Device device = stack.device();
    Architecture architecture = stack.architecture();
    int n = inputs.rows();
    int replicas = chosen.length;
    int tile = ForwardBuffers.tileRows(device, architecture, 2L * architecture.widest(), n);
    int tiles = (n + tile - 1) / tile;
    try (Scope scope = new Scope(device, "evaluate " + architecture.title())) {
      Matrix losses = Matrix.stacked(scope.floats((long) replicas * n), 0, replicas, n, 1);
      Matrix hits = Matrix.stacked(scope.floats((long) replicas * n), 0, replicas, n, 1);
      ForwardBuffers[] lanes =
          ForwardBuffers.perLane(device, () -> ForwardBuffers.passing(scope, architecture, tile));
      device.run(
          replicas * tiles,
          (lane, task) -> {
            int r = chosen[task / tiles];
            int from = task % tiles * tile;
            int rows = Math.min(tile, n - from);
            ForwardBuffers buffers = lanes[lane.index()].first(rows);
            stack.forward(lane, r, inputs.rows(from, rows), buffers);
            lane.softmaxCrossEntropy(
                buffers.logits(),
                labels,
                r * labelsStride + from,
                0,
                1,
                null,
                losses.replicas(task / tiles, 1).rows(from, rows),
                hits.replicas(task / tiles, 1).rows(from, rows));
          });
      Evaluation[] results = new Evaluation[replicas];
      float[] values = new float[n];
      for (int r = 0; r < replicas; r++) {
        device.download(hits.data(), hits.start(r), values, 0, n);
        double accuracy = mean(values);
        device.download(losses.data(), losses.start(r), values, 0, n);
        results[r] = new Evaluation(accuracy, mean(values));
      }
      return results;
    }
  }

  private static double mean(float[] values) {
    double sum = 0;
    for (float v : values) {
      sum += v;
    }
    return sum / values.length;
  }
}
