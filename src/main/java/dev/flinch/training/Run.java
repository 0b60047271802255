package dev.flinch.training;

import dev.flinch.device.Device;
import dev.flinch.device.Matrix;
import java.util.ArrayList;
import java.util.List;

/** Consecutive replicas of a stack that are worked on together. */
record Run(int first, int count) {
  /** The most replicas in a row that are computed along with their neighbours unasked. */
  private static final int BRIDGED = 4;

  /**
   * Replicas as a device takes them: one by one, or in runs. A replica that is not asked for is
   * computed along where it stands between others, which costs less than launching everything once
   * more.
   *
   * @param replicas in ascending order
   */
  static List<Run> of(Device device, int[] replicas) {
    List<Run> runs = new ArrayList<>();
    for (int r : replicas) {
      Run last = runs.isEmpty() ? null : runs.get(runs.size() - 1);
      if (device.takesWholeStacks() && last != null && r - last.first - last.count <= BRIDGED) {
        runs.set(runs.size() - 1, new Run(last.first, r + 1 - last.first));
      } else {
        runs.add(new Run(r, 1));
      }
    }
    return runs;
  }

  /** These replicas' part of a matrix. */
  Matrix of(Matrix matrix) {
    return matrix.replicas(first, count);
  }

  /** Some rows of it. */
  Matrix of(Matrix matrix, int from, int rows) {
    return of(matrix).rows(from, rows);
  }
}
