package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.ForwardBuffers;
import dev.flinch.network.LayerMatrices;
import dev.flinch.network.NetworkStack;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * What a network makes of each of some labelled points (Novak et al., §4.4): its loss there, and
 * how sensitive it is. Columns of equal length, a value for each point.
 *
 * @param labels the points' classes
 * @param predictions the class of the largest logit, the first of equals
 * @param misclassified whether that is not the point's class
 * @param crossEntropy −log of the probability of the point's class, in nats
 * @param jacobianNorm ‖J‖_F of the probabilities
 * @param rowNorm ‖J_y‖₂, of J's row of the point's class
 * @param maximumProbability the probability of the predicted class
 * @param uncertainty 1 − the largest probability, summed from the others: it keeps its digits where
 *     the largest is all but 1
 * @param logitGradientNorm M, the mean over classes of ‖∂fᵢ/∂x‖₂
 */
public record PointMeasures(
    int[] labels,
    int[] predictions,
    boolean[] misclassified,
    double[] crossEntropy,
    double[] jacobianNorm,
    double[] rowNorm,
    double[] maximumProbability,
    double[] uncertainty,
    double[] logitGradientNorm) {

  /** Most bytes of Gram matrices that a lane is given at once, if that is a point or more. */
  private static final long GRAM_BYTES = 16 << 20;

  private PointMeasures(int[] labels) {
    this(
        labels,
        new int[labels.length],
        new boolean[labels.length],
        new double[labels.length],
        new double[labels.length],
        new double[labels.length],
        new double[labels.length],
        new double[labels.length],
        new double[labels.length]);
  }

  /** How many points there are. */
  public int count() {
    return labels.length;
  }

  /**
   * Measures every replica at the same points, a tile of them at a time: one forward pass, and the
   * gradients of all logits back to the inputs, from whose products all norms follow.
   *
   * @param inputs normalised points, {@code n × d}
   * @param labels their classes
   * @return one result a replica
   */
  public static PointMeasures[] at(
      NetworkStack stack, Matrix inputs, int[] labels, Progress progress) {
    int n = inputs.rows();
    if (labels.length != n) {
      throw new IllegalArgumentException(
          "expected %d labels, one a point, found %d".formatted(n, labels.length));
    }
    Device device = stack.device();
    Architecture architecture = stack.architecture();
    int replicas = stack.replicas();
    String name = "points of " + architecture.title();
    try (Scope scope = new Scope(device, name);
        JacobianPass pass = JacobianPass.of(stack, Jacobian.LOGITS, n)) {
      Tiles tiles = new Tiles(scope, stack, pass, n);
      PointMeasures[] results =
          IntStream.range(0, replicas)
              .mapToObj(r -> new PointMeasures(labels.clone()))
              .toArray(PointMeasures[]::new);
      int perReplica = (n + tiles.rows - 1) / tiles.rows;
      int tasks = Math.multiplyExact(replicas, perReplica);
      AtomicLong done = new AtomicLong();
      device.run(
          tasks,
          (lane, task) -> {
            int replica = task / perReplica;
            int from = task % perReplica * tiles.rows;
            int rows = Math.min(tiles.rows, n - from);
            tiles.measure(lane, replica, inputs.rows(from, rows), from, results[replica]);
            progress.report(name, done.incrementAndGet(), tasks);
          });
      return results;
    }
  }

  private void set(int point, PointJacobian found) {
    predictions[point] = found.prediction();
    misclassified[point] = found.prediction() != labels[point];
    crossEntropy[point] = found.crossEntropy();
    jacobianNorm[point] = found.norm();
    rowNorm[point] = found.rowNorm();
    maximumProbability[point] = found.maximumProbability();
    uncertainty[point] = found.uncertainty();
    logitGradientNorm[point] = found.logitGradientNorm();
  }

  /** Tiles of points, and what each lane needs for one. */
  private static final class Tiles {
    private final NetworkStack stack;
    private final JacobianPass pass;
    private final int classes;
    private final int rows;
    private final ForwardBuffers[] forward;
    private final Matrix[] logits;
    private final Matrix[] grams;

    Tiles(Scope scope, NetworkStack stack, JacobianPass pass, int points) {
      this.stack = stack;
      this.pass = pass;
      Device device = stack.device();
      Architecture architecture = stack.architecture();
      this.classes = architecture.classes();
      long fits = Math.max(1, GRAM_BYTES / Double.BYTES / classes / classes);
      this.rows = (int) Math.min(Math.min(points, pass.tile()), fits);
      this.forward = new ForwardBuffers[device.lanes()];
      this.logits = new Matrix[device.lanes()];
      this.grams = new Matrix[device.lanes()];
      for (int lane = 0; lane < grams.length; lane++) {
        // Dense, to be copied in one piece.
        long size = (long) rows * classes;
        logits[lane] = Matrix.of(scope.floats(size), 0, rows, classes);
        grams[lane] = Matrix.of(scope.doubles(size * classes), 0, rows, classes * classes);
        forward[lane] = ForwardBuffers.passing(scope, architecture, rows).withLogits(logits[lane]);
      }
    }

    void measure(Lane lane, int replica, Matrix x, int from, PointMeasures to) {
      int count = x.rows();
      Device device = stack.device();
      ForwardBuffers buffers = forward[lane.index()].first(count);
      stack.forward(lane, replica, x, buffers);
      Matrix first = pass.firstPreactivations(lane, count);
      LayerMatrices.multiply(
          lane,
          stack.architecture(),
          0,
          stack.weights(0).replicas(replica, 1),
          x,
          buffers.patches()[0],
          first);
      pass.grams(lane, replica, grams[lane.index()].rows(0, count));

      float[] values = new float[count * classes];
      device.download(logits[lane.index()].data(), 0, values, 0, values.length);
      double[] products = new double[values.length * classes];
      device.download(grams[lane.index()].data(), 0, products, 0, products.length);
      PointJacobian point = new PointJacobian(classes);
      for (int i = 0; i < count; i++) {
        point.take(values, i * classes, products, i * classes * classes, to.labels[from + i]);
        to.set(from + i, point);
      }
    }
  }
}
