package dev.flinch.sensitivity;

import java.util.List;

/**
 * Mean stiffness of pairs within classes against their distance in input space, 1 − the cosine
 * between the normalised inputs (Fort et al.).
 *
 * @param bins those that have pairs, the nearest first
 * @param cosine the critical length by the cosine
 * @param sign the critical length by the sign
 */
public record DistanceStiffness(List<Bin> bins, CriticalLength cosine, CriticalLength sign) {

  /**
   * Pairs of about one distance.
   *
   * @param from the least distance
   * @param to the distance that the next bin starts at
   * @param distance the mean distance of these pairs
   * @param cosine their mean
   * @param sign their mean
   * @param pairs how many
   */
  public record Bin(
      double from, double to, double distance, double cosine, double sign, long pairs) {}
}
