package dev.flinch.store;

/** A store in PostgreSQL promises the same. */
class PostgresResultStoreTest extends ResultStoreTest {
  private final StoreLocation location = StoreLocation.of(PostgresServer.shared().newUrl());

  @Override
  StoreLocation location() {
    return location;
  }
}
