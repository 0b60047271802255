package dev.flinch.device.cpu;

import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.PatternHash;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.RegionWalks.Networks;
import dev.flinch.device.RegionWalks.Trace;
import dev.flinch.device.RegionWalks.Walkers;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuArray.Span;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Some walkers of one network, each of which takes its next crossing in every round, so that what
 * the crossings do to the layers above and how they come from the layers below are matrix products
 * with a row a walker. Walkers stand in the order of their crossings' layers: the rows that are on
 * their way in a layer are always the first ones.
 */
final class LockstepWalk implements AutoCloseable {
  /** After so many rounds all polynomials are found anew. */
  private static final int ROUNDS = 256;

  private final Device device;
  private final Lane lane;
  private final ElementKernels kernels;
  private final CpuRegionWalks owner;
  private final Activation activation;
  private final Walkers walkers;
  private final Trace trace;
  private final int from;
  private final int replica;
  private final boolean withGrams;

  /** Units of the hidden layers and of the logits, and of the first hidden unit of each layer. */
  private final int[] units;

  private final int[] firstUnit;

  /** The number of hidden layers, and so the index of the logits. */
  private final int hidden;

  private final double[][] biases;
  private final Matrix factor;
  private final Walker[] all;

  private final Scope scope;

  /** Rows on their way through the layers, {@code [this and the next][rows × widest]}. */
  private final CpuArray[] rows;

  private final int widest;
  private final double[] row;
  private final double[] time = new double[1];

  LockstepWalk(
      Device device,
      Lane lane,
      ElementKernels kernels,
      Networks networks,
      CpuRegionWalks owner,
      Walkers walkers,
      Trace trace,
      int from,
      int to) {
    this.device = device;
    this.lane = lane;
    this.kernels = kernels;
    this.owner = owner;
    this.activation = networks.activation();
    this.walkers = walkers;
    this.trace = trace;
    this.from = from;
    this.replica = walkers.replicas()[from];
    this.withGrams = trace.grams() != null;
    this.hidden = networks.hidden().length;
    this.units = Arrays.copyOf(networks.hidden(), hidden + 1);
    units[hidden] = networks.classes();
    this.firstUnit = new int[hidden + 1];
    for (int l = 0; l < hidden; l++) {
      firstUnit[l + 1] = firstUnit[l] + units[l];
    }
    this.factor = withGrams ? networks.factors().replicas(replica, 1) : null;
    this.biases = new double[hidden + 1][];
    for (int l = 0; l <= hidden && networks.biases() != null; l++) {
      float[] narrow = new float[units[l]];
      Matrix bias = networks.biases()[l];
      device.download(bias.data(), bias.start(replica), narrow, 0, narrow.length);
      biases[l] = new double[narrow.length];
      for (int j = 0; j < narrow.length; j++) {
        biases[l][j] = narrow[j];
      }
    }
    int most = Arrays.stream(units).max().orElseThrow();
    this.widest = withGrams ? Math.max(most, factor.columns()) : most;
    this.row = new double[padded(widest)];
    int rowsEach = Math.max(3, withGrams ? units[hidden] : 1);
    this.scope = new Scope(device);
    long length = (long) (to - from) * rowsEach * widest;
    this.rows = new CpuArray[] {(CpuArray) scope.doubles(length), (CpuArray) scope.doubles(length)};
    this.all = new Walker[to - from];
    for (int i = 0; i < all.length; i++) {
      all[i] = new Walker(from + i);
    }
  }

  private static int padded(int count) {
    return (count + ElementKernels.POLYNOMIALS - 1)
        / ElementKernels.POLYNOMIALS
        * ElementKernels.POLYNOMIALS;
  }

  /** A walker's place and what holds there. */
  private final class Walker {
    final int index;
    final double end;

    /** Per layer, the logits' last: c₀, c₁ and c₂ of all units. */
    final double[][] polynomials = new double[hidden + 1][];

    final int[][] codes = new int[hidden][];
    final double[][] slopes = new double[hidden][];

    /**
     * Per knot that a unit may cross next and layer: the knot, and which way; two for two knots.
     */
    final double[][][] knots = new double[activation.knots()][hidden][];

    final double[][][] signs = new double[activation.knots()][hidden][];

    /** Units of slope 1 in each layer. */
    final int[] active = new int[hidden];

