package dev.flinch.sweep;

/** What a plan comes to, before anything is trained. */
public final class DryRun {
  private DryRun() {}

  public static DryRun of(SweepPlan plan) {
    throw new UnsupportedOperationException();
  }

  /** For people, lines of at most 100 columns. */
  public String text() {
    throw new UnsupportedOperationException();
  }

  /** For programs. */
  public String toJson() {
    throw new UnsupportedOperationException();
  }
}
