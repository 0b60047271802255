package dev.flinch.store;

/** The same in PostgreSQL. */
class PostgresStoreInvariantsTest extends StoreInvariantsTest {
  private final StoreLocation location = StoreLocation.of(PostgresServer.shared().newUrl());

  @Override
  StoreLocation location() {
    return location;
  }

  /** Each connects anew, which takes a server's time. */
  @Override
  int steps() {
    return 30;
  }

  @Override
  String jdbcUrl(StoreLocation location) {
    return location.url();
  }
}
