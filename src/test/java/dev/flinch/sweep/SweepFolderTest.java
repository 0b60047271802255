package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.store.StoreLocation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SweepFolderTest {
  private static final String SERVER = "jdbc:postgresql://db.example.org/sweeps?user=ada";

  @TempDir Path temporary;

  private SweepFolder folder() {
    return new SweepFolder(temporary.resolve("sweep"));
  }

  @Test
  void holdsItsStoreUnlessToldOtherwise() {
    SweepFolder folder = folder();
    assertFalse(folder.isBegun());
    folder.make(folder.store());
    assertEquals(StoreLocation.file(folder.results()), folder.store());
    assertEquals(0, folder.path().toFile().list().length);
  }

  @Test
  void namesAServerWithoutCredentials() throws IOException {
    SweepFolder folder = folder();
    folder.make(StoreLocation.of(SERVER));
    assertTrue(folder.isBegun());
    assertEquals(SERVER, folder.store().url());
    assertEquals(SERVER + "\n", Files.readString(folder.path().resolve("store.url")));
    folder.make(folder.store());
  }

  @Test
  void namesAFileThatIsFoundFromAnywhere() {
    SweepFolder folder = folder();
    Path file = temporary.resolve("x").resolve("..").resolve("elsewhere.sqlite");
    folder.make(StoreLocation.file(file));
    assertEquals(temporary.resolve("elsewhere.sqlite").toString(), folder.store().url());
    folder.make(StoreLocation.file(temporary.resolve("elsewhere.sqlite")));
  }

  @Test
  void saysWhichFileNamesNoStore() throws IOException {
    SweepFolder folder = folder();
    Path file = Files.createDirectories(folder.path()).resolve("store.url");
    Map<byte[], String> texts = new LinkedHashMap<>();
    texts.put(new byte[0], "found nothing");
    texts.put(bytes("results.sqlite"), "expected one line, the URL or the absolute path");
    texts.put(bytes("/a/results.sqlite\n/b/results.sqlite\n"), "expected one line");
    texts.put(bytes(SERVER + "\n" + SERVER), "jdbc:postgresql:");
    texts.put(bytes("/a\0b"), "expected one line");
    texts.put(new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1}, "expected one line");
    texts.put(bytes("mysql://host/database"), "mysql://host/database: expected a file");
    texts.put(bytes(SERVER + "&password=hunter2"), "without credentials");
    for (Map.Entry<byte[], String> text : texts.entrySet()) {
      Files.write(file, text.getKey());
      assertRefuses(folder, file, text.getValue());
    }
    Files.delete(file);
    Files.createDirectory(file);
    assertRefuses(folder, file, "cannot be read");
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static void assertRefuses(SweepFolder folder, Path file, String said) {
    String refusal = assertThrows(RequestException.class, folder::store).getMessage();
    assertTrue(refusal.startsWith(file + ": "), refusal);
    assertTrue(refusal.contains(said), refusal);
    assertFalse(refusal.contains("hunter2"), refusal);
  }

  @Test
  void refusesASecondStore() throws IOException {
    SweepFolder folder = folder();
    folder.make(StoreLocation.of(SERVER));
    String refusal =
        assertThrows(
                RequestException.class,
                () -> folder.make(StoreLocation.of("jdbc:postgresql://localhost/other")))
            .getMessage();
    assertTrue(refusal.contains(folder.path() + ": its sweep is in " + SERVER), refusal);
    SweepFolder local = new SweepFolder(temporary.resolve("local"));
    local.make(local.store());
    Files.createFile(local.results());
    assertThrows(RequestException.class, () -> local.make(StoreLocation.of(SERVER)));
  }
}
