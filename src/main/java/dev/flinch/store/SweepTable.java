package dev.flinch.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a sweep is and what it plans, in the database, within transactions of the caller's. */
final class SweepTable {
  private static final int BATCH = 1000;

  Optional<SweepHeader> header(Connection connection) throws SQLException {
    Map<String, String> checksums = new LinkedHashMap<>();
    try (PreparedStatement select =
            connection.prepareStatement("SELECT name, checksum FROM data_checksum ORDER BY name");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        checksums.put(found.getString(1), found.getString(2));
      }
    }
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT title, configuration, version, created_millis FROM sweep");
        ResultSet found = select.executeQuery()) {
      return found.next()
          ? Optional.of(
              new SweepHeader(
                  found.getString(1),
                  found.getString(2),
                  checksums,
                  found.getString(3),
                  Instant.ofEpochMilli(found.getLong(4))))
          : Optional.empty();
    }
  }

  /** False if there is a sweep already. */
  boolean insert(Connection connection, SweepHeader header) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO sweep (id, title, configuration, version, created_millis)"
                + " VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING")) {
      insert.setString(1, header.title());
      insert.setString(2, header.configuration());
      insert.setString(3, header.version());
      insert.setLong(4, header.created().toEpochMilli());
      if (insert.executeUpdate() == 0) {
        return false;
      }
    }
    try (PreparedStatement insert =
        connection.prepareStatement("INSERT INTO data_checksum (name, checksum) VALUES (?, ?)")) {
      for (Map.Entry<String, String> checksum : header.dataChecksums().entrySet()) {
        insert.setString(1, checksum.getKey());
        insert.setString(2, checksum.getValue());
        insert.executeUpdate();
      }
    }
    return true;
  }

  void plan(Connection connection, Iterable<PlannedStack> stacks) throws SQLException {
    try (PreparedStatement stackInsertion = StackTable.insertion(connection);
        PreparedStatement networkInsertion = NetworkTable.insertion(connection)) {
      long position = 0;
      long id = 0;
      int waiting = 0;
      for (PlannedStack stack : stacks) {
        StackTable.addBatch(stackInsertion, ++id, stack.cost());
        for (String identity : stack.identities()) {
          NetworkTable.addBatch(networkInsertion, ++position, id, identity);
        }
        waiting += stack.identities().size();
        if (waiting >= BATCH) {
          stackInsertion.executeBatch();
          networkInsertion.executeBatch();
          waiting = 0;
        }
      }
      stackInsertion.executeBatch();
      networkInsertion.executeBatch();
    }
  }

  void insertPairs(Connection connection, Iterable<Pair> pairs) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO pair"
                + " (position, name, left_label, right_label, left_identity, right_identity)"
                + " VALUES (?, ?, ?, ?, ?, ?)")) {
      int position = 0;
      for (Pair pair : pairs) {
        insert.setLong(1, ++position);
        insert.setString(2, pair.name());
        insert.setString(3, pair.leftLabel());
        insert.setString(4, pair.rightLabel());
        insert.setString(5, pair.left());
        insert.setString(6, pair.right());
        insert.addBatch();
        if (position % BATCH == 0) {
          insert.executeBatch();
        }
      }
      insert.executeBatch();
    }
  }

  List<Pair> pairs(Connection connection) throws SQLException {
    List<Pair> pairs = new ArrayList<>();
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT name, left_label, right_label, left_identity, right_identity"
                    + " FROM pair ORDER BY position");
        ResultSet found = select.executeQuery()) {
      while (found.next()) {
        pairs.add(
            new Pair(
                found.getString(1),
                found.getString(2),
                found.getString(3),
                found.getString(4),
                found.getString(5)));
      }
    }
    return pairs;
  }
}
