package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.UUID;

/** Where everything of a sweep is that its processes share. */
public record SweepFolder(Path path) {
  /** Writes a file at a path. */
  @FunctionalInterface
  interface Writer {
    void write(Path path) throws IOException;
  }

  /** Every network and what came of it. */
  public Path results() {
    return path.resolve("results.sqlite");
  }

  /** Where figures are drawn. */
  public Path figures() {
    return path.resolve("figures");
  }

  /** The page that shows everything. */
  public Path report() {
    return path.resolve("report.html");
  }

  /** Where the weights of a network are, if they are kept. */
  Path weights(String identity) {
    return path.resolve("weights").resolve(identity + ".safetensors");
  }

  /** Where the checkpoint of networks that are trained together is, or would be. */
  Path checkpoint(List<String> identities) {
    String together = String.join(" ", identities);
    UUID name = UUID.nameUUIDFromBytes(together.getBytes(StandardCharsets.US_ASCII));
    return path.resolve("checkpoints").resolve(name + ".safetensors");
  }

  /**
   * Writes a file, whose folder is made where it is missing.
   *
   * @throws RequestException that says how to go on, if it cannot be written
   */
  void write(Path file, Writer writer) {
    try {
      Files.createDirectories(file.getParent());
      writer.write(file);
    } catch (IOException e) {
      throw RequestException.cannotWrite(file, remedy(), e);
    } catch (RequestException e) {
      throw new RequestException(e.getMessage() + "\n" + remedy(), e);
    }
  }

  private String remedy() {
    return path + " holds every network that is done: make room, then go on with the same command";
  }

  /** Deletes a file, if it is there; one that stays takes room and does no harm. */
  void discard(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // A later run of the same networks takes it up or writes over it.
      return;
    }
  }
}
