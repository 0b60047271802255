package dev.flinch.network;

import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;

/**
 * What layers read and write as matrices, an example a row, and the linear maps between them. Maps
 * have no gaps between rows, so that {@link Matrix#split} makes their positions rows; levels of
 * fully connected layers are padded.
 */
public final class LayerMatrices {
  private LayerMatrices() {}

  /** What a layer writes: rows × {@link Architecture#unitsOut}, from the start of {@code data}. */
  public static Matrix written(
      DeviceArray data, Architecture architecture, int layer, int replicas, int rows) {
    return level(
        data, replicas, rows, architecture.unitsOut(layer), architecture.isConvolutional(layer));
  }

  /** What a layer reads: rows × {@link Architecture#unitsIn}. */
  public static Matrix read(
      DeviceArray data, Architecture architecture, int layer, int replicas, int rows) {
    return level(
        data,
        replicas,
        rows,
        architecture.unitsIn(layer),
        layer > 0 && architecture.isConvolutional(layer - 1));
  }

  /** The patches of a convolutional layer: rows × {@link Architecture#patchUnits}. */
  public static Matrix patches(
      DeviceArray data, Architecture architecture, int layer, int replicas, int rows) {
    return level(data, replicas, rows, architecture.patchUnits(layer), true);
  }

  private static Matrix level(
      DeviceArray data, int replicas, int rows, int columns, boolean dense) {
    return dense
        ? Matrix.stacked(data, 0, replicas, rows, columns)
        : Matrix.padded(data, replicas, rows, columns);
  }

  /**
   * z ← a layer's weights times what it reads, without bias; float32 or float64.
   *
   * @param weights as many replicas as {@code below}
   * @param patches takes the patches of a convolutional layer; not used for others
   * @param z as {@link #written}
   */
  public static void multiply(
      Lane lane,
      Architecture architecture,
      int layer,
      Matrix weights,
      Matrix below,
      Matrix patches,
      Matrix z) {
    int positions = architecture.positions(layer);
    Matrix input = below;
    if (architecture.isConvolutional(layer)) {
      input = patches.split(positions);
      lane.patches(below, architecture.patches(layer), input);
    }
    lane.gemm(false, input, true, weights, 0, z.split(positions));
  }

  /**
   * The way back: below ← the errors of what a layer writes times its weights.
   *
   * @param patches takes the errors of patches of a convolutional layer; not used for others
   * @param below as {@link #read}
   */
  public static void multiplyBack(
      Lane lane,
      Architecture architecture,
      int layer,
      Matrix weights,
      Matrix errors,
      Matrix patches,
      Matrix below) {
    if (architecture.isConvolutional(layer)) {
      int positions = architecture.positions(layer);
      Matrix products = patches.split(positions);
      lane.gemm(false, errors.split(positions), false, weights, 0, products);
      lane.patchSums(products, architecture.patches(layer), below);
    } else {
      lane.gemm(false, errors, false, weights, 0, below);
    }
  }

  /**
   * Errors of what a layer reads back to what the layer below writes: through its pooling, if there
   * is one, and its activation.
   *
   * @param layer the one that reads, from 1 on
   * @param slopes of the layer below, as a forward pass leaves them; each row serves {@code group}
   *     rows of errors
   * @param out may be {@code slopes} with group 1
   */
  public static void throughActivation(
      Lane lane,
      Architecture architecture,
      int layer,
      Matrix errors,
      Matrix slopes,
      int group,
      Matrix out) {
    if (architecture.isPooled(layer - 1)) {
      lane.unpool(errors, architecture.pool(layer - 1), slopes, group, out);
    } else {
      lane.scale(errors, slopes, group, out);
    }
  }
}
