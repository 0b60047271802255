package dev.flinch.experiment;

import dev.flinch.data.LabelledImages;
import dev.flinch.device.Device;
import dev.flinch.training.Augmentation;
import dev.flinch.training.DeviceExamples;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * A study's images in a device's memory.
 *
 * @param validation null where no images are set aside
 * @param fixedTrain those training images at which stiffness is measured; null where it isn't
 * @param fixedTest those test images; likewise
 */
public record StudyExamples(
    DeviceExamples train,
    DeviceExamples test,
    DeviceExamples validation,
    DeviceExamples fixedTrain,
    DeviceExamples fixedTest)
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
    FixedImages fixed = data.fixedImages();
    Deque<DeviceExamples> made = new ArrayDeque<>();
    try {
      made.push(
          augmented
              ? DeviceExamples.withPixels(device, taught)
              : new DeviceExamples(device, taught));
      DeviceExamples train = made.peek();
      DeviceExamples test = upload(data.splits().test(), null, device, made);
      DeviceExamples validation = held.count() == 0 ? null : upload(held, null, device, made);
      DeviceExamples fixedTrain = null;
      DeviceExamples fixedTest = null;
      if (fixed != null && fixed.train() != null) {
        fixedTrain = upload(taught, fixed.train(), device, made);
      }
      if (fixed != null && fixed.test() != null) {
        fixedTest = upload(data.splits().test(), fixed.test(), device, made);
      }
      return new StudyExamples(train, test, validation, fixedTrain, fixedTest);
    } catch (RuntimeException e) {
      made.forEach(DeviceExamples::close);
      throw e;
    }
  }

  /**
   * @param chosen some of the images, or null for all
   * @param made takes what is made, to be closed if anything fails
   */
  private static DeviceExamples upload(
      LabelledImages images, int[] chosen, Device device, Deque<DeviceExamples> made) {
    made.push(
        new DeviceExamples(device, chosen == null ? images : images.subset(images.name(), chosen)));
    return made.peek();
  }

  @Override
  public void close() {
    for (DeviceExamples examples : Arrays.asList(fixedTest, fixedTrain, validation, test, train)) {
      if (examples != null) {
        examples.close();
      }
    }
  }
}
