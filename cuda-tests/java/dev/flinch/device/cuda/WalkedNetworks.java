package dev.flinch.device.cuda;

import dev.flinch.base.RandomStreams;
import dev.flinch.base.RandomStreams.Purpose;
import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.RegionWalks.Networks;
import dev.flinch.device.RegionWalks.Trace;
import dev.flinch.device.RegionWalks.Walkers;
import dev.flinch.device.Scope;
import dev.flinch.network.Network;
import dev.flinch.reference.RandomNetworks;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/** Random networks on a device, and pieces of random trajectories through them to walk along. */
final class WalkedNetworks implements AutoCloseable {
  /**
   * What to walk: {@code pieces} walkers a replica, one behind the other along t from −1 to 1.
   *
   * @param units inputs, hidden layers, classes
   */
  record Setting(
      long seed,
      Activation activation,
      boolean biases,
      boolean arcs,
      int replicas,
      int pieces,
      List<Integer> units) {
    static Setting of(
        long seed,
        Activation activation,
        boolean biases,
        boolean arcs,
        int replicas,
        int pieces,
        Integer... units) {
      return new Setting(seed, activation, biases, arcs, replicas, pieces, List.of(units));
    }

    int walkers() {
      return replicas * pieces;
    }

    Network network(int replica) {
      return RandomNetworks.network(
          1000 * seed + replica, activation, biases, units.toArray(Integer[]::new));
    }

    /** c₀, c₁ and c₂ of the inputs: an ellipse's arc, or a straight piece. */
    double[][] inputs() {
      UniformRandomProvider random = RandomStreams.stream(seed, Purpose.BENCHMARK, 3, 0);
      ZigguratSampler.NormalizedGaussian normal = ZigguratSampler.NormalizedGaussian.of(random);
      double[][] c = new double[3][units.get(0)];
      for (int i = 0; i < c[0].length; i++) {
        double p = normal.sample();
        double q = normal.sample();
        c[0][i] = p;
        c[1][i] = 2 * q;
        c[2][i] = arcs ? -p : 0;
      }
      return c;
    }

    /** Where the pieces of a replica begin and end, at odd places. */
    double place(int piece) {
      return piece == pieces ? 1 : -1 + 2.0 * piece / pieces + (piece == 0 ? 0 : 0.01234567);
    }
  }

  /**
   * What walkers left.
   *
   * @param parameters of each walker
   * @param crossings of each walker
   * @param logits of each walker: 3 C a region
   * @param grams of each walker: C² a region
   */
  record Found(
      int[] counts,
      double[] reached,
      double[][] parameters,
      int[][] crossings,
      int[] codes,
      long[] hashes,
      double[] drift,
      double[][] logits,
      double[][] grams) {}

  private final Setting setting;
  private final Device device;
  private final Scope scope;
  private final Networks networks;
  private final RegionWalks walks;
  private final Matrix first;
  private final int[] replicas;
  private final double[] from;
  private final double[] to;

  /** Networks on a device, which stays open. */
  WalkedNetworks(Setting setting, Device device) {
    this.setting = setting;
    this.device = device;
    this.scope = new Scope(device);
    int layers = setting.units.size() - 1;
    Matrix[] weights = new Matrix[layers - 1];
    Matrix[] biases = setting.biases ? new Matrix[layers] : null;
    int inputs = setting.units.get(0);
    int units = setting.units.get(1);
    Matrix factors =
        Matrix.stacked(
            scope.doubles((long) setting.replicas * units * inputs),
            0,
            setting.replicas,
            units,
            inputs);
    int walkers = setting.walkers();
    this.first = Matrix.of(scope.doubles(3L * walkers * units), 0, 3 * walkers, units);
    for (int l = 0; l < layers; l++) {
      if (l > 0) {
        weights[l - 1] =
            scope.matrices(setting.replicas, setting.units.get(l + 1), setting.units.get(l));
      }
      if (biases != null) {
        biases[l] = scope.matrices(setting.replicas, 1, setting.units.get(l + 1));
      }
    }
    double[][] c = setting.inputs();
    for (int r = 0; r < setting.replicas; r++) {
      Network network = setting.network(r);
      for (int l = 0; l < layers; l++) {
        if (l > 0) {
          upload(network.weights()[l], weights[l - 1], r);
        }
        if (biases != null) {
          upload(network.biases()[l], biases[l], r);
        }
      }
      double[] w = new double[units * inputs];
      for (int i = 0; i < w.length; i++) {
        w[i] = network.weights()[0][i];
      }
      // W₁ itself: W₁W₁ᵀ is its own product.
      device.upload(w, 0, factors.data(), factors.start(r), w.length);
      for (int i = 0; i < 3 * setting.pieces; i++) {
        double[] row = new double[units];
        for (int j = 0; j < units; j++) {
          for (int k = 0; k < inputs; k++) {
            row[j] += w[j * inputs + k] * c[i % 3][k];
          }
        }
        device.upload(row, 0, first.data(), first.start(0, 3 * r * setting.pieces + i), units);
      }
    }
    this.networks = new Networks(setting.activation, weights, biases, factors);
    this.walks = device.walks(networks);
    this.replicas = new int[walkers];
    this.from = new double[walkers];
    this.to = new double[walkers];
    for (int i = 0; i < walkers; i++) {
      replicas[i] = i / setting.pieces;
      from[i] = setting.place(i % setting.pieces);
      to[i] = setting.place(i % setting.pieces + 1);
    }
  }

