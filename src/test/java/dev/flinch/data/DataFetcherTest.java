package dev.flinch.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.flinch.base.Progress;
import dev.flinch.base.RequestException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The client against servers on the loopback interface that behave badly in every known way. */
class DataFetcherTest {
  private static final Duration LONG = Duration.ofSeconds(20);
  private static final String BIG = "train-images-idx3-ubyte.gz";

  @TempDir Path data;
  private HttpServer server;
  private ExecutorService threads;
  private final Map<String, byte[]> files = new LinkedHashMap<>();

  /** What the server was asked for: path, and the range where there was one. */
  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());

  private interface Answer {
    void to(HttpExchange exchange, byte[] content) throws IOException;
  }

  @BeforeEach
  void start() throws IOException {
    // Images gzip well as they repeat; 400 of them are still more than one buffer unpacked.
    files.put(BIG, SmallFiles.gzip(SmallFiles.idxImages(400, 28, 28)));
    files.put("train-labels-idx1-ubyte.gz", SmallFiles.gzip(SmallFiles.idxLabels(new int[400])));
    files.put("t10k-images-idx3-ubyte.gz", SmallFiles.gzip(SmallFiles.idxImages(1, 28, 28)));
    files.put("t10k-labels-idx1-ubyte.gz", SmallFiles.gzip(SmallFiles.idxLabels(4)));
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    threads = Executors.newCachedThreadPool();
    server.setExecutor(threads);
    server.start();
    serve("/good/", DataFetcherTest::whole);
  }

  @AfterEach
  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void serve(String path, Answer answer) {
    server.createContext(
        path,
        exchange -> {
          String range = exchange.getRequestHeaders().getFirst("Range");
          requests.add(exchange.getRequestURI() + (range == null ? "" : " " + range));
          String name = exchange.getRequestURI().getPath().replaceFirst(".*/", "");
          try (exchange) {
            answer.to(exchange, files.get(name));
          }
        });
  }

  private static void whole(HttpExchange exchange, byte[] content) throws IOException {
    exchange.sendResponseHeaders(200, content.length);
    exchange.getResponseBody().write(content);
  }

  /** Answers a range request as it should, and says of {@code from} that it starts there. */
  private static void rest(HttpExchange exchange, byte[] content, int from) throws IOException {
    exchange
        .getResponseHeaders()
        .set("Content-Range", "bytes %d-%d/%d".formatted(from, content.length - 1, content.length));
    exchange.sendResponseHeaders(206, content.length - from);
    exchange.getResponseBody().write(content, from, content.length - from);
  }

  private static int start(HttpExchange exchange) {
    String range = exchange.getRequestHeaders().getFirst("Range");
    return range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
  }

  private URI base(String path) {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
  }

  private DataFetcher fetcher(Duration patience, String... mirrors) {
    return fetcher(patience, Progress.NONE, Stream.of(mirrors).map(this::base).toList());
  }

  private DataFetcher fetcher(Duration patience, Progress progress, List<URI> mirrors) {
    return new DataFetcher(
        data,
        progress,
        Map.of(
            "mnist",
            files.entrySet().stream()
                .map(
                    file ->
                        new PublishedFile(
                            file.getKey(),
                            file.getValue().length,
                            SmallFiles.sha256(file.getValue()),
                            mirrors))
                .toList()),
        patience);
  }

  private Path part() throws IOException {
    return Files.createDirectories(data.resolve("mnist")).resolve(BIG + ".part");
  }

  private void assertFetched() throws IOException {
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      assertArrayEquals(
          file.getValue(), Files.readAllBytes(data.resolve("mnist").resolve(file.getKey())));
    }
    assertEquals(files.size(), data.resolve("mnist").toFile().list().length);
    assertEquals(400, DataSets.load("mnist", data).train().count());
  }

  private void assertFails(DataFetcher fetcher, String... parts) {
    IOException failure = assertThrows(IOException.class, () -> fetcher.fetch("mnist"));
    for (String part : parts) {
      assertTrue(failure.getMessage().contains(part), part + " is not in: " + failure.getMessage());
    }
    assertFalse(Files.exists(data.resolve("mnist").resolve(BIG)));
  }

  private long requestsFor(String file) {
    return requests.stream().filter(request -> request.contains(file)).count();
  }

  @Test
  void allFilesAreFetchedOnceAndReported() throws Exception {
    List<String> reports = Collections.synchronizedList(new ArrayList<>());
    DataFetcher fetcher =
        fetcher(
            LONG,
            (task, done, total) -> reports.add(task + " " + done + "/" + total),
            List.of(base("/good/")));
    assertEquals(data.resolve("mnist"), fetcher.fetch("mnist"));
    assertFetched();
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      int bytes = file.getValue().length;
      assertTrue(reports.contains("fetching " + file.getKey() + " " + bytes + "/" + bytes));
    }
    fetcher.fetch("mnist");
    assertEquals(4, requests.size());
  }

  @Test
  void aFileThatIsThereIsNotFetchedAgain() throws Exception {
    Path folder = Files.createDirectories(data.resolve("mnist"));
    Files.write(folder.resolve(BIG), files.get(BIG));
    fetcher(LONG, "/good/").fetch("mnist");
    assertFetched();
    assertEquals(0, requestsFor(BIG));
  }

  @Test
  void aTransferThatIsCutOffGoesOnWhereItEnded() throws Exception {
    serve(
        "/cut/",
        (exchange, content) -> {
          int from = start(exchange);
          if (from > 0 || content.length < 1000) {
            if (from > 0) {
              rest(exchange, content, from);
            } else {
              whole(exchange, content);
            }
          } else {
            exchange.sendResponseHeaders(200, content.length);
            exchange.getResponseBody().write(content, 0, 1000);
          }
        });
    fetcher(LONG, "/cut/").fetch("mnist");
    assertFetched();
    assertTrue(requests.contains("/cut/" + BIG + " bytes=1000-"), requests.toString());
    assertEquals(2, requestsFor(BIG));
  }

  @Test
  void aTransferOfAnEarlierTimeGoesOn() throws Exception {
    Files.write(part(), Arrays.copyOf(files.get(BIG), 700));
    serve(
        "/range/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            rest(exchange, content, start(exchange));
          } else {
            whole(exchange, content);
          }
        });
    fetcher(LONG, "/range/").fetch("mnist");
    assertFetched();
    assertEquals(1, requestsFor(BIG));
    assertTrue(requests.contains("/range/" + BIG + " bytes=700-"), requests.toString());
  }

  @Test
  void aCompletePartIsCheckedWithoutAsking() throws Exception {
    Files.write(part(), files.get(BIG));
    fetcher(LONG, "/good/").fetch("mnist");
    assertFetched();
    assertEquals(0, requestsFor(BIG));
  }

  @Test
  void aServerThatIgnoresRangesIsReadFromTheStart() throws Exception {
    Files.write(part(), Arrays.copyOf(files.get(BIG), 700));
    fetcher(LONG, "/good/").fetch("mnist");
    assertFetched();
    assertEquals(1, requestsFor(BIG));
  }

  @Test
  void aWrongContentRangeIsNotBelieved() throws Exception {
    Files.write(part(), Arrays.copyOf(files.get(BIG), 700));
    serve(
        "/shifted/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            rest(exchange, content, start(exchange) - 1);
          } else {
            whole(exchange, content);
          }
        });
    fetcher(LONG, "/shifted/").fetch("mnist");
    assertFetched();
    assertEquals(List.of("/shifted/" + BIG + " bytes=700-", "/shifted/" + BIG), bigRequests());
  }

  private List<String> bigRequests() {
    return requests.stream().filter(request -> request.contains(BIG)).toList();
  }

  @Test
  void aRangeThatCannotBeHadStartsAfresh() throws Exception {
    Files.write(part(), Arrays.copyOf(files.get(BIG), 700));
    serve(
        "/refusing/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            exchange.sendResponseHeaders(416, -1);
          } else {
            whole(exchange, content);
          }
        });
    fetcher(LONG, "/refusing/").fetch("mnist");
    assertFetched();
    assertEquals(List.of("/refusing/" + BIG + " bytes=700-", "/refusing/" + BIG), bigRequests());
  }

  @Test
  void aServerThatCutsOffAndRefusesRangesForeverIsGivenUp() {
    serve(
        "/both/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            exchange.sendResponseHeaders(416, -1);
          } else {
            exchange.sendResponseHeaders(200, content.length);
            exchange.getResponseBody().write(content, 0, 10);
          }
        });
    assertFails(fetcher(LONG, "/both/"), BIG, "broke off after 10 of", "416");
    assertTrue(requests.size() <= 10, requests.toString());
  }

  @Test
  void aWrongPartOfAnEarlierTimeIsReplaced() throws Exception {
    Files.write(part(), new byte[700]);
    serve(
        "/range/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            rest(exchange, content, start(exchange));
          } else {
            whole(exchange, content);
          }
        });
    fetcher(LONG, "/range/").fetch("mnist");
    assertFetched();
    assertEquals(2, requestsFor(BIG));
  }

  @Test
  void aLieAboutTheContentIsRefusedAndTheNextMirrorAsked() throws Exception {
    serve(
        "/lie/",
        (exchange, content) -> {
          byte[] other = content.clone();
          other[other.length / 2] ^= 1;
          whole(exchange, other);
        });
    byte[] lie = files.get(BIG).clone();
    lie[lie.length / 2] ^= 1;
    assertFails(
        fetcher(LONG, "/lie/"),
        BIG,
        "expected SHA-256 " + SmallFiles.sha256(files.get(BIG)),
        "found " + SmallFiles.sha256(lie));
    assertFalse(Files.exists(part()));
    fetcher(LONG, "/lie/", "/good/").fetch("mnist");
    assertFetched();
  }

  @ParameterizedTest
  @ValueSource(ints = {301, 302, 303, 307, 308})
  void redirectsAreFollowedWithTheirRange(int status) throws Exception {
    Files.write(part(), Arrays.copyOf(files.get(BIG), 700));
    serve(
        "/moved/",
        (exchange, content) -> {
          exchange
              .getResponseHeaders()
              .set("Location", "/range/" + exchange.getRequestURI().getPath().substring(7));
          exchange.sendResponseHeaders(status, -1);
        });
    serve(
        "/range/",
        (exchange, content) -> {
          if (start(exchange) > 0) {
            rest(exchange, content, start(exchange));
          } else {
            whole(exchange, content);
          }
        });
    fetcher(LONG, "/moved/").fetch("mnist");
    assertFetched();
    assertTrue(requests.contains("/range/" + BIG + " bytes=700-"), requests.toString());
  }

  @Test
  void endlessRedirectsEnd() {
    serve(
        "/round/",
        (exchange, content) -> {
          exchange.getResponseHeaders().set("Location", exchange.getRequestURI().toString());
          exchange.sendResponseHeaders(302, -1);
        });
    assertFails(fetcher(LONG, "/round/"), "/round/" + BIG, "redirects");
    assertTrue(requests.size() < 20, requests.size() + " requests");
  }

  @ParameterizedTest
  @ValueSource(ints = {404, 500, 503})
  void anErrorOfTheServerSendsToTheNextMirrorAndIsToldInTheEnd(int status) throws Exception {
    serve("/error/", (exchange, content) -> exchange.sendResponseHeaders(status, -1));
    assertFails(
        fetcher(LONG, "/error/a/", "/error/b/"),
        "/error/a/" + BIG + ": answered with status " + status,
        "/error/b/" + BIG + ": answered with status " + status);
    assertEquals(2, requests.size());
    fetcher(LONG, "/error/", "/good/").fetch("mnist");
    assertFetched();
  }

  @Test
  void anErrorOfTheServerKeepsWhatHasCome() throws Exception {
    byte[] begun = Arrays.copyOf(files.get(BIG), 700);
    Files.write(part(), begun);
    serve("/error/", (exchange, content) -> exchange.sendResponseHeaders(500, -1));
    assertFails(fetcher(LONG, "/error/"), "500");
    assertArrayEquals(begun, Files.readAllBytes(part()));
  }

  @Test
  void aServerThatFallsSilentIsGivenUp() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    serve(
        "/silent/",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, content.length);
          exchange.getResponseBody().write(content, 0, 500);
          exchange.getResponseBody().flush();
          await(over);
        });
    serve("/mute/", (exchange, content) -> await(over));
    try {
      assertFails(
          fetcher(Duration.ofSeconds(1), "/silent/", "/mute/"),
          "silent for 1000 ms after 500 of",
          "timed out");
      assertEquals(500, Files.size(part()));
    } finally {
      over.countDown();
    }
  }

  @Test
  void anInterruptionEndsATransferAndKeepsWhatHasCome() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    serve(
        "/silent/",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, content.length);
          exchange.getResponseBody().write(content, 0, 500);
          exchange.getResponseBody().flush();
          await(over);
        });
    Thread fetching = Thread.currentThread();
    Progress interrupting = (task, done, total) -> fetching.interrupt();
    try {
      DataFetcher fetcher = fetcher(LONG, interrupting, List.of(base("/silent/"), base("/good/")));
      assertThrows(InterruptedException.class, () -> fetcher.fetch("mnist"));
      assertEquals(500, Files.size(part()));
    } finally {
      over.countDown();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aServerThatIsNotThereIsNamed() throws Exception {
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    URI nobody = URI.create("http://127.0.0.1:" + port + "/");
    assertFails(
        fetcher(LONG, Progress.NONE, List.of(nobody)), nobody + BIG, "no connection", "try again");
    fetcher(LONG, Progress.NONE, List.of(nobody, base("/good/"))).fetch("mnist");
    assertFetched();
  }

  @Test
  void moreThanPublishedIsNotTaken() throws Exception {
    serve(
        "/endless/",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, 0);
          exchange.getResponseBody().write(content);
          exchange.getResponseBody().write(new byte[100_000]);
        });
    fetcher(LONG, "/endless/").fetch("mnist");
    assertFetched();
  }

  @Test
  void aDiskWithoutRoomIsRefusedBeforeAnyRequest() {
    DataFetcher fetcher =
        new DataFetcher(
            data,
            Progress.NONE,
            Map.of("mnist", List.of(new PublishedFile(BIG, 1L << 60, "", List.of(base("/good/"))))),
            LONG);
    String message =
        assertThrows(RequestException.class, () -> fetcher.fetch("mnist")).getMessage();
    assertTrue(message.contains("of the 1152921504606846976 needed"), message);
    assertTrue(message.contains("--data-dir"), message);
    assertEquals(List.of(), requests);
  }

  @Test
  void aFolderThatCannotBeWrittenToIsRefused() throws IOException {
    Path file = Files.createFile(data.resolve("mnist"));
    String message =
        assertThrows(RequestException.class, () -> fetcher(LONG, "/good/").fetch("mnist"))
            .getMessage();
    assertTrue(message.contains(file.toString()) && message.contains("--data-dir"), message);
    assertEquals(List.of(), requests);
  }

  @Test
  void aFolderWithoutPermissionIsRefused() {
    assumeTrue(data.toFile().setWritable(false) && !Files.isWritable(data), "writes anywhere");
    String message =
        assertThrows(RequestException.class, () -> fetcher(LONG, "/good/").fetch("mnist"))
            .getMessage();
    assertTrue(message.contains("no permission to write there"), message);
    assertEquals(List.of(), requests);
  }

  @Test
  void namesWithoutAnythingToFetchAreRefused() {
    DataFetcher fetcher = fetcher(LONG, "/good/");
    assertTrue(
        assertThrows(RequestException.class, () -> fetcher.fetch("glyphs"))
            .getMessage()
            .contains("nothing to fetch"));
    assertTrue(
        assertThrows(RequestException.class, () -> fetcher.fetch("imagenet"))
            .getMessage()
            .contains("cifar10"));
  }

  /** A gzipped tar with one file for each name, or with a link for a name that has an arrow. */
  private static byte[] archive(byte[] content, String... names) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      for (String name : names) {
        String[] link = name.split("→");
        if (link.length == 2) {
          TarArchiveEntry entry = new TarArchiveEntry(link[0], TarConstants.LF_SYMLINK);
          entry.setLinkName(link[1]);
          tar.putArchiveEntry(entry);
        } else {
          TarArchiveEntry entry = new TarArchiveEntry(name, true);
          entry.setSize(content.length);
          tar.putArchiveEntry(entry);
          tar.write(content);
        }
        tar.closeArchiveEntry();
      }
    }
    return SmallFiles.gzip(bytes.toByteArray());
  }

  private Path fetchArchive(byte[] archive) throws IOException, InterruptedException {
    files.put("cifar-100-binary.tar.gz", archive);
    return new DataFetcher(
            data,
            Progress.NONE,
            Map.of(
                "cifar100",
                List.of(
                    new PublishedFile(
                        "cifar-100-binary.tar.gz",
                        archive.length,
                        SmallFiles.sha256(archive),
                        List.of(base("/good/"))))),
            LONG)
        .fetch("cifar100");
  }

  @Test
  void anArchiveIsUnpackedAndDeleted() throws Exception {
    Path kept = Files.createDirectories(data.resolve("cifar100/cifar-100-binary/notes"));
    Path folder =
        fetchArchive(
            archive(
                SmallFiles.cifar(new int[] {3, 33}),
                "cifar-100-binary/train.bin",
                "cifar-100-binary/test.bin"));
    assertArrayEquals(new String[] {"cifar-100-binary"}, folder.toFile().list());
    assertTrue(Files.exists(kept));
    assertArrayEquals(new int[] {33}, DataSets.load("cifar100", data).train().labels());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "../../escaped.bin",
        "cifar-100-binary/../../../escaped.bin",
        "/tmp/flinch-escaped.bin",
        "cifar-100-binary/train.bin→/etc/passwd"
      })
  void anArchiveThatLeadsOutOfItsFolderIsRefused(String path) throws Exception {
    byte[] archive =
        archive(SmallFiles.cifar(new int[] {3, 33}), "cifar-100-binary/test.bin", path);
    IOException failure = assertThrows(IOException.class, () -> fetchArchive(archive));
    assertTrue(failure.getMessage().contains(path.split("→")[0]), failure.getMessage());
    assertArrayEquals(
        new String[] {"cifar-100-binary.tar.gz"}, data.resolve("cifar100").toFile().list());
    assertArrayEquals(new String[] {"cifar100"}, data.toFile().list());
    assertFalse(Files.exists(Path.of("/tmp/flinch-escaped.bin")));
  }

  @Test
  void anArchiveWithoutTheExpectedFilesIsSaidSo() throws Exception {
    byte[] archive = archive(new byte[5], "other.bin");
    IOException failure = assertThrows(IOException.class, () -> fetchArchive(archive));
    assertTrue(failure.getMessage().contains("lacks files"), failure.getMessage());
  }
}