    /** The largest coefficient that each layer had in a fresh pass. */
    final double[] scale = new double[hidden + 1];

    /** The earliest crossing of each layer. */
    final double[] nextTime = new double[hidden];

    final int[] nextUnit = new int[hidden];

    /** A F of the logits' Jacobian A, C × columns of F. */
    final Matrix jacobian;

    double now;
    int crossings;
    double drift;

    /** This round's crossing: its layer and unit, and its polynomial, which is zero at the knot. */
    int layer;

    int unit;
    double change0;
    double change1;
    double change2;

    Walker(int index) {
      this.index = index;
      this.now = walkers.from()[index];
      this.end = walkers.to()[index];
      for (int l = 0; l <= hidden; l++) {
        int stride = padded(units[l]);
        polynomials[l] = new double[3 * stride];
        if (l < hidden) {
          codes[l] = new int[units[l]];
          slopes[l] = new double[stride];
          for (int k = 0; k < knots.length; k++) {
            knots[k][l] = new double[stride];
            signs[k][l] = new double[stride];
          }
        }
      }
      int columns = withGrams ? factor.columns() : 0;
      int classes = units[hidden];
      jacobian =
          withGrams
              ? Matrix.of(scope.doubles((long) classes * columns), 0, classes, columns)
              : null;
    }

    int stride(int l) {
      return polynomials[l].length / 3;
    }

    /** Sets a unit's code, and what it may cross next. */
    void code(int l, int j, int code) {
      active[l] -= (int) slopes[l][j];
      codes[l][j] = code;
      slopes[l][j] = code == 1 ? 1 : 0;
      active[l] += (int) slopes[l][j];
      int ways = 0;
      if (code < activation.knots()) {
        watch(l, j, ways++, code, 1);
      }
      if (code > 0) {
        watch(l, j, ways++, code - 1, -1);
      }
      for (; ways < knots.length; ways++) {
        signs[ways][l][j] = 0;
      }
    }

    private void watch(int l, int j, int way, int knot, double sign) {
      knots[way][l][j] = knot == 0 ? activation.low() : activation.high();
      signs[way][l][j] = sign;
    }

    /** Codes of a layer by its polynomials where the walker is. */
    void codesByValue(int l) {
      int stride = stride(l);
      double[] c = polynomials[l];
      for (int j = 0; j < units[l]; j++) {
        int code = 0;
        for (int k = 0; k < activation.knots(); k++) {
          double knot = k == 0 ? activation.low() : activation.high();
          double c2 = c[2 * stride + j] - (walkers.arcs() ? knot : 0);
          code += c[j] - knot + now * (c[stride + j] + now * c2) > 0 ? 1 : 0;
        }
        code(l, j, code);
      }
    }

    void seek(int l) {
      nextUnit[l] = -1;
      nextTime[l] = Double.POSITIVE_INFINITY;
      for (int way = 0; way < knots.length; way++) {
        int unit =
            kernels.earliest(
                polynomials[l], stride(l), signs[way][l], knots[way][l], walkers.arcs(), now, time);
        if (unit >= 0 && (time[0] < nextTime[l] || time[0] == nextTime[l] && unit < nextUnit[l])) {
          nextTime[l] = time[0];
          nextUnit[l] = unit;
        }
      }
    }

    /** Goes to the next crossing; false where there is none before the end, or no room for it. */
    boolean advance() {
      int l = 0;
      for (int other = 1; other < hidden; other++) {
        if (nextTime[other] < nextTime[l]) {
          l = other;
        }
      }
      if (!(nextTime[l] < end)) {
        now = end;
        return false;
      }
      if (crossings == trace.capacity()) {
        return false;
      }
      now = nextTime[l];
      layer = l;
      unit = nextUnit[l];
      // Of the ways that a unit watches, the one whose root this is.
      int stride = stride(l);
      int code = codes[l][unit];
      boolean upwards = code == 0 || code < activation.knots() && crossesUpwards(l, unit);
      int knot = upwards ? code : code - 1;
      double at = knot == 0 ? activation.low() : activation.high();
      double step = slope(upwards ? code + 1 : code - 1) - slope(code);
      change0 = step * (polynomials[l][unit] - at);
      change1 = step * polynomials[l][stride + unit];
      change2 = step * (polynomials[l][2 * stride + unit] - (walkers.arcs() ? at : 0));
      code(l, unit, upwards ? code + 1 : code - 1);
      long place = (long) index * trace.capacity() + crossings;
      put(trace.parameters(), place, now);
      put(trace.crossings(), place, RegionWalks.pack(firstUnit[l] + unit, knot, upwards));
      crossings++;
      return true;
    }

