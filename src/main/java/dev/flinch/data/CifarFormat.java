package dev.flinch.data;

import dev.flinch.device.ImageShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The binary format of CIFAR: records of one byte for each label (CIFAR-10: the class; CIFAR-100:
 * the super-class, then the class), then the image, {@code [channels][height][width]}.
 */
final class CifarFormat {
  private static final int SUPER_CLASSES = 20;

  private CifarFormat() {}

  /**
   * Reads a split. Of CIFAR-100, which is told by its 100 classes, the class is the label.
   *
   * @param files in this order
   * @param notes takes the SHA-256 of each file, and of CIFAR-100 the super-class of each class
   */
  static LabelledImages read(
      String name, ImageShape shape, int classes, List<Path> files, FileNotes notes) {
    int[] limits = classes == 100 ? new int[] {SUPER_CLASSES, classes} : new int[] {classes};
    int length = limits.length + shape.size();
    List<byte[]> pixels = new ArrayList<>();
    IntStream.Builder labels = IntStream.builder();
    for (Path path : files) {
      try (DataFile file = new DataFile(path)) {
        long at = 0;
        byte[] record = file.next(length, "a first record");
        while (record != null) {
          for (int i = 0; i < limits.length; i++) {
            if ((record[i] & 0xff) >= limits[i]) {
              throw file.malformed(at + i, "a label below " + limits[i], "" + (record[i] & 0xff));
            }
          }
          int label = record[limits.length - 1];
          int superClass = record[0];
          if (limits.length > 1) {
            int known = notes.superClasses().computeIfAbsent(label, c -> superClass);
            if (known != superClass) {
              throw file.malformed(
                  at,
                  "super-class %d of class %d, as elsewhere".formatted(known, label),
                  "" + superClass);
            }
          }
          labels.add(label);
          pixels.add(Arrays.copyOfRange(record, limits.length, length));
          at += length;
          record = file.nextOrNull(length, "record");
        }
        file.end(notes.checksums());
      }
    }
    return new LabelledImages(
        name, shape, classes, pixels.toArray(byte[][]::new), labels.build().toArray());
  }
}
