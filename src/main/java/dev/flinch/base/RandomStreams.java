package dev.flinch.base;

import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.core.source64.Philox4x64;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * Counter-based random streams keyed by (seed, purpose, epoch, index). Two calls with equal keys
 * return streams of equal numbers, on every machine and in any order of calls, so a run can be
 * repeated, resumed and regrouped without a change in its numbers. The generator is Philox4x64-10
 * (Salmon et al., <em>Parallel Random Numbers: As Easy as 1, 2, 3</em>, 2011): seed and purpose
 * form the key, epoch and index the upper half of the counter.
 */
public final class RandomStreams {
  /** What a stream is for. Each purpose has numbers of its own; the codes never change. */
  public enum Purpose {
    INITIAL_WEIGHTS(1),
    SHUFFLE(2),
    LABELS(3),
    SUBSET(4),
    AUGMENTATION(5),
    TRAJECTORY(6),
    GLYPHS(7),
    BENCHMARK(8),
    SWEEP(9),
    PICK(12);

    private final long code;

    Purpose(long code) {
      this.code = code;
    }
  }

  private RandomStreams() {}

  /** A stream of uniform numbers for one key. */
  public static UniformRandomProvider stream(long seed, Purpose purpose, long epoch, long index) {
    return new Philox4x64(new long[] {seed, purpose.code, 0, 0, epoch, index});
  }

  /**
   * Fills part of an array with normal numbers of mean 0.
   *
   * @param stream where the randomness comes from
   * @param standardDeviation standard deviation of every number
   */
  public static void fillNormal(
      UniformRandomProvider stream, double standardDeviation, float[] out, int from, int to) {
    ZigguratSampler.NormalizedGaussian gaussian = ZigguratSampler.NormalizedGaussian.of(stream);
    for (int i = from; i < to; i++) {
      out[i] = (float) (standardDeviation * gaussian.sample());
    }
  }

  /** A uniformly random order of 0 … n − 1 (Fisher and Yates). */
  public static int[] permutation(UniformRandomProvider stream, int n) {
    int[] order = new int[n];
    for (int i = 0; i < n; i++) {
      int j = stream.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }
}