    private double slope(int code) {
      return code == 1 ? 1 : 0;
    }

    /** Whether a unit between two knots meets the upper one first. */
    private boolean crossesUpwards(int l, int unit) {
      double[] one = new double[3 * ElementKernels.POLYNOMIALS];
      for (int k = 0; k < 3; k++) {
        one[k * ElementKernels.POLYNOMIALS] = polynomials[l][k * stride(l) + unit];
      }
      double[] times = new double[2];
      for (int way = 0; way < 2; way++) {
        double[] sign = new double[ElementKernels.POLYNOMIALS];
        double[] knot = new double[ElementKernels.POLYNOMIALS];
        sign[0] = signs[way][l][unit];
        knot[0] = knots[way][l][unit];
        kernels.earliest(one, ElementKernels.POLYNOMIALS, sign, knot, walkers.arcs(), now, time);
        times[way] = time[0];
      }
      // The first way of a code between is upwards.
      return times[0] <= times[1];
    }

    /** Writes the logits and A Aᵀ of the region that the walker is in. */
    void describeRegion() {
      long region = (long) index * (trace.capacity() + 1) + crossings;
      int classes = units[hidden];
      int stride = stride(hidden);
      for (int k = 0; k < 3; k++) {
        device.upload(
            polynomials[hidden], k * stride, trace.logits(), (region * 3 + k) * classes, classes);
      }
      lane.gemm(
          false,
          jacobian,
          true,
          jacobian,
          0,
          Matrix.of(trace.grams(), region * classes * classes, classes, classes));
    }

    void leave() {
      put(trace.counts(), index, crossings);
      put(trace.reached(), index, now);
      put(trace.drift(), index, drift);
      putHash(2L * index + 1);
      for (int l = 0; l < hidden; l++) {
        long at = (long) index * firstUnit[hidden] + firstUnit[l];
        device.upload(codes[l], 0, trace.codes(), at, units[l]);
      }
    }

    void putHash(long at) {
      long hash = 0;
      for (int l = 0; l < hidden; l++) {
        for (int j = 0; j < units[l]; j++) {
          hash += codes[l][j] * PatternHash.key(firstUnit[l] + (long) j);
        }
      }
      device.upload(new long[] {hash}, 0, trace.hashes(), at, 1);
    }
  }

  private static void put(DeviceArray array, long at, double value) {
    Span span = ((CpuArray) array).span(at, 1);
    span.buffer().putDouble(span.at(), value);
  }

  private static void put(DeviceArray array, long at, int value) {
    Span span = ((CpuArray) array).span(at, 1);
    span.buffer().putInt(span.at(), value);
  }

  void run() {
    for (Walker w : all) {
      if (walkers.resumed()[w.index]) {
        for (int l = 0; l < hidden; l++) {
          int[] codes = new int[units[l]];
          long at = (long) w.index * firstUnit[hidden] + firstUnit[l];
          device.download(trace.codes(), at, codes, 0, codes.length);
          for (int j = 0; j < codes.length; j++) {
            w.code(l, j, codes[j]);
          }
        }
      }
    }
    refresh(all, true);
    for (Walker w : all) {
      w.putHash(2L * w.index);
      if (withGrams) {
        w.describeRegion();
      }
    }
    Walker[] walking = all;
    for (int round = 1; walking.length > 0; round++) {
      walking = advance(walking);
      carryUp(walking);
      for (Walker w : walking) {
        if (w.active[w.layer] == 0) {
          // What lies above is constant, which differences that were carried would blur.
          refresh(new Walker[] {w}, false);
        }
      }
      if (round % ROUNDS == 0) {
        refresh(walking, false);
      }
      if (withGrams) {
        for (Walker w : walking) {
          w.describeRegion();
        }
      }
    }
    for (Walker w : all) {
      w.leave();
    }
  }

  /** Those that have a crossing to go to, now there, in the order of their crossings' layers. */
  private static Walker[] advance(Walker[] walking) {
    List<Walker> on = new ArrayList<>();
    for (Walker w : walking) {
      if (w.advance()) {
        on.add(w);
      }
    }
    on.sort(Comparator.comparingInt(w -> w.layer));
    return on.toArray(Walker[]::new);
  }

