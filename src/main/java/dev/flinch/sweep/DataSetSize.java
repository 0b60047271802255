package dev.flinch.sweep;

import dev.flinch.data.DataSets;
import dev.flinch.device.ImageShape;

/**
 * What is known of a setting's data without reading it.
 *
 * @param shape of images, cropped if they are
 * @param train images of the published training split
 * @param test images of the published test split
 */
record DataSetSize(ImageShape shape, int classes, int train, int test) {
  /**
   * @throws dev.flinch.base.RequestException for an unknown name
   */
  static DataSetSize of(String dataset) {
    DataSets.Entry entry = DataSets.entry(dataset, DataSets.defaultDirectory());
    return new DataSetSize(entry.shape(), entry.classes(), entry.train(), entry.test());
  }

  /** The same with images cropped to a side; null for whole ones. */
  DataSetSize cropped(Long side) {
    return side == null
        ? this
        : new DataSetSize(
            new ImageShape(shape.channels(), side.intValue(), side.intValue()),
            classes,
            train,
            test);
  }
}
