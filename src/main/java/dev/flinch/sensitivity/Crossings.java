package dev.flinch.sensitivity;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Every crossing of a knot along a closed trajectory, in the order of their parameters.
 *
 * <p>Crossings that are no farther apart than 2⁻³⁶ of the period are at one place: rounding can't
 * tell their order. What crosses a knot and comes back at one place has crossed nothing.
 */
public final class Crossings {
  /** Fractions of the period that rounding can't tell apart. */
  private static final double ONE_PLACE = 0x1p-36;

  private final double period;
  private final int[] hidden;
  private final double[] parameters;
  private final int[] packed;

  /** How many places there are, around the closed curve. */
  private final long places;

  /**
   * One crossing.
   *
   * @param parameter where, from 0 to the period
   * @param layer the hidden layer, from 1
   * @param unit of that layer, from 0
   * @param change of the unit's code: 1 or −1
   * @param code the unit's code behind it
   */
  public record Crossing(double parameter, int layer, int unit, int change, int code) {}

  private Crossings(double period, int[] hidden, double[] parameters, int[] packed, long places) {
    this.period = period;
    this.hidden = hidden;
    this.parameters = parameters;
    this.packed = packed;
    this.places = places;
  }

  /**
   * What walkers found.
   *
   * @param hidden units of each hidden layer
   * @param parameters ascending
   * @param packed as {@link dev.flinch.device.RegionWalks#pack} has it
   */
  static Crossings of(double period, int[] hidden, double[] parameters, int[] packed) {
    int count = parameters.length;
    double near = ONE_PLACE * period;
    boolean[] kept = new boolean[count];
    long places = 0;
    int start = 0;
    // Around the closed curve: what is at its end may be at one place with what is at its start.
    while (start < count && start > -count && gap(parameters, start - 1, period) <= near) {
      start--;
    }
    for (int from = start, to; from < start + count; from = to) {
      to = from + 1;
      while (to < start + count && gap(parameters, to - 1, period) <= near) {
        to++;
      }
      places += keep(packed, from, to, kept) ? 1 : 0;
    }
    int[] rest = IntStream.range(0, count).filter(i -> kept[i]).toArray();
    return new Crossings(
        period,
        hidden,
        Arrays.stream(rest).mapToDouble(i -> parameters[i]).toArray(),
        Arrays.stream(rest).map(i -> packed[i]).toArray(),
        places);
  }

  /** From a crossing to the next, around. */
  private static double gap(double[] parameters, int i, double period) {
    int count = parameters.length;
    int next = Math.floorMod(i + 1, count);
    double gap = parameters[next] - parameters[Math.floorMod(i, count)];
    return next == 0 ? gap + period : gap;
  }

  /** Keeps the crossings of one place that are not taken back there; false where none is left. */
  private static boolean keep(int[] packed, int from, int to, boolean[] kept) {
    Map<Integer, Integer> last = new HashMap<>();
    for (int i = from; i < to; i++) {
      int at = Math.floorMod(i, packed.length);
      Integer other = last.remove(packed[at] >> 1);
      if (other == null) {
        kept[at] = true;
        last.put(packed[at] >> 1, at);
      } else {
        kept[other] = false;
      }
    }
    return !last.isEmpty();
  }

  /** How many crossings there are: the exact transitions. */
  public int count() {
    return parameters.length;
  }

  /** The length of the parameter's range. */
  public double period() {
    return period;
  }

  public Crossing get(int index) {
    int unit = packed[index] >> 2;
    int layer = 0;
    while (unit >= hidden[layer]) {
      unit -= hidden[layer++];
    }
    int knot = packed[index] >> 1 & 1;
    boolean upwards = (packed[index] & 1) == 1;
    return new Crossing(
        parameters[index], layer + 1, unit, upwards ? 1 : -1, upwards ? knot + 1 : knot);
  }

  /** The parameters, ascending; not to be changed. */
  public double[] parameters() {
    return parameters;
  }

  /** Linear regions around the curve: places where a crossing is, or 1 where there is none. */
  public long regions() {
    return Math.max(1, places);
  }

  /**
   * A linear region along the curve.
   *
   * @param from where it begins
   * @param length of its part of the parameter's range
   */
  public record Region(double from, double length) {}

  /** The shortest region; the first of equals. */
  public Region shortestRegion() {
    return region(Comparator.comparingDouble(Region::length));
  }

  /** The longest region; the first of equals. */
  public Region longestRegion() {
    return region(Comparator.comparingDouble(Region::length).reversed());
  }

  private Region region(Comparator<Region> order) {
    return IntStream.range(0, places > 1 ? count() : 0)
        .mapToObj(i -> new Region(parameters[i], gap(parameters, i, period)))
        .filter(region -> region.length() > ONE_PLACE * period)
        .min(order)
        .orElse(new Region(0, period));
  }

  /**
   * The transitions that k equidistant points see in exact arithmetic, from 0 on: a unit that
   * crosses a knot and comes back between two of them isn't seen.
   */
  public long seenBy(long points) {
    // By unit and step: how far the unit's code ends from where it began.
    Map<Long, Integer> changes = new HashMap<>();
    for (int i = 0; i < count(); i++) {
      long step = Math.min(points - 1, (long) (parameters[i] / period * points));
      int change = (packed[i] & 1) == 1 ? 1 : -1;
      changes.merge(step << 32 | packed[i] >> 2, change, Integer::sum);
    }
    return changes.values().stream().mapToLong(Math::abs).sum();
  }

  /** The counts that sampling comes close to. */
  public Transitions transitions(int bins) {
    long[] perLayer = new long[hidden.length];
    long[] perBin = new long[bins];
    for (int i = 0; i < count(); i++) {
      perLayer[get(i).layer() - 1]++;
      perBin[Transitions.bin(parameters[i] / period, bins)]++;
    }
    return new Transitions(count(), perLayer, perBin, regions());
  }
}
