package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.NetworkStack;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Rows forward through a stack's networks, and their errors back. A pass is two jobs: the rows, cut
 * into parts, by {@link #errors}; then the weights, cut into blocks, each of whose gradients is a
 * product of errors and inputs that are all there by then. For the lanes of a processor work is cut
 * small: a replica, some rows, a block whose gradient stays in cache. A device that takes whole
 * stacks gets all of a run of replicas at once. How the work is cut depends on shapes alone.
 */
final class Backpropagation {
  /** Floats of a weight gradient's block, a quarter of a core's cache. */
  private static final int BLOCK_FLOATS = 128 << 10;

  /** A block of rows of one layer's weights: the unit of the second job. */
  record Block(int layer, int from, int rows) {}

  /**
   * What some rows are taught, and where it goes how well they knew it.
   *
   * @param labels int32; row i has class {@code labels[labelsFrom + i]} in a run's first replica,
   *     and {@code labelsStride} further on in the next
   * @param factor of each row's loss in the loss that is differentiated
   * @param losses rows × 1: of each row
   * @param hits rows × 1: 1 where the class has the largest logit, else 0
   */
  record Task(
      DeviceArray labels,
      long labelsFrom,
      long labelsStride,
      float factor,
      Matrix losses,
      Matrix hits) {}

  private final Architecture architecture;
  private final int rowsPerPart;
  private final Matrix[] z;
  private final Matrix[] h;
  private final Matrix[] backward;
  private final List<Block> blocks;

  /**
   * Room in a scope.
   *
   * @param rows the most of a pass
   */
  Backpropagation(Device device, Scope scope, Architecture architecture, int replicas, int rows) {
    this.architecture = architecture;
    boolean whole = device.takesWholeStacks();
    this.rowsPerPart = whole ? rows : Math.max(32, Math.min(128, (rows + 31) / 32 * 16));
    int depth = architecture.depth();
    this.z = layers(depth, l -> scope.matrices(replicas, rows, architecture.rows(l)));
    this.h = layers(depth - 1, l -> scope.matrices(replicas, rows, architecture.rows(l)));
    int widest = architecture.widest();
    this.backward =
        layers(device.lanes(), lane -> scope.matrices(whole ? replicas : 1, rowsPerPart, widest));
    this.blocks = blocks(whole);
  }

  static Matrix[] layers(int count, IntFunction<Matrix> each) {
    return IntStream.range(0, count).mapToObj(each).toArray(Matrix[]::new);
  }

  /** Blocks of all layers, the costliest first so that lanes end together. */
  private List<Block> blocks(boolean whole) {
    List<Block> all = new ArrayList<>();
    for (int l = 0; l < architecture.depth(); l++) {
      int out = architecture.rows(l);
      double floats = (double) out * architecture.columns(l);
      int parts = whole ? 1 : (int) Math.max(1, Math.round(floats / BLOCK_FLOATS));
      int rows = (out + parts - 1) / parts;
      for (int from = 0; from < out; from += rows) {
        all.add(new Block(l, from, Math.min(rows, out - from)));
      }
    }
    all.sort(Comparator.comparingLong((Block b) -> -(long) b.rows * architecture.columns(b.layer)));
    return List.copyOf(all);
  }

  List<Block> blocks() {
    return blocks;
  }

  /** Rows of a part, but for the last one. */
  int rowsPerPart() {
    return rowsPerPart;
  }

  /** Parts that rows are cut into. */
  int parts(int rows) {
    return (rows + rowsPerPart - 1) / rowsPerPart;
  }

  /**
   * Some rows forward, and their errors ∂loss/∂z back: they take the place of the logits and of the
   * slopes.
   *
   * @param first the first of these rows in the pass
   * @param inputs as many rows as there are in the part
   */
  void errors(Lane lane, NetworkStack stack, Run run, int first, Matrix inputs, Task task) {
    int depth = architecture.depth();
    int rows = inputs.rows();
    Matrix[] zs = layers(depth, l -> run.of(z[l], first, rows));
    Matrix[] hs = layers(depth - 1, l -> run.of(h[l], first, rows));
    stack.forward(lane, run.first(), inputs, zs, hs);
    lane.softmaxCrossEntropy(
        zs[depth - 1],
        task.labels,
        task.labelsFrom,
        task.labelsStride,
        task.factor,
        zs[depth - 1],
        task.losses,
        task.hits);
    for (int l = depth - 1; l > 0; l--) {
      DeviceArray memory = backward[lane.index()].data();
      Matrix back = Matrix.padded(memory, run.count(), rows, architecture.columns(l));
      lane.gemm(false, zs[l], false, run.of(stack.weights(l)), 0, back);
      lane.scale(back, zs[l - 1], 1, zs[l - 1]);
    }
  }

  /** The errors of a block's units, of the first rows of a pass. */
  Matrix errors(Run run, Block block, int rows) {
    return run.of(z[block.layer], 0, rows).columns(block.from, block.rows);
  }

  /** What a layer but the first was given, in the first rows of a pass. */
  Matrix inputs(Run run, int layer, int rows) {
    return run.of(h[layer - 1], 0, rows);
  }
}
