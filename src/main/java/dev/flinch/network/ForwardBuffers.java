package dev.flinch.network;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * What a forward pass of a tile of rows writes.
 *
 * @param z per layer rows × out: slopes of hidden layers, logits of the last
 * @param h per hidden layer rows × out: activations
 */
public record ForwardBuffers(Matrix[] z, Matrix[] h) {

  /** The fewest, however wide the network: less would leave matrix products waiting for memory. */
  private static final int FEWEST_ROWS = 64;

  /** Buffers in which every layer keeps its own slopes, for passes that go back again. */
  public static ForwardBuffers keepingSlopes(Scope scope, Architecture architecture, int rows) {
    Matrix[] z =
        IntStream.range(0, architecture.depth())
            .mapToObj(l -> scope.matrix(rows, architecture.rows(l)))
            .toArray(Matrix[]::new);
    return new ForwardBuffers(z, alternating(scope, architecture, rows));
  }

  /** Buffers in which layers overwrite each other, for passes that only want the logits. */
  public static ForwardBuffers passing(Scope scope, Architecture architecture, int rows) {
    int depth = architecture.depth();
    Matrix common = scope.matrix(rows, architecture.widest());
    Matrix logits = scope.matrix(rows, architecture.classes());
    Matrix[] z =
        IntStream.range(0, depth)
            .mapToObj(
                l ->
                    l == depth - 1
                        ? logits
                        : Matrix.padded(common.data(), rows, architecture.rows(l)))
            .toArray(Matrix[]::new);
    return new ForwardBuffers(z, alternating(scope, architecture, rows));
  }

  private static Matrix[] alternating(Scope scope, Architecture architecture, int rows) {
    Matrix[] pair = {
      scope.matrix(rows, architecture.widest()), scope.matrix(rows, architecture.widest())
    };
    return IntStream.range(0, architecture.depth() - 1)
        .mapToObj(l -> Matrix.padded(pair[l % 2].data(), rows, architecture.rows(l)))
        .toArray(Matrix[]::new);
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
  public static int tileRows(Device device, long floatsPerRow, long most) {
    long rows = device.laneBytes() / 4 / Math.max(1, floatsPerRow);
    return (int)
        Math.min(Math.max(FEWEST_ROWS, Math.min(rows, device.productRows())), Math.max(1, most));
  }

  /** The logits. */
  public Matrix logits() {
    return z[z.length - 1];
  }

  /** The first {@code count} rows of all buffers. */
  public ForwardBuffers first(int count) {
    return count == logits().rows() ? this : new ForwardBuffers(first(z, count), first(h, count));
  }

  private static Matrix[] first(Matrix[] matrices, int count) {
    return IntStream.range(0, matrices.length)
        .mapToObj(l -> matrices[l].rows(0, count))
        .toArray(Matrix[]::new);
  }
}
