package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users name places of stores by, and where credentials come from. */
class StoreLocationTest {
  private static final String SECRET = "hunter2";

  @TempDir private Path folder;

  private static PostgresAddress address(String url) {
    return PostgresAddress.of(url);
  }

  private PostgresLogin login(String url, Map<String, String> environment) {
    return PostgresLogin.of(address(url), environment);
  }

  private Path passwords(String mode, String... lines) throws IOException {
    Path file = Files.write(folder.resolve("passwords"), List.of(lines));
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    return file;
  }

  @Test
  void pathsAndUrlsAreToldApart() {
    Map<String, String> nobody = Map.of("HOME", folder.toString());
    for (String path : List.of("results.sqlite", "/a/b c", "C:\\results", "runs/jdbc/x")) {
      StoreLocation location = StoreLocation.of(path, nobody);
      assertFalse(location.isShared(), path);
      assertEquals(path, location.url());
    }
    String url = "jdbc:postgresql://db.example.org/sweeps?user=ada&currentSchema=mnist";
    StoreLocation location = StoreLocation.of(url, nobody);
    assertTrue(location.isShared());
    assertEquals(url, location.url());
    assertEquals(url, location.toString());
    assertEquals(5432, address(url).port());
    assertEquals("mnist", address(url).schema());
    assertEquals(
        new PostgresAddress("::1", 6543, "my sweeps", Map.of()),
        address("jdbc:postgresql://[::1]:6543/my%20sweeps"));
  }

  @Test
  void otherUrlsAreRefused() {
    for (String url :
        List.of(
            "jdbc:mysql://host/database",
            "postgresql://host/database",
            "jdbc:postgresql:database",
            "jdbc:postgresql://host",
            "jdbc:postgresql://host/",
            "jdbc:postgresql:///database",
            "jdbc:postgresql://a,b/database",
            "jdbc:postgresql://host:port/database",
            "jdbc:postgresql://host:0/database",
            "jdbc:postgresql://host:65536/database",
            "jdbc:postgresql://host/database?user",
            "jdbc:postgresql://host/data base",
            "https://host/database")) {
      String message =
          assertThrows(RequestException.class, () -> StoreLocation.of(url, Map.of())).getMessage();
      assertTrue(message.startsWith(url), message);
      assertEquals(1, message.lines().count());
    }
  }

  @Test
  void nothingIsRefused() {
    for (String nothing : List.of("", " ", "\t\n")) {
      String message =
          assertThrows(RequestException.class, () -> StoreLocation.of(nothing, Map.of()))
              .getMessage();
      assertTrue(message.contains("expected a file"), message);
      assertTrue(message.endsWith("found nothing"), message);
    }
  }

  @Test
  void urlsWithPasswordsAreRefusedWithoutRepeatingThem() {
    for (String url :
        List.of(
            "jdbc:postgresql://ada:hunter2@host/database",
            "jdbc:postgresql://hunter2@host/database",
            "jdbc:postgresql://host/database?password=hunter2",
            "jdbc:postgresql://host/database?user=ada&PassWord=hunter2",
            "jdbc:postgresql://host/database?p%61ssword=hunter2",
            "jdbc:postgresql://host/database?sslpassword=hunter2&user=ada",
            "jdbc:postgresql://ada:hun%zz hunter2@host/database",
            "postgresql://ada:hunter2@host/database",
            "postgres://ada:hunter2@host/database",
            "jdbc:mysql://ada:hunter2@host/database")) {
      RequestException e =
          assertThrows(RequestException.class, () -> StoreLocation.of(url, Map.of()));
      assertFalse(String.valueOf(e).contains(SECRET), e.toString());
      assertTrue(e.getMessage().contains("PGPASSWORD"), e.getMessage());
      assertEquals(null, e.getCause());
    }
  }

