package dev.flinch.store;

import java.io.Serializable;
import java.util.Map;
import java.util.Optional;

/**
 * Who connects to a PostgreSQL server. What it shows of itself has no password.
 *
 * @param password null where there is none
 */
record PostgresLogin(String user, String password) implements Serializable {

  /**
   * Finds user and password as PostgreSQL's own programs do, but for the URL's user.
   *
   * @param environment the variables PGUSER, PGPASSWORD, PGPASSFILE, and HOME or APPDATA
   */
  static PostgresLogin of(PostgresAddress server, Map<String, String> environment) {
    String named = server.parameters().getOrDefault("user", environment.get("PGUSER"));
    String password = environment.get("PGPASSWORD");
    Optional<PostgresLogin> filed =
        named != null && password != null
            ? Optional.empty()
            : PasswordFile.of(environment).login(server, named);
    String user =
        named != null
            ? named
            : filed.map(PostgresLogin::user).orElse(System.getProperty("user.name"));
    return new PostgresLogin(
        user, password != null ? password : filed.map(PostgresLogin::password).orElse(null));
  }

  @Override
  public String toString() {
    return user;
  }
}
