package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.postgresql.Driver;
import org.postgresql.PGProperty;
import org.postgresql.util.PSQLException;

/**
 * All that is particular to PostgreSQL: how its databases are connected to, transactions, locks,
 * and what its errors mean.
 *
 * @param name what messages call it
 * @param patience how long to wait for a server that doesn't answer any more
 */
record PostgresDatabase(
    String name, PostgresAddress address, PostgresLogin login, Duration patience)
    implements Database {
  /** For a server that has never answered, whose name may be misspelt. */
  private static final Duration FIRST_PATIENCE = Duration.ofSeconds(5);

  /** How long to wait for others' locks; a million networks are planned in less. */
  private static final Duration LOCK_PATIENCE = Duration.ofMinutes(1);

  /** For an answer of a server that may have gone without a word. */
  private static final int MOST_SILENCE_SECONDS = 75;

  private static final int MOST_CONNECT_SECONDS = 10;

  /** What a store's locks are called among all of a database: "flin" in ASCII. */
  private static final int LOCKS = 0x666c696e;

  /** Names of errors, in PostgreSQL's appendix A; classes have two letters. */
  private static final String CONNECTION = "08";

  private static final String REJECTED = "08004";
  private static final String PROTOCOL = "08P01";
  private static final String CONTRADICTION = "23";
  private static final String IDLE_IN_TRANSACTION = "25P03";
  private static final String READ_ONLY = "25006";
  private static final String AUTHORIZATION = "28";
  private static final String NO_DATABASE = "3D000";
  private static final String ABORTED = "25P02";
  private static final String SERIALIZATION = "40001";
  private static final String DEADLOCK = "40P01";
  private static final String NO_PERMISSION = "42501";
  private static final String NO_ROOM = "53100";
  private static final String TOO_MANY_CONNECTIONS = "53300";
  private static final String LOCKED = "55P03";
  private static final String SHUTDOWN = "57P0";
  private static final String DATABASE_DROPPED = "57P04";

  @Override
  public void prepare(boolean create) {
    // Databases are made by those who keep the server.
  }

  @Override
  public Connection connect(boolean create) throws SQLException {
    Properties properties = new Properties();
    address.parameters().forEach(properties::setProperty);
    PGProperty.USER.set(properties, login.user());
    // The driver looks for a password by itself where none is set.
    PGProperty.PASSWORD.set(properties, login.password() == null ? "" : login.password());
    PGProperty.CURRENT_SCHEMA.set(properties, quoted(address.schema()));
    PGProperty.CONNECT_TIMEOUT.set(properties, seconds(MOST_CONNECT_SECONDS));
    PGProperty.SOCKET_TIMEOUT.set(properties, seconds(MOST_SILENCE_SECONDS));
    PGProperty.TCP_KEEP_ALIVE.set(properties, true);
    PGProperty.REWRITE_BATCHED_INSERTS.set(properties, true);
    PGProperty.APPLICATION_NAME.set(properties, "flinch");
    // Those of the URL come last, so that they count.
    String options = address.parameters().getOrDefault(PGProperty.OPTIONS.getName(), "");
    PGProperty.OPTIONS.set(properties, (settings() + " " + options).strip());
    Connection connection = new Driver().connect(driverUrl(), properties);
    try {
      connection.setAutoCommit(false);
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  private String driverUrl() {
    String host = address.host().contains(":") ? "[" + address.host() + "]" : address.host();
    return "jdbc:postgresql://%s:%d/%s"
        .formatted(
            host,
            address.port(),
            URLEncoder.encode(address.database(), StandardCharsets.UTF_8).replace("+", "%20"));
  }

  /** A server gives up clients that are gone after a minute, and with them their locks. */
  private static String settings() {
    return "-c default_transaction_isolation=read\\ committed -c lock_timeout=%d"
            .formatted(LOCK_PATIENCE.toMillis())
        + " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3";
  }

  private int seconds(int most) {
    return Math.toIntExact(Math.max(1, Math.min(most, patience.toSeconds())));
  }

  private static String quoted(String name) {
    return '"' + name.replace("\"", "\"\"") + '"';
  }

  /** The first statement begins it. */
  @Override
  public void begin(Connection connection) {
    // Nothing more.
  }

  @Override
  public void beginReading(Connection connection) throws SQLException {
    execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  }

  @Override
  public void commit(Connection connection) throws SQLException {
    connection.commit();
  }

  @Override
  public void rollBack(Connection connection, Throwable failure) {
    try {
      connection.rollback();
    } catch (SQLException e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public long now(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet found =
            statement.executeQuery(
                "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint")) {
      found.next();
      return found.getLong(1);
    }
  }

  @Override
  public String skippingLocked() {
    return " FOR UPDATE SKIP LOCKED";
  }

  @Override
  public String awaitingLocked() {
    return " FOR UPDATE";
  }

  @Override
  public void lockNumbers(Connection connection) throws SQLException {
    lock(connection, "numbers");
  }

  @Override
  public void lockTables(Connection connection) throws SQLException {
    lock(connection, "tables");
  }

  /** Until the end of the transaction; other schemas have locks of their own. */
  private void lock(Connection connection, String what) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("SELECT pg_advisory_xact_lock(?, ?)")) {
      statement.setInt(1, LOCKS);
      statement.setInt(2, (what + " " + address.schema()).hashCode());
      statement.execute();
    }
  }

  @Override
  public String kind() {
    return "schema";
  }

  @Override
  public List<String> tables(Connection connection) throws SQLException {
    return names(
        connection, "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY tablename");
  }

  private List<String> names(Connection connection, String query) throws SQLException {
    List<String> names = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(query)) {
      select.setString(1, address.schema());
      try (ResultSet found = select.executeQuery()) {
        while (found.next()) {
          names.add(found.getString(1));
        }
      }
    }
    return names;
  }

  /** Looks first, since making takes a permission even where there is nothing to make. */
  @Override
  public void makeSchema(Connection connection) throws SQLException {
    if (names(connection, "SELECT nspname FROM pg_namespace WHERE nspname = ?").isEmpty()) {
      execute(connection, "CREATE SCHEMA " + quoted(address.schema()));
    }
  }

  @Override
  public List<String> schemas() {
    return List.of(address.schema());
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  @Override
  public boolean isContradiction(SQLException e) {
    return state(e).startsWith(CONTRADICTION);
  }

  @Override
  public boolean isConflict(SQLException e) {
    return state(e).equals(SERIALIZATION) || state(e).equals(DEADLOCK);
  }

  @Override
  public boolean isAftermath(SQLException e) {
    return state(e).equals(ABORTED);
  }

  @Override
  public Duration patience(SQLException e, boolean answered) {
    String state = state(e);
    if (state.equals(TOO_MANY_CONNECTIONS) || isShutdown(state)) {
      return patience;
    }
    boolean gone =
        state.startsWith(CONNECTION) && !state.equals(REJECTED)
            || state.equals(IDLE_IN_TRANSACTION);
    if (!gone) {
      return Duration.ZERO;
    }
    if (answered) {
      return patience;
    }
    boolean hopeless = state.equals(PROTOCOL) || cause(e, UnknownHostException.class);
    return hopeless
        ? Duration.ZERO
        : FIRST_PATIENCE.compareTo(patience) < 0 ? FIRST_PATIENCE : patience;
  }

  /** Shutting down, crashed, or starting up. */
  private static boolean isShutdown(String state) {
    return state.startsWith(SHUTDOWN) && !state.equals(DATABASE_DROPPED);
  }

  /** PostgreSQL's name of an error, which errors of batches have too. */
  private static String state(SQLException e) {
    return e.getSQLState() == null ? "" : e.getSQLState();
  }

  private static boolean cause(Throwable e, Class<? extends Throwable> type) {
    return e != null && (type.isInstance(e) || cause(e.getCause(), type));
  }

  @Override
  public String reason(SQLException e) {
    if (cause(e, UnknownHostException.class)) {
      return "unknown host " + address.host();
    }
    if (cause(e, ConnectException.class)) {
      return "connection refused";
    }
    if (cause(e, SocketTimeoutException.class)) {
      return "no answer in time";
    }
    SQLException last = e.getNextException() instanceof PSQLException next ? next : e;
    String message =
        last instanceof PSQLException p
                && p.getServerErrorMessage() != null
                && p.getServerErrorMessage().getMessage() != null
            ? p.getServerErrorMessage().getMessage()
            : last.getMessage();
    return String.valueOf(message).strip().replaceAll("\\s*\\R\\s*", "; ");
  }

  @Override
  public RequestException explained(SQLException e) {
    return new RequestException("%s: %s".formatted(name, why(e)), e);
  }

  private String why(SQLException e) {
    String state = state(e);
    String reason = reason(e);
    String server = "%s:%d".formatted(address.host(), address.port());
    if (cause(e, UnknownHostException.class)) {
      return "there is no host %s; check its name".formatted(address.host());
    }
    if (state.equals(REJECTED) && reason.contains("SSL")) {
      return "the server doesn't encrypt, which sslmode asks for (%s); leave sslmode out, or ask who keeps the server"
          .formatted(reason);
    }
    if (state.startsWith(AUTHORIZATION) && reason.endsWith("no encryption")) {
      return "the server doesn't let user %s in without encryption (%s); add sslmode=require to the URL"
          .formatted(login.user(), reason);
    }
    if (state.startsWith(AUTHORIZATION) || state.equals(REJECTED)) {
      return "the server doesn't let user %s in (%s); name the user by ?user=NAME or PGUSER, and the password by PGPASSWORD or a line of the password file (PGPASSFILE or ~/.pgpass)"
          .formatted(login.user(), reason);
    }
    return switch (state) {
      case NO_DATABASE, DATABASE_DROPPED ->
          "there is no database %s on %s; make it (createdb %s), or name another"
              .formatted(address.database(), server, address.database());
      case NO_PERMISSION ->
          "user %s may not do that (%s); ask who keeps the database for CREATE on it or on schema %s"
              .formatted(login.user(), reason, address.schema());
      case PROTOCOL ->
          "what answers on %s is no PostgreSQL server (%s); check host and port"
              .formatted(server, reason);
      case READ_ONLY ->
          "the server takes nothing new (%s); name the one that does, and run the same command again"
              .formatted(reason);
      case NO_ROOM ->
          "no room on the server's disk; make room, and run the same command again: everything that was done before is kept";
      case LOCKED ->
          "locked by another process for longer than %d s; end whatever holds it, and run the same command again"
              .formatted(LOCK_PATIENCE.toSeconds());
      default ->
          state.startsWith(CONNECTION)
              ? "nothing answers on %s (%s); check host and port, and that the server runs"
                  .formatted(server, reason)
              : "the database refuses: " + reason;
    };
  }
}
