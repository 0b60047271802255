package dev.flinch.device;

/**
 * A 64-bit hash of an activation pattern: the sum over units of code times key, modulo 2⁶⁴. A sum
 * doesn't depend on its order, so every device finds the same hash however it shares the work.
 */
public final class PatternHash {
  private PatternHash() {}

  /**
   * The key of a hidden unit: the finalizer of SplitMix64 (Steele et al., 2014) on the unit's
   * place.
   *
   * @param unit its number among the units of all hidden layers, from 0
   */
  public static long key(long unit) {
    long key = (unit + 1) * 0x9E3779B97F4A7C15L;
    key = (key ^ key >>> 30) * 0xBF58476D1CE4E5B9L;
    key = (key ^ key >>> 27) * 0x94D049BB133111EBL;
    return key ^ key >>> 31;
  }
}
