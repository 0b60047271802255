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
    return passing(scope, architecture, rows, l -> room(scope, 1, rows, architecture.unitsOut(l)));
  }

  /** Buffers in which layers overwrite each other, for passes that only want the logits. */
  public static ForwardBuffers passing(Scope scope, Architecture architecture, int rows) {
    DeviceArray common = room(scope, 1, rows, architecture.widest());
    DeviceArray logits = room(scope, 1, rows, architecture.classes());
    int last = architecture.depth() - 1;
    return passing(scope, architecture, rows, l -> l == last ? logits : common);
  }

  private static ForwardBuffers passing(
      Scope scope, Architecture architecture, int rows, IntFunction<DeviceArray> z) {
    int widest = architecture.widest();
    DeviceArray[] pair = {room(scope, 1, rows, widest), room(scope, 1, rows, widest)};
    DeviceArray maps = architecture.isConvolutional() ? room(scope, 1, rows, widest) : null;
    DeviceArray patches = patchRoom(scope, architecture, rows);
    return of(architecture, 1, rows, z, l -> pair[l % 2], l -> maps, l -> patches);
  }

  /**
   * Buffers in which every layer keeps all that it writes, of every replica: for gradients, and for
   * lanes that pass some rows each and may be at different layers.
   */
  public static ForwardBuffers keepingAll(
      Scope scope, Architecture architecture, int replicas, int rows) {
    IntFunction<DeviceArray> written = l -> room(scope, replicas, rows, architecture.unitsOut(l));
    return of(
        architecture,
        replicas,
        rows,
        written,
        l -> room(scope, replicas, rows, architecture.unitsIn(l + 1)),
        written,
        l -> room(scope, replicas, rows, architecture.patchUnits(l)));
  }

  /** Buffers in memory that each layer's {@code z}, {@code h}, maps and patches are given. */
  private static ForwardBuffers of(
      Architecture architecture,
      int replicas,
      int rows,
      IntFunction<DeviceArray> z,
      IntFunction<DeviceArray> h,
      IntFunction<DeviceArray> maps,
      IntFunction<DeviceArray> patches) {
    int depth = architecture.depth();
    return new ForwardBuffers(
        each(depth, l -> LayerMatrices.written(z.apply(l), architecture, l, replicas, rows)),
        each(depth - 1, l -> LayerMatrices.read(h.apply(l), architecture, l + 1, replicas, rows)),
        each(
            depth - 1,
            l ->
                architecture.isPooled(l)
                    ? LayerMatrices.written(maps.apply(l), architecture, l, replicas, rows)
                    : null),
        each(
            depth,
            l ->
                architecture.isConvolutional(l)
                    ? LayerMatrices.patches(patches.apply(l), architecture, l, replicas, rows)
                    : null));
  }

  private static DeviceArray room(Scope scope, int replicas, int rows, int columns) {
    return scope.floats((long) replicas * rows * Matrix.paddedColumns(columns));
  }

  /** Room for the patches of any layer, if there are some. */
  static DeviceArray patchRoom(Scope scope, Architecture architecture, int rows) {
    return architecture.isConvolutional()
        ? scope.floats((long) rows * architecture.mostPatchUnits())
        : null;
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
