package dev.flinch.data;

import dev.flinch.base.RequestException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;

/**
 * A data file that is read once from front to back, unpacked on the way where its name ends in
 * {@code .gz}. No more memory is taken than the file has bytes for, whatever its header claims.
 */
final class DataFile implements AutoCloseable {
  private static final String REMEDY =
      "; delete the file and get it again, with `flinch data fetch` or from where you have it";

  private final Path path;
  private final DigestInputStream raw;
  private final InputStream content;
  private long offset;

  DataFile(Path path) {
    this.path = path;
    try {
      raw = new DigestInputStream(Files.newInputStream(path), sha256());
    } catch (IOException e) {
      throw unreadable(e);
    }
    try {
      InputStream buffered = new BufferedInputStream(raw, 1 << 16);
      content =
          path.toString().endsWith(".gz")
              ? new BufferedInputStream(
                  GzipCompressorInputStream.builder()
                      .setInputStream(buffered)
                      .setDecompressConcatenated(true)
                      .get())
              : buffered;
    } catch (IOException e) {
      close();
      throw unreadable(e);
    }
  }

  /** The next bytes, as many as asked for. */
  byte[] next(int length, String what) {
    byte[] bytes = new byte[length];
    int found = read(bytes);
    if (found < length) {
      throw malformed(
          offset - found, what + " of " + length + " bytes", "the end after " + found + " of them");
    }
    return bytes;
  }

  /** The next bytes, or null where the file ends before them; it may not end within them. */
  byte[] nextOrNull(int length, String what) {
    byte[] bytes = new byte[length];
    int found = read(bytes);
    if (found > 0 && found < length) {
      throw malformed(
          offset - found,
          "the end of the file after a whole number of " + what + "s of " + length + " bytes",
          found + " more bytes");
    }
    return found == 0 ? null : bytes;
  }

  private int read(byte[] bytes) {
    // A small gzip can unpack to more than any memory; what is read is kept, and is not all there
    // is.
    if (offset + bytes.length > Runtime.getRuntime().maxMemory() / 2) {
      throw new RequestException(
          "%s: its content takes more than half of this process's memory of %d MiB: run with more (java -Xmx)"
              .formatted(path, Runtime.getRuntime().maxMemory() >> 20));
    }
    try {
      int found = content.readNBytes(bytes, 0, bytes.length);
      offset += found;
      return found;
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** Requires that everything has been read, and notes the SHA-256 of the file as it lies. */
  void end(Map<String, String> checksums) {
    if (read(new byte[1]) > 0) {
      throw malformed(offset - 1, "the end of the file", "more bytes");
    }
    checksums.put(
        path.getFileName().toString(), HexFormat.of().formatHex(raw.getMessageDigest().digest()));
  }

  /** What to throw where the bytes at an offset, counted unpacked, are not what they should be. */
  RequestException malformed(long at, String expected, String found) {
    return new RequestException(
        "%s: byte %d: expected %s, found %s%s".formatted(path, at, expected, found, REMEDY));
  }

  private RequestException unreadable(IOException e) {
    return new RequestException(
        "%s: cannot be read past byte %d (%s)%s".formatted(path, offset, e, REMEDY), e);
  }

  @Override
  public void close() {
    try {
      raw.close();
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** The SHA-256 of a file, in lower-case hexadecimal digits. */
  static String sha256(Path file) throws IOException {
    try (DigestInputStream in = new DigestInputStream(Files.newInputStream(file), sha256())) {
      in.transferTo(OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(in.getMessageDigest().digest());
    }
  }
}
