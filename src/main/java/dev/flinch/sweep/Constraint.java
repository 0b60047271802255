package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import dev.flinch.store.Condition;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A condition that the networks of a sweep satisfy, of factors but seed and shape, and of {@code
 * parameters}, the number of weights. Images and sides of images are those of the data set where a
 * factor leaves them whole, and limits that there are none of are infinite. A condition on a factor
 * that a network doesn't have, as L-BFGS has no batches, holds.
 */
final class Constraint {
  static final String PARAMETERS = "parameters";

  private static final Map<Factor, String> KEYS = new EnumMap<>(Factor.class);

  static {
    Arrays.stream(Factor.values())
        .filter(factor -> factor != Factor.SEED && factor != Factor.SHAPE)
        .forEach(factor -> KEYS.put(factor, factor.key()));
  }

  private final Condition condition;
  private final Set<Factor> factors;

  private Constraint(Condition condition) {
    this.condition = condition;
    this.factors =
        condition.variables().stream()
            .filter(name -> !name.equals(PARAMETERS))
            .map(name -> Factor.named(name).orElseThrow())
            .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * @throws RequestException that says what is wrong with the expression
   */
  static Constraint of(String expression) {
    return new Constraint(
        Condition.of(
            expression,
            Stream.concat(KEYS.values().stream(), Stream.of(PARAMETERS))
                .collect(Collectors.toUnmodifiableSet())));
  }

  /** The factors that it is about, but for those that make up the number of weights. */
  Set<Factor> factors() {
    return factors;
  }

  /**
   * @param values of its variables: numbers, words, truth values
   */
  boolean holds(Function<String, Object> values) {
    return condition.test(values);
  }

  @Override
  public String toString() {
    return condition.toString();
  }
}
