package dev.flinch.sweep;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.base.RequestException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * The settings that a sweep's factors allow, in the order in which they are tried: all
 * combinations, the last factor changing fastest, or draws. Draws are keyed by the seed, the factor
 * and their place, so another factor of a sweep doesn't change those of the others. Threads may
 * share it.
 */
final class Candidates {
  /** Draws for every setting that was chosen, and for the next, before a plan gives up. */
  private static final long MOST_DRAWS = 200;

  private static final int LEAST_DRAWS = 10_000;
  private static final long DRAWN = -1;

  /** Streams of random draws by factor; Sobol's shifts are epoch 1. */
  private static final int FIRST_EPOCH = 2;

  private final Sampling sampling;
  private final Map<Factor, FactorValues> factors;
  private final Map<Factor, List<Object>> listed = new EnumMap<>(Factor.class);
  private final List<Factor> varying = new ArrayList<>();
  private final SobolSequence sobol;

  /** Of a grid. */
  private final long combinations;

  Candidates(SweepConfiguration sweep) {
    sampling = sweep.sampling();
    factors = sweep.factors();
    double product = 1;
    for (Factor factor : Factor.values()) {
      List<Object> values =
          factors.get(factor).isDistribution() ? List.of() : factors.get(factor).listed();
      listed.put(factor, values);
      if (factor != Factor.SEED && values.size() != 1) {
        varying.add(factor);
        product *= values.size();
      }
    }
    sobol =
        sampling.method() == Sampling.Method.SOBOL && !varying.isEmpty()
            ? new SobolSequence(varying.size(), sampling.seed())
            : null;
    if (sampling.method() != Sampling.Method.GRID) {
      combinations = DRAWN;
    } else if (product <= SweepSchema.MOST_SETTINGS) {
      combinations = (long) product;
    } else {
      throw new RequestException(
          "factors: expected a grid of at most %,d combinations, found %.3g; draw settings with sampling.method random or sobol"
              .formatted(SweepSchema.MOST_SETTINGS, product));
    }
  }

  /** Listed values by factor; none for distributions. */
  Map<Factor, List<Object>> listed() {
    return listed;
  }

  /**
   * How many may be tried: of a grid all, of draws so many for each that was chosen and the next.
   *
   * @param chosen so far
   */
  long mostTried(long chosen) {
    return combinations != DRAWN ? combinations : Math.max(LEAST_DRAWS, MOST_DRAWS * (chosen + 1));
  }

  /** A candidate; null where what was drawn is nothing that a factor can take. */
  Setting get(long candidate) {
    Object[] values = new Object[Factor.values().length];
    listed.forEach((factor, of) -> values[factor.ordinal()] = of.size() == 1 ? of.get(0) : null);
    if (sampling.method() == Sampling.Method.GRID) {
      long rest = candidate;
      for (int i = varying.size() - 1; i >= 0; i--) {
        List<Object> of = listed.get(varying.get(i));
        values[varying.get(i).ordinal()] = of.get((int) (rest % of.size()));
        rest /= of.size();
      }
      return new Setting(values);
    }
    for (int i = 0; i < varying.size(); i++) {
      Factor factor = varying.get(i);
      double u = uniform(candidate, i, factor);
      List<Object> of = listed.get(factor);
      boolean drawn = of.isEmpty();
      Object value = drawn ? factors.get(factor).drawn(u) : of.get((int) (u * of.size()));
      if (drawn && value == null) {
        return null;
      }
      values[factor.ordinal()] = value;
    }
    return new Setting(values);
  }

  /** A number in the open unit interval. */
  private double uniform(long candidate, int dimension, Factor factor) {
    if (sobol != null) {
      return sobol.coordinate(candidate, dimension);
    }
    UniformRandomProvider stream =
        RandomStreams.stream(
            sampling.seed(), Purpose.SWEEP, FIRST_EPOCH + factor.ordinal(), candidate);
    return (stream.nextInt() >>> 1) / 0x1p31 + 0x1p-32;
  }
}
