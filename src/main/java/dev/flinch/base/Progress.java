package dev.flinch.base;

/** Where long work reports how far it is. Calls may come from several threads. */
@FunctionalInterface
public interface Progress {
  /** Drops every report. */
  Progress NONE = (task, done, total) -> {};

  /**
   * Reports progress of a task.
   *
   * @param task what is going on, as a user would name it ("training 3 × 100 ReLU, 8 replicas")
   * @param done units done so far, from 0 to {@code total}; {@code done == total} ends the task
   * @param total units in all
   */
  void report(String task, long done, long total);

  /** Says more about the task at hand, in a few words that take the place of those before. */
  default void detail(String words) {}
}
