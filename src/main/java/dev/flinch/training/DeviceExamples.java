package dev.flinch.training;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.stream.IntStream;

/** A split of a data set in a device's memory: normalised inputs {@code [n][d]} and its labels. */
public final class DeviceExamples implements AutoCloseable {
  private static final int CHUNK_BYTES = 16 << 20;

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
    int chunk = Math.max(1, Math.min(images.count(), CHUNK_BYTES / shape.size()));
    try (Scope temporary = new Scope(device, "upload examples")) {
      device.upload(images.labels(), 0, labels, 0, images.count());
      DeviceArray pixels = temporary.allocate(ElementType.UINT8, (long) chunk * shape.size());
      DeviceArray inOrder = temporary.ints(chunk);
      device.upload(IntStream.range(0, chunk).toArray(), 0, inOrder, 0, chunk);
      byte[] bytes = new byte[chunk * shape.size()];
      for (int from = 0; from < images.count(); from += chunk) {
        int some = Math.min(chunk, images.count() - from);
        for (int i = 0; i < some; i++) {
          System.arraycopy(images.pixels(from + i), 0, bytes, i * shape.size(), shape.size());
        }
        device.upload(bytes, 0, pixels, 0, some * shape.size());
        Matrix normalised = inputs.rows(from, some);
        device.run(
            1, (lane, task) -> lane.gatherImages(pixels, shape, inOrder, null, 0, 0, normalised));
      }
    }
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
