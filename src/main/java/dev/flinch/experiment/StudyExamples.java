package dev.flinch.experiment;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.training.Augmentation;
import dev.flinch.training.DeviceExamples;

/**
 * A study's images in a device's memory.
 *
 * @param validation null where no images are set aside
 */
public record StudyExamples(DeviceExamples train, DeviceExamples test, DeviceExamples validation)
    implements AutoCloseable {

  /**
   * Uploads what a study's networks are trained and tested on.
   *
   * @throws dev.flinch.device.OutOfDeviceMemoryException if the device has no room for that;
   *     nothing is left there then
   */
  public static StudyExamples of(Configuration configuration, StudyData data, Device device) {
    boolean augmented =
        configuration.training().augmentations().stream().anyMatch(a -> a != Augmentation.NONE);
    LabelledImages taught = data.splits().train();
    LabelledImages held = data.splits().validation();
    DeviceExamples train = null;
    DeviceExamples test = null;
    try {
      train =
          augmented
              ? DeviceExamples.withPixels(device, taught)
              : new DeviceExamples(device, taught);
      test = new DeviceExamples(device, data.splits().test());
      return new StudyExamples(
          train, test, held.count() > 0 ? new DeviceExamples(device, held) : null);
    } catch (RuntimeException e) {
      close(test);
      close(train);
      throw e;
    }
  }

  private static void close(DeviceExamples examples) {
    if (examples != null) {
      examples.close();
    }
  }

  @Override
  public void close() {
    close(validation);
    close(test);
    close(train);
  }
}
