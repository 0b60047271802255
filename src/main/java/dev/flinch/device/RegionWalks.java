package dev.flinch.device;

/**
 * Exact walks of piecewise-linear networks from one linear region to the next, in double precision
 * over their float32 weights.
 *
 * <p>On a piece of a trajectory every component of a point is a polynomial of degree two over a
 * weight that all share, (c₀ + c₁ t + c₂ t²) / w(t): w = 1 on a straight piece, and w = 1 + t² on
 * an arc of an ellipse, whose t is the tangent of half the angle from the arc's middle. Within a
 * linear region so is every pre-activation, and it meets a knot k where c₀ + c₁ t + c₂ t² − k w(t)
 * is zero. A crossing of one unit changes all layers above by one vector times that polynomial, and
 * the logits' Jacobian A by a matrix of rank one.
 *
 * <p>What counts as a crossing:
 *
 * <ul>
 *   <li>Each unit passes one knot at a time, so that codes change by one. Crossings at one
 *       parameter are told lower layers first, and within a layer in the order of units.
 *   <li>A pre-activation that touches a knot without passing it crosses nothing: roots count as one
 *       where the discriminant is not more than 2⁻⁴⁴ of its terms.
 *   <li>A pre-activation that is constant crosses nothing. Above a layer all of whose units have
 *       slope 0, pre-activations are constant exactly, not up to rounding.
 *   <li>A unit that rounding leaves on the wrong side of its knot crosses at once. So a walker may
 *       go to and fro over one knot within a few units in the last place, which the caller takes
 *       for nothing.
 * </ul>
 */
public interface RegionWalks extends AutoCloseable {
  /** Crossings are packed as {@code 4 · unit + 2 · knot + (1 if upwards)}. */
  static int pack(int unit, int knot, boolean upwards) {
    return 4 * unit + 2 * knot + (upwards ? 1 : 0);
  }

  /**
   * Networks of one architecture.
   *
   * @param weights of layers 2, 3, … to the last, float32, {@code [R][out][in]}
   * @param biases of all layers, float32, {@code [R][1][out]}; or null for none
   * @param factors float64, {@code [R][units of the first layer][any]}: F with F Fᵀ = W₁W₁ᵀ; null
   *     where no Gram matrices will be asked for
   */
  record Networks(Activation activation, Matrix[] weights, Matrix[] biases, Matrix factors) {
    /** Units of each hidden layer, from the first on. */
    public int[] hidden() {
      int[] units = new int[weights.length];
      for (int l = 0; l < units.length; l++) {
        units[l] = weights[l].columns();
      }
      return units;
    }

    /** Units of all hidden layers. */
    public int hiddenUnits() {
      int sum = 0;
      for (int units : hidden()) {
        sum = Math.addExact(sum, units);
      }
      return sum;
    }

    public int classes() {
      return weights[weights.length - 1].rows();
    }

    public int replicas() {
      return weights[0].replicas();
    }
  }

  /**
   * Where walkers start and end.
   *
   * @param arcs whether w(t) = 1 + t², else 1
   * @param first float64, 3 · walkers × units of the first layer: rows 3 i to 3 i + 2 are c₀, c₁
   *     and c₂ of walker i's first-layer pre-activations without bias
   * @param replicas which network each walker is in
   * @param from where each starts
   * @param to where each ends at the latest; what lies there belongs to whoever goes on
   * @param resumed whether each starts with the pattern that is in {@link Trace#codes}, else with
   *     that of its first point
   */
  record Walkers(
      boolean arcs, Matrix first, int[] replicas, double[] from, double[] to, boolean[] resumed) {
    public int count() {
      return from.length;
    }
  }

  /**
   * What walkers leave. Walker i's crossings stand from {@code i · capacity} on, its regions from
   * {@code i · (capacity + 1)} on: one more than crossings, the first of them that of its start.
   *
   * @param capacity the most crossings of each: one that finds more stops after so many
   * @param counts int32: how many crossings each found
   * @param reached float64: where each stopped: {@code to}, or its last crossing if there was no
   *     room for the next
   * @param parameters float64: t of each crossing, in order
   * @param crossings int32: which, as {@link #pack} has it
   * @param codes int32, walkers × hidden units: the pattern where each stopped
   * @param hashes int64, walkers × 2: {@link PatternHash} of where each started and stopped
   * @param drift float64: the largest difference between coefficients that were carried along and
   *     fresh ones, by the largest that the layer had in a fresh pass
   * @param logits float64, 3 C a region: c₀, c₁ and c₂ of all logits, with biases; or null
   * @param grams float64, C² a region: A Aᵀ; null where logits are
   */
  record Trace(
      int capacity,
      DeviceArray counts,
      DeviceArray reached,
      DeviceArray parameters,
      DeviceArray crossings,
      DeviceArray codes,
      DeviceArray hashes,
      DeviceArray drift,
      DeviceArray logits,
      DeviceArray grams) {
    /** Arrays for walkers in a scope. */
    public static Trace of(
        Scope scope, Networks networks, int walkers, int capacity, boolean withGrams) {
      long regions = walkers * (capacity + 1L);
      int classes = networks.classes();
      return new Trace(
          capacity,
          scope.ints(walkers),
          scope.doubles(walkers),
          scope.doubles((long) walkers * capacity),
          scope.ints((long) walkers * capacity),
          scope.ints((long) walkers * networks.hiddenUnits()),
          scope.longs(2L * walkers),
          scope.doubles(walkers),
          withGrams ? scope.doubles(regions * 3 * classes) : null,
          withGrams ? scope.doubles(regions * classes * classes) : null);
    }
  }

  /** Walks each walker to its end, or until it has found as many crossings as there is room for. */
  void walk(Lane lane, Walkers walkers, Trace trace);

  /**
   * Frobenius norms of the probabilities' Jacobians at points of walked pieces, from each region's
   * logits and Gram matrix: ‖J‖² = tr(S A Aᵀ S), S = diag σ − σσᵀ.
   *
   * @param trace what {@link #walk} left, with logits and Gram matrices
   * @param pointsFrom walkers + 1 numbers: walker i has the points {@code pointsFrom[i]} to {@code
   *     pointsFrom[i + 1] − 1}
   * @param points float64: t of each point, ascending within a walker, between its start and where
   *     it stopped; a point at a crossing belongs to the region behind it
   * @param norms float64: takes the norm at each point
   */
  void norms(
      Lane lane,
      Walkers walkers,
      Trace trace,
      int[] pointsFrom,
      DeviceArray points,
      DeviceArray norms);

  @Override
  void close();
}
