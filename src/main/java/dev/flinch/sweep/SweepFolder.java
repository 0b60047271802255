package dev.flinch.sweep;

import dev.flinch.base.RequestException;
import dev.flinch.store.StoreLocation;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
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

  /** Every network and what came of it, unless the sweep is in another store. */
  public Path results() {
    return path.resolve("results.sqlite");
  }

  /**
   * Where the sweep's results are.
   *
   * @throws RequestException if what the folder says of it cannot be read
   */
  public StoreLocation store() {
    if (!Files.exists(elsewhere())) {
      return StoreLocation.file(results());
    }
    try {
      return named(Files.readString(elsewhere()).strip());
    } catch (CharacterCodingException e) {
      throw notNamed(e);
    } catch (IOException e) {
      throw new RequestException(
          "%s: cannot be read: %s".formatted(elsewhere(), RequestException.reason(e)), e);
    }
  }

  private StoreLocation named(String text) {
    try {
      StoreLocation store = StoreLocation.of(text);
      if (text.lines().count() == 1 && (store.isShared() || Path.of(text).isAbsolute())) {
        return store;
      }
    } catch (InvalidPathException e) {
      throw notNamed(e);
    } catch (RequestException e) {
      throw new RequestException("%s: %s".formatted(elsewhere(), e.getMessage()), e);
    }
    throw notNamed(null);
  }

  private RequestException notNamed(Exception cause) {
    return new RequestException(
        "%s: expected one line, the URL or the absolute path of the sweep's store, found something else; put it right, or choose another folder"
            .formatted(elsewhere()),
        cause);
  }

  /** Whether a sweep has begun here. */
  public boolean isBegun() {
    return Files.isRegularFile(results()) || Files.exists(elsewhere());
  }

  /** Names the store, where that is not in this folder; without credentials. */
  private Path elsewhere() {
    return path.resolve("store.url");
  }

  /**
   * Makes the folder, where it is not there.
   *
   * @throws RequestException if it cannot be made, or belongs to a sweep in another store
   */
  void make(StoreLocation store) {
    if (isBegun() && !name(store()).equals(name(store))) {
      throw new RequestException(
          "%s: its sweep is in %s; leave --store away, or choose another --out"
              .formatted(path, store()));
    }
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw RequestException.cannotWrite(path, "choose another --out", e);
    }
    if (!name(store).equals(name(StoreLocation.file(results())))) {
      write(elsewhere(), file -> Files.writeString(file, name(store) + "\n"));
    }
  }

  /** What tells stores apart, and names them from anywhere. */
  private static String name(StoreLocation store) {
    return store.isShared()
        ? store.url()
        : Path.of(store.url()).toAbsolutePath().normalize().toString();
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
    return "every network that is done is kept: make room in %s, then go on with the same command"
        .formatted(path);
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
