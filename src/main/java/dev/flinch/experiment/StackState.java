package dev.flinch.experiment;

import dev.flinch.training.TrainerState;
import java.util.List;

/**
 * A stack between two steps: with it, training and what is measured along it go on as if they had
 * not been interrupted.
 *
 * @param stiffness the records of each replica so far; empty where stiffness is not measured
 */
public record StackState(TrainerState trainer, List<List<StiffnessRecord>> stiffness) {
  public StackState {
    stiffness = stiffness.stream().map(List::copyOf).toList();
  }
}
