package dev.flinch.store;

import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this process says of servers that stop: a line when one is missed and a line when it is
 * back, however many connections wait for it. Times are those of {@link System#nanoTime}.
 */
final class Outages {
  private static final Logger LOG = LoggerFactory.getLogger(Outages.class);
  private static final Map<String, Server> SERVERS = new HashMap<>();

  private static final class Server {
    long answered = Long.MIN_VALUE;
    long missed;
    boolean silent;
  }

  private Outages() {}

  /**
   * Takes note of a failure.
   *
   * @param tried when the attempt began: if others have had an answer since, there is nothing to
   *     say
   * @param missed when the first attempt failed
   */
  static synchronized void missed(
      Database database, SQLException e, long tried, long missed, Duration patience) {
    Server server = SERVERS.computeIfAbsent(database.name(), name -> new Server());
    boolean answeredSince = server.answered != Long.MIN_VALUE && server.answered - tried >= 0;
    if (!server.silent && !answeredSince) {
      server.silent = true;
      server.missed = missed;
      LOG.warn(
          "{} doesn't answer ({}): waiting up to {} for it",
          database.name(),
          database.reason(e),
          seconds(patience));
    }
  }

  /** Takes note of an answer. */
  static synchronized void answered(Database database) {
    Server server = SERVERS.computeIfAbsent(database.name(), name -> new Server());
    server.answered = System.nanoTime();
    if (server.silent) {
      server.silent = false;
      LOG.warn(
          "{} answers again after {}",
          database.name(),
          seconds(Duration.ofNanos(server.answered - server.missed)));
    }
  }

  /** A length of time for a message: whole seconds where they say enough. */
  static String seconds(Duration length) {
    long millis = length.toMillis();
    return millis % 1000 == 0 || millis >= TimeUnit.SECONDS.toMillis(10)
        ? millis / 1000 + " s"
        : "%.1f s".formatted(millis / 1000.0);
  }
}
