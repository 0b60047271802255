package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A database of a PostgreSQL server, as a URL names it.
 *
 * @param parameters of the connection, as the driver calls them; none is a secret
 */
record PostgresAddress(String host, int port, String database, Map<String, String> parameters)
    implements Serializable {
  /** How users write one. */
  static final String EXPECTED = "jdbc:postgresql://HOST[:PORT]/DATABASE[?PARAMETER=VALUE]";

  private static final int PORT = 5432;
  private static final int LAST_PORT = 65_535;

  /** Parameters that would show in lists of processes and in histories of shells. */
  private static final Set<String> SECRETS = Set.of("password", "sslpassword");

  PostgresAddress {
    parameters = Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
  }

  /** Reads a URL; messages repeat nothing of it that may be a secret. */
  static PostgresAddress of(String url) {
    refuseSecrets(url);
    if (!url.startsWith("jdbc:postgresql:")) {
      throw new RequestException(
          "%s: expected a file, or a PostgreSQL database as %s".formatted(url, EXPECTED));
    }
    URI uri;
    try {
      uri = new URI(url.substring("jdbc:".length()));
    } catch (URISyntaxException e) {
      throw new RequestException(
          "%s: expected %s, found %s at character %d"
              .formatted(url, EXPECTED, e.getReason(), e.getIndex() + "jdbc:".length() + 1));
    }
    String path = uri.getPath() == null ? "" : uri.getPath();
    if (uri.getHost() == null || path.length() < 2 || uri.getFragment() != null) {
      throw new RequestException("%s: expected %s".formatted(url, EXPECTED));
    }
    if (uri.getPort() == 0 || uri.getPort() > LAST_PORT) {
      throw new RequestException(
          "%s: expected a port from 1 to %d, found %d".formatted(url, LAST_PORT, uri.getPort()));
    }
    String host = uri.getHost().replaceAll("^\\[|]$", "");
    return new PostgresAddress(
        host,
        uri.getPort() < 0 ? PORT : uri.getPort(),
        path.substring(1),
        parameters(url, uri.getRawQuery()));
  }

  private static void refuseSecrets(String url) {
    int query = url.indexOf('?');
    String authority = url.substring(0, query < 0 ? url.length() : query);
    boolean secret = authority.contains("@");
    if (query >= 0) {
      for (String parameter : url.substring(query + 1).split("&")) {
        String name = decoded(parameter.split("=", 2)[0]);
        secret |= SECRETS.contains(name.toLowerCase(Locale.ROOT));
      }
    }
    if (secret) {
      throw new RequestException(
          "expected a database's URL without credentials, as %s, found one with them; name the user by ?user=NAME or PGUSER, and the password by PGPASSWORD or a line of ~/.pgpass"
              .formatted(EXPECTED));
    }
  }

  private static Map<String, String> parameters(String url, String query) {
    Map<String, String> parameters = new LinkedHashMap<>();
    if (query == null || query.isEmpty()) {
      return parameters;
    }
    for (String parameter : query.split("&")) {
      String[] parts = parameter.split("=", 2);
      if (parts.length < 2 || parts[0].isEmpty()) {
        throw new RequestException(
            "%s: expected parameters as NAME=VALUE, found '%s'".formatted(url, parameter));
      }
      parameters.put(decoded(parts[0]), decoded(parts[1]));
    }
    return parameters;
  }

  private static String decoded(String text) {
    try {
      return URLDecoder.decode(text, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      // Not an escape, so it stands for itself.
      return text;
    }
  }

  /** The schema that the tables are in. */
  String schema() {
    return parameters.getOrDefault("currentSchema", "public");
  }
}
