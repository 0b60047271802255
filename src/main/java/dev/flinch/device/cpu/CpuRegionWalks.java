package dev.flinch.device.cpu;

import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.OperandShapes;
import dev.flinch.device.RegionWalks;
import dev.flinch.device.Scope;
import dev.flinch.device.cpu.CpuArray.Span;
import java.nio.ByteBuffer;

/** Walks on the CPU: {@link LockstepWalk} for some walkers of one network at a time. */
final class CpuRegionWalks implements RegionWalks {
  /** Walkers side by side: rows enough for matrix products to run well. */
  private static final int SIDE_BY_SIDE = 32;

  private final Device device;
  private final Networks networks;
  private final ElementKernels kernels;
  private final Scope scope;

  /** The weights of layers 2, 3, … in float64. */
  private final Matrix[] weights;

  CpuRegionWalks(Device device, Networks networks, ElementKernels kernels) {
    OperandShapes.walks(networks);
    this.device = device;
    this.networks = networks;
    this.kernels = kernels;
    this.scope = new Scope(device);
    this.weights = new Matrix[networks.weights().length];
    int replicas = networks.replicas();
    for (int l = 0; l < weights.length; l++) {
      int rows = networks.weights()[l].rows();
      int columns = networks.weights()[l].columns();
      weights[l] =
          Matrix.stacked(
              scope.doubles((long) replicas * rows * columns), 0, replicas, rows, columns);
    }
    device.run(
        replicas * weights.length,
        (lane, task) -> {
          int l = task / replicas;
          lane.widen(
              networks.weights()[l].replicas(task % replicas, 1),
              weights[l].replicas(task % replicas, 1));
        });
  }

  /** The weights that layer {@code l} ≥ 1 of a replica is multiplied by, float64. */
  Matrix weights(int l, int replica) {
    return weights[l - 1].replicas(replica, 1);
  }

  @Override
  public void walk(Lane lane, Walkers walkers, Trace trace) {
    OperandShapes.walk(networks, walkers, trace);
    int count = walkers.count();
    for (int from = 0, to; from < count; from = to) {
      to = from + 1;
      while (to < count
          && to < from + SIDE_BY_SIDE
          && walkers.replicas()[to] == walkers.replicas()[from]) {
        to++;
      }
      try (LockstepWalk walk =
          new LockstepWalk(device, lane, kernels, networks, this, walkers, trace, from, to)) {
        walk.run();
      }
    }
  }

  @Override
  public void norms(
      Lane lane,
      Walkers walkers,
      Trace trace,
      int[] pointsFrom,
      DeviceArray points,
      DeviceArray norms) {
    OperandShapes.regionNorms(networks, walkers, trace, pointsFrom, points, norms);
    int classes = networks.classes();
    double[] logits = new double[3 * classes];
    double[] sigma = new double[classes];
    RegionNorm norm = new RegionNorm(classes);
    int capacity = trace.capacity();
    int[] counts = new int[walkers.count()];
    device.download(trace.counts(), 0, counts, 0, counts.length);
    double[] crossings = new double[capacity];
    for (int i = 0; i < counts.length; i++) {
      int count = pointsFrom[i + 1] - pointsFrom[i];
      device.download(trace.parameters(), (long) i * capacity, crossings, 0, counts[i]);
      double[] at = new double[count];
      device.download(points, pointsFrom[i], at, 0, count);
      int region = 0;
      int entered = -1;
      for (int p = 0; p < count; p++) {
        double t = at[p];
        while (region < counts[i] && crossings[region] <= t) {
          region++;
        }
        if (region != entered) {
          entered = region;
          long index = (long) i * (capacity + 1) + region;
          device.download(trace.logits(), index * logits.length, logits, 0, logits.length);
          norm.enter();
          int size = norm.gram().length;
          device.download(trace.grams(), index * size, norm.gram(), 0, size);
        }
        double weight = walkers.arcs() ? 1 + t * t : 1;
        int largest = 0;
        for (int c = 0; c < classes; c++) {
          sigma[c] = (logits[c] + t * (logits[classes + c] + t * logits[2 * classes + c])) / weight;
          largest = sigma[c] > sigma[largest] ? c : largest;
        }
        double top = sigma[largest];
        for (int c = 0; c < classes; c++) {
          sigma[c] = Math.exp(sigma[c] - top);
        }
        at[p] = norm.norm(sigma, largest);
      }
      device.upload(at, 0, norms, pointsFrom[i], count);
    }
  }

  @Override
  public void close() {
    scope.close();
  }

  /** Float64 numbers off the heap to Java's. */
  static void read(Span from, double[] values, int at, int count) {
    ByteBuffer buffer = from.buffer();
    for (int j = 0; j < count; j++) {
      values[at + j] = buffer.getDouble(from.at() + 8 * j);
    }
  }
}
