package dev.flinch.cli;

import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The file of {@code --json}: there when the work succeeded, and then whole. */
final class JsonFile {
  private static final ObjectWriter WRITER =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .addModule(new SimpleModule().addSerializer(Path.class, ToStringSerializer.instance))
          .build()
          .writer();

  private final Path path;

  /**
   * Makes sure, before any work, that the file can be written.
   *
   * @throws RequestException if it can't
   */
  JsonFile(Path path) {
    this.path = path.toAbsolutePath();
    Path folder = this.path.getParent();
    if (Files.isDirectory(this.path)) {
      throw new RequestException("--json %s: expected a file, found a folder".formatted(path));
    }
    if (!Files.isDirectory(folder)) {
      throw new RequestException(
          "--json %s: there is no folder %s; make it first".formatted(path, folder));
    }
    try {
      // What permissions alone don't tell: read-only file systems, and root's exemptions.
      Files.delete(temporary());
    } catch (IOException e) {
      throw new RequestException(
          "--json %s: the folder %s can't be written to; choose another".formatted(path, folder),
          e);
    }
  }

  private Path temporary() throws IOException {
    return Files.createTempFile(path.getParent(), path.getFileName() + ".", ".part");
  }

  /** Writes a value under the file's own name at once, over what was there. */
  void write(Object value) throws IOException {
    Path part = temporary();
    try {
      Files.writeString(part, WRITER.writeValueAsString(value) + "\n");
      Files.move(part, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }
}
