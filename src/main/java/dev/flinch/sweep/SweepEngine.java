package dev.flinch.sweep;

import dev.flinch.base.Progress;

/** What carries out a sweep: this process, or a cluster. */
public interface SweepEngine {
  /** What stacks are planned for. */
  Workshop workshop();

  /**
   * Works until every network of the sweep has its row, by this engine or by others.
   *
   * @return seconds that all its workers spent on training and measuring
   * @throws dev.flinch.base.RequestException if the store, the data or a checkpoint cannot be read
   *     or written; what was done before is kept
   */
  double run(SweepWork work, Progress progress);
}
