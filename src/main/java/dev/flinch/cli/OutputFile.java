package dev.flinch.cli;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** A file that an option asks for: there when the work succeeded, and then whole. */
final class OutputFile {
  /** Writes a file's content under a name with the same ending. */
  @FunctionalInterface
  interface Content {
    void write(Path file) throws IOException;
  }

  private final Path path;

  /**
   * Makes sure, before any work, that the file can be written.
   *
   * @param option its name in messages
   * @throws RequestException if it can't
   */
  OutputFile(String option, Path path) {
    this.path = path.toAbsolutePath();
    Path folder = this.path.getParent();
    if (Files.isDirectory(this.path)) {
      throw new RequestException("%s %s: expected a file, found a folder".formatted(option, path));
    }
    if (!Files.isDirectory(folder)) {
      throw new RequestException(
          "%s %s: there is no folder %s; make it first".formatted(option, path, folder));
    }
    try {
      // Tells what permissions alone don't: read-only file systems, and root's exemptions.
      Files.writeString(part(), "");
      Files.delete(part());
    } catch (IOException e) {
      throw new RequestException(
          "%s %s: the folder %s can't be written to; choose another"
              .formatted(option, path, folder),
          e);
    }
  }

  /**
   * The same for a drawing.
   *
   * @throws RequestException also if its name does not end in .svg or .png
   */
  static OutputFile drawing(String option, Path path) {
    if (!path.toString().matches("(?i).*\\.(svg|png)")) {
      throw new RequestException(
          "%s %s: expected a name that ends in .svg or .png".formatted(option, path));
    }
    return new OutputFile(option, path);
  }

  /** A name beside the one asked for, hidden, with its ending. */
  private Path part() {
    long process = ProcessHandle.current().pid();
    return path.resolveSibling(".flinch-%d-%s".formatted(process, path.getFileName()));
  }

  /** Puts the content under the file's own name at once, over what was there. */
  void write(Content content) throws IOException {
    Path part = part();
    try {
      content.write(part);
      Files.move(part, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }
}
