package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.io.Serial;
import java.io.Serializable;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * Where a store is: a file of SQLite, or a database of a PostgreSQL server. It travels to workers
 * of a cluster, with its credentials; neither {@link #toString} nor any message shows a secret.
 * Immutable.
 */
public final class StoreLocation implements Serializable {
  /** How long operations wait for a server that doesn't answer, unless asked otherwise. */
  static final Duration PATIENCE = Duration.ofMinutes(2);

  @Serial private static final long serialVersionUID = 1L;

  private final String url;
  private final PostgresAddress server;
  private final PostgresLogin login;
  private final Duration patience;
  private final boolean answered;

  private StoreLocation(
      String url,
      PostgresAddress server,
      PostgresLogin login,
      Duration patience,
      boolean answered) {
    this.url = url;
    this.server = server;
    this.login = login;
    this.patience = patience;
    this.answered = answered;
  }

  /** A file of SQLite, which the processes of one machine can share. */
  public static StoreLocation file(Path path) {
    return new StoreLocation(path.toString(), null, null, PATIENCE, false);
  }

  /**
   * What a user named: a path, or {@code jdbc:postgresql://host[:port]/database[?param=value&…]}.
   * The user comes from the URL's parameter {@code user}, PGUSER, the password file or the
   * operating system; the password from PGPASSWORD or the password file, which is PGPASSFILE or
   * {@code ~/.pgpass}.
   *
   * @throws RequestException for another URL, one with a password in it, and a password file that
   *     others may read
   */
  public static StoreLocation of(String text) {
    return of(text, System.getenv());
  }

  /** The same with the environment's variables. */
  static StoreLocation of(String text, Map<String, String> environment) {
    if (text.isBlank()) {
      throw new RequestException(
          "the sweep's store: expected a file, or a PostgreSQL database as %s, found nothing"
              .formatted(PostgresAddress.EXPECTED));
    }
    if (!isUrl(text)) {
      return file(Path.of(text));
    }
    PostgresAddress server = PostgresAddress.of(text);
    return new StoreLocation(text, server, PostgresLogin.of(server, environment), PATIENCE, false);
  }

  /** Folders of one letter before a colon are drives. */
  private static boolean isUrl(String text) {
    String lower = text.toLowerCase(Locale.ROOT);
    return lower.startsWith("jdbc:") || lower.matches("(?s)[a-z][a-z0-9+.-]+://.*");
  }

  /**
   * @param patience how long operations wait for a server that doesn't answer; at least a
   *     millisecond
   */
  public StoreLocation withPatience(Duration patience) {
    if (patience.toMillis() < 1) {
      throw new IllegalArgumentException("expected a positive patience, found " + patience);
    }
    return new StoreLocation(url, server, login, patience, answered);
  }

  /**
   * A server that has answered somebody: whoever opens the store waits for it from the start, as
   * its name and port are right.
   */
  public StoreLocation afterAnswer() {
    return new StoreLocation(url, server, login, patience, true);
  }

  /** Whether it is known that a server answers there. */
  boolean hasAnswered() {
    return answered;
  }

  /** Whether machines can share it. */
  public boolean isShared() {
    return server != null;
  }

  /** What a user may type to name it again; no credentials are in it. */
  public String url() {
    return url;
  }

  /** The database that is there. */
  Database database() {
    return server == null
        ? new SqliteFile(Path.of(url), SqliteFile.PATIENCE, List.of())
        : new PostgresDatabase(url, server, login, patience);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof StoreLocation location
        && url.equals(location.url)
        && Objects.equals(login, location.login)
        && patience.equals(location.patience);
  }

  @Override
  public int hashCode() {
    return url.hashCode();
  }

  @Override
  public String toString() {
    return url;
  }
}
