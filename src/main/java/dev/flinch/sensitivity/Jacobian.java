package dev.flinch.sensitivity;

/** Which function of the input a Jacobian is of. */
public enum Jacobian {
  /** J(x) = ∂softmax(f(x)) / ∂xᵀ. */
  PROBABILITIES,
  /** A(x) = ∂f(x) / ∂xᵀ. */
  LOGITS;

  /** Rows that go back for each point: one fewer for probabilities, which sum to one. */
  int rows(int classes) {
    return this == PROBABILITIES ? classes - 1 : classes;
  }
}
