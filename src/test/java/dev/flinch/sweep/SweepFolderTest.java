package dev.flinch.sweep;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.flinch.base.RequestException;
import dev.flinch.store.StoreLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
