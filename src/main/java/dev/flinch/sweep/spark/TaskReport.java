package dev.flinch.sweep.spark;

import java.io.Serializable;

/**
 * What came of a task, for the driver; what came of its networks is in the store.
 *
 * @param end how it ended
 * @param seconds that its worker spent on training and measuring
 * @param refusal what a user has to do something about, where it was refused
 */
record TaskReport(End end, double seconds, String refusal) implements Serializable {
  /** How a task ends that doesn't fail. */
  enum End {
    /** The stack is done, or its parts are in the store. */
    DONE,
    /** Another worker has the stack, of this sweep or of another process. */
    ELSEWHERE,
    /** Nothing of the sweep can be done so: data, a folder or the store are missing. */
    REFUSED
  }

  static TaskReport done(double seconds) {
    return new TaskReport(End.DONE, seconds, null);
  }

  static TaskReport elsewhere(double seconds) {
    return new TaskReport(End.ELSEWHERE, seconds, null);
  }

  static TaskReport refused(String refusal) {
    return new TaskReport(End.REFUSED, 0, refusal);
  }
}
