package dev.flinch.sensitivity;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.LayerMatrices;
import dev.flinch.network.NetworkStack;

/**
 * Reference points taken through the hidden layers in float64, on one lane: points near one of them
 * go through as float32 {@link Differences} from it, whose rounding is relative to how far they are
 * from it instead of to the activations themselves.
 */
final class References {
  /** Sees a layer's pre-activations without bias, float64, before they become activations. */
  @FunctionalInterface
  interface Observer {
    void layer(int layer, Matrix z);
  }

  private final NetworkStack stack;
  private final Architecture architecture;
  private final Matrix first;
  private final Matrix[] pair;
  private final Matrix wideWeights;
  private final Matrix[] knots;

  /** Of pooled layers: how far each activation is below the largest of its window; else null. */
  private final Matrix[] gaps;

  /** Pooled activations, patches, and a bias for every unit: of convolutional networks only. */
  private final DeviceArray pooled;

  private final DeviceArray patches;
  private final DeviceArray bias;
  private final DeviceArray zeros;

  /**
   * @param scope owns the buffers
   * @param stack networks of at least one hidden layer
   * @param most points that go through together
   */
  References(Scope scope, NetworkStack stack, int most) {
    this.stack = stack;
    this.architecture = stack.architecture();
    int widest = architecture.widest();
    this.first = wide(scope, most, architecture.unitsOut(0));
    this.pair = new Matrix[] {wide(scope, most, widest), wide(scope, most, widest)};
    this.knots = new Matrix[architecture.depth() - 1];
    this.gaps = new Matrix[knots.length];
    int largest = 1;
    for (int l = 0; l < architecture.depth(); l++) {
      if (l < knots.length) {
        knots[l] = scope.matrix(3 * most, architecture.unitsOut(l));
        gaps[l] = architecture.isPooled(l) ? scope.matrix(most, architecture.unitsOut(l)) : null;
      }
      if (l > 0) {
        int size = Math.multiplyExact(architecture.rows(l), architecture.columns(l));
        largest = Math.max(largest, size);
      }
    }
    this.wideWeights = wide(scope, 1, largest);
    boolean convolutional = architecture.isConvolutional();
    this.pooled = convolutional ? scope.doubles((long) most * widest) : null;
    this.patches =
        convolutional ? scope.doubles((long) most * architecture.mostPatchUnits()) : null;
    this.bias = convolutional && architecture.biases() ? scope.floats(widest) : null;
    this.zeros = bias == null ? null : scope.ints(architecture.positions(0));
  }

  private static Matrix wide(Scope scope, int rows, int columns) {
    return Matrix.of(scope.doubles((long) rows * columns), 0, rows, columns);
  }

  /**
   * The first-layer pre-activations of {@code count} points without biases, float64: to be written
   * before {@link #through}, which leaves them as they are.
   */
  Matrix first(int count) {
    return first.rows(0, count);
  }

  /**
   * Takes the points of {@link #first} through hidden layers.
   *
   * @param layers the first so many, one or more
   * @param observer is shown each of them
   * @return the activations of the last of them before pooling, float64, count × units
   */
  Matrix through(Lane lane, int replica, int count, int layers, Observer observer) {
    Matrix z = Matrix.of(pair[0].data(), 0, count, architecture.unitsOut(0));
    copy(lane, first(count), z);
    for (int l = 0; l < layers; l++) {
      if (l > 0) {
        z = next(lane, replica, l, z);
      }
      observer.layer(l, z);
      lane.activateReferences(
          architecture.activation(), z, bias(lane, replica, l), knots[l].rows(0, 3 * count));
    }
    return z;
  }

  private static void copy(Lane lane, Matrix from, Matrix to) {
    int[] rows = new int[from.rows()];
    double[] ones = new double[from.rows()];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = i;
      ones[i] = 1;
    }
    lane.combine(from, 1, rows, ones, null, 1, to);
  }

  /** A layer's biases, one for every unit; null where there are none. */
  private Matrix bias(Lane lane, int replica, int layer) {
    if (stack.biases(layer) == null) {
      return null;
    }
    Matrix ofChannels = stack.biases(layer).replicas(replica, 1);
    if (!architecture.isConvolutional(layer)) {
      return ofChannels;
    }
    int positions = architecture.positions(layer);
    Matrix ofUnits = Matrix.of(bias, 0, 1, architecture.unitsOut(layer));
    lane.gather(ofChannels, zeros, 0, 0, ofUnits.split(positions));
    return ofUnits;
  }

  /**
   * A layer's products with the activations of the layer below, without biases, in float64.
   *
   * @param layer from 1 on
   * @param h as {@link #through} returns them
   */
  Matrix next(Lane lane, int replica, int layer, Matrix h) {
    int count = h.rows();
    Matrix below = h;
    if (architecture.isPooled(layer - 1)) {
      below = Matrix.of(pooled, 0, count, architecture.unitsIn(layer));
      Matrix gap = gaps[layer - 1].rows(0, count);
      lane.poolReferences(h, architecture.pool(layer - 1), gap, below);
    }
    Matrix wide =
        Matrix.of(wideWeights.data(), 0, architecture.rows(layer), architecture.columns(layer));
    lane.widen(stack.weights(layer).replicas(replica, 1), wide);
    Matrix z = Matrix.of(pair[layer % 2].data(), 0, count, architecture.unitsOut(layer));
    LayerMatrices.multiply(
        lane,
        architecture,
        layer,
        wide,
        below,
        architecture.isConvolutional(layer)
            ? LayerMatrices.patches(patches, architecture, layer, 1, count)
            : null,
        z);
    return z;
  }

  /** Where the knots of hidden layer {@code layer} lie from the first {@code count} points. */
  Matrix knots(int layer, int count) {
    return knots[layer].rows(0, 3 * count);
  }

  /** The same for one of the points. */
  Matrix knotsOf(int layer, int point) {
    return knots[layer].rows(3 * point, 3);
  }

  /**
   * What {@link Lane#poolDifferences} needs of a pooled layer at one of the points, once {@link
   * #next} has taken them to the layer above.
   */
  Matrix gapsOf(int layer, int point) {
    return gaps[layer].rows(point, 1);
  }
}
