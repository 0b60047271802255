package dev.flinch.data;

import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches published data sets. A file grows under a name that ends in {@code .part}, so a transfer
 * that broke off goes on where it ended, now or the next time; it gets its own name only once it is
 * whole, has the published SHA-256 and is on the disk. Archives are unpacked beside it and then
 * deleted.
 */
public final class DataFetcher {
  private static final Logger LOG = LoggerFactory.getLogger(DataFetcher.class);
  private static final String PART = ".part";
  private static final int TRIES_PER_MIRROR = 10;
  private static final int HTTP_PARTIAL = 206;
  private static final int HTTP_RANGE = 416;

  private final Path dataDirectory;
  private final Progress progress;
  private final Map<String, List<PublishedFile>> published;
  private final Duration patience;
  private final HttpClient client;

  /**
   * @param dataDirectory where each data set gets a folder of its name; made where it is missing
   * @param progress hears of bytes
   */
  public DataFetcher(Path dataDirectory, Progress progress) {
    this(dataDirectory, progress, PublishedFile.BY_DATA_SET, Duration.ofSeconds(30));
  }

  /**
   * @param patience how long a server may take to connect, to answer, and between any two pieces of
   *     its answer
   */
  DataFetcher(
      Path dataDirectory,
      Progress progress,
      Map<String, List<PublishedFile>> published,
      Duration patience) {
    this.dataDirectory = dataDirectory;
    this.progress = progress;
    this.published = published;
    this.patience = patience;
    // Follows at most five redirects, and none from https to http.
    client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NORMAL)
            .connectTimeout(patience)
            .build();
  }

  /**
   * Fetches what is missing of a data set; nothing where it is found whole.
   *
   * @return the folder of the data set
   * @throws RequestException for an unknown name, a set that needs no file, a folder that cannot be
   *     written to, or a full disk
   * @throws IOException if no mirror gave a file, with what each of them did
   * @throws InterruptedException if this thread was interrupted; what has come stays for next time
   */
  public Path fetch(String name) throws IOException, InterruptedException {
    DataSets.Entry entry = DataSets.entry(name, dataDirectory);
    if (entry.folder() == null) {
      throw new RequestException(
          name + " is made when it is used: there is nothing to fetch, use it as it is");
    }
    if (entry.found()) {
      return entry.folder();
    }
    Path folder = entry.folder();
    try {
      Files.createDirectories(folder);
      for (PublishedFile file : published.get(name)) {
        Path target = folder.resolve(file.name());
        requireSpace(folder, file);
        if (!Files.exists(target)) {
          fetch(file, target);
        }
        if (file.isArchive()) {
          unpack(target);
          Files.delete(target);
        }
      }
    } catch (AccessDeniedException e) {
      throw new RequestException(
          "%s: no permission to write there; choose another folder with --data-dir"
              .formatted(e.getFile()),
          e);
    } catch (FileSystemException e) {
      throw new RequestException(
          "%s: cannot be written (%s); choose another folder with --data-dir"
              .formatted(e.getFile(), e),
          e);
    }
    if (!DataSets.entry(name, dataDirectory).found()) {
      throw new IOException(
          "%s: what was fetched lacks files of %s; its publisher seems to have changed it"
              .formatted(folder, name));
    }
    return folder;
  }

  /** What an archive holds lies beside it for a while, and is about as large as it. */
  private static void requireSpace(Path folder, PublishedFile file) throws IOException {
    long have = size(folder.resolve(file.name())) + size(folder.resolve(file.name() + PART));
    long needed = file.bytes() - have + (file.isArchive() ? file.bytes() / 2 * 3 : 0);
    long free = Files.getFileStore(folder).getUsableSpace();
    if (free < needed) {
      throw noRoom(folder, file, free + " bytes are free of the " + needed + " needed", null);
    }
  }

  private static RequestException noRoom(
      Path folder, PublishedFile file, String found, IOException cause) {
    return new RequestException(
        "%s: cannot write %s there (%s); free some room, or choose another folder with --data-dir"
            .formatted(folder, file.name(), found),
        cause);
  }

  private void fetch(PublishedFile file, Path target) throws IOException, InterruptedException {
    Path part = target.resolveSibling(target.getFileName() + PART);
    Set<String> failures = new LinkedHashSet<>();
    for (URI mirror : file.mirrors()) {
      URI address = mirror.resolve(file.name());
      boolean again = true;
      for (int attempt = 0; again && attempt < TRIES_PER_MIRROR; attempt++) {
        long before = size(part);
        try {
          transfer(file, address, part);
          requireChecksum(file, part);
          settle(part, target);
          return;
        } catch (FileSystemException e) {
          throw e;
        } catch (IOException e) {
          failures.add(
              address + ": " + (e instanceof ConnectException ? "no connection" : e.getMessage()));
          // What came before may be what was wrong, and what came now need not come again.
          long now = size(part);
          again = now > before || before > 0 && now == 0;
        }
      }
    }
    throw new IOException(
        "%s could not be fetched; check the network and try again, which goes on where this ended:%n  %s"
            .formatted(file.name(), String.join("\n  ", failures)));
  }

  private static long size(Path file) throws IOException {
    return Files.exists(file) ? Files.size(file) : 0;
  }

  /** Gives a file its name once its bytes are on the disk. */
  private static void settle(Path file, Path target) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
    Files.move(file, target, StandardCopyOption.ATOMIC_MOVE);
  }

  private static void requireChecksum(PublishedFile file, Path part) throws IOException {
    String found = DataFile.sha256(part);
    if (!found.equals(file.sha256())) {
      Files.delete(part);
      throw new IOException("expected SHA-256 %s, found %s".formatted(file.sha256(), found));
    }
  }

  /** Brings {@code part} to the file's size, or throws with as much of it as came. */
  private void transfer(PublishedFile file, URI address, Path part)
      throws IOException, InterruptedException {
    long have = size(part);
    if (have >= file.bytes()) {
      return;
    }
    HttpRequest.Builder request = HttpRequest.newBuilder(address).timeout(patience);
    if (have > 0) {
      request.header("Range", "bytes=" + have + "-");
    }
    HttpResponse<InputStream> response =
        client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    try (InputStream body = response.body()) {
      int status = response.statusCode();
      String range = response.headers().firstValue("Content-Range").orElse("none");
      boolean resumes = status == HTTP_PARTIAL && range.startsWith("bytes " + have + "-");
      if (status == HTTP_RANGE || status == HTTP_PARTIAL && !resumes) {
        Files.deleteIfExists(part);
        throw new IOException(
            "asked to go on from byte %d, answered %d with the range %s"
                .formatted(have, status, range));
      }
      if (status >= 300 && status < 400) {
        throw new IOException("redirects more than five times, or from https to http");
      }
      if (status != 200 && !resumes) {
        throw new IOException("answered with status " + status);
      }
      receive(file, body, part, resumes ? have : 0);
    }
  }

  private void receive(PublishedFile file, InputStream body, Path part, long from)
      throws IOException, InterruptedException {
    ScheduledExecutorService watch =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "data-fetcher-watch");
              thread.setDaemon(true);
              return thread;
            });
    try (FileChannel channel =
        FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel.truncate(from).position(from);
      byte[] buffer = new byte[1 << 16];
      AtomicBoolean silent = new AtomicBoolean();
      long done = from;
      while (done < file.bytes()) {
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        // The client's own timeout ends with the headers; closing the body wakes a read that hangs.
        Future<?> alarm =
            watch.schedule(
                () -> {
                  silent.set(true);
                  body.close();
                  return null;
                },
                patience.toMillis(),
                TimeUnit.MILLISECONDS);
        int count = -1;
        try {
          count = body.read(buffer, 0, (int) Math.min(buffer.length, file.bytes() - done));
        } catch (IOException e) {
          LOG.debug("{}: {}", file.name(), String.valueOf(e.getCause() == null ? e : e.getCause()));
        }
        alarm.cancel(false);
        if (count < 0) {
          throw new IOException(
              "%s after %d of %d bytes"
                  .formatted(
                      silent.get() ? "silent for " + patience.toMillis() + " ms" : "broke off",
                      done,
                      file.bytes()));
        }
        try {
          for (ByteBuffer b = ByteBuffer.wrap(buffer, 0, count); b.hasRemaining(); ) {
            channel.write(b);
          }
        } catch (ClosedByInterruptException e) {
          throw e;
        } catch (IOException e) {
          throw noRoom(part.getParent(), file, e.getMessage(), e);
        }
        done += count;
        progress.report("fetching " + file.name(), done, file.bytes());
      }
    } finally {
      watch.shutdownNow();
    }
  }

  /**
   * Unpacks an archive beside itself: into a folder of its own first, so nothing gets its name
   * before all of it has come out.
   */
  private static void unpack(Path archive) throws IOException {
    Path folder = archive.getParent();
    Path unpacked = folder.resolve(archive.getFileName() + ".unpacked");
    deleteTree(unpacked);
    Files.createDirectory(unpacked);
    try {
      unpack(archive, unpacked);
      try (Stream<Path> paths = Files.walk(unpacked)) {
        for (Path path : paths.toList()) {
          Path target = folder.resolve(unpacked.relativize(path));
          if (Files.isDirectory(path)) {
            Files.createDirectories(target);
          } else {
            settle(path, target);
          }
        }
      }
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException(
          "%s cannot be unpacked (%s); make sure that the disk is not full, and try again"
              .formatted(archive, e.getMessage()),
          e);
    } finally {
      deleteTree(unpacked);
    }
  }

  private static void unpack(Path archive, Path into) throws IOException {
    try (TarArchiveInputStream tar =
        new TarArchiveInputStream(
            new GzipCompressorInputStream(
                new BufferedInputStream(Files.newInputStream(archive), 1 << 16)))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        Path target = into.resolve(entry.getName()).normalize();
        if (!target.startsWith(into) || entry.isLink() || entry.isSymbolicLink()) {
          throw new IOException(
              "its entry %s leads out of it or is a link".formatted(entry.getName()));
        }
        if (entry.isDirectory()) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.getParent());
          Files.copy(tar, target);
        }
      }
    }
  }

  private static void deleteTree(Path root) throws IOException {
    if (Files.exists(root)) {
      try (Stream<Path> paths = Files.walk(root)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }
}
