package dev.flinch.sweep;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * How settings are chosen.
 *
 * @param settings how many are drawn; null for a grid
 * @param seed keys the draws; null for a grid
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Sampling(Method method, Integer settings, Long seed) {
  /** Ways to choose settings. */
  public enum Method {
    /** Every combination of the factors' values. */
    @JsonProperty("grid")
    GRID,
    /** Independent draws. */
    @JsonProperty("random")
    RANDOM,
    /** Draws along a Sobol sequence. */
    @JsonProperty("sobol")
    SOBOL
  }
}
