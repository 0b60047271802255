package dev.flinch.sweep;

import java.nio.file.Path;
import java.util.List;

/** A sweep as its user asks for it: complete and checked. */
public final class SweepConfiguration {
  private SweepConfiguration() {}

  /**
   * Reads and checks a sweep file.
   *
   * @param overrides assignments {@code key=value} that go before the file
   * @throws dev.flinch.base.RequestException listing every problem, each with its path
   */
  public static SweepConfiguration load(Path file, List<String> overrides) {
    throw new UnsupportedOperationException();
  }

  /** What figures and tables are headed with. */
  public String title() {
    throw new UnsupportedOperationException();
  }

  /** This sweep with every default filled in, as JSON that loads to an equal one. */
  public String toJson() {
    throw new UnsupportedOperationException();
  }
}
