package dev.flinch.sensitivity;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * All pairs of examples of two sets, a panel of rows at a time, so that no matrix of all of them
 * needs to be held. Pairs within one set are taken once: of its matrix, which is symmetric, only
 * blocks that reach above the diagonal are computed.
 */
final class ExamplePairs {
  /** Floats of a panel of one quantity: 64 MiB. */
  private static final int PANEL_FLOATS = 16 << 20;

  /**
   * Rows and columns of a block that a lane takes: few enough that lanes end together, and enough
   * for products to run at speed.
   */
  private static final int BLOCK_ROWS = 128;

  private static final int BLOCK_COLUMNS = 512;

  /** A number for each pair. */
  @FunctionalInterface
  interface Quantity {
    /**
     * Writes a block.
     *
     * @param row the first example of its rows
     * @param column the first example of its columns
     */
    void write(Lane lane, int row, int column, Matrix block);
  }

  /**
   * Rows of the matrices of pairs.
   *
   * @param row the first
   * @param column the first column; all columns from it on are there
   * @param rows how many
   * @param columns how many
   * @param values of each quantity rows × columns; where pairs are within one set, what is below
   *     the diagonal is not to be read
   */
  record Panel(int row, int column, int rows, int columns, float[][] values) {
    /** Where in the values a row of the matrices starts, less its first column. */
    int at(int i) {
      return (i - row) * columns - column;
    }
  }

  /** Takes panels, from the first rows on. */
  @FunctionalInterface
  interface Taker {
    void take(Panel panel);
  }

  private final Device device;
  private final int rows;
  private final int columns;
  private final boolean within;

  /**
   * Pairs of two sets.
   *
   * @param within whether the sets are one
   */
  ExamplePairs(Device device, int rows, int columns, boolean within) {
    this.device = device;
    this.rows = rows;
    this.columns = columns;
    this.within = within;
  }

  /** Gives quantities of all pairs. */
  void each(String name, List<Quantity> quantities, Progress progress, Taker taker) {
    int count = quantities.size();
    int most = Math.max(1, Math.min(rows, PANEL_FLOATS / count / Math.max(1, columns)));
    int size = Math.multiplyExact(most, columns);
    try (Scope scope = new Scope(device, name)) {
      float[][] values = new float[count][size];
      DeviceArray room = scope.floats((long) count * size);
      for (int row = 0; row < rows; row += most) {
        int column = within ? row : 0;
        int height = Math.min(most, rows - row);
        Panel panel = new Panel(row, column, height, columns - column, values);
        fill(panel, quantities, room);
        taker.take(panel);
        progress.report(name, row + height, rows);
      }
    }
  }

  /** A block of a panel, in examples. */
  private record Block(int row, int column, int rows, int columns) {}

  /** The largest first, so that lanes end together. */
  private List<Block> blocks(Panel panel) {
    boolean whole = device.takesWholeStacks();
    int height = whole ? panel.rows : BLOCK_ROWS;
    int width = whole ? panel.columns : BLOCK_COLUMNS;
    List<Block> blocks = new ArrayList<>();
    int bottom = panel.row + panel.rows;
    for (int row = panel.row; row < bottom; row += height) {
      int right;
      for (int left = within ? row : panel.column; left < columns; left = right) {
        right = panel.column + ((left - panel.column) / width + 1) * width;
        right = Math.min(right, columns);
        blocks.add(new Block(row, left, Math.min(height, bottom - row), right - left));
      }
    }
    blocks.sort(Comparator.comparingInt(b -> -b.columns));
    return blocks;
  }

  private void fill(Panel panel, List<Quantity> quantities, DeviceArray room) {
    int size = panel.rows * panel.columns;
    List<Block> blocks = blocks(panel);
    device.run(
        blocks.size(),
        (lane, task) -> {
          Block block = blocks.get(task);
          for (int q = 0; q < quantities.size(); q++) {
            Matrix all = Matrix.of(room, (long) q * size, panel.rows, panel.columns);
            Matrix place =
                all.rows(block.row - panel.row, block.rows)
                    .columns(block.column - panel.column, block.columns);
            quantities.get(q).write(lane, block.row, block.column, place);
          }
        });
    for (int q = 0; q < quantities.size(); q++) {
      device.download(room, (long) q * size, panel.values[q], 0, size);
    }
  }
}
