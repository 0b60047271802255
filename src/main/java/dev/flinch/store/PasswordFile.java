package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * PostgreSQL's file of passwords: lines of {@code host:port:database:user:password}, in which
 * {@code *} stands for anything and a backslash for the character behind it. The first line that
 * fits counts.
 */
record PasswordFile(Path path) {
  private static final Set<PosixFilePermission> OTHERS =
      EnumSet.of(
          PosixFilePermission.GROUP_READ,
          PosixFilePermission.GROUP_WRITE,
          PosixFilePermission.GROUP_EXECUTE,
          PosixFilePermission.OTHERS_READ,
          PosixFilePermission.OTHERS_WRITE,
          PosixFilePermission.OTHERS_EXECUTE);

  /** The one that PGPASSFILE names, or the user's. */
  static PasswordFile of(Map<String, String> environment) {
    String named = environment.get("PGPASSFILE");
    if (named != null && !named.isEmpty()) {
      return new PasswordFile(Path.of(named));
    }
    String roaming = environment.get("APPDATA");
    return new PasswordFile(
        roaming != null
            ? Path.of(roaming, "postgresql", "pgpass.conf")
            : Path.of(
                environment.getOrDefault("HOME", System.getProperty("user.home")), ".pgpass"));
  }

  /**
   * The login of the first line that fits; empty where none does, and where there is no such file.
   *
   * @param user null for any
   * @throws RequestException if others than its owner may read or write the file
   */
  Optional<PostgresLogin> login(PostgresAddress server, String user) {
    if (!Files.isRegularFile(path)) {
      return Optional.empty();
    }
    List<String> lines;
    try {
      requirePrivate();
      lines = Files.readAllLines(path);
    } catch (IOException e) {
      throw new RequestException(
          "%s: the password file can't be read: %s; make it readable to you, or remove it"
              .formatted(path, RequestException.reason(e)),
          e);
    }
    return lines.stream()
        .filter(line -> !line.startsWith("#"))
        .map(PasswordFile::fields)
        .filter(
            f ->
                f.size() == 5
                    && fits(f.get(0), server.host())
                    && fits(f.get(1), Integer.toString(server.port()))
                    && fits(f.get(2), server.database())
                    && (user == null ? !f.get(3).equals("*") : fits(f.get(3), user)))
        .map(f -> new PostgresLogin(f.get(3).equals("*") ? user : f.get(3), f.get(4)))
        .findFirst();
  }

  private void requirePrivate() throws IOException {
    if (!path.getFileSystem().supportedFileAttributeViews().contains("posix")) {
      return;
    }
    Set<PosixFilePermission> open = EnumSet.copyOf(OTHERS);
    open.retainAll(Files.getPosixFilePermissions(path));
    if (!open.isEmpty()) {
      throw new RequestException(
          "%s: expected a password file that only you may read, found one that group or others may read or change; run chmod 600 on it"
              .formatted(path));
    }
  }

  /** The password has no colon to end it, so colons in it stand for themselves. */
  private static List<String> fields(String line) {
    List<String> fields = new ArrayList<>();
    StringBuilder field = new StringBuilder();
    for (int i = 0; i < line.length(); i++) {
      char c = line.charAt(i);
      if (c == ':' && fields.size() < 4) {
        fields.add(field.toString());
        field.setLength(0);
      } else if (c == '\\' && i + 1 < line.length()) {
        field.append(line.charAt(++i));
      } else {
        field.append(c);
      }
    }
    fields.add(field.toString());
    return fields;
  }

  private static boolean fits(String pattern, String value) {
    return pattern.equals("*") || pattern.equals(value);
  }
}
