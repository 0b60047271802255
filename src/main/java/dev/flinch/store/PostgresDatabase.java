package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.net.UnknownHostException;
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
 * @param patience how long to wait for a server that doesn't answer
 */
record PostgresDatabase(
    String name, PostgresAddress address, PostgresLogin login, Duration patience)
    implements Database {
  /** What a store's locks are called among all of a database: "flinch" in ASCII. */
  private static final int LOCKS = 0x666c696e;

  @Override
  public void prepare(boolean create) {
    // Databases are made by those who keep the server.
  }

  @Override
  public Connection connect(boolean create) throws SQLException {
    Properties properties = new Properties();
    address.parameters().forEach(properties::setProperty);
    PGProperty.USER.set(properties, login.user());
    // The driver looks for a password of its own where there is none at all.
    PGProperty.PASSWORD.set(properties, login.password() == null ? "" : login.password());
    PGProperty.CONNECT_TIMEOUT.set(properties, seconds(10));
    PGProperty.LOGIN_TIMEOUT.set(properties, 0);
    PGProperty.SOCKET_TIMEOUT.set(properties, seconds(60));
    PGProperty.TCP_KEEP_ALIVE.set(properties, true);
    PGProperty.REWRITE_BATCHED_INSERTS.set(properties, true);
    PGProperty.APPLICATION_NAME.set(properties, "flinch");
    String host = address.host().contains(":") ? "[" + address.host() + "]" : address.host();
    Connection connection =
        new Driver()
            .connect(
                "jdbc:postgresql://%s:%d/%s"
                    .formatted(
                        host,
                        address.port(),
                        java.net.URLEncoder.encode(
                            address.database(), java.nio.charset.StandardCharsets.UTF_8)),
                properties);
    try {
      connection.setAutoCommit(false);
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  private int seconds(int most) {
    return Math.toIntExact(Math.max(1, Math.min(most, patience.toSeconds())));
  }

  @Override
  public void begin(Connection connection) {
    // The first statement begins it.
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
      statement.setInt(2, (address.schema() + "." + what).hashCode());
      statement.execute();
    }
  }

  @Override
  public List<String> tables(Connection connection) throws SQLException {
    List<String> names = new ArrayList<>();
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT tablename FROM pg_tables WHERE schemaname = ? ORDER BY 1")) {
      select.setString(1, address.schema());
      try (ResultSet found = select.executeQuery()) {
        while (found.next()) {
          names.add(found.getString(1));
        }
      }
    }
    return names;
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  @Override
  public boolean isContradiction(SQLException e) {
    return state(e).startsWith("23");
  }

  @Override
  public boolean isConflict(SQLException e) {
    return state(e).equals("40001") || state(e).equals("40P01");
  }

  @Override
  public boolean isGone(SQLException e) {
    return (state(e).startsWith("08") && !(e.getCause() instanceof UnknownHostException))
        || state(e).startsWith("57P0")
        || state(e).equals("53300");
  }

  @Override
  public Duration firstPatience() {
    return patience.compareTo(Duration.ofSeconds(5)) < 0 ? patience : Duration.ofSeconds(5);
  }

  private static String state(SQLException e) {
    return e instanceof PSQLException && e.getSQLState() != null ? e.getSQLState() : "";
  }

  @Override
  public RequestException explained(SQLException e) {
    return new RequestException("%s: the database refuses: %s".formatted(name, e.getMessage()), e);
  }
}
