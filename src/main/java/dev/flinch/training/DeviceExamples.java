package dev.flinch.training;

import dev.flinch.data.ImageShape;
import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;

/** A split of a data set in a device's memory: normalised inputs {@code [n][d]} and its labels. */
public final class DeviceExamples implements AutoCloseable {
  private final LabelledImages images;
  private final Scope scope;
  private final Matrix inputs;
  private final DeviceArray labels;

  public DeviceExamples(Device device, LabelledImages images) {
    this.images = images;
    this.scope = new Scope(device);
    ImageShape shape = images.shape();
    this.inputs = scope.matrix(images.count(), shape.size());
    this.labels = scope.ints(images.count());
    float[] row = new float[shape.size()];
    for (int i = 0; i < images.count(); i++) {
      images.normalised(i, row, 0);
      device.upload(row, 0, inputs.data(), inputs.start(0, i), row.length);
    }
    device.upload(images.labels(), 0, labels, 0, images.count());
  }

  /** Normalised inputs, {@code n × d}. */
  public Matrix inputs() {
    return inputs;
  }

  /** int32 classes, n of them. */
  public DeviceArray labels() {
    return labels;
  }

  public int count() {
    return images.count();
  }

  public LabelledImages images() {
    return images;
  }

  @Override
  public void close() {
    scope.close();
  }
}
