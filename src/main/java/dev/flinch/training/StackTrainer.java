package dev.flinch.training;

import java.util.List;

/**
 * Trains a stack of networks, a step at a time. A replica ends with the same weights on every run,
 * for any number of lanes and in any company.
 */
public interface StackTrainer extends AutoCloseable {
  /** Takes one step with every replica that is still running. */
  void step();

  /** Whether every replica's training has ended. */
  boolean done();

  /** Steps taken so far by the replicas that are still running. */
  long steps();

  /** The step at which training ends at the latest. */
  long lastStep();

  /** Steps that see every training example once. */
  long stepsPerEpoch();

  /** How a replica's training stands. */
  Outcome outcome(int replica);

  /** Steps that a replica has taken. */
  long stepsTaken(int replica);

  /** Every replica's epochs so far, in order. */
  List<EpochRecord> history();

  /** Everything that {@link #restore} needs to go on as if training had never been interrupted. */
  TrainerState state();

  /**
   * Takes up a state that {@link #state} returned of a trainer built alike.
   *
   * @throws IllegalArgumentException if it is another trainer's
   */
  void restore(TrainerState state);

  @Override
  void close();
}
