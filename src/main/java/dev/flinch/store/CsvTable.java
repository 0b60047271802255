package dev.flinch.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVPrinter;

/** Rows as text. */
final class CsvTable implements ResultTable {
  private static final Column[] COLUMNS = Column.values();

  private final CSVPrinter printer;

  CsvTable(Path file) throws IOException {
    String[] header = Arrays.stream(COLUMNS).map(Column::sqlName).toArray(String[]::new);
    printer =
        CSVFormat.RFC4180
            .builder()
            .setHeader(header)
            .get()
            .print(Files.newBufferedWriter(file, StandardCharsets.UTF_8));
  }

  @Override
  public void add(NetworkRow row) throws IOException {
    printer.printRecord(Arrays.stream(COLUMNS).map(row::get).toArray());
  }

  @Override
  public void close() throws IOException {
    printer.close(true);
  }
}
