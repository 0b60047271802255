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
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The folder of one run, locked against other processes while it is open. Every file is written
 * whole or not at all, so a process may be killed at any moment. While a run is not finished, its
 * folder holds the running stack's checkpoint and a file for each finished stack.
 */
final class RunFolder implements AutoCloseable {
  static final String WEIGHTS = "weights.safetensors";
  static final String HISTORY = "history.csv";
  static final String METRICS = "metrics.json";
  static final String FIGURES = "figures";

  private static final String CONFIG = "config.json";
  private static final String PROVENANCE = "provenance.json";
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
      throw cannotWrite(path.resolve(LOCK), reason(e), "check the folder's permissions", e);
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
    Provenance provenance = convert(path.resolve(PROVENANCE), Provenance.class);
    JsonNode before = convert(path.resolve(CONFIG), JsonNode.class);
    JsonNode now;
    try {
      now = Configurations.MAPPER.readTree(configuration.toJson());
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a configuration that is not JSON", e);
    }
    List<String> changed = new ArrayList<>();
    compare("", before, now, changed);
    if (!changed.isEmpty()) {
      throw new RequestException(
          "%s: began with another configuration:\n  %s\nAsk for what it began with, or choose another --out without --resume."
              .formatted(path, String.join("\n  ", changed)));
    }
    return provenance;
  }

  private static void compare(String key, JsonNode before, JsonNode now, List<String> changed) {
    if (before.isObject() && now.isObject()) {
      Set<String> names = new TreeSet<>();
      before.fieldNames().forEachRemaining(names::add);
      now.fieldNames().forEachRemaining(names::add);
      names.forEach(
          name -> compare(Schema.child(key, name), before.path(name), now.path(name), changed));
    } else if (before.isArray() && now.isArray() && before.size() == now.size()) {
      for (int i = 0; i < now.size(); i++) {
        compare(key + "[" + i + "]", before.get(i), now.get(i), changed);
      }
    } else if (!before.equals(now)) {
      changed.add("%s: was %s, is %s".formatted(key, shown(before), shown(now)));
    }
  }

  private static String shown(JsonNode value) {
    return value.isMissingNode() ? "not there" : value.toString();
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
      throw new RequestException("%s: cannot be read: %s".formatted(file, reason(e)), e);
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
      throw cannotWrite(file, reason(e), remedy(), e);
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
        throw cannotWrite(file, reason(e), "check the folder's permissions", e);
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
      throw cannotWrite(path, reason(e), "the run is finished all the same", e);
    }
  }

  private static RequestException cannotCreate(Path path, IOException e) {
    return new RequestException(
        "%s: cannot be made: %s; choose another --out".formatted(path, reason(e)), e);
  }

  private static RequestException cannotWrite(
      Path path, String reason, String remedy, IOException e) {
    return new RequestException("%s: cannot be written: %s; %s".formatted(path, reason, remedy), e);
  }

  private static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (e instanceof NoSuchFileException) {
      return "no such file or folder";
    }
    if (e instanceof FileAlreadyExistsException f) {
      return f.getFile() + " is a file";
    }
    return e instanceof FileSystemException f && f.getReason() != null
        ? f.getReason()
        : e.getMessage();
  }

  @Override
  public void close() {
    try {
      lock.close();
    } catch (IOException e) {
      throw cannotWrite(path.resolve(LOCK), reason(e), "check the disk", e);
    }
  }
}