  @Test
  void theUserIsTheUrlsThenTheEnvironmentsThenTheFilesThenTheSystems() throws IOException {
    String file = passwords("rw-------", "host:*:*:filed:" + SECRET).toString();
    String url = "jdbc:postgresql://host/sweeps";
    Map<String, String> all = Map.of("PGUSER", "ada", "PGPASSFILE", file);
    assertEquals("eve", login(url + "?user=eve", all).user());
    assertEquals(new PostgresLogin("ada", null), login(url, all));
    assertEquals(new PostgresLogin("filed", SECRET), login(url, Map.of("PGPASSFILE", file)));
    assertEquals(
        new PostgresLogin(System.getProperty("user.name"), null),
        login(url, Map.of("HOME", folder.toString())));
  }

  @Test
  void thePasswordIsTheEnvironmentsOrThatOfTheFirstLineThatFits() throws IOException {
    String file =
        passwords(
                "rw-------",
                "# host:5432:sweeps:ada:comment",
                "",
                "other:5432:sweeps:ada:other",
                "host:5433:sweeps:ada:port",
                "host:5432:sweeps:eve:user",
                "ho\\st:*:sweeps:ada:with\\:colon\\\\",
                "*:*:*:*:any")
            .toString();
    Map<String, String> environment = Map.of("PGPASSFILE", file);
    assertEquals(
        "with:colon\\", login("jdbc:postgresql://host/sweeps?user=ada", environment).password());
    assertEquals(
        "port", login("jdbc:postgresql://host:5433/sweeps?user=ada", environment).password());
    assertEquals("any", login("jdbc:postgresql://host/sweeps?user=bob", environment).password());
    assertEquals(
        SECRET,
        login(
                "jdbc:postgresql://host/sweeps?user=ada",
                Map.of("PGPASSFILE", file, "PGPASSWORD", SECRET))
            .password());
    assertEquals(
        null,
        login(
                "jdbc:postgresql://host/sweeps?user=ada",
                Map.of("PGPASSFILE", folder.resolve("none").toString()))
            .password());
  }

  @Test
  void theFileOfPasswordsIsThatOfTheHomeUnlessItIsNamed() throws IOException {
    Path file = folder.resolve(".pgpass");
    Files.writeString(file, "*:*:*:ada:" + SECRET);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    assertEquals(
        new PostgresLogin("ada", SECRET),
        login("jdbc:postgresql://host/sweeps", Map.of("HOME", folder.toString())));
  }

  @Test
  void aFileOfPasswordsThatOthersMayReadIsRefused() throws IOException {
    for (String mode : List.of("rw-r--r--", "rw----r--", "rw-rw----", "rw--w----")) {
      Path file = passwords(mode, "*:*:*:ada:" + SECRET);
      Map<String, String> environment = Map.of("PGPASSFILE", file.toString());
      RequestException e =
          assertThrows(
              RequestException.class,
              () -> StoreLocation.of("jdbc:postgresql://host/sweeps?user=ada", environment));
      assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
      assertTrue(e.getMessage().contains("chmod 600"), e.getMessage());
      assertFalse(e.toString().contains(SECRET));
      // Nobody looks at it where the password is known.
      StoreLocation.of(
          "jdbc:postgresql://host/sweeps?user=ada",
          Map.of("PGPASSFILE", file.toString(), "PGPASSWORD", SECRET));
    }
  }

  @Test
  void locationsTravelWithTheirCredentials() throws IOException, ClassNotFoundException {
    for (StoreLocation location :
        List.of(
            StoreLocation.file(Path.of("results.sqlite")),
            StoreLocation.of(
                "jdbc:postgresql://host/sweeps?user=ada", Map.of("PGPASSWORD", SECRET)))) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
        out.writeObject(location);
      }
      try (ObjectInputStream in =
          new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
        assertEquals(location, in.readObject());
      }
      assertFalse(location.toString().contains(SECRET));
      assertFalse(location.database().toString().contains(SECRET));
    }
  }
}
