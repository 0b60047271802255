package dev.flinch.training;

/** How a replica's training stands. */
public enum Outcome {
  /** Not at an end yet. */
  RUNNING,
  /** It took all the steps it was allowed, or its optimizer found no better place to go. */
  COMPLETED,
  /** It reached the train accuracy that was asked for. */
  ACCURATE,
  /** Its loss became NaN or infinite; its weights stayed as they were before that step. */
  DIVERGED
}
