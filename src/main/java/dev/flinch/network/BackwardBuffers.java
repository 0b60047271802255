package dev.flinch.network;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;

/**
 * What passes of errors back through a network's layers need beside the errors: products with
 * weights, of one layer after the other in the same memory.
 */
public final class BackwardBuffers {
  private final Architecture architecture;
  private final DeviceArray products;
  private final DeviceArray patches;

  /**
   * @param replicas the most that go back together
   * @param rows of errors, the most
   * @param inputs columns of what {@link #toInputs} is asked for; 0 if it never is
   */
  public BackwardBuffers(
      Scope scope, Architecture architecture, int replicas, int rows, int inputs) {
    this.architecture = architecture;
    int most = Math.max(architecture.widest(), inputs);
    this.products = scope.floats((long) replicas * rows * Matrix.paddedColumns(most));
    this.patches =
        ForwardBuffers.patchRoom(scope, architecture, Math.multiplyExact(replicas, rows));
  }

  /**
   * Errors of what a layer writes back to what the layer below writes.
   *
   * @param layer from 1 on
   * @param weights its weights, of as many replicas
   * @param errors as {@link LayerMatrices#written}
   * @param slopes of the layer below, as a forward pass leaves them; each row serves {@code group}
   *     rows of errors
   * @param out of the layer below; may be {@code slopes} with group 1
   */
  public void back(
      Lane lane, int layer, Matrix weights, Matrix errors, Matrix slopes, int group, Matrix out) {
    int rows = errors.rows();
    Matrix read = LayerMatrices.read(products, architecture, layer, errors.replicas(), rows);
    LayerMatrices.multiplyBack(
        lane, architecture, layer, weights, errors, patches(layer, errors), read);
    LayerMatrices.throughActivation(lane, architecture, layer, read, slopes, group, out);
  }

  /**
   * Errors of what the first layer writes back to the inputs.
   *
   * @param weights of the first layer, of as many replicas; or what a dense one's errors are
   *     multiplied with instead
   * @return rows × the columns of weights, or the inputs of a convolutional layer; until the next
   *     call
   */
  public Matrix toInputs(Lane lane, Matrix weights, Matrix errors) {
    int columns = architecture.isConvolutional() ? architecture.inputs() : weights.columns();
    Matrix read = Matrix.padded(products, errors.replicas(), errors.rows(), columns);
    LayerMatrices.multiplyBack(lane, architecture, 0, weights, errors, patches(0, errors), read);
    return read;
  }

  private Matrix patches(int layer, Matrix errors) {
    return architecture.isConvolutional(layer)
        ? LayerMatrices.patches(patches, architecture, layer, errors.replicas(), errors.rows())
        : null;
  }
}