  private Matrix rows(int which, int count, int columns) {
    return Matrix.of(rows[which], 0, count, columns);
  }

  private Span span(Matrix matrix, int row) {
    return ((CpuArray) matrix.data()).span(matrix.start(0, row), matrix.columns());
  }

  private void read(Matrix matrix, int at, double[] values) {
    CpuRegionWalks.read(span(matrix, at), values, 0, matrix.columns());
  }

  private void write(Matrix matrix, int at, double[] values) {
    device.upload(values, 0, matrix.data(), matrix.start(0, at), matrix.columns());
  }

  /**
   * Takes each walker's crossing through the layers above: one vector a layer, times the crossing
   * unit's polynomial. With Gram matrices, the crossing unit's gradient is taken down too.
   *
   * @param walking in the order of their crossings' layers
   */
  private void carryUp(Walker[] walking) {
    for (Walker w : walking) {
      w.seek(w.layer);
    }
    int top = withGrams ? hidden : hidden - 1;
    int on = 0;
    for (int l = 0; l < top; l++) {
      // Rows of the layer's units: from below those on their way, then those that start here.
      Matrix input = rows(l % 2, walking.length, units[l]);
      for (int i = 0; i < on; i++) {
        read(input, i, row);
        double[] slopes = walking[i].slopes[l];
        for (int j = 0; j < units[l]; j++) {
          row[j] *= slopes[j];
        }
        write(input, i, row);
      }
      while (on < walking.length && walking[on].layer == l) {
        unitRow(input, on, walking[on].unit);
        on++;
      }
      if (on == 0) {
        continue;
      }
      Matrix output = rows((l + 1) % 2, walking.length, units[l + 1]);
      lane.gemm(
          false, input.rows(0, on), true, owner.weights(l + 1, replica), 0, output.rows(0, on));
      for (int i = 0; i < on; i++) {
        Walker w = walking[i];
        Arrays.fill(row, units[l + 1], w.stride(l + 1), 0);
        read(output, i, row);
        kernels.addPolynomials(
            w.polynomials[l + 1], w.stride(l + 1), row, w.change0, w.change1, w.change2);
        if (l + 1 < hidden) {
          w.seek(l + 1);
        }
      }
    }
    if (withGrams) {
      carryDown(walking, rows(hidden % 2, walking.length, units[hidden]));
    }
  }

  private void unitRow(Matrix matrix, int at, int unit) {
    Arrays.fill(row, 0, matrix.columns(), 0);
    row[unit] = 1;
    write(matrix, at, row);
  }

  /**
   * A F ← A F + step · v ⊗ g F, with v what a crossing does to the logits and g the gradient of the
   * crossing unit's pre-activation.
   */
  private void carryDown(Walker[] walking, Matrix logitChanges) {
    double[][] v = new double[walking.length][padded(units[hidden])];
    for (int i = 0; i < walking.length; i++) {
      read(logitChanges, i, v[i]);
    }
    int off = walking.length;
    for (int l = hidden - 1; l >= 0; l--) {
      Matrix output = rows(l % 2, walking.length, units[l]);
      if (off < walking.length) {
        Matrix input = rows((l + 1) % 2, walking.length, units[l + 1]);
        lane.gemm(
            false,
            input.rows(off, walking.length - off),
            false,
            owner.weights(l + 1, replica),
            0,
            output.rows(off, walking.length - off));
      }
      for (int i = off; i < walking.length; i++) {
        read(output, i, row);
        double[] slopes = walking[i].slopes[l];
        for (int j = 0; j < units[l]; j++) {
          row[j] *= slopes[j];
        }
        write(output, i, row);
      }
      while (off > 0 && walking[off - 1].layer == l) {
        off--;
        unitRow(output, off, walking[off].unit);
      }
    }
    Matrix gradients = rows(1, walking.length, factor.columns());
    lane.gemm(false, rows(0, walking.length, units[0]), false, factor, 0, gradients);
    Matrix change = rows(0, walking.length, units[hidden]);
    for (int i = 0; i < walking.length; i++) {
      Walker w = walking[i];
      double step = w.slopes[w.layer][w.unit] == 1 ? 1 : -1;
      for (int c = 0; c < units[hidden]; c++) {
        v[i][c] *= step;
      }
      write(change, i, v[i]);
      lane.gemm(true, change.rows(i, 1), false, gradients.rows(i, 1), 1, w.jacobian);
    }
  }

