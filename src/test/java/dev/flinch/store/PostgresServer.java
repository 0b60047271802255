package dev.flinch.store;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A PostgreSQL server of a test's own, with its data in a folder that goes with it. {@link #shared}
 * is one for all tests that don't stop it; they make a database each.
 *
 * <p>{@value #ADMINISTRATOR} comes in without a password, {@value #USER} with {@link #password}.
 */
public final class PostgresServer implements AutoCloseable {
  /** Who may do anything, without a password. */
  public static final String ADMINISTRATOR = "postgres";

  /** Who needs a password. */
  public static final String USER = "researcher";

  /** Whom it lets in over encrypted connections alone, which it doesn't have. */
  public static final String ENCRYPTING_USER = "careful";

  private static final String PASSWORD = "correct-horse-9f2c";
  private static final AtomicInteger DATABASES = new AtomicInteger();

  private final Path data;
  private final int port;
  private final boolean durable;
  private EmbeddedPostgres process;
  private boolean closed;

  /** The one that tests share, until the end of the JVM. */
  private static final class Shared {
    static final PostgresServer SERVER = start();
  }

  private PostgresServer(Path data, int port, boolean durable) {
    this.data = data;
    this.port = port;
    this.durable = durable;
  }

  /** A running server that tests share: they leave it running. */
  public static PostgresServer shared() {
    return Shared.SERVER;
  }

  /** Starts a server that syncs nothing to its disk, which is faster. */
  public static PostgresServer start() {
    return start(false);
  }

  /**
   * @param durable whether commits are synced to the disk, as they are of servers in use
   */
  public static PostgresServer start(boolean durable) {
    try (ServerSocket free = new ServerSocket(0)) {
      Path data = Files.createTempDirectory("flinch-postgres");
      PostgresServer server = new PostgresServer(data, free.getLocalPort(), durable);
      Runtime.getRuntime().addShutdownHook(new Thread(server::close));
      free.close();
      server.startAgain();
      server.execute("CREATE ROLE %s LOGIN PASSWORD '%s'".formatted(USER, PASSWORD));
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The first rule that fits a user counts. */
  private void requirePassword(File folder) {
    Path rules = folder.toPath().resolve("pg_hba.conf");
    try {
      String rule =
          "host all %s all scram-sha-256%nhostnossl all %s all reject%n"
              .formatted(USER, ENCRYPTING_USER);
      if (!Files.readString(rules).startsWith(rule)) {
        Files.writeString(rules, rule + Files.readString(rules));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Starts it on the same data and port, once it was stopped or killed. */
  public void startAgain() {
    String durability = durable ? "on" : "off";
    try {
      process =
          EmbeddedPostgres.builder()
              .setDataDirectory(data)
              .setCleanDataDirectory(false)
              .setRegisterShutdownHook(false)
              .setPort(port)
              .setDataDirectoryCustomizer(this::requirePassword)
              .setPGStartupWait(Duration.ofSeconds(30))
              .setServerConfig("fsync", durability)
              .setServerConfig("synchronous_commit", durability)
              .setServerConfig("full_page_writes", durability)
              .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Stops it as those who keep servers do: connections are cut, data is kept. */
  public void stop() {
    if (process == null) {
      return;
    }
    try {
      process.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends it in the middle of whatever it does. */
  public void kill() throws InterruptedException {
    process.getProcess().toHandle().destroyForcibly();
    process.getProcess().waitFor();
    stop();
  }

  /** Makes an empty database. */
  public String newDatabase() {
    String name = "sweep%d".formatted(DATABASES.incrementAndGet());
    execute("CREATE DATABASE %s OWNER %s".formatted(name, USER));
    return name;
  }

  /** A new database as its administrator, without a password. */
  public String newUrl() {
    return url(newDatabase(), ADMINISTRATOR);
  }

  /** A database of a user's, as users write it. */
  public String url(String database, String user) {
    return "jdbc:postgresql://localhost:%d/%s?user=%s".formatted(port, database, user);
  }

  public int port() {
    return port;
  }

  /** The password of {@value #USER}. */
  public String password() {
    return PASSWORD;
  }

  /** What PostgreSQL's programs take from the environment to come in as {@value #USER}. */
  public Map<String, String> environment() {
    return Map.of("PGUSER", USER, "PGPASSWORD", PASSWORD);
  }

  /** Does something as administrator, in no database in particular. */
  public void execute(String... statements) {
    try (Connection connection = DriverManager.getConnection(url("postgres", ADMINISTRATOR));
        Statement statement = connection.createStatement()) {
      for (String sql : List.of(statements)) {
        statement.execute(sql);
      }
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Stops it, and removes its data, at the JVM's end at the latest. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      stop();
      try (Stream<Path> files = Files.walk(data)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
