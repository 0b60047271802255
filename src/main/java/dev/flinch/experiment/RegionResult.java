package dev.flinch.experiment;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.flinch.sensitivity.RegionStatistics;
import java.util.Arrays;
import java.util.List;

/**
 * What was seen of a network's linear regions on the plane through three images.
 *
 * @param network null in a study, which says it already
 * @param plane the number of its plane in a study's configuration, 1 the first; null elsewhere
 * @param anchors indices of the images in the training split
 * @param classes their labels
 * @param size pixels of the map's side
 * @param firstLayer the first hidden layer whose codes make up the patterns, 1 the network's first
 * @param lastLayer the last of them
 * @param before the network before training; null where it was not asked for or isn't known
 * @param after the network itself
 * @param seconds the measuring took; null in a study, whose numbers are the same on every run
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RegionResult(
    NetworkDescription network,
    Integer plane,
    List<Integer> anchors,
    List<Integer> classes,
    int size,
    int firstLayer,
    int lastLayer,
    OfNetwork before,
    OfNetwork after,
    Double seconds) {

  /**
   * One network's.
   *
   * @param regions connected sets of pixels of one pattern
   * @param patterns different patterns of pixels
   * @param meanRegionPixels pixels of a region on average
   * @param anchorRadius of the discs around the anchors, which are 0.8 from the centre
   * @param anchorDensities transitions per unit of length in each disc
   * @param restDensity the same outside of all three
   * @param linearRegions the regions of the plane, counted exactly, in which all hidden layers up
   *     to {@code lastLayer} are linear; null where not asked for
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record OfNetwork(
      long regions,
      long patterns,
      double meanRegionPixels,
      double anchorRadius,
      double[] anchorDensities,
      double restDensity,
      Integer linearRegions) {
    /** The mean of the densities at the anchors. */
    double meanAnchorDensity() {
      return Arrays.stream(anchorDensities).average().orElseThrow();
    }

    static OfNetwork of(RegionStatistics statistics, Integer linearRegions) {
      return new OfNetwork(
          statistics.regions(),
          statistics.patterns(),
          statistics.meanRegionPixels(),
          statistics.anchorRadius(),
          statistics.anchorDensities(),
          statistics.restDensity(),
          linearRegions);
    }
  }

  /** With the time it took. */
  RegionResult in(double measured) {
    return new RegionResult(
        network, plane, anchors, classes, size, firstLayer, lastLayer, before, after, measured);
  }

  /** As one of a study's. */
  RegionResult ofPlane(int number) {
    return new RegionResult(
        null, number, anchors, classes, size, firstLayer, lastLayer, before, after, seconds);
  }
}
