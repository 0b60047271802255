package dev.flinch.sweep;

import java.util.function.Function;

/** A condition that every network of a sweep satisfies. */
interface Constraint {
  boolean test(Function<String, Object> values);

  static Constraint of(String expression) {
    throw new UnsupportedOperationException();
  }
}
