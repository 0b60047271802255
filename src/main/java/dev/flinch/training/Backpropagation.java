package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import dev.flinch.network.Architecture;
import dev.flinch.network.BackwardBuffers;
import dev.flinch.network.ForwardBuffers;
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

  /** Rows of a part of a batch, and blocks of all weights, of networks with convolutions. */
  private static final int CONVOLVED_ROWS = 8;

  private static final int CONVOLVED_BLOCKS = 8;

  /** Of a block at least: with fewer, reading patches takes longer than products with them. */
  private static final int CONVOLVED_CHANNELS = 16;

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
  private final ForwardBuffers forward;
  private final BackwardBuffers[] backward;
  private final List<Block> blocks;

  /**
   * Room in a scope.
   *
   * @param rows the most of a pass
   */
  Backpropagation(Device device, Scope scope, Architecture architecture, int replicas, int rows) {
    this.architecture = architecture;
    boolean whole = device.takesWholeStacks();
    this.rowsPerPart = whole ? rows : rowsPerPart(architecture, rows);
    this.forward = ForwardBuffers.keepingAll(scope, architecture, replicas, rows);
    this.backward = new BackwardBuffers[device.lanes()];
    for (int lane = 0; lane < backward.length; lane++) {
      backward[lane] =
          new BackwardBuffers(scope, architecture, whole ? replicas : 1, rowsPerPart, 0);
    }
    this.blocks = blocks(whole);
  }

  static Matrix[] layers(int count, IntFunction<Matrix> each) {
    return IntStream.range(0, count).mapToObj(each).toArray(Matrix[]::new);
  }

  /** A convolution makes work enough for a lane of a few rows. */
  private static int rowsPerPart(Architecture architecture, int rows) {
    int half = (rows + 31) / 32 * 16;
    return architecture.isConvolutional()
        ? Math.min(CONVOLVED_ROWS, half)
        : Math.max(32, Math.min(128, half));
  }

  /** Blocks of all layers, the costliest first so that lanes end together. */
  private List<Block> blocks(boolean whole) {
    List<Block> all = new ArrayList<>();
    for (int l = 0; l < architecture.depth(); l++) {
      int out = architecture.rows(l);
      int parts = whole ? 1 : blocks(l);
      int rows = (out + parts - 1) / parts;
      for (int from = 0; from < out; from += rows) {
        all.add(new Block(l, from, Math.min(rows, out - from)));
      }
    }
    all.sort(
        Comparator.comparingLong(
            (Block b) ->
                -(long) b.rows * architecture.columns(b.layer) * architecture.positions(b.layer)));
    return List.copyOf(all);
  }

  /** How many blocks a layer's weights are cut into, for lanes. */
  private int blocks(int layer) {
    double floats = (double) architecture.rows(layer) * architecture.columns(layer);
    long fitting = Math.max(1, Math.round(floats / BLOCK_FLOATS));
    if (!architecture.isConvolutional(layer)) {
      return (int) fitting;
    }
    // Few weights, but as many products as an example has positions.
    long all = IntStream.range(0, architecture.depth()).mapToLong(architecture::flop).sum();
    long even = Math.round((double) CONVOLVED_BLOCKS * architecture.flop(layer) / all);
    return (int) Math.max(fitting, Math.min(even, architecture.rows(layer) / CONVOLVED_CHANNELS));
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
    ForwardBuffers part = forward.each(m -> run.of(m, first, inputs.rows()));
    stack.forward(lane, run.first(), inputs, part);
    lane.softmaxCrossEntropy(
        part.logits(),
        task.labels,
        task.labelsFrom,
        task.labelsStride,
        task.factor,
        part.logits(),
        task.losses,
        task.hits);
    for (int l = architecture.depth() - 1; l > 0; l--) {
      Matrix below = part.z()[l - 1];
      backward[lane.index()].back(lane, l, run.of(stack.weights(l)), part.z()[l], below, 1, below);
    }
  }

  /** The errors of a block's units in the first rows of a pass, a position a row. */
  Matrix errors(Run run, Block block, int rows) {
    return run.of(forward.z()[block.layer], 0, rows)
        .split(architecture.positions(block.layer))
        .columns(block.from, block.rows);
  }

  /**
   * What a layer multiplied with its weights in the first rows of a pass, a position a row.
   *
   * @param x what the first layer was given in these rows
   */
  Matrix inputs(Run run, int layer, int rows, Matrix x) {
    return forward.each(m -> run.of(m, 0, rows)).multiplied(architecture, layer, x);
  }
}
