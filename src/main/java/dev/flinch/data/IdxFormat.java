package dev.flinch.data;

import dev.flinch.device.ImageShape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The format of MNIST: big-endian; two zero bytes, a type (8: unsigned bytes), the number of
 * dimensions, each dimension as 32 bits, then the bytes. One file has the images ({@code
 * [n][height] [width]}), another the labels ({@code [n]}).
 */
final class IdxFormat {
  private IdxFormat() {}

  /**
   * Reads a split.
   *
   * @param files the images' file, then the labels'
   * @param notes takes the SHA-256 of each file
   */
  static LabelledImages read(
      String name, ImageShape shape, int classes, List<Path> files, FileNotes notes) {
    List<byte[]> pixels = new ArrayList<>();
    try (DataFile file = new DataFile(files.get(0))) {
      long count = header(file, 3);
      for (int i = 0; i < 2; i++) {
        int expected = i == 0 ? shape.height() : shape.width();
        long found = number(file, i == 0 ? "the height" : "the width");
        if (found != expected) {
          throw file.malformed(
              8 + 4L * i, (i == 0 ? "a height of " : "a width of ") + expected, "" + found);
        }
      }
      for (long i = 0; i < count; i++) {
        pixels.add(file.next(shape.size(), "image " + i + " of " + count));
      }
      file.end(notes.checksums());
    }
    int[] labels = new int[pixels.size()];
    try (DataFile file = new DataFile(files.get(1))) {
      long count = header(file, 1);
      if (count != labels.length) {
        throw file.malformed(
            4,
            "%d labels, one for each image of %s".formatted(labels.length, files.get(0)),
            "" + count);
      }
      for (int i = 0; i < labels.length; i++) {
        labels[i] = file.next(1, "label " + i + " of " + count)[0] & 0xff;
        if (labels[i] >= classes) {
          throw file.malformed(8L + i, "a label below " + classes, "" + labels[i]);
        }
      }
      file.end(notes.checksums());
    }
    return new LabelledImages(name, shape, classes, pixels.toArray(byte[][]::new), labels);
  }

  /** Checks the magic number and returns the first dimension, 1 or more. */
  private static long header(DataFile file, int dimensions) {
    long expected = 0x800 + dimensions;
    long magic = number(file, "the magic number");
    if (magic != expected) {
      throw file.malformed(
          0,
          "the IDX magic number %08x (unsigned bytes, dimensions: %d)"
              .formatted(expected, dimensions),
          "%08x".formatted(magic));
    }
    long count = number(file, "the number of items");
    if (count == 0) {
      throw file.malformed(4, "one item or more", "none");
    }
    return count;
  }

  private static long number(DataFile file, String what) {
    return Integer.toUnsignedLong(ByteBuffer.wrap(file.next(4, what)).getInt());
  }
}
