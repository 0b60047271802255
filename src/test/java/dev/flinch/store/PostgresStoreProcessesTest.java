package dev.flinch.store;

/** Processes share a store in PostgreSQL likewise. */
class PostgresStoreProcessesTest extends StoreProcessesTest {
  private final StoreLocation location = StoreLocation.of(PostgresServer.shared().newUrl());

  @Override
  StoreLocation location() {
    return location;
  }

  /** A server keeps its files in order. */
  @Override
  void assertUndamaged() {
    // Nothing to ask it.
  }

  @Override
  int kills() {
    return 2;
  }
}
