package dev.flinch.training;

import java.util.List;
import java.util.Map;

/**
 * A trainer between two steps: with it, training goes on bit for bit as if it had not been
 * interrupted.
 *
 * @param step steps taken
 * @param outcomes one a replica
 * @param stepsTaken one a replica
 * @param history all epochs so far
 * @param arrays weights, optimizer slots and the sums of the running epoch, by name
 */
public record TrainerState(
    long step,
    List<Outcome> outcomes,
    List<Long> stepsTaken,
    List<EpochRecord> history,
    Map<String, float[]> arrays) {}
