package dev.flinch.data;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.GZIPOutputStream;

/** Writes small data sets in the published formats, byte by byte. */
public final class SmallFiles {
  static final int[] DIGITS = {3, 0, 9, 1, 1};

  private SmallFiles() {}

  /** Five training images, two test images; component j of image i is (i + j) mod 256. */
  static Path mnist(Path dataDirectory) throws IOException {
    Path folder = Files.createDirectories(dataDirectory.resolve("mnist"));
    Files.write(folder.resolve("train-images-idx3-ubyte"), idxImages(5, 28, 28));
    Files.write(folder.resolve("train-labels-idx1-ubyte"), idxLabels(DIGITS));
    Files.write(folder.resolve("t10k-images-idx3-ubyte"), idxImages(2, 28, 28));
    Files.write(folder.resolve("t10k-labels-idx1-ubyte"), idxLabels(7, 2));
    return folder;
  }

  static byte[] idxImages(int count, int height, int width) {
    ByteBuffer file = ByteBuffer.allocate(16 + count * height * width);
    file.putInt(0x803).putInt(count).putInt(height).putInt(width);
    for (int i = 0; i < count; i++) {
      for (int j = 0; j < height * width; j++) {
        file.put((byte) (i + j));
      }
    }
    return file.array();
  }

  static byte[] idxLabels(int... labels) {
    ByteBuffer file = ByteBuffer.allocate(8 + labels.length).putInt(0x801).putInt(labels.length);
    for (int label : labels) {
      file.put((byte) label);
    }
    return file.array();
  }

  /** One record for each array of labels; component j of record i is (7 i + j) mod 256. */
  public static byte[] cifar(int[]... records) {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    for (int i = 0; i < records.length; i++) {
      for (int label : records[i]) {
        file.write(label);
      }
      for (int j = 0; j < 3072; j++) {
        file.write(7 * i + j);
      }
    }
    return file.toByteArray();
  }

  static byte[] gzip(byte[] bytes) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(bytes);
    }
    return packed.toByteArray();
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
