package dev.flinch.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of one run, locked against other processes while it is open. Every file is written
 * whole or not at all, so a process may be killed at any moment. While a run is not finished, its
 * folder holds the running stack's checkpoint and a file for each finished stack.
 */
final class RunFolder implements AutoCloseable {
  static final String WEIGHTS = "weights.safetensors";
  static final String HISTORY = "history.csv";
  static final String STIFFNESS = "stiffness.csv";
  static final String METRICS = "metrics.json";
  static final String FIGURES = "figures";

  static final String CONFIG = "config.json";
  static final String PROVENANCE = "provenance.json";
  private static final String CHECKPOINT = "checkpoint.safetensors";
  private static final String FINISHED_STACK = "finished-%d.safetensors";
  private static final String LOCK = "lock";

  /** Writes a file at a path. */
  @FunctionalInterface
  interface Writer {
    void write(Path path) throws IOException;
  }

  private final Path path;
  private final FileChannel lock;

  private RunFolder(Path path, FileChannel lock) {
    this.path = path;
    this.lock = lock;
  }

  /** Refuses a path where something is. */
  static void requireAbsent(Path path) {
    if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      throw new RequestException(
          path
              + ": exists already, and run folders are never overwritten; choose another --out, or go on with --resume if it is an interrupted run of this configuration");
    }
  }

  /**
   * Makes and locks the folder of a new run.
   *
   * @throws RequestException if there is one already or none can be written there; nothing is left
   *     behind then
   */
  static RunFolder create(Path path, Configuration configuration, Provenance provenance) {
    requireAbsent(path);
    try {
      Files.createDirectories(path.toAbsolutePath().getParent());
      Files.createDirectory(path);
    } catch (FileAlreadyExistsException e) {
      requireAbsent(path);
      throw cannotCreate(path, e);
    } catch (IOException e) {
      throw cannotCreate(path, e);
    }
    RunFolder folder = null;
    try {
      folder = lock(path);
      folder.writeText(CONFIG, configuration.toJson());
      folder.write(provenance);
      return folder;
    } catch (RequestException e) {
      if (folder != null) {
        folder.close();
      }
      for (String name : List.of(CONFIG, PROVENANCE, LOCK, "")) {
        try {
          Files.deleteIfExists(path.resolve(name));
        } catch (IOException leftBehind) {
          e.addSuppressed(leftBehind);
        }
      }
      throw e;
    }
  }

  /**
   * Locks the folder of an earlier run.
   *
   * @throws RequestException if another process works there
   */
  static RunFolder open(Path path) {
    return lock(path);
  }

  private static RunFolder lock(Path path) {
    try {
      FileChannel channel =
          FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock held;
      try {
        held = channel.tryLock();
      } catch (OverlappingFileLockException e) {
        held = null;
      }
      if (held == null) {
        channel.close();
        throw new RequestException(
            path + ": another process is at work there; wait for it, or choose another --out");
      }
      return new RunFolder(path, channel);
    } catch (IOException e) {
      throw RequestException.cannotWrite(path.resolve(LOCK), "check the folder's permissions", e);
    }
  }

  /**
   * Refuses to go on with a folder unless it holds a run of the same configuration.
   *
   * @return how far that run is
   */
  static Provenance requireRunOf(Path path, Configuration configuration) {
    if (!Files.isDirectory(path)) {
      throw new RequestException(
          path + ": no run folder, so there is nothing to resume; leave out --resume to begin");
    }
    if (!Files.exists(path.resolve(CONFIG)) || !Files.exists(path.resolve(PROVENANCE))) {
      throw new RequestException(
          "%s: expected a run folder with %s and %s, found none; choose another --out, without --resume"
              .formatted(path, CONFIG, PROVENANCE));
    }
    Provenance provenance = provenance(path);
    JsonNode before = convert(path.resolve(CONFIG), JsonNode.class);
    List<String> changed = ConfigurationChanges.between(before, Json.tree(configuration.toJson()));
    if (!changed.isEmpty()) {
      throw new RequestException(
          "%s: began with another configuration:\n  %s\nAsk for what it began with, or choose another --out without --resume."
              .formatted(path, String.join("\n  ", changed)));
    }
    return provenance;
  }

  /**
   * The configuration of the run whose weights a file holds, if it is the file of a run folder.
   *
   * @throws RequestException if the folder's configuration is damaged
   */
  static Optional<Configuration> configurationOf(Path weights) {
    Path folder = weights.toAbsolutePath().getParent();
    boolean ofRun =
        weights.getFileName().toString().equals(WEIGHTS)
            && Files.isRegularFile(folder.resolve(CONFIG))
            && Files.isRegularFile(folder.resolve(PROVENANCE));
    return ofRun
        ? Optional.of(Configurations.load(folder.resolve(CONFIG), List.of()))
        : Optional.empty();
  }

  /**
   * The results of the run whose weights a file holds, if it is the file of a finished run's
   * folder.
   *
   * @throws RequestException if the results are damaged
   */
  static Optional<StudyMetrics> metricsOf(Path weights) {
    Path folder = weights.toAbsolutePath().getParent();
    boolean ofRun =
        weights.getFileName().toString().equals(WEIGHTS)
            && Files.isRegularFile(folder.resolve(METRICS));
    return ofRun ? Optional.of(metrics(folder)) : Optional.empty();
  }

  /** Where a run's numbers come from, and whether it has ended. */
  static Provenance provenance(Path path) {
    return convert(path.resolve(PROVENANCE), Provenance.class);
  }

  /** The results that a finished run left. */
  static StudyMetrics metrics(Path path) {
    return convert(path.resolve(METRICS), StudyMetrics.class);
  }

  private static <T> T convert(Path file, Class<T> type) {
    try {
      return Configurations.MAPPER.readValue(Files.readAllBytes(file), type);
    } catch (JsonProcessingException e) {
      throw new RequestException(
          "%s: damaged: %s; begin a new run with another --out"
              .formatted(file, e.getOriginalMessage()),
          e);
    } catch (IOException e) {
      throw new RequestException(
          "%s: cannot be read: %s".formatted(file, RequestException.reason(e)), e);
    }
  }

  Path path() {
    return path;
  }

  /** Where the running stack's checkpoint is, or would be. */
  Path checkpoint() {
    return path.resolve(CHECKPOINT);
  }

  /** Where the weights and results of a finished stack are, or would be. */
  Path finished(int stack) {
    return path.resolve(FINISHED_STACK.formatted(stack));
  }

  void write(Provenance provenance) {
    writeText(PROVENANCE, Json.text(provenance));
  }

  void writeText(String name, String text) {
    write(
        path.resolve(name),
        file -> {
          Path part = file.resolveSibling(file.getFileName() + ".part");
          try {
            try (FileChannel out =
                FileChannel.open(
                    part,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
              ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
              while (bytes.hasRemaining()) {
                out.write(bytes);
              }
              out.force(true);
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
          } catch (IOException e) {
            Files.deleteIfExists(part);
            throw e;
          }
        });
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

  /**
   * Deletes files, where they are.
   *
   * @throws RequestException if one cannot be deleted
   */
  void delete(List<Path> files) {
    for (Path file : files) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        throw RequestException.cannotWrite(file, "check the folder's permissions", e);
      }
    }
  }

  private String remedy() {
    return Files.exists(path.resolve(PROVENANCE))
        ? path + " holds all work up to the last checkpoint: make room, then go on with --resume"
        : "make room, or choose another --out";
  }

  /** Deletes what only an unfinished run needs. */
  void tidy() {
    try (Stream<Path> files = Files.list(path)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (name.equals(CHECKPOINT) || name.matches(FINISHED_STACK.replace("%d", "\\d+"))) {
          Files.delete(file);
        }
      }
      lock.close();
      Files.deleteIfExists(path.resolve(LOCK));
    } catch (IOException e) {
      throw RequestException.cannotWrite(path, "the run is finished all the same", e);
    }
  }

  private static RequestException cannotCreate(Path path, IOException e) {
    return new RequestException(
        "%s: cannot be made: %s; choose another --out".formatted(path, RequestException.reason(e)),
        e);
  }

  @Override
  public void close() {
    try {
      lock.close();
    } catch (IOException e) {
      throw RequestException.cannotWrite(path.resolve(LOCK), "check the disk", e);
    }
  }
}
