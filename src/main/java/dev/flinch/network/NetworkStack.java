package dev.flinch.network;

import dev.flinch.device.Activation;
import dev.flinch.device.Device;
import dev.flinch.device.Lane;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.List;
import java.util.stream.IntStream;

/**
 * R networks of one architecture in a device's memory, each matrix as {@code [R][out][in]}: the
 * unit in which networks are trained and measured. A single network is a stack of one.
 */
public final class NetworkStack implements AutoCloseable {
  private final Device device;
  private final Architecture architecture;
  private final int replicas;
  private final Scope scope;
  private final Matrix[] weights;
  private final Matrix[] biases;

  /** Uploads networks of one architecture. */
  public NetworkStack(Device device, List<Network> networks) {
    this.device = device;
    this.architecture = networks.get(0).architecture();
    this.replicas = networks.size();
    this.scope = new Scope(device);
    int depth = architecture.depth();
    this.weights = new Matrix[depth];
    this.biases = new Matrix[depth];
    for (int l = 0; l < depth; l++) {
      int rows = architecture.rows(l);
      int columns = architecture.columns(l);
      weights[l] =
          Matrix.stacked(
              scope.floats((long) replicas * rows * columns), 0, replicas, rows, columns);
      if (architecture.biases()) {
        biases[l] = Matrix.stacked(scope.floats((long) replicas * rows), 0, replicas, 1, rows);
      }
    }
    for (int r = 0; r < replicas; r++) {
      set(r, networks.get(r));
    }
  }

  private NetworkStack(
      Device device, Architecture architecture, Matrix[] weights, Matrix[] biases) {
    this.device = device;
    this.architecture = architecture;
    this.replicas = weights[0].replicas();
    this.scope = new Scope(device);
    this.weights = weights.clone();
    this.biases = biases.clone();
  }

  /**
   * Networks whose parameters somebody else holds, and frees.
   *
   * @param weights a layer each, {@code [R][out][in]}
   * @param biases a layer each, {@code [R][1][out]}; nulls where there are none
   */
  public static NetworkStack of(
      Device device, Architecture architecture, Matrix[] weights, Matrix[] biases) {
    for (int l = 0; l < architecture.depth(); l++) {
      if (weights[l].rows() != architecture.rows(l)
          || weights[l].columns() != architecture.columns(l)
          || (biases[l] != null) != architecture.biases()) {
        throw new IllegalArgumentException("expected parameters of " + architecture);
      }
    }
    return new NetworkStack(device, architecture, weights, biases);
  }

  /** Replaces the weights of one replica. */
  public void set(int replica, Network network) {
    if (!network.architecture().equals(architecture)) {
      throw new IllegalArgumentException(
          "expected %s, found %s".formatted(architecture, network.architecture()));
    }
    for (int l = 0; l < architecture.depth(); l++) {
      float[] values = network.weights()[l];
      device.upload(values, 0, weights[l].data(), weights[l].start(replica), values.length);
      if (architecture.biases()) {
        float[] bias = network.biases()[l];
        device.upload(bias, 0, biases[l].data(), biases[l].start(replica), bias.length);
      }
    }
  }

  /** A copy of one replica in the host's memory. */
  public Network get(int replica) {
    return new Network(
        architecture,
        download(weights, replica),
        architecture.biases() ? download(biases, replica) : null);
  }

  private float[][] download(Matrix[] layers, int replica) {
    return IntStream.range(0, layers.length)
        .mapToObj(
            l -> {
              float[] values = new float[layers[l].rows() * layers[l].columns()];
              device.download(layers[l].data(), layers[l].start(replica), values, 0, values.length);
              return values;
            })
        .toArray(float[][]::new);
  }

  public Device device() {
    return device;
  }

  public Architecture architecture() {
    return architecture;
  }

  public int replicas() {
    return replicas;
  }

  /** The weights of a layer, {@code [R][out][in]}. */
  public Matrix weights(int layer) {
    return weights[layer];
  }

  /** The biases of a layer, {@code [R][1][out]}, or null where there are none. */
  public Matrix biases(int layer) {
    return biases[layer];
  }

  /**
   * A forward pass of consecutive replicas, as many as the buffers have.
   *
   * @param replica the first of them
   * @param x inputs, rows × d for each; or null where {@code z[0]} already holds the first products
   * @param buffers take the slopes φ′ of the hidden layers, 0 for what a pooling drops, the
   *     activations, and the logits
   */
  public void forward(Lane lane, int replica, Matrix x, ForwardBuffers buffers) {
    Activation activation = architecture.activation();
    int last = architecture.depth() - 1;
    int count = buffers.logits().replicas();
    for (int l = 0; l <= last; l++) {
      Matrix z = buffers.z()[l];
      if (l > 0 || x != null) {
        Matrix below = l == 0 ? x : buffers.h()[l - 1];
        LayerMatrices.multiply(
            lane,
            architecture,
            l,
            weights[l].replicas(replica, count),
            below,
            buffers.patches()[l],
            z);
      }
      int positions = architecture.positions(l);
      Matrix bias = biases[l] == null ? null : biases[l].replicas(replica, count);
      if (l < last) {
        boolean pooled = architecture.isPooled(l);
        Matrix h = pooled ? buffers.maps()[l] : buffers.h()[l];
        lane.activate(activation, z.split(positions), bias, h.split(positions));
        if (pooled) {
          lane.maxPool(h, architecture.pool(l), z, buffers.h()[l]);
        }
      } else if (bias != null) {
        lane.addBias(z, bias);
      }
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
