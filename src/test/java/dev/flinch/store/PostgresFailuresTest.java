package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.flinch.base.RequestException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/** What a store says of servers that don't let it work: one line each, and no secret. */
@Timeout(60)
class PostgresFailuresTest {
  private static final String WRONG = "wrong-battery-17";
  private static final PostgresServer SERVER = PostgresServer.shared();

  private static String refusal(StoreLocation location) {
    RequestException e = assertThrows(RequestException.class, () -> ResultStore.open(location));
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertTrue(e.getMessage().startsWith(location.url() + ": "), e.getMessage());
    return e.getMessage();
  }

  private static void refuses(StoreLocation location, String... said) {
    long start = System.nanoTime();
    String message = refusal(location);
    long seconds = (System.nanoTime() - start) / 1_000_000_000;
    assertTrue(seconds < 3, message + " after " + seconds + " s");
    for (String part : said) {
      assertTrue(message.contains(part), message);
    }
  }

  private static StoreLocation as(String user, String password) {
    return StoreLocation.of(SERVER.url(SERVER.newDatabase(), user), Map.of("PGPASSWORD", password));
  }

  @Test
  void theRightPasswordLetsIn() {
    try (ResultStore store = ResultStore.open(as(PostgresServer.USER, SERVER.password()))) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(1, 1), List.of()));
      assertEquals(1, store.counts().networks());
    }
  }

  @Test
  void wrongAndMissingPasswordsAreSaidSo() {
    refuses(as(PostgresServer.USER, WRONG), "doesn't let user researcher in", "PGPASSWORD");
    refuses(as(PostgresServer.USER, ""), "doesn't let user researcher in", "PGPASSWORD");
  }

  @Test
  void unknownUsersAndDatabasesAreSaidSo() {
    refuses(as("nobody", ""), "doesn't let user nobody in", "\"nobody\" does not exist");
    refuses(
        StoreLocation.of(SERVER.url("nowhere", PostgresServer.ADMINISTRATOR)),
        "no database nowhere on localhost:" + SERVER.port(),
        "createdb nowhere");
  }

  @Test
  void hostsThatAreNotThereAreSaidSo() {
    refuses(
        StoreLocation.of("jdbc:postgresql://no-such-host.invalid/sweeps?user=ada"),
        "no host no-such-host.invalid");
  }

  @Test
  void encryptionThatIsNotThereIsSaidSo() {
    refuses(
        StoreLocation.of(SERVER.newUrl() + "&sslmode=require"),
        "doesn't encrypt",
        "leave sslmode out");
    refuses(
        StoreLocation.of(SERVER.url(SERVER.newDatabase(), PostgresServer.ENCRYPTING_USER)),
        "without encryption",
        "add sslmode=require");
  }

  @Test
  void aPortWithoutAServerIsTriedForAShortWhile() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    StoreLocation location =
        StoreLocation.of("jdbc:postgresql://localhost:%d/sweeps?user=ada".formatted(port));
    String message = refusal(location.withPatience(Duration.ofMillis(300)));
    assertTrue(message.contains("nothing answers on localhost:" + port), message);
    assertTrue(message.contains("connection refused"), message);
    SQLException refused = new SQLException("refused", "08001");
    assertEquals(Duration.ofSeconds(5), location.database().patience(refused, false));
    assertEquals(Duration.ofMinutes(2), location.database().patience(refused, true));
    message =
        assertThrows(
                RequestException.class,
                () ->
                    ResultStore.openExisting(
                        location.afterAnswer().withPatience(Duration.ofMillis(300))))
            .getMessage();
    assertTrue(message.contains("has not answered for"), message);
  }

  @Test
  void somethingElseThatAnswersIsSaidSo() throws IOException {
    try (ServerSocket other = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      Thread answering =
          new Thread(
              () -> {
                try {
                  while (true) {
                    try (Socket client = other.accept()) {
                      client.getOutputStream().write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes());
                    }
                  }
                } catch (IOException e) {
                  // The end of the test.
                }
              });
      answering.start();
      String message =
          refusal(
              StoreLocation.of(
                      "jdbc:postgresql://localhost:%d/sweeps?user=ada"
                          .formatted(other.getLocalPort()))
                  .withPatience(Duration.ofMillis(300)));
      assertTrue(message.contains("localhost:" + other.getLocalPort()), message);
      assertTrue(message.contains("check host and port"), message);
    }
  }

  @Test
  void whatMayNotBeWrittenIsSaidSo() throws SQLException {
    String database = SERVER.newDatabase();
    try (Connection connection =
            DriverManager.getConnection(SERVER.url(database, PostgresServer.ADMINISTRATOR));
        Statement statement = connection.createStatement()) {
      statement.execute("ALTER DATABASE %s OWNER TO postgres".formatted(database));
      statement.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    }
    StoreLocation location =
        StoreLocation.of(
            SERVER.url(database, PostgresServer.USER), Map.of("PGPASSWORD", SERVER.password()));
    refuses(location, "user researcher may not do that", "schema public");
    refuses(
        StoreLocation.of(
            location.url() + "&currentSchema=mine", Map.of("PGPASSWORD", SERVER.password())),
        "user researcher may not do that",
        "CREATE on it");
  }

  @Test
  void aPlaceAmongConnectionsIsWaitedFor() throws Exception {
    String database = SERVER.newDatabase();
    SERVER.execute("ALTER DATABASE %s CONNECTION LIMIT 1".formatted(database));
    StoreLocation location =
        StoreLocation.of(
            SERVER.url(database, PostgresServer.USER), Map.of("PGPASSWORD", SERVER.password()));
    ResultStore first = ResultStore.open(location);
    String message = refusal(location.withPatience(Duration.ofMillis(200)));
    assertTrue(message.contains("too many connections"), message);
    Thread leaving =
        new Thread(
            () -> {
              try {
                Thread.sleep(300);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              first.close();
            });
    leaving.start();
    ResultStore.open(location).close();
    leaving.join();
  }

  @Test
  void locksThatOthersHoldAreNotWaitedForForEver() throws SQLException {
    StoreLocation location = StoreLocation.of(SERVER.newUrl());
    ResultStore.open(location).close();
    StoreLocation impatient = StoreLocation.of(location.url() + "&options=-c%20lock_timeout%3D100");
    try (Connection other = DriverManager.getConnection(location.url());
        Statement statement = other.createStatement();
        ResultStore store = ResultStore.openExisting(impatient)) {
      other.setAutoCommit(false);
      statement.execute("LOCK TABLE stack IN ACCESS EXCLUSIVE MODE");
      String message =
          assertThrows(RequestException.class, () -> store.claim("a", Duration.ofMinutes(1)))
              .getMessage();
      assertTrue(message.contains("locked by another process"), message);
      other.rollback();
      assertTrue(store.claim("a", Duration.ofMinutes(1)).isEmpty());
    }
  }

  @Test
  void noSecretIsPrintedLoggedOrThrown() throws IOException {
    StringWriter shown = new StringWriter();
    PrintWriter out = new PrintWriter(shown);
    Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    Level level = root.getLevel();
    ListAppender<ILoggingEvent> logged = new ListAppender<>();
    logged.start();
    List<LogRecord> driver = new ArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord said) {
            driver.add(said);
          }

          @Override
          public void flush() {
            // Nothing is held back.
          }

          @Override
          public void close() {
            // Nothing to close.
          }
        };
    handler.setLevel(java.util.logging.Level.ALL);
    java.util.logging.Logger driverLogger = java.util.logging.Logger.getLogger("org.postgresql");
    PrintStream standard = System.out;
    PrintStream error = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream both = new PrintStream(printed, true, StandardCharsets.UTF_8);
    root.addAppender(logged);
    driverLogger.addHandler(handler);
    driverLogger.setUseParentHandlers(false);
    try {
      root.setLevel(Level.TRACE);
      driverLogger.setLevel(java.util.logging.Level.ALL);
      System.setOut(both);
      System.setErr(both);
      StoreLocation right = as(PostgresServer.USER, SERVER.password());
      try (ResultStore store = ResultStore.open(right)) {
        store.begin(Sweeps.HEADER, Sweeps.stacks(1, 1), List.of());
        out.println(store.location() + " " + store + store.rows());
        out.println(right + " " + right.database());
      }
      for (StoreLocation wrong :
          List.of(
              as(PostgresServer.USER, WRONG),
              StoreLocation.of(
                  SERVER.url("nowhere", PostgresServer.USER),
                  Map.of("PGPASSWORD", SERVER.password())),
              StoreLocation.of(
                      "jdbc:postgresql://localhost:1/sweeps?user=ada", Map.of("PGPASSWORD", WRONG))
                  .withPatience(Duration.ofMillis(1)))) {
        assertThrows(RequestException.class, () -> ResultStore.open(wrong));
        try {
          ResultStore.open(wrong);
        } catch (RequestException e) {
          e.printStackTrace(out);
        }
      }
    } finally {
      System.setOut(standard);
      System.setErr(error);
      root.setLevel(level);
      root.detachAppender(logged);
      driverLogger.setLevel(null);
      driverLogger.setUseParentHandlers(true);
      driverLogger.removeHandler(handler);
    }
    logged.list.forEach(event -> out.println(event + " " + event.getThrowableProxy()));
    for (LogRecord said : driver) {
      out.println(
          said.getMessage()
              + (said.getParameters() == null ? "" : Arrays.toString(said.getParameters())));
      if (said.getThrown() != null) {
        said.getThrown().printStackTrace(out);
      }
    }
    String all = shown + printed.toString(StandardCharsets.UTF_8);
    assertTrue(
        logged.list.size() > 0 && driver.size() > 100,
        "heard %d and %d lines".formatted(logged.list.size(), driver.size()));
    assertFalse(all.contains(SERVER.password()));
    assertFalse(all.contains(WRONG));
  }
}
