package dev.flinch.store;

import dev.flinch.base.RequestException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A table that other programs read: a column for each {@link Column}, by its {@link Column#sqlName
 * name} and in its order, and a row for each network. Rows are written as they come, so a table of
 * any length takes little memory.
 */
public interface ResultTable extends Closeable {
  /** Writes a row. */
  void add(NetworkRow row) throws IOException;

  /** Writes what is left; the file is whole after that only. */
  @Override
  void close() throws IOException;

  /**
   * A table as text (CSV, RFC 4180, UTF-8): empty where a row has no value; numbers are those of
   * the row to the last digit when read as doubles.
   *
   * @param file is written over
   */
  static ResultTable csv(Path file) throws IOException {
    return new CsvTable(file);
  }

  /**
   * A table in Apache Parquet, with columns of strings, 64-bit integers and doubles, compressed by
   * gzip.
   *
   * @param file is written over
   * @throws RequestException in an installation that leaves the writer of this format out
   */
  static ResultTable parquet(Path file) throws IOException {
    try {
      return new ParquetTable(file);
    } catch (NoClassDefFoundError e) {
      throw new RequestException(
          "this installation of Flinch leaves Parquet out: write CSV, or copy the sweep to one that was built whole",
          e);
    }
  }

  /** Writes rows as {@link #csv(Path)} has it. */
  static void csv(Iterable<NetworkRow> rows, Path file) throws IOException {
    write(rows, csv(file));
  }

  /** Writes rows as {@link #parquet(Path)} has it. */
  static void parquet(Iterable<NetworkRow> rows, Path file) throws IOException {
    write(rows, parquet(file));
  }

  private static void write(Iterable<NetworkRow> rows, ResultTable table) throws IOException {
    try (table) {
      for (NetworkRow row : rows) {
        table.add(row);
      }
    }
  }
}