  /**
   * Finds walkers' polynomials anew, and A F where it is kept.
   *
   * @param starting whether walkers that don't resume find their codes too
   */
  private void refresh(Walker[] some, boolean starting) {
    int count = some.length;
    if (count == 0) {
      return;
    }
    int top = withGrams ? hidden : hidden - 1;
    Matrix z = rows(0, 3 * count, units[0]);
    for (int i = 0; i < count; i++) {
      for (int k = 0; k < 3; k++) {
        Span source =
            ((CpuArray) walkers.first().data())
                .span(walkers.first().start(0, 3 * some[i].index + k), units[0]);
        CpuRegionWalks.read(source, row, 0, units[0]);
        write(z, 3 * i + k, row);
      }
    }
    for (int l = 0; ; l++) {
      for (int i = 0; i < count; i++) {
        Walker w = some[i];
        settle(w, l, z, 3 * i, !starting);
        if (l < hidden) {
          if (starting && !walkers.resumed()[w.index]) {
            w.codesByValue(l);
          }
          w.seek(l);
        }
      }
      if (l == top) {
        break;
      }
      Matrix h = rows(l % 2, 3 * count, units[l]);
      for (int i = 0; i < count; i++) {
        activations(some[i], l, h, 3 * i);
      }
      z = rows((l + 1) % 2, 3 * count, units[l + 1]);
      lane.gemm(false, h, true, owner.weights(l + 1, replica), 0, z);
    }
    if (withGrams) {
      jacobians(some);
    }
  }

  /**
   * A layer's polynomials from fresh products, with biases; tells how far the carried ones were.
   */
  private void settle(Walker w, int l, Matrix z, int at, boolean compare) {
    double[] carried = w.polynomials[l];
    int stride = w.stride(l);
    double difference = 0;
    for (int k = 0; k < 3; k++) {
      read(z, at + k, row);
      boolean biased = biases[l] != null && (k == 0 || k == 2 && walkers.arcs());
      for (int j = 0; j < units[l]; j++) {
        double fresh = biased ? row[j] + biases[l][j] : row[j];
        w.scale[l] = Math.max(w.scale[l], Math.abs(fresh));
        difference = Math.max(difference, Math.abs(fresh - carried[k * stride + j]));
        carried[k * stride + j] = fresh;
      }
    }
    // Above a layer of slopes 0 fresh passes are there to replace what rounding has left.
    boolean alive = l == 0 || w.active[l - 1] > 0;
    if (compare && alive && difference > 0) {
      w.drift = Math.max(w.drift, difference / w.scale[l]);
    }
  }

  /** A layer's activations as polynomials: φ(z) = slope · z + the rest, by each unit's code. */
  private void activations(Walker w, int l, Matrix h, int at) {
    double[] c = w.polynomials[l];
    int stride = w.stride(l);
    for (int k = 0; k < 3; k++) {
      boolean constant = k == 0 || k == 2 && walkers.arcs();
      for (int j = 0; j < units[l]; j++) {
        int code = w.codes[l][j];
        double rest =
            activation.shift() + (code == 0 ? activation.low() : code == 1 ? 0 : activation.high());
        row[j] = w.slopes[l][j] * c[k * stride + j] + (constant ? rest : 0);
      }
      write(h, at + k, row);
    }
  }

  /** A F of walkers, back from the logits. */
  private void jacobians(Walker[] some) {
    int classes = units[hidden];
    int count = some.length * classes;
    Matrix rows = rows(hidden % 2, count, classes);
    for (int i = 0; i < count; i++) {
      unitRow(rows, i, i % classes);
    }
    for (int l = hidden - 1; l >= 0; l--) {
      Matrix below = rows(l % 2, count, units[l]);
      lane.gemm(false, rows, false, owner.weights(l + 1, replica), 0, below);
      for (int i = 0; i < count; i++) {
        read(below, i, row);
        double[] slopes = some[i / classes].slopes[l];
        for (int j = 0; j < units[l]; j++) {
          row[j] *= slopes[j];
        }
        write(below, i, row);
      }
      rows = below;
    }
    for (int i = 0; i < some.length; i++) {
      lane.gemm(false, rows.rows(i * classes, classes), false, factor, 0, some[i].jacobian);
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
