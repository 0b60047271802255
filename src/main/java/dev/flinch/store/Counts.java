package dev.flinch.store;

/**
 * How far a sweep is.
 *
 * @param planned networks that are not finished
 * @param done networks that were trained and measured
 * @param diverged networks whose training diverged
 * @param failed networks that could not be trained or measured
 * @param openStacks those to be claimed, because nobody has or because the lease has expired
 * @param runningStacks those with a lease that lives
 * @param doneStacks those whose networks are all finished
 * @param workers those with a lease that lives
 */
public record Counts(
    long planned,
    long done,
    long diverged,
    long failed,
    long openStacks,
    long runningStacks,
    long doneStacks,
    long workers) {

  /** All of the sweep. */
  public long networks() {
    return planned + finished();
  }

  /** Those of which it is known what came of them. */
  public long finished() {
    return done + diverged + failed;
  }

  /** Whether every network is finished. */
  public boolean isComplete() {
    return planned == 0;
  }
}
