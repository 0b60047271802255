package dev.flinch.store;

import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
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

  private static final Set<Class<?>> STATEMENTS =
      Set.of(Statement.class, PreparedStatement.class, CallableStatement.class);

  private final Connection lent;
  private SQLException failure;

  BorrowedConnection(Connection owned) {
    this.lent = (Connection) proxy(Connection.class, owned);
  }

  private Object proxy(Class<?> type, Object real) {
    return Proxy.newProxyInstance(
        BorrowedConnection.class.getClassLoader(),
        new Class<?>[] {type},
        (proxy, method, arguments) -> {
          // Who undoes it throws an exception too, after which the owner undoes all of it.
          boolean undoes = method.getName().equals("rollback") && arguments == null;
          if (type == Connection.class && (undoes || KEPT.contains(method.getName()))) {
            return null;
          }
          try {
            Object result = method.invoke(real, arguments);
            Class<?> made = method.getReturnType();
            return result != null && type == Connection.class && STATEMENTS.contains(made)
                ? proxy(made, result)
                : result;
          } catch (InvocationTargetException e) {
            if (failure == null && e.getCause() instanceof SQLException sql) {
              failure = sql;
            }
            throw e.getCause();
          }
        });
  }

  /** What failed first, of which the library may tell the consequences only; null for nothing. */
  SQLException failure() {
    return failure;
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
