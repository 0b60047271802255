package dev.flinch.bench;

import dev.flinch.base.Progress;
import dev.flinch.device.Device;

/** An operation whose speed is measured. */
interface Job {
  /** Such as {@code epoch-20x200}. */
  String name();

  /** The peers' job that answers the same question, by sampling if need be; null for none. */
  default String peer() {
    return name();
  }

  /**
   * Multiplications and additions of one {@link Run#time}; 0 where they depend on what it finds.
   */
  double flop();

  /**
   * Bytes of device memory that one {@link Run#time} must move: what its operations beside matrix
   * products read and write by their definitions, each operand and result once. A pass that keeps
   * its activations on chip moves no more than what it starts from, weights, and its results. What
   * products move is left out, since they count by {@link #flop}; so the job's FLOP at the rate of
   * products and these bytes at the rate of memory together take about as long as the job where
   * neither waits and nothing overlaps. Caches may serve a part of them.
   */
  double bytes();

  /**
   * Whether the job is run where none is asked for by name; on some devices it would take hours.
   */
  default boolean runsUnasked(Device device) {
    return true;
  }

  /**
   * Compares the answers of a small sibling of the job with plain double precision.
   *
   * @throws WrongAnswerException where they differ by more than float32 explains
   */
  void check(Device device, BenchData data);

  /** Makes everything that isn't timed. */
  Run prepare(Device device, BenchData data);

  /** A job that is ready. */
  interface Run extends AutoCloseable {
    /** Does the work once, and returns its {@linkplain Device#seconds seconds}. */
    double time(Progress progress);

    @Override
    void close();
  }

  /** Refuses a value that is off by more than a fraction of what was expected; NaN never passes. */
  static void require(String what, double expected, double found, double tolerance) {
    if (!(Math.abs(found - expected) <= tolerance * Math.abs(expected))) {
      throw new WrongAnswerException(
          "%s: expected %s in double precision, found %s: more than %s of it apart"
              .formatted(what, expected, found, tolerance));
    }
  }
}