  private void upload(float[] values, Matrix matrix, int replica) {
    for (int i = 0; i < matrix.rows(); i++) {
      device.upload(
          values, i * matrix.columns(), matrix.data(), matrix.start(replica, i), matrix.columns());
    }
  }

  Networks networks() {
    return networks;
  }

  private Walkers walkers(double[] starts, boolean resumed) {
    boolean[] each = new boolean[replicas.length];
    Arrays.fill(each, resumed);
    return new Walkers(setting.arcs, first, replicas, starts, to, each);
  }

  /** One walk from the start. */
  Found walk(int capacity, boolean withGrams) {
    try (Scope own = new Scope(device)) {
      Trace trace = Trace.of(own, networks, replicas.length, capacity, withGrams);
      return walk(trace, walkers(from, false));
    }
  }

  /**
   * Walks to the ends, as often as there is no room for more crossings; counts and hashes of all.
   */
  List<Found> walkOn(int capacity, boolean withGrams) {
    List<Found> found = new ArrayList<>();
    try (Scope own = new Scope(device)) {
      Trace trace = Trace.of(own, networks, replicas.length, capacity, withGrams);
      found.add(walk(trace, walkers(from, false)));
      while (!Arrays.equals(last(found).reached, to)) {
        found.add(walk(trace, walkers(last(found).reached, true)));
      }
    }
    return found;
  }

  private static Found last(List<Found> found) {
    return found.get(found.size() - 1);
  }

  /** Norms at points of one walk from the start; {@code pointsFrom} as the walks take it. */
  double[] norms(int capacity, int[] pointsFrom, double[] points) {
    try (Scope own = new Scope(device)) {
      Trace trace = Trace.of(own, networks, replicas.length, capacity, true);
      DeviceArray at = own.doubles(points.length);
      DeviceArray norms = own.doubles(points.length);
      device.upload(points, 0, at, 0, points.length);
      Walkers walkers = walkers(from, false);
      device.run(
          1,
          (lane, task) -> {
            walks.walk(lane, walkers, trace);
            walks.norms(lane, walkers, trace, pointsFrom, at, norms);
          });
      double[] values = new double[points.length];
      device.download(norms, 0, values, 0, values.length);
      return values;
    }
  }

  private Found walk(Trace trace, Walkers walkers) {
    device.run(1, (lane, task) -> walks.walk(lane, walkers, trace));
    int count = replicas.length;
    int[] counts = ints(trace.counts(), 0, count);
    double[][] parameters = new double[count][];
    int[][] crossings = new int[count][];
    double[][] logits = new double[count][];
    double[][] grams = new double[count][];
    int classes = networks.classes();
    for (int i = 0; i < count; i++) {
      long at = (long) i * trace.capacity();
      parameters[i] = doubles(trace.parameters(), at, counts[i]);
      crossings[i] = ints(trace.crossings(), at, counts[i]);
      if (trace.grams() != null) {
        int regions = counts[i] + 1;
        logits[i] = doubles(trace.logits(), (at + i) * 3 * classes, regions * 3 * classes);
        grams[i] =
            doubles(trace.grams(), (at + i) * classes * classes, regions * classes * classes);
      }
    }
    long[] hashes = new long[2 * count];
    device.download(trace.hashes(), 0, hashes, 0, hashes.length);
    return new Found(
        counts,
        doubles(trace.reached(), 0, count),
        parameters,
        crossings,
        ints(trace.codes(), 0, count * networks.hiddenUnits()),
        hashes,
        doubles(trace.drift(), 0, count),
        logits,
        grams);
  }

  private int[] ints(DeviceArray array, long at, int count) {
    int[] values = new int[count];
    device.download(array, at, values, 0, count);
    return values;
  }

  private double[] doubles(DeviceArray array, long at, int count) {
    double[] values = new double[count];
    device.download(array, at, values, 0, count);
    return values;
  }

  @Override
  public void close() {
    walks.close();
    scope.close();
  }
}
