package dev.flinch.sensitivity;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
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

  /** The length of the shortest region, by the parameter: the least gap between two places. */
  public double shortestRegion() {
    return lengths(Math::min);
  }

  /** The length of the longest region, by the parameter. */
  public double longestRegion() {
    return lengths(Math::max);
  }

  private double lengths(DoubleBinaryOperator better) {
    double near = ONE_PLACE * period;
    return IntStream.range(0, places > 1 ? count() : 0)
        .mapToDouble(i -> gap(parameters, i, period))
        .filter(gap -> gap > near)
        .reduce(better)
        .orElse(period);
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
