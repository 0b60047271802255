package dev.flinch.network;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.Arrays;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * What a forward pass of a tile of examples writes, a row each.
 *
 * @param z per layer rows × units: slopes of hidden layers, logits of the last
 * @param h per hidden layer: activations, as the next layer reads them
 * @param maps per hidden layer: activations before they are pooled; null where they are not
 * @param patches per layer: what a convolutional one multiplies; null for others
 */
public record ForwardBuffers(Matrix[] z, Matrix[] h, Matrix[] maps, Matrix[] patches) {

  /** The fewest, however wide the network: less would leave matrix products waiting for memory. */
  private static final int FEWEST_ROWS = 64;

  /** Buffers in which every layer keeps its own slopes, for passes that go back again. */
  public static ForwardBuffers keepingSlopes(Scope scope, Architecture architecture, int rows) {
    return passing(scope, architecture, rows, keptSlopes(scope, architecture, 1, rows));
  }

  /** Buffers in which layers overwrite each other, for passes that only want the logits. */
  public static ForwardBuffers passing(Scope scope, Architecture architecture, int rows) {
    int last = architecture.depth() - 1;
    DeviceArray common = scope.floats(length(1, rows, architecture.widest()));
    DeviceArray logits = scope.floats(length(1, rows, architecture.classes()));
    Matrix[] z =
        each(
            last + 1,
            l -> LayerMatrices.written(l == last ? logits : common, architecture, l, 1, rows));
    return passing(scope, architecture, rows, z);
  }

  private static ForwardBuffers passing(
      Scope scope, Architecture architecture, int rows, Matrix[] z) {
    DeviceArray[] pair = {
      scope.floats(length(1, rows, architecture.widest())),
      scope.floats(length(1, rows, architecture.widest()))
    };
    DeviceArray common = patchRoom(scope, architecture, rows);
    return new ForwardBuffers(
        z,
        each(z.length - 1, l -> LayerMatrices.read(pair[l % 2], architecture, l + 1, 1, rows)),
        maps(scope, architecture, rows),
        patches(architecture, 1, rows, l -> common));
  }

  /** Buffers in which every layer keeps all that its gradient needs, of every replica. */
  public static ForwardBuffers keepingAll(
      Scope scope, Architecture architecture, int replicas, int rows) {
    return new ForwardBuffers(
        keptSlopes(scope, architecture, replicas, rows),
        each(
            architecture.depth() - 1,
            l -> {
              DeviceArray data = scope.floats(length(replicas, rows, architecture.unitsIn(l + 1)));
              return LayerMatrices.read(data, architecture, l + 1, replicas, rows);
            }),
        each(architecture.depth() - 1, l -> ownMaps(scope, architecture, l, replicas, rows)),
        patches(
            architecture,
            replicas,
            rows,
            l -> scope.floats((long) replicas * rows * architecture.patchUnits(l))));
  }

  private static Matrix[] keptSlopes(
      Scope scope, Architecture architecture, int replicas, int rows) {
    return each(
        architecture.depth(),
        l -> {
          DeviceArray data = scope.floats(length(replicas, rows, architecture.unitsOut(l)));
          return LayerMatrices.written(data, architecture, l, replicas, rows);
        });
  }

  private static Matrix[] patches(
      Architecture architecture, int replicas, int rows, IntFunction<DeviceArray> data) {
    return each(
        architecture.depth(),
        l ->
            architecture.isConvolutional(l)
                ? LayerMatrices.patches(data.apply(l), architecture, l, replicas, rows)
                : null);
  }

  /** Room for the patches of any layer, if there are some. */
  static DeviceArray patchRoom(Scope scope, Architecture architecture, int rows) {
    return architecture.isConvolutional()
        ? scope.floats((long) rows * architecture.mostPatchUnits())
        : null;
  }

  /**
   * Activations before pooling, of this layer alone: lanes pass some rows each, and at the same
   * time may be at layers whose rows begin elsewhere.
   */
  private static Matrix ownMaps(
      Scope scope, Architecture architecture, int layer, int replicas, int rows) {
    if (!architecture.isPooled(layer)) {
      return null;
    }
    DeviceArray data = scope.floats((long) replicas * rows * architecture.unitsOut(layer));
    return LayerMatrices.written(data, architecture, layer, replicas, rows);
  }

  /** Activations before pooling, of one layer after the other in the same memory. */
  private static Matrix[] maps(Scope scope, Architecture architecture, int rows) {
    int hidden = architecture.depth() - 1;
    int widest =
        IntStream.range(0, hidden)
            .filter(architecture::isPooled)
            .map(architecture::unitsOut)
            .max()
            .orElse(0);
    DeviceArray data = widest == 0 ? null : scope.floats((long) rows * widest);
    return each(
        hidden,
        l ->
            architecture.isPooled(l)
                ? LayerMatrices.written(data, architecture, l, 1, rows)
                : null);
  }

  private static long length(int replicas, int rows, int columns) {
    return (long) replicas * rows * Matrix.paddedColumns(columns);
  }

  private static Matrix[] each(int count, IntFunction<Matrix> layer) {
    return IntStream.range(0, count).mapToObj(layer).toArray(Matrix[]::new);
  }

  /** One set of buffers for each lane of a device. */
  public static ForwardBuffers[] perLane(Device device, Supplier<ForwardBuffers> buffers) {
    return IntStream.range(0, device.lanes())
        .mapToObj(lane -> buffers.get())
        .toArray(ForwardBuffers[]::new);
  }

  /**
   * How many rows a tile should have so that {@code floatsPerRow} numbers a row stay within what a
   * lane likes to work on.
   *
   * @param most rows there are
   */
  public static int tileRows(
      Device device, Architecture architecture, long floatsPerRow, long most) {
    long rows = device.laneBytes() / 4 / Math.max(1, floatsPerRow);
    // A convolution makes rows of positions: products have enough with a few examples.
    int fewest = Math.max(1, FEWEST_ROWS / architecture.positions(0));
    return (int)
        Math.min(Math.max(fewest, Math.min(rows, device.productRows())), Math.max(1, most));
  }

  /** The logits. */
  public Matrix logits() {
    return z[z.length - 1];
  }

  /** The same buffers, with the logits elsewhere: as many rows as these. */
  public ForwardBuffers withLogits(Matrix logits) {
    Matrix[] all = z.clone();
    all[all.length - 1] = logits;
    return new ForwardBuffers(all, h, maps, patches);
  }

  /** What a layer multiplied with its weights, a position a row; {@code x} was the first one's. */
  public Matrix multiplied(Architecture architecture, int layer, Matrix x) {
    return patches[layer] != null
        ? patches[layer].split(architecture.positions(layer))
        : layer == 0 ? x : h[layer - 1];
  }

  /** The first {@code count} rows of all buffers. */
  public ForwardBuffers first(int count) {
    return count == logits().rows() ? this : each(m -> m.rows(0, count));
  }

  /** A part of all buffers, which must have the same rows of each. */
  public ForwardBuffers each(UnaryOperator<Matrix> part) {
    return new ForwardBuffers(each(z, part), each(h, part), each(maps, part), each(patches, part));
  }

  private static Matrix[] each(Matrix[] matrices, UnaryOperator<Matrix> part) {
    return Arrays.stream(matrices)
        .map(m -> m == null ? null : part.apply(m))
        .toArray(Matrix[]::new);
  }
}
