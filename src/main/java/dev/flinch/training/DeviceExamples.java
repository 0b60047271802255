package dev.flinch.training;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.device.DeviceArray;
import dev.flinch.device.ElementType;
import dev.flinch.device.ImageShape;
import dev.flinch.device.Matrix;
import dev.flinch.device.Scope;
import java.util.stream.IntStream;

/**
 * A split of a data set in a device's memory: normalised inputs {@code [n][d]} and its labels, and
 * where its images are to be moved, their pixels.
 */
public final class DeviceExamples implements AutoCloseable {
  private static final int CHUNK_BYTES = 16 << 20;

  private final LabelledImages images;
  private final Scope scope;
  private final Matrix inputs;
  private final DeviceArray labels;
  private final DeviceArray pixels;

  public DeviceExamples(Device device, LabelledImages images) {
    this(device, images, false);
  }

  /** With the pixels that {@link Augmentation} needs. */
  public static DeviceExamples withPixels(Device device, LabelledImages images) {
    return new DeviceExamples(device, images, true);
  }

  private DeviceExamples(Device device, LabelledImages images, boolean withPixels) {
    this.images = images;
    this.scope = new Scope(device);
    ImageShape shape = images.shape();
    this.inputs = scope.matrix(images.count(), shape.size());
    this.labels = scope.ints(images.count());
    this.pixels =
        withPixels ? scope.allocate(ElementType.UINT8, (long) images.count() * shape.size()) : null;
    int chunk = Math.max(1, Math.min(images.count(), CHUNK_BYTES / shape.size()));
    try (Scope temporary = new Scope(device, "upload examples")) {
      device.upload(images.labels(), 0, labels, 0, images.count());
      DeviceArray some = temporary.allocate(ElementType.UINT8, (long) chunk * shape.size());
      DeviceArray inOrder = temporary.ints(chunk);
      device.upload(IntStream.range(0, chunk).toArray(), 0, inOrder, 0, chunk);
      byte[] bytes = new byte[chunk * shape.size()];
      for (int from = 0; from < images.count(); from += chunk) {
        int count = Math.min(chunk, images.count() - from);
        for (int i = 0; i < count; i++) {
          System.arraycopy(images.pixels(from + i), 0, bytes, i * shape.size(), shape.size());
        }
        device.upload(bytes, 0, some, 0, count * shape.size());
        if (withPixels) {
          device.upload(bytes, 0, pixels, (long) from * shape.size(), count * shape.size());
        }
        Matrix normalised = inputs.rows(from, count);
        device.run(
            1, (lane, task) -> lane.gatherImages(some, shape, inOrder, null, 0, 0, normalised));
      }
    }
  }

  /** Normalised inputs, {@code n × d}. */
  public Matrix inputs() {
    return inputs;
  }

  /**
   * uint8, {@code [n][channels][height][width]}: what images that are moved are gathered from.
   *
   * @throws IllegalArgumentException if these examples were made without
   */
  DeviceArray pixels() {
    if (pixels == null) {
      throw new IllegalArgumentException("expected examples with pixels, found none");
    }
    return pixels;
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
