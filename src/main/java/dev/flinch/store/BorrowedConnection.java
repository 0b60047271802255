package dev.flinch.store;

import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Set;
import java.util.logging.Logger;
import javax.sql.DataSource;

/**
 * Lends one connection, in the middle of a transaction, to a library that means to connect by
 * itself: what it does is in that transaction, which its owner alone ends.
 */
final class BorrowedConnection implements DataSource {
  /** What only the owner does. */
  private static final Set<String> KEPT =
      Set.of("close", "commit", "setAutoCommit", "setReadOnly", "setTransactionIsolation");

  private final Connection lent;

  BorrowedConnection(Connection owned) {
    this.lent =
        (Connection)
            Proxy.newProxyInstance(
                BorrowedConnection.class.getClassLoader(),
                new Class<?>[] {Connection.class},
                (proxy, method, arguments) -> {
                  if (KEPT.contains(method.getName())) {
                    return null;
                  }
                  // Whoever undoes it throws an exception too, after which the owner undoes it all.
                  if (method.getName().equals("rollback") && arguments == null) {
                    return null;
                  }
                  try {
                    return method.invoke(owned, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
  }

  @Override
  public Connection getConnection() {
    return lent;
  }

  @Override
  public Connection getConnection(String user, String password) {
    return lent;
  }

  @Override
  public PrintWriter getLogWriter() {
    return null;
  }

  @Override
  public void setLogWriter(PrintWriter out) {
    // It logs nothing.
  }

  @Override
  public void setLoginTimeout(int seconds) {
    // It is connected already.
  }

  @Override
  public int getLoginTimeout() {
    return 0;
  }

  @Override
  public Logger getParentLogger() {
    return Logger.getLogger(Logger.GLOBAL_LOGGER_NAME);
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    throw new SQLException("not a wrapper of " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return false;
  }
}
