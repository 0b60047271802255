package dev.flinch.sensitivity;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.LayerMatrices;
import dev.flinch.network.NetworkStack;

/**
 * Points taken through a network as float32 differences from a reference point, layer by layer, on
 * one lane: the room for them, and the way from what one layer writes to what the next one does.
 */
final class Differences {
  private final NetworkStack stack;
  private final Architecture architecture;
  private final DeviceArray[] pair;
  private final DeviceArray read;
  private final DeviceArray patches;

  /**
   * @param scope owns the room
   * @param rows points that go through together
   */
  Differences(Scope scope, NetworkStack stack, int rows) {
    this.stack = stack;
    this.architecture = stack.architecture();
    long most = (long) rows * Matrix.paddedColumns(architecture.widest());
    this.pair = new DeviceArray[] {scope.floats(most), scope.floats(most)};
    boolean convolutional = architecture.isConvolutional();
    this.read = convolutional ? scope.floats(most) : null;
    this.patches = convolutional ? scope.floats((long) rows * architecture.mostPatchUnits()) : null;
  }

  /** Where differences of the first layer's pre-activations go, {@code points} of them. */
  Matrix first(int points) {
    return written(0, points);
  }

  private Matrix written(int layer, int points) {
    return LayerMatrices.written(pair[layer % 2], architecture, layer, 1, points);
  }

  /**
   * Differences of a hidden layer's pre-activations from those of the layer below's activations.
   *
   * @param layer from 1 on
   * @param below as the layer below wrote them, activated
   * @param reference which of {@code references} they differ from
   */
  Matrix next(
      Lane lane, int replica, int layer, Matrix below, References references, int reference) {
    Matrix z = written(layer, below.rows());
    next(lane, replica, layer, below, references, reference, z);
    return z;
  }

  /** The same of any layer, written to {@code z}. */
  void next(
      Lane lane,
      int replica,
      int layer,
      Matrix below,
      References references,
      int reference,
      Matrix z) {
    Matrix input = below;
    if (architecture.isPooled(layer - 1)) {
      input = LayerMatrices.read(read, architecture, layer, 1, below.rows());
      Matrix gaps = references.gapsOf(layer - 1, reference);
      lane.poolDifferences(below, architecture.pool(layer - 1), gaps, input);
    }
    LayerMatrices.multiply(
        lane,
        architecture,
        layer,
        stack.weights(layer).replicas(replica, 1),
        input,
        architecture.isConvolutional(layer)
            ? LayerMatrices.patches(patches, architecture, layer, 1, below.rows())
            : null,
        z);
  }
}
