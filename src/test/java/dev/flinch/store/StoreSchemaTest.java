package dev.flinch.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.flinch.base.RequestException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Tables of both databases are those of {@link Column}, and come there by migrations. */
class StoreSchemaTest {
  /** What is in the files of migrations that were released, by SHA-256. */
  private static final Map<String, String> RELEASED =
      Map.of(
          "V1__tables.sql",
          "e3a3eae126591174abdfc0773ac94fb0b8da5be734a5a2a34a9039f3214eed68",
          "V2__stiffness.sql",
          "6dbb80a3e443a93a1d40dc2419e437c4f5fdd5f6d490aee164d69d3e713866f5");

  @TempDir private Path folder;

  private StoreLocation file() {
    return StoreLocation.file(folder.resolve("results.sqlite"));
  }

  private static StoreLocation server() {
    return StoreLocation.of(PostgresServer.shared().newUrl());
  }

  private List<StoreLocation> both() {
    return List.of(file(), server());
  }

  private static Connection connect(StoreLocation location) throws SQLException {
    return DriverManager.getConnection(
        location.isShared() ? location.url() : "jdbc:sqlite:" + location.url());
  }

  private static void change(StoreLocation location, String... statements) throws SQLException {
    try (Connection connection = connect(location);
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  private static List<String> texts(StoreLocation location, String query) throws SQLException {
    List<String> texts = new ArrayList<>();
    try (Connection connection = connect(location);
        Statement statement = connection.createStatement();
        ResultSet found = statement.executeQuery(query)) {
      while (found.next()) {
        texts.add(found.getString(1));
      }
    }
    return texts;
  }

  private static String text(String resource) throws IOException {
    try (InputStream in = StoreSchemaTest.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Whoever changes {@link Column} needs a migration. */
  @Test
  void networksHaveTheColumnsOfRowsAndTheirKinds() throws SQLException {
    for (StoreLocation location : both()) {
      ResultStore.open(location).close();
      List<String> found = new ArrayList<>();
      try (Connection connection = connect(location);
          ResultSet columns = connection.getMetaData().getColumns(null, null, "network", null)) {
        while (columns.next()) {
          found.add(columns.getString("COLUMN_NAME") + " " + kind(columns.getString("TYPE_NAME")));
        }
      }
      Set<String> expected =
          Stream.of(Column.values())
              .map(c -> c.sqlName() + " " + c.kind())
              .collect(Collectors.toSet());
      // The first two are the plan's; later migrations add columns behind all others.
      assertEquals(expected, Set.copyOf(found.subList(2, found.size())), location.url());
    }
  }

  private static Column.Kind kind(String type) {
    return switch (type) {
      case "TEXT", "text" -> Column.Kind.TEXT;
      case "BIGINT", "int8", "INTEGER", "int4" -> Column.Kind.INTEGER;
      case "DOUBLE PRECISION", "float8" -> Column.Kind.REAL;
      default -> throw new AssertionError(type);
    };
  }

  @Test
  void releasedMigrationsStayAsTheyAre() throws IOException, NoSuchAlgorithmException {
    assertEquals(RELEASED.size(), StoreSchema.CURRENT.version());
    for (Map.Entry<String, String> released : RELEASED.entrySet()) {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(text("migrations/" + released.getKey()).getBytes(StandardCharsets.UTF_8));
      assertEquals(released.getValue(), HexFormat.of().formatHex(digest), released.getKey());
    }
  }

  @Test
  void storesOfTheFirstProgramAreTakenOver() throws SQLException, IOException {
    StoreLocation location = file();
    change(location, text("first-store.sql").split(";\n"));
    for (int time = 0; time < 2; time++) {
      try (ResultStore store = ResultStore.openExisting(location)) {
        assertEquals("a sweep", store.header().orElseThrow().title());
        assertEquals(new Counts(1, 1, 0, 0, 1, 0, 1, 0), store.counts());
        assertEquals(0.25, store.rows().get(0).number(Column.GAP));
      }
    }
    try (ResultStore store = ResultStore.openExisting(location)) {
      Claim claim = store.claim("a", Duration.ofMinutes(1)).orElseThrow();
      assertTrue(store.finish(claim, Sweeps.done(claim)));
      assertTrue(store.counts().isComplete());
    }
    StoreLocation fresh = StoreLocation.file(folder.resolve("fresh.sqlite"));
    ResultStore.open(fresh).close();
    String tables = "SELECT name FROM sqlite_master ORDER BY name";
    assertEquals(texts(fresh, tables), texts(location, tables));
    change(location, "DELETE FROM " + StoreSchema.HISTORY);
    assertTrue(refusal(location).contains("damaged"));
  }

  @Test
  void laterVersionsOfTheFirstProgramAreLeftAlone() throws SQLException {
    change(
        file(),
        "CREATE TABLE schema_version (version INTEGER NOT NULL)",
        "INSERT INTO schema_version VALUES (99)");
    assertTrue(refusal(file()).contains("found 99"));
  }

  private static String refusal(StoreLocation location) {
    return assertThrows(RequestException.class, () -> ResultStore.openExisting(location))
        .getMessage();
  }

  @Test
  void migrationsThatAreMissingAreCarriedOutAllOrNone() throws SQLException, IOException {
    Path migrations = Files.createDirectory(folder.resolve("migrations"));
    Files.writeString(migrations.resolve("V1__thing.sql"), "CREATE TABLE thing (a TEXT);");
    for (StoreLocation location : both()) {
      Files.deleteIfExists(migrations.resolve("V2__more.sql"));
      Files.deleteIfExists(migrations.resolve("V3__same.sql"));
      migrate(location, migrations, 1);
      Files.writeString(migrations.resolve("V2__more.sql"), "ALTER TABLE thing ADD COLUMN b TEXT;");
      Files.writeString(
          migrations.resolve("V3__same.sql"),
          "INSERT INTO thing VALUES ('x', 'y'); CREATE TABLE thing (a TEXT);");
      assertThrows(RequestException.class, () -> migrate(location, migrations, 3));
      assertEquals(List.of(), texts(location, "SELECT a FROM thing"));
      assertEquals(1, texts(location, "SELECT version FROM " + StoreSchema.HISTORY).size());
      Files.writeString(migrations.resolve("V3__same.sql"), "INSERT INTO thing VALUES ('x', 'y');");
      migrate(location, migrations, 3);
      migrate(location, migrations, 3);
      assertEquals(List.of("y"), texts(location, "SELECT b FROM thing"));
      assertTrue(
          assertThrows(RequestException.class, () -> migrate(location, migrations, 2))
              .getMessage()
              .contains("found 3"));
    }
  }

  /** With rows and a plan; what they lack they get when they are opened. */
  @Test
  void storesOfBeforeStiffnessAreTakenOverWithTheirRows() throws SQLException, IOException {
    Path before = Files.createDirectory(folder.resolve("before"));
    Files.writeString(before.resolve("V1__tables.sql"), text("migrations/V1__tables.sql"));
    for (StoreLocation location : both()) {
      migrate(location, before, 1);
      change(
          location,
          "INSERT INTO sweep VALUES (1, 'older', '{}', '0.1.0', 7)",
          "INSERT INTO stack VALUES (1, 2.5, 'open', 0, NULL, NULL)",
          "INSERT INTO network (position, stack, identity, status, gap)"
              + " VALUES (1, 1, '%s', 'done', 0.25)".formatted(Sweeps.identity(0)),
          "INSERT INTO network (position, stack, identity, status)"
              + " VALUES (2, 1, '%s', 'planned')".formatted(Sweeps.identity(1)));
      try (ResultStore store = ResultStore.openExisting(location)) {
        NetworkRow older = store.rows().get(0);
        assertEquals(0.25, older.number(Column.GAP));
        assertEquals(null, older.get(Column.STIFFNESS_WITHIN));
        assertEquals(null, older.get(Column.STIFFNESS));
        Claim claim = store.claim("a", Duration.ofMinutes(1)).orElseThrow();
        assertTrue(store.finish(claim, Sweeps.done(claim)));
      }
      try (ResultStore store = ResultStore.openExisting(location)) {
        assertEquals("older", store.header().orElseThrow().title());
        assertEquals(Sweeps.done(Sweeps.identity(1)), store.rows().get(1));
        assertEquals("stiffness", store.rows().get(1).text(Column.STIFFNESS));
      }
      assertEquals(
          List.of("1", "2"),
          texts(
              location,
              "SELECT version FROM %s WHERE version <> '0' ORDER BY 1"
                  .formatted(StoreSchema.HISTORY)));
    }
  }

  private static void migrate(StoreLocation location, Path migrations, int version) {
    Database database = location.database();
    try (Transactions transactions = new Transactions(database, true, false)) {
      new StoreSchema("filesystem:" + migrations, version).open(database, transactions, true);
    }
  }

  @Test
  void aServersSchemaIsMadeWhereItIsNamedAndIsAloneThere() throws SQLException {
    String url = PostgresServer.shared().newUrl();
    StoreLocation first = StoreLocation.of(url + "&currentSchema=First%20sweep");
    StoreLocation second = StoreLocation.of(url + "&currentSchema=second");
    assertTrue(refusal(first).contains("empty schema"));
    try (ResultStore a = ResultStore.open(first);
        ResultStore b = ResultStore.open(second)) {
      assertTrue(a.begin(Sweeps.HEADER, Sweeps.stacks(2, 3), List.of()));
      assertEquals(6, a.counts().networks());
      assertEquals(0, b.counts().networks());
      assertTrue(b.begin(Sweeps.HEADER, Sweeps.stacks(1, 3), List.of()));
    }
    assertEquals(
        List.of("First sweep", "second"),
        texts(
            StoreLocation.of(url),
            "SELECT schemaname FROM pg_tables WHERE tablename = 'sweep' ORDER BY 1"));
  }

  @Test
  void schemasOfSomethingElseAndOfLaterVersionsAreLeftAlone() throws SQLException {
    StoreLocation location = server();
    change(location, "CREATE TABLE bookmark (url TEXT)");
    String message =
        assertThrows(RequestException.class, () -> ResultStore.open(location)).getMessage();
    assertTrue(message.contains("something else (table bookmark)"), message);
    assertTrue(message.contains("another schema"), message);
    assertEquals(
        List.of("bookmark"),
        texts(location, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"));

    StoreLocation later = server();
    ResultStore.open(later).close();
    change(later, "UPDATE %s SET version = '99'".formatted(StoreSchema.HISTORY));
    assertTrue(refusal(later).contains("found 99"));
  }

  /** What extensions put there, such as views, is in nobody's way. */
  @Test
  void viewsInASchemaAreInNobodysWay() throws SQLException {
    StoreLocation location = server();
    change(location, "CREATE VIEW moment AS SELECT now()");
    try (ResultStore store = ResultStore.open(location)) {
      assertTrue(store.begin(Sweeps.HEADER, Sweeps.stacks(1, 1), List.of()));
    }
  }

  @Test
  void openingLogsNothing() {
    Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    Level level = root.getLevel();
    ListAppender<ILoggingEvent> logged = new ListAppender<>();
    logged.start();
    root.addAppender(logged);
    root.setLevel(Level.WARN);
    try {
      for (StoreLocation location : both()) {
        ResultStore.open(location).close();
        ResultStore.open(location).close();
      }
    } finally {
      root.setLevel(level);
      root.detachAppender(logged);
    }
    assertEquals(List.of(), logged.list.stream().map(ILoggingEvent::getFormattedMessage).toList());
  }
}
